//! What a run changed is taken back: in reverse, after a look, and only what can be.

use serde_json::json;
use stanch_engine_core::effect::Mode;

use crate::stage::{ACCOUNT, KEY, Plan, Stage, USER, id, run_of};

async fn contained() -> (Stage, String) {
    let stage = Plan::new().set().await;
    let run = run_of(&stage.find_key().await);
    stage.approve(&run).await;
    assert_eq!(stage.over(&run).await["status"], "succeeded");
    (stage, run)
}

async fn undo(stage: &Stage, run: &str) -> String {
    let path = format!("/runs/{run}/undo");
    id(&stage.mia.post(&path, &json!({"reason": "a drill"})).await["id"])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_longer_stands_is_told_before_anybody_says_yes() {
    let (stage, run) = contained().await;
    let on = json!({"UserName": USER, "AccessKeyId": KEY, "Status": "Active"});
    // Somebody else switches it on, past Stanch.
    stage.call(ACCOUNT, "iam:UpdateAccessKey", on).await;
    let undo = undo(&stage, &run).await;
    let approval = stage.approval(&undo).await;
    assert!(approval["title"].as_str().unwrap().contains("1 of it no longer stands"), "{approval}");
    let journal = json!(stage.journal(&undo).await).to_string();
    assert!(journal.contains("iam:UpdateAccessKey no longer stands"), "{journal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_takes_nothing_back() {
    let (stage, run) = contained().await;
    let undo = undo(&stage, &run).await;
    let approval = id(&stage.approval(&undo).await["id"]);
    let no = json!({"decision": "reject", "reason": "it is still bad"});
    stage.mia.post(&format!("/approvals/{approval}/decisions"), &no).await;
    let ended = stage.over(&undo).await;
    assert_eq!((&ended["status"], &ended["result"]), (&json!("succeeded"), &json!("rejected")));
    assert_eq!(stage.changes().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_undone_once_at_a_time_and_an_undo_can_be_undone() {
    let (stage, run) = contained().await;
    let first = undo(&stage, &run).await;
    stage.approval(&first).await;
    let path = format!("/runs/{run}/undo");
    let (status, problem) = stage.mia.post_refused(&path, &json!({"reason": "again"})).await;
    assert_eq!(status, 409, "{problem}");
    stage.approve(&first).await;
    stage.over(&first).await;
    assert_eq!(stage.changes().len(), 4);
    // What is undone is not contained: the clock of the KPI runs again.
    let found = stage.mia.get(&format!("/runs/{run}")).await;
    let kpis = stage.mia.get(&format!("/incidents/{}/kpis", id(&found["incident_id"]))).await;
    assert_eq!(kpis["kpis"]["time_to_contain"]["state"], "open", "{kpis}");

    let again = undo(&stage, &first).await;
    stage.approve(&again).await;
    assert_eq!(stage.over(&again).await["status"], "succeeded");
    assert_eq!(stage.changes()[4..], ["iam:UpdateAccessKey", "iam:PutUserPolicy"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_child_changed_is_taken_back_with_its_parent() {
    let stage = Plan::new().mode(Mode::Auto).set().await;
    stage
        .publish(
            r#"const PLAYBOOK = #{ name: "cuts", title: "Cuts", mode: "auto" };
            execute(plan([change("iam:UpdateAccessKey", #{ UserName: "ci-deploy",
                AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" }, #{
                inverse: change("iam:UpdateAccessKey", #{ UserName: "ci-deploy",
                    AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Active" }) })]));"#,
        )
        .await;
    stage
        .publish(
            r#"const PLAYBOOK = #{ name: "parent", title: "Has it done", mode: "auto" };
            run_playbook("cuts", #{});"#,
        )
        .await;
    let run = stage.start_for_finding("parent").await;
    assert_eq!(stage.over(&run).await["status"], "succeeded");
    let undo = undo(&stage, &run).await;
    stage.approve(&undo).await;
    stage.over(&undo).await;
    let statuses = stage.aws.calls().into_iter().filter(|c| c.operation == "iam:UpdateAccessKey");
    let statuses: Vec<_> = statuses.map(|call| call.params["Status"].clone()).collect();
    assert_eq!(statuses, ["Inactive", "Active"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_had_to_agree_agrees_to_the_undo_whatever_was_asked_beside() {
    let stage = Plan::new().mode(Mode::Ask).set().await;
    let zoe = stage.person("zoe", &["viewer"]).await;
    stage
        .publish(
            r#"const PLAYBOOK = #{ name: "twice", title: "Asks twice", mode: "ask" };
            fn key(status) { plan([change("iam:UpdateAccessKey", #{ UserName: "ci-deploy",
                AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: status }, #{})]) }
            let cut = key("Inactive");
            let gate = approval("Cut it off?", #{ plan: cut, approvers: ["role:responder"] });
            if gate.outcome == "approved" { execute(cut); }
            approval("And on again?", #{ plan: key("Active"), approvers: ["zoe"] }).outcome"#,
        )
        .await;
    let run = stage.start_for_finding("twice").await;
    assert_eq!(stage.approve(&run).await["status"], "approved");
    let asked = stanch_tests::eventually("the second question", async || {
        let asked = stage.approval(&run).await;
        (asked["title"] == "And on again?").then_some(asked)
    });
    let path = format!("/approvals/{}/decisions", id(&asked.await["id"]));
    zoe.post(&path, &json!({"decision": "reject", "reason": "not yet"})).await;
    assert_eq!(stage.over(&run).await["result"], "rejected");
    let asked = stage.approval(&undo(&stage, &run).await).await;
    assert_eq!(asked["approvers"], json!(["role:responder"]), "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_nothing_has_nothing_to_take_back() {
    let stage = Plan::new().set().await;
    stage.publish("const PLAYBOOK = #{ name: \"idle\", title: \"Does nothing\" }; 1").await;
    let run = stage.start("idle", json!({})).await;
    stage.over(&run).await;
    let undo = undo(&stage, &run).await;
    let ended = stage.over(&undo).await;
    assert_eq!(ended["error"]["code"], "nothing_to_undo", "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_not_over_is_not_undone() {
    let stage = Plan::new().set().await;
    let run = run_of(&stage.find_key().await);
    stage.approval(&run).await;
    let path = format!("/runs/{run}/undo");
    let (status, problem) = stage.mia.post_refused(&path, &json!({"reason": "x"})).await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("cancel it first"), "{problem}");
    let (status, _) = stage.mia.post_refused(&path, &json!({"reason": ""})).await;
    assert_eq!(status, 400);
}
