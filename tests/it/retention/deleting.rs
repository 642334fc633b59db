//! Evidence that was kept for as long as it is kept is deleted: the chain says so, and is proved as before.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::span::Span;
use stanch_engine_runtime::evidence::verify::{self, Brought};
use stanch_tests::eventually;

use super::{DAY_MS, close};
use crate::bundle::{Files, both_with, pack, unpack};
use crate::stage::{Plan, Stage, id};

const HOUR_MS: i64 = 3_600 * 1_000;

async fn stage(mut plan: Plan) -> Stage {
    plan = plan.manual();
    plan.ships = false;
    plan.config.retention.evidence = Some(Span::from_secs(30 * 86_400));
    plan.set().await
}

async fn open(stage: &Stage) -> String {
    let body = json!({"title": "A laptop was stolen", "severity": "high"});
    id(&stage.mia.post("/incidents", &body).await["incident_id"])
}

async fn add(stage: &Stage, incident: &str, bytes: &'static str) -> Sha256 {
    let path = format!("/incidents/{incident}/evidence?label=note");
    let (status, said) = stage.mia.send(&path, bytes).await;
    assert_eq!(status, 201, "{said}");
    Sha256::of(bytes)
}

fn file(stage: &Stage, item: Sha256) -> PathBuf {
    let name = item.to_string();
    let (start, rest) = name.split_at(2);
    stage.dir().join("evidence").join(start).join(rest)
}

fn aside(stage: &Stage, item: Sha256) -> PathBuf {
    stage.dir().join("evidence").join(format!(".deleted-{item}"))
}

/// Waits, look by look, until an item is neither in its place nor aside.
async fn gone(stage: &Stage, item: Sha256) {
    eventually("the item to be gone", async || {
        stage.pass(HOUR_MS);
        let is_there = file(stage, item).exists() || aside(stage, item).exists();
        (!is_there).then_some(())
    })
    .await;
}

async fn export(stage: &Stage, incident: &str) -> Files {
    unpack(&stage.mia.bytes(&format!("/incidents/{incident}/export")).await)
}

/// What both verifiers say of a bundle that is whole.
fn told(stage: &Stage, files: &Files) -> String {
    let (key, bundle) = (stage.runtime.public_key(), pack(files));
    let brought = Brought { keys: &[&key], anchors: None, authorities: None };
    both_with(&bundle, &brought).unwrap();
    verify::prove(std::io::Cursor::new(bundle), &brought).unwrap().told(false, false)
}

/// When each item of an incident was deleted, by its hash: items of one moment come in any order.
async fn deleted_at(stage: &Stage, incident: &str) -> BTreeMap<Sha256, Value> {
    let items = stage.mia.list(&format!("/incidents/{incident}/evidence")).await;
    let mark = |item: Value| (id(&item["sha256"]).parse().unwrap(), item["deleted_at"].clone());
    items.into_iter().map(mark).collect()
}

