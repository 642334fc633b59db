//! The bundle proves itself; and whatever is changed in it is found and named, by Stanch and by
//! the verifier in `docs/` that shares no line with it.

mod anchors;
mod bucket;
mod decisions;
mod ends;
mod evidence;
mod kept;
mod kms;
mod stamps;
mod tamper;
mod tsa;

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write as _};
use std::process::Command;

use serde_json::{Value, json};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::effect::Mode;
use stanch_engine_runtime::evidence::verify::{self, Brought, Verified};
use stanch_plugins_aws::sandbox::FaultKind;

use crate::stage::{Plan, Stage, id, run_of};

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

async fn exported() -> (Stage, Files) {
    let stage = Plan::new().set().await;
    let received = stage.find_key().await;
    let run = run_of(&received);
    stage.approve(&run).await;
    stage.over(&run).await;
    let path = format!("/incidents/{}/export", id(&received["incident_id"]));
    let files = unpack(&stage.mia.bytes(&path).await);
    (stage, files)
}

pub(crate) fn unpack(bundle: &[u8]) -> Files {
    let mut zip = zip::ZipArchive::new(Cursor::new(bundle)).unwrap();
    let mut files = Files::new();
    for number in 0..zip.len() {
        let mut file = zip.by_index(number).unwrap();
        let name = file.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        files.insert(name, bytes);
    }
    files
}

pub(crate) fn pack(files: &Files) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// What both verifiers say to the bundle after somebody was at it.
fn fault(stage: &Stage, files: &Files, tamper: impl FnOnce(&mut Files)) -> String {
    let mut files = files.clone();
    tamper(&mut files);
    both(&pack(&files), Some(&stage.runtime.public_key())).unwrap_err()
}

/// What both verifiers say, in the same words: that it is whole and how far, or the same fault.
fn both(bundle: &[u8], key: Option<&str>) -> Result<(), String> {
    let keys: Vec<&str> = key.into_iter().collect();
    both_with(bundle, &Brought { keys: &keys, ..Brought::default() })
}

/// The same, with whatever a verifier brings.
pub(crate) fn both_with(bundle: &[u8], brought: &Brought<'_>) -> Result<(), String> {
    let ours = verify::prove(Cursor::new(bundle), brought);
    // The script looks at no time-stamps.
    let unstamped = |verified| Verified { stamped: None, ..verified };
    let ours = ours.map(|verified| unstamped(verified).told(brought.anchors.is_some(), false));
    let ours = ours.map_err(|fault| fault.to_string());
    assert_eq!(by_script(bundle, brought), ours.clone().map_err(|fault| comparable(&fault)));
    ours.map(drop)
}

/// What a parser or the zip library says of its own is not compared.
fn comparable(fault: &str) -> String {
    let own = ["it is no bundle", "can't be read: "];
    let end = own.iter().find_map(|words| fault.find(words).map(|at| at + words.len()));
    fault[..end.unwrap_or(fault.len())].to_owned()
}

fn by_script(bundle: &[u8], brought: &Brought<'_>) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let zip = folder.path().join("bundle.zip");
    std::fs::write(&zip, bundle).unwrap();
    let mut command = Command::new(stanch_tests::python());
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/verify.py")).arg(zip);
    for (number, key) in brought.keys.iter().enumerate() {
        let pem = folder.path().join(format!("{number}.pem"));
        std::fs::write(&pem, key).unwrap();
        command.arg("--key").arg(pem);
    }
    if let Some(anchors) = brought.anchors {
        let file = folder.path().join("anchors.jsonl");
        std::fs::write(&file, anchors).unwrap();
        command.arg("--anchor").arg(file);
    }
    let output = command.output().unwrap();
    let [out, said] = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
    match (output.status.code(), said.strip_prefix("NOT WHOLE: ")) {
        (Some(0), _) => Ok(out.trim_end().to_owned()),
        (Some(1), Some(fault)) => Err(comparable(fault.trim_end())),
        _ => panic!("{said}"),
    }
}

fn lines(files: &Files) -> Vec<String> {
    let chain = std::str::from_utf8(&files["chain.jsonl"]).unwrap();
    chain.lines().map(str::to_owned).collect()
}

fn set_lines(files: &mut Files, lines: &[String]) {
    files.insert("chain.jsonl".to_owned(), (lines.join("\n") + "\n").into_bytes());
}

