//! Evidence that people add, and incidents that are held.

use std::path::PathBuf;

use serde_json::{Value, json};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::span::Span;
use stanch_engine_runtime::system;
use stanch_tests::eventually;
use tokio::io::AsyncWriteExt as _;

use crate::bundle::unpack;
use crate::stage::{Plan, Stage, id};

const DAY_MS: i64 = 24 * 3_600 * 1_000;

const TEXT: &str = "const PLAYBOOK = #{ name: \"p\", title: \"t\" };\nlog(\"what was found\");";

async fn bare(plan: Plan) -> Stage {
    let mut plan = plan;
    plan.ships = false;
    plan.set().await
}

async fn open(stage: &Stage) -> String {
    let body = json!({"title": "A laptop was stolen", "severity": "high"});
    id(&stage.mia.post("/incidents", &body).await["incident_id"])
}

/// What lies in the evidence folder beside its name: items, and what is being written.
fn files(stage: &Stage) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![stage.dir().join("evidence")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.ends_with("folder.id") => {}
                false => found.push(path),
            }
        }
    }
    found
}

async fn chain(stage: &Stage, incident: &str) -> String {
    let files = unpack(&stage.mia.bytes(&format!("/incidents/{incident}/export")).await);
    String::from_utf8_lossy(&files["chain.jsonl"]).into_owned()
}

