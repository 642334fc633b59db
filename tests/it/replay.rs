//! What was stored is taken once more: dead letters that can be read by now, and alerts.

use serde_json::{Value, json};
use stanch_engine_cli::config::Source;

use crate::stage::{Plan, id};

const ASKS: &str = r#"
const PLAYBOOK = #{ name: "asks", title: "Asks", triggers: [#{ source: "*", type: "*" }] };
approval("Go on?", #{ expires: "1h" }).outcome
"#;

fn scanner(severity: &str) -> Source {
    serde_json::from_value(json!({"severity": severity, "id": "key"})).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_read_once_its_sender_is_described_rightly() {
    let mut plan = Plan::new();
    plan.config.sources.insert("scanner".to_owned(), scanner("rank"));
    let mut stage = plan.set().await;
    let payload = json!([{"key": "a"}, {"key": "b", "rank": "high"}]);
    let (status, _) = stage.detector.send("/webhooks/scanner", payload.to_string()).await;
    assert_eq!(status, 202, "one of two is read");
    let letters = stage.mia.list("/dead-letters?status=open").await;
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    let path = format!("/dead-letters/{}", id(&letter["id"]));
    let replay = format!("{path}/replay");

    let again = stage.mia.post(&replay, &json!({})).await;
    assert_eq!(again["alerts"][0]["duplicate"], true, "{again}");
    assert_eq!(again["refused"].as_array().unwrap().len(), 1, "{again}");
    assert_eq!(stage.mia.get(&path).await["status"], "open");

    stage.configure(|config| {
        config.sources.insert("scanner".to_owned(), scanner("rank || 'low'"));
    });
    stage.restart().await;
    let again = stage.mia.post(&replay, &json!({})).await;
    assert_eq!(again["refused"], json!([]), "{again}");
    let is_new = |alert: &&Value| alert["duplicate"] == false;
    assert_eq!(again["alerts"].as_array().unwrap().iter().filter(is_new).count(), 1, "{again}");
    let read = stage.mia.get(&path).await;
    assert_eq!((&read["status"], &read["replayed_by"]), (&json!("replayed"), &json!("mia")));
    assert!(stage.mia.list("/dead-letters?status=open").await.is_empty());
    assert_eq!(stage.mia.list("/dead-letters").await.len(), 1, "it is kept");
    assert_eq!(stage.mia.list("/alerts").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_still_not_be_read_stays_open() {
    let stage = Plan::new().set().await;
    stage.detector.send("/webhooks/guardduty", "not json").await;
    let letter = id(&stage.mia.list("/dead-letters").await[0]["id"]);
    let replay = format!("/dead-letters/{letter}/replay");
    let (status, problem) = stage.mia.post_refused(&replay, &json!({})).await;
    assert_eq!((status, &problem["code"]), (422, &json!("ST0401")), "{problem}");
    let viewer = stage.person("vic", &["viewer"]).await;
    assert_eq!(viewer.post_refused(&replay, &json!({})).await.0, 403);
    assert_eq!(stage.mia.list("/dead-letters?status=open").await.len(), 1);
    let (status, _) = stage.mia.post_refused("/dead-letters/ded_x/replay", &json!({})).await;
    assert_eq!(status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_came_before_its_playbook_starts_it_by_a_replay_and_once() {
    let mut plan = Plan::new();
    plan.ships = false;
    let stage = plan.set().await;
    let first = stage.find_key().await;
    assert_eq!(first["run_ids"], json!([]));
    stage.publish(ASKS).await;
    let replay = format!("/alerts/{}/replay", id(&first["alert_id"]));
    let viewer = stage.person("vic", &["viewer"]).await;
    assert_eq!(viewer.post_refused(&replay, &json!({})).await.0, 403);

    let replayed = stage.mia.post(&replay, &json!({})).await;
    assert_eq!(replayed["incident_id"], first["incident_id"]);
    let run = id(&replayed["run_ids"][0]);
    stage.approval(&run).await;
    assert_eq!(stage.mia.get(&format!("/runs/{run}")).await["requester"], "replay by mia");
    let again = stage.mia.post(&replay, &json!({})).await;
    assert_eq!(again["run_ids"], replayed["run_ids"], "the open run is told");
    assert_eq!(stage.mia.list("/runs").await.len(), 1);
    let alert = stage.mia.get(&format!("/alerts/{}", id(&first["alert_id"]))).await;
    assert_eq!(alert["deliveries"], 1, "nobody delivered it again");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_a_dead_letter_again_has_started_what_follows() {
    let mut plan = Plan::new();
    plan.ships = false;
    plan.config.sources.insert("scanner".to_owned(), scanner("rank"));
    let mut stage = plan.set().await;
    stage.publish(ASKS).await;
    stage.detector.send("/webhooks/scanner", json!([{"key": "b"}]).to_string()).await;
    let letter = id(&stage.mia.list("/dead-letters?status=open").await[0]["id"]);
    stage.configure(|config| {
        config.sources.insert("scanner".to_owned(), scanner("rank || 'low'"));
    });
    stage.restart().await;
    let replayed = stage.mia.post(&format!("/dead-letters/{letter}/replay"), &json!({})).await;
    let run = id(&replayed["alerts"][0]["run_ids"][0]);
    stage.approval(&run).await;
    assert_eq!(stage.mia.get(&format!("/runs/{run}")).await["requester"], "replay by mia");
}
