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
    assert!(process.terminate().await.success());
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

/// Holds the write lock of a database until its input ends.
const HOLDER: &str = "
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute('begin immediate')
print('held', flush=True)
sys.stdin.read()
c.execute('rollback')
";

#[tokio::test]
async fn a_database_that_another_process_holds_is_waited_for_said_and_lost_nothing_to() {
    let mut server = Folder::new().serve().await;
    assert_eq!(server.send("before").await.0, 202);
    let file = server.folder.path().join("data/stanch.db");
    let mut holder = Process::start(Command::new("python3").args(["-c", HOLDER]).arg(&file));
    holder.wait_for_line(|line| line == "held").await;
    let (status, answer) = server.send("meanwhile").await;
    assert_eq!(status, 503, "{answer}");
    assert!(answer["code"].as_str().unwrap().starts_with("ST05"), "{answer}");
    assert_eq!(server.get("/readyz").await.0, 503);
    assert_eq!(server.get("/v1/alerts").await.0, 200, "it can be read all the while");
    holder.close_input();
    assert!(holder.wait().await.success());
    let (status, taken) = server.send("meanwhile").await;
    assert_eq!(status, 202, "{taken}");
    assert_eq!(taken["duplicate"], false, "what was refused was not kept in secret");
    assert_eq!(server.send("before").await.1["duplicate"], true);
    assert_eq!(server.get("/readyz").await.0, 200);
    assert!(server.process.terminate().await.success());
}

#[tokio::test]
async fn a_database_that_can_only_be_read_is_refused_at_the_start() {
    let server = Folder::new().serve().await;
    let Server { mut process, folder, .. } = server;
    assert!(process.terminate().await.success());
    let mut command = folder.command(&["serve"]);
    command.env("STANCH_DATABASE_URL", "sqlite://data/stanch.db?mode=ro");
    let ran = crate::server::Ran::of(command.output().await.unwrap());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("ST0501") && ran.err.contains("readonly"), "{ran:?}");
}

#[tokio::test]
async fn a_torn_tail_of_the_log_costs_nothing_that_was_acknowledged() {
    let mut server = Folder::new().serve().await;
    let mut acknowledged = 0;
    for (round, torn) in
        [Torn::Garbage, Torn::HalfOfTheLast, Torn::BitOfAnother].into_iter().enumerate()
    {
        for number in 0..10 {
            assert_eq!(server.send(&format!("f{round}-{number}")).await.0, 202);
            acknowledged += 1;
        }
        let Server { mut process, folder, .. } = server;
        process.kill().await;
        torn.tear(&folder.path().join("data/stanch.db-wal"));
        server = folder.serve().await;
        let (_, alerts) = server.get("/v1/alerts?limit=200").await;
        assert_eq!(alerts["items"].as_array().unwrap().len(), acknowledged, "{torn:?}");
    }
    for round in 0..3 {
        for number in 0..10 {
            let (_, again) = server.send(&format!("f{round}-{number}")).await;
            assert_eq!(again["duplicate"], true, "{again}");
        }
    }
}

/// What a power cut may leave behind the last commit: frames that were never synced
/// (<https://sqlite.org/fileformat2.html#the_write_ahead_log>).
#[derive(Clone, Copy, Debug)]
enum Torn {
    Garbage,
    HalfOfTheLast,
    BitOfAnother,
}

impl Torn {
    fn tear(self, log: &std::path::Path) {
        const FRAME: usize = 24 + 4096;
        let mut bytes = std::fs::read(log).unwrap();
        assert!(bytes.len() > FRAME, "the log holds frames");
        let last = bytes[bytes.len() - FRAME..].to_vec();
        match self {
            Self::Garbage => bytes.extend((0..5_000_u32).map(|n| n.wrapping_mul(97) as u8)),
            Self::HalfOfTheLast => bytes.extend(&last[..FRAME / 2]),
            Self::BitOfAnother => {
                bytes.extend(&last);
                let at = bytes.len() - 1;
                bytes[at] ^= 1;
            }
        }
        std::fs::write(log, bytes).unwrap();
    }
}