async fn is_added(stage: &Stage) {
    let incident = open(stage).await;
    let path = format!("/incidents/{incident}/evidence");
    let bytes: Vec<u8> = (0..1_500_000_u32).map(|n| (n % 251) as u8).collect();
    let hash = Sha256::of(&bytes).to_string();
    let wish = format!("{path}?label=disk%20image&reason=from%20the%20safe&sha256={hash}");
    let (status, item) = stage.mia.send(&wish, bytes.clone()).await;
    assert_eq!(status, 201, "{item}");
    assert_eq!((&item["sha256"], &item["bytes"]), (&json!(hash), &json!(bytes.len())));
    assert_eq!((&item["captured_by"], &item["label"]), (&json!("mia"), &json!("disk image")));
    // The same bytes once more are another item, and lie on the disk once.
    assert_eq!(stage.mia.send(&format!("{path}?label=again"), bytes.clone()).await.0, 201);
    assert_eq!((stage.mia.list(&path).await.len(), files(stage).len()), (2, 1));

    let bundle = unpack(&stage.mia.bytes(&format!("/incidents/{incident}/export")).await);
    assert_eq!(bundle[&format!("items/{hash}")], bytes);
    let told = stage.mia.get(&format!("/incidents/{incident}/timeline")).await.to_string();
    assert!(told.contains("disk image") && told.contains(&hash), "{told}");
    let captured = |line: &&str| line.contains("\"captured\"") && line.contains(&hash);
    assert_eq!(chain(stage, &incident).await.lines().filter(captured).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_adds_is_an_item_with_a_record_and_in_the_bundle() {
    is_added(&bare(Plan::new()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_adds_is_an_item_with_a_record_and_in_the_bundle_on_postgres() {
    is_added(&bare(Plan::new().on_postgres().await).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_what_was_sent_is_not_kept() {
    let stage = bare(Plan::new()).await;
    let incident = open(&stage).await;
    let path = format!("/incidents/{incident}/evidence");
    let other = Sha256::of("other");
    let (status, said) = stage.mia.send(&format!("{path}?label=x&sha256={other}"), "bytes").await;
    assert_eq!(status, 400, "{said}");
    assert!(said["detail"].as_str().unwrap().contains("send it again"), "{said}");
    for (query, word) in [
        ("label=", "label"),
        ("", "label"),
        ("label=x&sha256=zz", "sha256"),
        ("label=x%00", "NUL"),
        ("label=x&reason=%00", "NUL"),
    ] {
        let (status, said) = stage.mia.send(&format!("{path}?{query}"), "bytes").await;
        assert!(status == 400 && said.to_string().contains(word), "{query}: {status} {said}");
    }
    let nowhere = format!("/incidents/{}/evidence?label=x", incident.replace("inc_0", "inc_1"));
    assert_eq!(stage.mia.send(&nowhere, "bytes").await.0, 404);
    assert_eq!(stage.mia.list(&path).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_whose_sender_dies_in_the_middle_leaves_nothing() {
    let stage = bare(Plan::new()).await;
    let incident = open(&stage).await;
    let address = stage.url.trim_start_matches("http://").to_owned();
    let token = std::fs::read_to_string(stage.dir().join("keys/admin.token")).unwrap();
    let mut sender = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /v1/incidents/{incident}/evidence?label=half HTTP/1.1\r\nhost: {address}\r\n\
         authorization: Bearer {}\r\ncontent-length: 1000000\r\n\r\n",
        token.trim()
    );
    sender.write_all(head.as_bytes()).await.unwrap();
    sender.write_all(&[7; 400_000]).await.unwrap();
    let coming = async || files(&stage).first().and_then(|path| path.metadata().ok());
    eventually("half of it on the disk", async || {
        coming().await.filter(|file| file.len() > 100_000)
    })
    .await;
    drop(sender);
    eventually("nothing on the disk", async || files(&stage).is_empty().then_some(())).await;
    let items = stage.mia.list(&format!("/incidents/{incident}/evidence")).await;
    assert_eq!(items, Vec::<Value>::new());
}

async fn stays_while_it_is_held(plan: Plan) {
    let mut plan = plan.manual();
    plan.ships = false;
    plan.config.retention.journals = Some(Span::from_secs(90 * 86_400));
    let stage = plan.set().await;
    stage.publish(TEXT).await;
    let (held, other) = (stage.start_for_finding("p").await, stage.start("p", json!({})).await);
    let incident = id(&stage.over(&held).await["incident_id"]);
    stage.over(&other).await;
    let path = |what: &str| format!("/incidents/{incident}/{what}");
    let close = json!({"reason": "over", "verdict": "benign_positive"});
    stage.mia.post(&path("close"), &close).await;

    let why = json!({"reason": "the lawyers ask"});
    for bad in [" ", "the lawyers\0"] {
        let refused = stage.mia.post_refused(&path("evidence/hold"), &json!({"reason": bad})).await;
        assert_eq!(refused.0, 400, "{refused:?}");
    }
    let hold = stage.mia.post(&path("evidence/hold"), &why).await;
    assert_eq!((&hold["by"], &hold["reason"]), (&json!("mia"), &json!("the lawyers ask")));
    let (status, refused) = stage.mia.post_refused(&path("evidence/hold"), &why).await;
    assert!(status == 409 && refused.to_string().contains("the lawyers ask"), "{refused}");
    assert_eq!(stage.mia.get(&path("")[..path("").len() - 1]).await["hold"]["by"], "mia");

    // The run beside it is archived, the one that is held is not.
    let archived = async |run: &str| {
        stage.pass(3_600 * 1_000);
        let found = stage.mia.get(&format!("/runs/{run}")).await;
        (!found["archived"].is_null()).then_some(())
    };
    stage.pass(91 * DAY_MS);
    eventually("what is not held to be archived", async || archived(&other).await).await;
    assert!(archived(&held).await.is_none());

    let (status, _) = stage.mia.post_refused(&path("evidence/release"), &why).await;
    assert_eq!(status, 403, "who holds does not lift");
    let lift = json!({"reason": "settled"});
    stage.admin.post(&path("evidence/release"), &lift).await;
    assert_eq!(stage.admin.post_refused(&path("evidence/release"), &lift).await.0, 409);
    eventually("what was held to be archived", async || archived(&held).await).await;

    let told = stage.mia.get(&path("timeline")).await.to_string();
    assert!(told.contains("hold by mia: the lawyers ask"), "{told}");
    assert!(told.contains("release by admin: settled"), "{told}");
    let chain = chain(&stage, &incident).await;
    assert!(chain.contains("\"held\"") && chain.contains("\"released\""), "{chain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_keeps_retention_away_until_it_is_lifted() {
    stays_while_it_is_held(Plan::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_keeps_retention_away_until_it_is_lifted_on_postgres() {
    stays_while_it_is_held(Plan::new().on_postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_on_elsewhere_is_held_there_too() {
    let stage = bare(Plan::new()).await;
    let (first, second) = (open(&stage).await, open(&stage).await);
    let why = json!({"reason": "the lawyers ask"});
    stage.mia.post(&format!("/incidents/{first}/evidence/hold"), &why).await;
    let merge = json!({"into": second, "reason": "it is one"});
    stage.mia.post(&format!("/incidents/{first}/merge"), &merge).await;
    for incident in [first, second] {
        let hold = stage.mia.get(&format!("/incidents/{incident}")).await["hold"].clone();
        assert_eq!(hold["reason"], "the lawyers ask", "{incident}");
    }
}

const COLLECTS: &str = r#"const PLAYBOOK = #{ name: "collects", title: "A test", mode: "auto" };
collect("keys", "iam:ListAccessKeys", #{ UserName: "ci-deploy" }, #{ regions: ["us-east-1"] });
collect("secret", "secretsmanager:GetSecretValue", #{ SecretId: "prod/db" });"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_says_by_which_requests_as_whom_by_whose_clock_and_what_it_lacks() {
    let stage = bare(Plan::new()).await;
    stage.publish(COLLECTS).await;
    let answer = json!({"operation": "secretsmanager:GetSecretValue", "output":
        {"Name": "prod/db", "SecretString": "hunter2-hunter2"}});
    stage.aws.load(json!({"answers": [answer]}), system::world().now()).unwrap();
    let run = stage.start_for_finding("collects").await;
    let over = stage.over(&run).await;
    assert_eq!(over["status"], "succeeded", "{over}");
    let incident = id(&over["incident_id"]);
    let files = unpack(&stage.mia.bytes(&format!("/incidents/{incident}/export")).await);
    let items: Vec<Value> = serde_json::from_slice(&files["evidence.json"]).unwrap();
    let of = |label: &str| &items.iter().find(|item| item["label"] == label).unwrap()["how"];
    for label in ["keys", "secret"] {
        let call = &of(label)["calls"][0];
        assert!(call["request_id"].is_string() && call["region"] == "us-east-1", "{call}");
        assert!(call["caller"].as_str().unwrap().starts_with("arn:aws:"), "{call}");
        assert!(call["clock_offset_ms"].as_i64().unwrap().abs() < 5_000, "{call}");
    }
    assert_eq!(of("keys")["caveats"], json!([]));
    let caveats = of("secret")["caveats"].to_string();
    assert!(caveats.contains("redacted: 1 secrets are sealed"), "{caveats}");
    // The same is in the custody record of each.
    let details = String::from_utf8_lossy(&files["details.jsonl"]).into_owned();
    assert_eq!(details.matches("clock_offset_ms").count(), 2, "{details}");
}
