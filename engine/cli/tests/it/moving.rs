//! Evidence is moved when the configuration says that it lies elsewhere: whole, once, also when whoever
//! moves it is killed.

use std::path::PathBuf;

use serde_json::{Value, json};
use stanch_tests::eventually;
use stanch_tests::moto::Moto;
use stanch_tests::process::Process;
use tokio::process::Command;

use crate::bucket_evidence::{BUCKET, ask, serve, uploads, with_bucket};
use crate::server::{Folder, Ran, Server};

const MOVE: [&str; 6] =
    ["evidence", "move", "--person", "mia", "--reason", "it belongs in the archive"];

fn command(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = folder.command(arguments);
    command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    command.env("AWS_SECRET_ACCESS_KEY", "a-secret-of-nobody");
    command
}

async fn run(folder: &Folder, arguments: &[&str]) -> Ran {
    Ran::of(command(folder, arguments).output().await.unwrap())
}

async fn moved(folder: &Folder, more: &[&str]) -> Value {
    let ran = run(folder, &[&MOVE[..], more, &["--json"]].concat()).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()
}

/// An incident with a small item and one that goes into a bucket in parts, and the files of both.
async fn incident(server: &Server, mib: u64) -> (String, Vec<PathBuf>) {
    let opened =
        server.run(&["incidents", "create", "--title", "a disk", "--severity", "high"]).await;
    let incident = opened.out.trim().to_owned();
    server.folder.write("note.txt", "what was seen");
    let image = server.folder.path().join("disk.img");
    std::fs::File::create(&image).unwrap().set_len(mib << 20).unwrap();
    let mut files = Vec::new();
    for name in ["note.txt", "disk.img"] {
        let added = server.run(&["evidence", "add", &incident, name, "--json"]).await;
        let hash = added.json()["sha256"].as_str().unwrap().to_owned();
        let (start, rest) = hash.split_at(2);
        files.push(server.folder.path().join("data/evidence").join(start).join(rest));
    }
    (incident, files)
}

/// What a bundle of the incident says, and how often its chain says that an item was moved.
async fn proved(server: &Server, incident: &str) -> usize {
    let exported = server.run(&["export", incident, "-o", "incident.zip"]).await;
    assert_eq!(exported.code, 0, "{exported:?}");
    let verified = server.run(&["verify", "incident.zip", "--key", "data/keys/evidence.pub"]).await;
    assert!(verified.code == 0 && verified.out.starts_with("whole:"), "{verified:?}");
    let mut unpack = Command::new(stanch_tests::python());
    unpack.args(["-m", "zipfile", "-e", "incident.zip", "unpacked"]);
    let unpacked = unpack.current_dir(server.folder.path()).status().await.unwrap();
    assert!(unpacked.success());
    let chain = server.folder.path().join("unpacked/chain.jsonl");
    let chain = std::fs::read_to_string(chain).unwrap();
    chain.matches("\"action\":\"moved\"").count()
}

async fn killed(mut server: Server) -> Folder {
    server.process.kill().await;
    let Server { folder, .. } = server;
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_goes_into_a_bucket_and_back_and_is_proved_all_the_way() {
    let moto = Moto::start().await;
    let server = Folder::new().serve().await;
    let (incident, files) = incident(&server, 12).await;
    let ran = server.run(&MOVE).await;
    assert!(ran.code == 1 && ran.err.contains("say `--from s3://BUCKET/PREFIX`"), "{ran:?}");
    with_bucket(&server.folder, &moto);
    ask(&server.folder, &moto, "s3:CreateBucket", &json!({"Bucket": BUCKET})).await;
    let ran = run(&server.folder, &MOVE).await;
    assert!(ran.code == 1 && ran.err.contains("Stop the Stanch that runs on it"), "{ran:?}");

    let folder = killed(server).await;
    for (arguments, words) in [
        (&["--from", "disk"][..], "`--from` is `folder` or `s3://BUCKET/PREFIX`"),
        (&["--from", "s3://ir-evidence"], "lies in s3://ir-evidence/ already"),
    ] {
        let ran = run(&folder, &[&MOVE[..], arguments].concat()).await;
        assert!(ran.code == 1 && ran.err.contains(words), "{ran:?}");
    }
    let nobody = ["evidence", "move", "--person", " ", "--reason", "x"];
    let ran = run(&folder, &nobody).await;
    assert!(ran.code == 1 && ran.err.contains("the person has from 1 to"), "{ran:?}");
    assert!(files.iter().all(|file| file.exists()), "nothing was moved until now");

    let first = moved(&folder, &[]).await;
    let all = json!({"items": 2, "copied": 2, "records": 2, "stays": false, "damaged": []});
    assert_eq!(first, all);
    assert!(files.iter().all(|file| !file.exists()), "the folder is empty");
    let server = serve(folder).await;
    assert_eq!(proved(&server, &incident).await, 2);

    // Back, and what is in the bucket stays there.
    let folder = killed(server).await;
    let text = std::fs::read_to_string(folder.path().join("stanch.toml")).unwrap();
    folder.write("stanch.toml", text.split("[evidence]").next().unwrap());
    let from = format!("s3://{BUCKET}");
    let back = moved(&folder, &["--from", &from]).await;
    assert_eq!(
        (&back["items"], &back["records"], &back["stays"]),
        (&json!(2), &json!(2), &json!(true))
    );
    assert!(files.iter().all(|file| file.exists()));
    let again = moved(&folder, &["--from", &from]).await;
    assert_eq!((&again["copied"], &again["records"]), (&json!(0), &json!(0)), "{again}");
    let server = serve(folder).await;
    assert_eq!(proved(&server, &incident).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_killed_while_moving_loses_nothing_and_goes_on() {
    let moto = Moto::start().await;
    let server = Folder::new().serve().await;
    let (incident, files) = incident(&server, 120).await;
    let bytes = std::fs::read(&files[0]).unwrap();
    let folder = killed(server).await;
    with_bucket(&folder, &moto);
    ask(&folder, &moto, "s3:CreateBucket", &json!({"Bucket": BUCKET})).await;
    let mut moving = Process::start(&mut command(&folder, &MOVE));
    eventually("an upload", async || (uploads(&folder, &moto).await == 1).then_some(())).await;
    moving.kill().await;
    assert!(files[1].exists(), "what was on its way is where it was");
    moved(&folder, &[]).await;
    assert!(files.iter().all(|file| !file.exists()));
    // Killed between the record and the end of the bytes: they are there twice.
    std::fs::write(&files[0], &bytes).unwrap();
    let again = moved(&folder, &[]).await;
    assert_eq!((&again["copied"], &again["records"]), (&json!(0), &json!(0)), "{again}");
    assert!(!files[0].exists());
    // What is not what it was goes nowhere, and is said.
    std::fs::create_dir_all(files[0].parent().unwrap()).unwrap();
    let other = files[0].with_file_name("0".repeat(62));
    std::fs::write(&other, b"something else").unwrap();
    let ran = run(&folder, &MOVE).await;
    assert!(ran.code == 1 && ran.out.contains("DAMAGED: "), "{ran:?}");
    assert!(other.exists());
    let server = serve(folder).await;
    assert_eq!(proved(&server, &incident).await, 2, "each move is recorded once");
}