async fn goes_and_is_said_to_be_gone(stage: &Stage) {
    let (over, going_on, held) = (open(stage).await, open(stage).await, open(stage).await);
    let alone = add(stage, &over, "of what is over alone").await;
    let shared = add(stage, &over, "of what goes on, too").await;
    add(stage, &going_on, "of what goes on, too").await;
    let wanted = add(stage, &held, "the lawyers ask").await;
    let hold = |what: &str| format!("/incidents/{held}/evidence/{what}");
    stage.mia.post(&hold("hold"), &json!({"reason": "the lawyers ask"})).await;
    for incident in [&over, &held] {
        close(stage, incident).await;
    }
    let before = export(stage, &over).await;
    stage.pass(29 * DAY_MS);
    assert!(file(stage, alone).exists());
    stage.pass(2 * DAY_MS);
    gone(stage, alone).await;

    let kept = [shared, wanted];
    assert!(kept.iter().all(|item| file(stage, *item).exists()), "what something keeps stays");
    let marks = deleted_at(stage, &over).await;
    assert!(marks[&alone].is_string() && marks[&shared].is_null(), "{marks:?}");
    let files = export(stage, &over).await;
    assert!(before.contains_key(&format!("items/{alone}")));
    assert!(!files.contains_key(&format!("items/{alone}")));
    let said = told(stage, &files);
    assert!(said.contains("deleted by retention: 1 items are gone, as the chain says"), "{said}");
    assert!(told(stage, &before).lines().all(|line| !line.contains("deleted")));
    let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    assert_eq!(manifest["missing"], json!([]));
    let report = String::from_utf8_lossy(&files["report.md"]).into_owned();
    assert!(report.contains("deleted by retention at"), "{report}");
    let timeline = stage.mia.get(&format!("/incidents/{over}/timeline")).await.to_string();
    assert!(
        timeline.contains("deletion by retention: note: evidence is kept for 30 days"),
        "{timeline}"
    );
    let redacted = format!("/incidents/{over}/export?redact=true");
    let redacted = told(stage, &unpack(&stage.mia.bytes(&redacted).await));
    assert!(redacted.contains("deleted by retention: 1 items"), "{redacted}");

    // The hold was all that kept it, and the same bytes may come again.
    stage.admin.post(&hold("release"), &json!({"reason": "settled"})).await;
    gone(stage, wanted).await;
    add(stage, &going_on, "the lawyers ask").await;
    assert!(told(stage, &export(stage, &held).await).contains("1 items are gone"));
    let again = export(stage, &going_on).await;
    assert_eq!(again[&format!("items/{wanted}")], b"the lawyers ask");
    assert!(!told(stage, &again).contains("deleted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_for_long_goes_and_is_said_to_be_gone() {
    goes_and_is_said_to_be_gone(&stage(Plan::new()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_for_long_goes_and_is_said_to_be_gone_on_postgres() {
    goes_and_is_said_to_be_gone(&stage(Plan::new().on_postgres().await).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_added_after_the_close_stays_as_long() {
    let stage = stage(Plan::new()).await;
    let over = open(&stage).await;
    let early = add(&stage, &over, "of before").await;
    close(&stage, &over).await;
    stage.pass(29 * DAY_MS);
    let late = add(&stage, &over, "of long after").await;
    stage.pass(2 * DAY_MS);
    let marks = eventually("a mark", async || {
        stage.pass(HOUR_MS);
        let marks = deleted_at(&stage, &over).await;
        marks[&early].is_string().then_some(marks)
    });
    assert!(marks.await[&late].is_null());
    assert!(file(&stage, late).exists());
    gone(&stage, early).await;
    stage.pass(29 * DAY_MS);
    gone(&stage, late).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_again_while_it_is_on_its_way_out_stays() {
    let stage = stage(Plan::new()).await;
    let (over, going_on) = (open(&stage).await, open(&stage).await);
    let item = add(&stage, &over, "seen twice").await;
    close(&stage, &over).await;
    stage.pass(31 * DAY_MS);
    // It was set aside, and is gone only at the look after that.
    eventually("the item aside", async || aside(&stage, item).exists().then_some(())).await;
    assert!(!file(&stage, item).exists());
    add(&stage, &going_on, "seen twice").await;
    eventually("nothing aside", async || {
        stage.pass(HOUR_MS);
        (!aside(&stage, item).exists()).then_some(())
    })
    .await;
    let files = export(&stage, &going_on).await;
    assert_eq!(files[&format!("items/{item}")], b"seen twice");
    told(&stage, &files);
    assert!(told(&stage, &export(&stage, &over).await).contains("1 items are gone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_journal_needs_stays_with_it() {
    let stage = stage(Plan::new()).await;
    let user = |number: usize| {
        json!({"UserName": format!("user-{number}"), "UserId": format!("AIDA{number:016}"), "Path": "/",
            "Arn": format!("arn:aws:iam::111122223333:user/user-{number}"),
            "CreateDate": "2026-11-24T02:00:00Z"})
    };
    let users: Vec<Value> = (0..3_000).map(user).collect();
    let answer = json!({"operation": "iam:ListUsers", "output": {"Users": users}});
    stage.aws.load(json!({"answers": [answer]}), stage.runtime.world().now()).unwrap();
    let text = "const PLAYBOOK = #{ name: \"p\", title: \"t\" };\n\
        aws(\"iam:ListUsers\", #{}); evidence(\"note\", \"small\");";
    stage.publish(text).await;
    let run = stage.start_for_finding("p").await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let incident = id(&ended["incident_id"]);
    let journal = stage.journal(&run).await;
    let stored = journal.iter().find_map(|entry| entry["body"]["result"]["$stored"].as_str());
    let stored: Sha256 = stored.unwrap().parse().unwrap();
    let users = std::fs::read_to_string(file(&stage, stored)).unwrap().leak();
    let users = add(&stage, &incident, users).await;
    assert_eq!(stored, users, "it is the same bytes");
    close(&stage, &incident).await;
    stage.pass(31 * DAY_MS);
    gone(&stage, Sha256::of("\"small\"")).await;
    assert!(file(&stage, users).exists());
    let marks = deleted_at(&stage, &incident).await;
    assert_eq!(marks.values().filter(|mark| mark.is_string()).count(), 1, "{marks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_an_item_away_and_says_that_retention_did_it_is_found() {
    let stage = stage(Plan::new()).await;
    let incident = open(&stage).await;
    let item = add(&stage, &incident, "what somebody wants gone").await;
    let files = export(&stage, &incident).await;
    told(&stage, &files);
    let key = stage.runtime.public_key();
    let fault = |change: &dyn Fn(&mut Vec<String>)| {
        let mut files = files.clone();
        files.remove(&format!("items/{item}"));
        let chain = String::from_utf8(files["chain.jsonl"].clone()).unwrap();
        let mut lines: Vec<String> = chain.lines().map(str::to_owned).collect();
        change(&mut lines);
        files.insert("chain.jsonl".to_owned(), (lines.join("\n") + "\n").into_bytes());
        both_with(&pack(&files), &Brought { keys: &[&key], anchors: None, authorities: None })
            .unwrap_err()
    };
    let said = fault(&|_| {});
    assert_eq!(said, format!("record 1 (note): the item {item} is missing"));
    let said = fault(&|lines| lines[1] = lines[1].replace("captured", "deleted_by_retention"));
    assert!(said.starts_with("chain.jsonl: record 1 was changed"), "{said}");
    let said = fault(&|lines| {
        let added =
            lines[1].replace("captured", "deleted_by_retention").replace("\"seq\":1", "\"seq\":3");
        let prev = Sha256::of(lines[2].as_bytes()).to_string();
        let mut record: Value = serde_json::from_str(&added).unwrap();
        record["prev"] = json!(prev);
        lines.push(record.to_string());
    });
    assert!(said.ends_with("record 3 is the first that was added"), "{said}");
}