fn item(files: &Files) -> String {
    files.keys().find(|path| path.starts_with("items/")).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_is_found_and_named() {
    let (stage, files) = exported().await;
    let key = stage.runtime.public_key();
    let whole = verify::verify(&pack(&files), Some(&key)).unwrap();
    assert_eq!(whole.records, lines(&files).len());
    both(&pack(&files), Some(&key)).unwrap();
    let item = item(&files);
    let hash = item.strip_prefix("items/").unwrap();

    let said = fault(&stage, &files, |files| files.get_mut(&item).unwrap().push(b' '));
    assert!(said.contains(hash) && said.contains("was changed"), "{said}");
    let said = fault(&stage, &files, |files| drop(files.remove(&item)));
    assert!(said.contains(hash) && said.contains("is missing"), "{said}");
    let said = fault(&stage, &files, |files| drop(files.insert("x.txt".into(), vec![])));
    assert_eq!(said, "x.txt was added");
    let is_story = |path: &&String| {
        path.ends_with(".json") || path.starts_with("journal/") || path.starts_with("report.")
    };
    for path in files.keys().filter(is_story) {
        if path != "checkpoint.json" {
            let said = fault(&stage, &files, |files| files.get_mut(path).unwrap().push(b' '));
            assert_eq!(said, format!("{path} was changed"));
        }
        let said = fault(&stage, &files, |files| drop(files.remove(path)));
        assert_eq!(said, format!("{path} is missing"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_is_changed_is_found_and_named() {
    let (stage, files) = exported().await;
    let chain = lines(&files);
    let last = chain.len() - 1;
    for (number, line) in chain.iter().enumerate() {
        let said = fault(&stage, &files, |files| {
            let mut chain = chain.clone();
            chain[number] = line.replacen("2026", "2025", 1);
            set_lines(files, &chain);
        });
        assert!(
            said.starts_with("chain.jsonl: ") && said.contains(&format!("record {number}")),
            "{said}"
        );
    }
    let said = fault(&stage, &files, |files| {
        let mut chain = chain.clone();
        chain.swap(1, 2);
        set_lines(files, &chain);
    });
    assert!(said.contains("record 1"), "{said}");
    let said = fault(&stage, &files, |files| set_lines(files, &chain[..last]));
    assert!(said.contains(&format!("record {last}")) && said.contains("missing"), "{said}");
    let said = fault(&stage, &files, |files| {
        let mut chain = chain.clone();
        chain.remove(2);
        set_lines(files, &chain);
    });
    assert!(said.contains("record 2"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_forges_everything_still_lacks_the_key() {
    let (stage, files) = exported().await;
    let said = fault(&stage, &files, |files| {
        let story = files.get_mut("timeline.json").unwrap();
        story.push(b' ');
        let (sha256, bytes) = (Sha256::of(&story), story.len());
        let mut manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        manifest["files"]["timeline.json"] = json!({"sha256": sha256, "bytes": bytes});
        let manifest = serde_json::to_vec_pretty(&manifest).unwrap();
        let mut checkpoint: Value = serde_json::from_slice(&files["checkpoint.json"]).unwrap();
        let mut statement: Value =
            serde_json::from_str(checkpoint["statement"].as_str().unwrap()).unwrap();
        statement["manifest"] = json!(Sha256::of(&manifest));
        checkpoint["statement"] = json!(statement.to_string());
        files.insert("manifest.json".into(), manifest);
        files.insert("checkpoint.json".into(), serde_json::to_vec(&checkpoint).unwrap());
    });
    assert_eq!(said, "checkpoint.json is not signed by this key, or was changed");

    let other = Plan::new().set().await.runtime.public_key();
    let said = both(&pack(&files), Some(&other)).unwrap_err();
    assert_eq!(said, "checkpoint.json is not signed by this key, or was changed");
    assert!(!verify::verify(&pack(&files), None).unwrap().is_authenticated);
    for not_a_key in ["", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
        let said = both(&pack(&files), Some(not_a_key)).unwrap_err();
        assert!(said.starts_with("the key can't be used"), "{said}");
    }
    for not_a_bundle in [&b""[..], b"PK\x03\x04", &[0; 1_000]] {
        let said = both(not_a_bundle, None).unwrap_err();
        assert!(said.starts_with("it is no bundle"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_is_gone_from_the_disk_is_said_to_be_missing() {
    let stage = Plan::new().set().await;
    let received = stage.find_key().await;
    stage.approval(&run_of(&received)).await;
    let incident = id(&received["incident_id"]);
    let items = stage.mia.list(&format!("/incidents/{incident}/evidence")).await;
    let hash = id(&items[0]["sha256"]);
    let (start, rest) = hash.split_at(2);
    std::fs::remove_file(stage.dir().join("evidence").join(start).join(rest)).unwrap();
    let bundle = stage.mia.bytes(&format!("/incidents/{incident}/export")).await;
    let said = verify::verify(&bundle, None).unwrap_err().to_string();
    assert!(said.contains(&hash) && said.contains("is missing"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_in_the_chain_planned_or_not_made_or_refused() {
    let stage = Plan::new().mode(Mode::Auto).set().await;
    let cut = r#"aws("iam:UpdateAccessKey", #{ UserName: "ci-deploy",
        AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" });"#;
    let text =
        format!("const PLAYBOOK = #{{ name: \"bare\", title: \"T\", mode: \"auto\" }};\n{cut}");
    stage.publish(&text).await;
    let made = stage.start_for_finding("bare").await;
    let incident = id(&stage.over(&made).await["incident_id"]);
    stage.fault("iam:UpdateAccessKey", FaultKind::Denied);
    let refused = stage.start_for_finding("bare").await;
    assert_eq!(stage.over(&refused).await["status"], "failed");
    let files = unpack(&stage.mia.bytes(&format!("/incidents/{incident}/export")).await);
    let of = |run: &str, action: &str| {
        let action = format!("\"action\":\"{action}\"");
        let details = String::from_utf8_lossy(&files["details.jsonl"]).into_owned();
        let chain = lines(&files);
        let told = chain.iter().zip(details.lines());
        let says = |(line, detail): &(&String, &str)| {
            line.contains(&action) && line.contains(run) && detail.contains("iam:UpdateAccessKey")
        };
        told.filter(says).count()
    };
    assert_eq!((of(&made, "changed"), of(&refused, "changed")), (1, 0));
    assert_eq!((of(&made, "change_failed"), of(&refused, "change_failed")), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_end_of_a_chain_gives_the_same_bytes() {
    let (stage, files) = exported().await;
    let (incident, count) = (incident_of(&files), lines(&files).len());
    let path = format!("/incidents/{incident}/export");
    let first = stage.mia.bytes(&format!("{path}?head={count}")).await;
    let second = stage.mia.bytes(&format!("{path}?head={count}")).await;
    assert!(first == second, "two exports of one end differ");
    assert_eq!(unpack(&first), files, "what was exported before comes once more");
    both(&first, Some(&stage.runtime.public_key())).unwrap();
    let now = unpack(&stage.mia.bytes(&path).await);
    assert_eq!(lines(&now).len(), count + 3, "each export is in the chain of the next");
    for wrong in [0, count + 9] {
        let asked = format!("{path}?head={wrong}");
        let refused = stage.mia.try_ask(reqwest::Method::GET, &asked, None);
        let (status, said) = refused.await.unwrap();
        assert!(status == 400 && said["detail"].to_string().contains("records"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redacted_bundle_holds_no_text_and_proves_the_same_chain() {
    let (stage, files) = exported().await;
    let (incident, count) = (incident_of(&files), lines(&files).len());
    let path = format!("/incidents/{incident}/export?redact=true&head={count}");
    let redacted = unpack(&stage.mia.bytes(&path).await);
    let key = stage.runtime.public_key();
    both(&pack(&redacted), Some(&key)).unwrap();
    let verified = verify::verify(&pack(&redacted), Some(&key)).unwrap();
    let whole = verify::verify(&pack(&files), Some(&key)).unwrap();
    assert_eq!((verified.records, verified.items), (whole.records, whole.items));
    assert!(whole.withheld == 0 && verified.withheld > 5, "{verified:?}");
    assert_eq!(redacted["chain.jsonl"], files["chain.jsonl"]);
    let paths: Vec<&String> = redacted.keys().collect();
    assert_eq!(
        paths,
        ["chain.jsonl", "checkpoint.json", "kpis.json", "manifest.json", "milestones.json"]
    );
    let words = redacted.values().flat_map(|bytes| bytes.iter().copied()).collect::<Vec<u8>>();
    let words = String::from_utf8(words).unwrap();
    assert_eq!(manifest_of(&redacted)["files"]["report.md"]["withheld"], true);
    for said in ["it is ours to stop", "ci-deploy", "AKIAIOSFODNN7EXAMPLE", "iam:UpdateAccessKey"] {
        assert!(!words.contains(said), "{said}");
    }
    // Each hash is the one that the whole bundle has.
    let manifest = manifest_of(&redacted);
    assert_eq!(manifest["redacted"], true);
    for (path, entry) in manifest["files"].as_object().unwrap() {
        assert_eq!(entry["sha256"], json!(Sha256::of(&files[path])), "{path}");
        assert_eq!(entry["withheld"] == true, !redacted.contains_key(path), "{path}");
    }
    // What is withheld can be put back, and is known for what it is.
    let said = fault(&stage, &redacted, |redacted| {
        drop(redacted.insert("timeline.json".into(), files["timeline.json"].clone()));
    });
    assert_eq!(said, "timeline.json was added");
}

fn manifest_of(files: &Files) -> Value {
    serde_json::from_slice(&files["manifest.json"]).unwrap()
}

fn incident_of(files: &Files) -> String {
    id(&manifest_of(files)["incident"])
}
