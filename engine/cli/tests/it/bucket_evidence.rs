//! A server whose evidence lies in a bucket, and that is killed over an item.

use serde_json::{Value, json};
use stanch_tests::eventually;
use stanch_tests::moto::Moto;
use stanch_tests::process::Process;

use crate::large_evidence::{MEMORY, memory, watched};
use crate::server::{Folder, Ran, Server};

pub(crate) const BUCKET: &str = "ir-evidence";

pub(crate) fn with_bucket(folder: &Folder, moto: &Moto) {
    let before = std::fs::read_to_string(folder.path().join("stanch.toml")).unwrap();
    let text = format!(
        "{before}\n[aws]\nregion = \"us-east-1\"\nendpoint_url = \"{}\"\n\n[evidence]\nstore = \
         \"s3://{BUCKET}\"\n",
        moto.url()
    );
    folder.write("stanch.toml", &text);
}

/// Serves with credentials, as `stanch serve` finds them.
pub(crate) async fn serve(folder: Folder) -> Server {
    let mut command = folder.command(&["serve"]);
    command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    command.env("AWS_SECRET_ACCESS_KEY", "a-secret-of-nobody");
    Server::started(Process::start(&mut command), folder).await
}

/// What the bucket says, by `stanch aws call`.
pub(crate) async fn ask(folder: &Folder, moto: &Moto, operation: &str, params: &Value) -> Value {
    let params = params.to_string();
    let arguments =
        ["aws", "call", operation, "--params", &params, "--region", "us-east-1", "--endpoint-url"];
    let mut command = folder.command(&[&arguments[..], &[moto.url()]].concat());
    command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    command.env("AWS_SECRET_ACCESS_KEY", "a-secret-of-nobody");
    let ran = Ran::of(command.output().await.unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()
}

pub(crate) async fn uploads(folder: &Folder, moto: &Moto) -> usize {
    let found = ask(folder, moto, "s3:ListMultipartUploads", &json!({"Bucket": BUCKET})).await;
    found["Uploads"].as_array().map_or(0, Vec::len)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_whose_server_is_killed_in_the_middle_leaves_no_half_of_it_in_the_bucket() {
    let moto = Moto::start().await;
    let folder = Folder::new();
    with_bucket(&folder, &moto);
    ask(&folder, &moto, "s3:CreateBucket", &json!({"Bucket": BUCKET})).await;
    let mut server = serve(folder).await;
    let opened =
        server.run(&["incidents", "create", "--title", "a disk", "--severity", "high"]).await;
    let incident = opened.out.trim().to_owned();
    // What never ends: the server is killed while it comes.
    let arguments = ["evidence", "add", &incident, "/dev/zero", "--label", "endless"];
    let mut command = server.folder.command(&arguments);
    let mut adding = Process::start(command.env("STANCH_URL", &server.url));
    eventually("an upload", async || (uploads(&server.folder, &moto).await == 1).then_some(()))
        .await;
    server.process.kill().await;
    assert!(!adding.wait().await.success());
    let Server { folder, .. } = server;
    assert_eq!(uploads(&folder, &moto).await, 1, "nobody was there to give it up");
    let server = serve(folder).await;
    eventually("no upload", async || (uploads(&server.folder, &moto).await == 0).then_some(()))
        .await;
    let objects = ask(&server.folder, &moto, "s3:ListObjectsV2", &json!({"Bucket": BUCKET})).await;
    assert_eq!(objects["Contents"].as_array().map_or(0, Vec::len), 0, "{objects}");
    let listed = server.run(&["evidence", "list", &incident, "--json"]).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 0);
    // And the server still takes evidence.
    server.folder.write("note.txt", "what was seen");
    let added = server.run(&["evidence", "add", &incident, "note.txt", "--label", "note"]).await;
    assert_eq!(added.code, 0, "{added:?}");
}

/// Sends an item of so many MiB in and out, and proves it; gives the most that the server had in memory
/// meanwhile, in bytes.
async fn passes(server: &Server, incident: &str, mib: u64) -> u64 {
    let image = server.folder.path().join("disk.img");
    std::fs::File::create(&image).unwrap().set_len(mib << 20).unwrap();
    let mut most = 0;
    for (arguments, begins) in [
        (&["evidence", "add", incident, "disk.img", "--label", "disk"][..], ""),
        (&["export", incident, "-o", "incident.zip"], ""),
        (&["verify", "incident.zip", "--key", "data/keys/evidence.pub"], "whole:"),
    ] {
        let (said, taken, serving) = watched(server, arguments).await;
        assert!(said.starts_with(begins), "{said}");
        assert!(taken < MEMORY, "{arguments:?} took {} MiB", taken >> 20);
        most = most.max(serving);
    }
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_goes_into_a_bucket_and_out_in_memory_that_does_not_grow_with_it() {
    let moto = Moto::start().await;
    let folder = Folder::new();
    with_bucket(&folder, &moto);
    ask(&folder, &moto, "s3:CreateBucket", &json!({"Bucket": BUCKET})).await;
    let server = serve(folder).await;
    let opened =
        server.run(&["incidents", "create", "--title", "a disk", "--severity", "high"]).await;
    let incident = opened.out.trim();
    let idle = memory(server.process.id().unwrap(), "RssAnon").unwrap();
    let small = passes(&server, incident, 24).await;
    let large = passes(&server, incident, 160).await;
    let [idle, small, large] = [idle, small, large].map(|bytes| bytes >> 20);
    println!("the server: {idle} MiB idle, {small} with 24 MiB, {large} with 160 MiB");
    assert!(large < MEMORY >> 20, "the server took {large} MiB, {idle} of them idle");
    // Parts that are under way, and what the allocator keeps of them, come to some 20 MiB by chance.
    let grown = large.saturating_sub(small);
    assert!(grown < (160 - 24) / 4, "the larger item took more: {large} MiB after {small}");
}

/// What the doctor finds of a hop.
async fn found(folder: &Folder, hop: &str) -> (String, String) {
    let mut command = folder.command(&["--json", "doctor", "--region", "us-east-1"]);
    command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    command.env("AWS_SECRET_ACCESS_KEY", "a-secret-of-nobody");
    let report = Ran::of(command.output().await.unwrap()).json();
    let mut checks = report["checks"].as_array().unwrap().iter();
    let check = checks.find(|check| check["hop"] == hop).unwrap_or_else(|| panic!("{report:#}"));
    let text = |member: &str| check[member].as_str().unwrap().to_owned();
    (text("health"), text("found"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_what_the_bucket_and_the_key_lack() {
    let moto = Moto::start().await;
    let folder = Folder::new();
    with_bucket(&folder, &moto);
    let before = std::fs::read_to_string(folder.path().join("stanch.toml")).unwrap();
    let (health, said) = found(&folder, "evidence_bucket").await;
    assert!(health == "missing" && said.contains("NoSuchBucket"), "{health} {said}");
    ask(&folder, &moto, "s3:CreateBucket", &json!({"Bucket": BUCKET})).await;
    assert_eq!(found(&folder, "evidence_bucket").await.0, "warning", "nothing is locked");
    folder.write("stanch.toml", &format!("{before}lock = \"governance\"\n"));
    let (health, said) = found(&folder, "evidence_bucket").await;
    assert!(health == "missing" && said.contains("no Object Lock"), "{health} {said}");
    let other = before.replace(BUCKET, "ir-locked");
    folder.write("stanch.toml", &format!("{other}lock = \"governance\"\n"));
    let locked = json!({"Bucket": "ir-locked", "ObjectLockEnabledForBucket": true});
    ask(&folder, &moto, "s3:CreateBucket", &locked).await;
    assert_eq!(found(&folder, "evidence_bucket").await.0, "ok");
    // moto makes keys of other kinds only.
    let made = json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"});
    let made = ask(&folder, &moto, "kms:CreateKey", &made).await;
    let arn = made["KeyMetadata"]["Arn"].as_str().unwrap();
    folder.write("stanch.toml", &format!("{before}key = \"kms:{arn}\"\n"));
    let (health, said) = found(&folder, "evidence_key").await;
    assert!(health == "missing" && said.contains("ECDSA_SHA_256"), "{health} {said}");
    let mut command = folder.command(&["serve"]);
    command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    command.env("AWS_SECRET_ACCESS_KEY", "a-secret-of-nobody");
    let refused = Ran::of(command.output().await.unwrap());
    assert!(refused.code == 1 && refused.err.contains("ECC_NIST_EDWARDS25519"), "{refused:?}");
}
