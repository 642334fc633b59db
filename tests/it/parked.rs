//! Runs that can't go on by themselves wait for a person, and people hear of it.

use serde_json::{Value, json};

use crate::stage::{Plan, Stage};

const ASKS: &str = r#"
const PLAYBOOK = #{ name: "asks", title: "Asks", mode: "ask" };
log("a");
approval("May I?", #{});
"done"
"#;

async fn waiting() -> (Stage, String) {
    let stage = Plan::new().on_postgres().await.set().await;
    stage.publish(ASKS).await;
    let run = stage.start("asks", json!({})).await;
    stage.approval(&run).await;
    (stage, run)
}

async fn parked(stage: &Stage, run: &str, reason: &str) -> Value {
    let parked = stage.over(run).await;
    assert_eq!(
        (&parked["status"], &parked["parked_reason"]),
        (&json!("parked"), &json!(reason)),
        "{parked}"
    );
    let said = parked["parked"]["detail"].as_str().unwrap();
    let page = stage.page_that_says(said).await;
    assert!(page.contains(run), "{page}");
    parked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_the_playbook_does_not_follow_is_left_alone() {
    let (mut stage, run) = waiting().await;
    // Somebody is at the journal: the first step is another one than the playbook asks for.
    let alter =
        format!("update journal set body = replace(body, '\"a\"', '\"b\"') where run_id = '{run}'");
    stage.sql(&alter).await;
    stage.restart().await;
    stage.approve(&run).await;
    let parked = parked(&stage, &run, "diverged").await;
    assert!(parked["parked"]["detail"].as_str().unwrap().contains("step 1"), "{parked}");
    // A person mends it, and lets it go on.
    stage.sql(&alter.replace("'\"a\"', '\"b\"'", "'\"b\"', '\"a\"'")).await;
    stage.restart().await;
    stage.mia.post(&format!("/runs/{run}/resume"), &json!({"reason": "mended"})).await;
    let ended = stage.run_when(&run, |run| run["status"] == "succeeded").await;
    assert_eq!(ended["result"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_can_not_be_read_is_left_alone_too() {
    let (mut stage, run) = waiting().await;
    let alter = format!(
        "update journal set kind = 'step_vanished' where run_id = '{run}' and kind = 'step_succeeded'"
    );
    stage.sql(&alter).await;
    stage.restart().await;
    stage.approve(&run).await;
    let parked = parked(&stage, &run, "poison").await;
    assert!(parked["parked"]["detail"].as_str().unwrap().contains("step_vanished"), "{parked}");
    // The decision is not lost: a person mends the row, and lets it go on.
    let mend = format!(
        "update journal set kind = 'step_succeeded' where run_id = '{run}' and kind = 'step_vanished'"
    );
    stage.sql(&mend).await;
    stage.mia.post(&format!("/runs/{run}/resume"), &json!({"reason": "mended"})).await;
    let ended = stage.run_when(&run, |run| run["status"] == "succeeded").await;
    assert_eq!(ended["result"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_kills_its_node_again_and_again_is_taken_out() {
    let (mut stage, run) = waiting().await;
    stage.sql(&format!("update runs set recoveries = 6 where id = '{run}'")).await;
    stage.approve(&run).await;
    stage.restart().await;
    parked(&stage, &run, "poison").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_computes_without_end_is_taken_out_and_others_are_not() {
    let stage = Plan::new().on_postgres().await.set().await;
    stage.publish(&ASKS.replace("log(\"a\");", "let n = 0; loop { n += 1; }")).await;
    let run = stage.start("asks", json!({})).await;
    let ended = stage.over(&run).await;
    assert!(matches!(ended["status"].as_str(), Some("failed" | "parked")), "{ended}");
    stage.page_that_says(&run).await;
}
