//! Bad surroundings: each a clear error, nothing lost, and the server stands.

use stanch_tests::process::Process;
use tokio::process::Command;

use crate::server::{Folder, STANCH, Server, finding};

async fn refused(config: &str, says: &[&str]) {
    let folder = Folder::new();
    folder.write("stanch.toml", config);
    let ran = folder.run(&["serve"]).await;
    assert_eq!(ran.code, 1, "{config}: {ran:?}");
    for words in says {
        assert!(ran.err.contains(words), "{config}: {words}: {ran:?}");
    }
}

#[tokio::test]
async fn a_configuration_that_can_not_be_is_an_error_that_names_the_key() {
    refused("lisen = \"x\"", &["ST0505", "lisen", "listen"]).await;
    refused("listen = \"here\"", &["ST0505", "`here`", "127.0.0.1:8080"]).await;
    refused("listen = 5", &["ST0505", "listen"]).await;
    refused(
        "listen = \"127.0.0.1:0\"\ndata_dir = \"data\"\ndatabase_url = \"mysql://x\"",
        &["sqlite", "postgres"],
    )
    .await;
    refused("[webhook]\ntoken = \"hunter2hunter2hunter2\"", &["ST0505", "env:NAME"]).await;
    refused("[accounts.\"1\"]\nmode = \"ask\"", &["ST0505", "12 digits"]).await;
    refused("not toml", &["ST0505", "stanch.toml"]).await;
}

#[tokio::test]
async fn a_file_that_is_no_database_and_one_of_a_newer_version_are_left_alone() {
    let server = Folder::new().serve().await;
    let Server { mut process, folder, .. } = server;
    process.terminate().await;
    let file = folder.path().join("data/stanch.db");
    let python = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(\"insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (999, 'later', 1, x'00', 0)\"); c.commit()";
    let status = Command::new("python3").args(["-c", python]).arg(&file).status().await.unwrap();
    assert!(status.success());
    let before = std::fs::read(&file).unwrap();
    let ran = folder.run(&["serve"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("ST0502") && ran.err.contains("newer"), "{ran:?}");
    assert_eq!(std::fs::read(&file).unwrap(), before);

    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.path().join(format!("data/stanch.db{end}")));
    }
    std::fs::write(&file, "this is a letter to my aunt, and no database at all\n".repeat(100))
        .unwrap();
    let ran = folder.run(&["serve"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("ST05"), "{ran:?}");
}

#[tokio::test]
async fn a_full_disk_is_said_and_nothing_that_was_acknowledged_is_lost() {
    let folder = Folder::new();
    // No file of the process may grow past 3 MB; a write beyond is an error, as of a full disk.
    let script = format!("trap '' XFSZ; ulimit -f 6144; exec {STANCH} serve");
    let mut command = Command::new("bash");
    command.args(["-c", &script]).current_dir(folder.path());
    let server = Server::started(Process::start(&mut command), folder).await;
    let token = server.folder.secret("webhook.token");
    let (mut taken, mut refused) = (0, 0);
    for number in 0..400 {
        let mut finding = finding(&format!("f{number}"));
        finding["description"] = "x".repeat(60_000).into();
        let path = "/v1/webhooks/guardduty";
        let (status, answer) = server.post(path, &token, finding.to_string()).await;
        match status {
            202 if refused == 0 => taken += 1,
            202 => {}
            503 => {
                assert!(answer["code"].as_str().unwrap().starts_with("ST05"), "{answer}");
                refused += 1;
            }
            _ => panic!("{status} {answer}"),
        }
        if refused > 3 {
            break;
        }
    }
    assert!(taken > 5 && refused > 3, "{taken} taken, {refused} refused");
    let (status, ready) = server.get("/readyz").await;
    assert_eq!(status, 503, "{ready}");
    assert_eq!(server.get("/healthz").await.0, 200);
    let Server { mut process, folder, .. } = server;
    process.kill().await;

    let server = folder.serve().await;
    for number in 0..taken {
        let (_, again) = server.send(&format!("f{number}")).await;
        assert_eq!(again["duplicate"], true, "finding {number} was acknowledged, and is lost");
    }
    assert_eq!(server.send("more").await.0, 202);
    assert_eq!(server.get("/readyz").await.0, 200);
}
