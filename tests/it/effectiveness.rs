//! Accepted by AWS is not effective: nothing is called contained before a probe has seen it.

use serde_json::{Value, json};
use stanch_plugins_aws::sandbox::FaultKind;

use crate::stage::{Plan, Stage, id, run_of};

/// A run of a shipped playbook, whose change is accepted and does nothing.
async fn without_effect(operation: &str, find: impl AsyncFn(&Stage) -> Value) {
    let stage = Plan::new().manual().set().await;
    let received = find(&stage).await;
    let run = run_of(&received);
    stage.approval(&run).await;
    stage.fault(operation, FaultKind::AcceptWithoutEffect);
    stage.approve(&run).await;
    let ended = stage.over_in_time(&run, 500).await;
    assert_eq!(
        (&ended["status"], &ended["error"]["code"]),
        (&json!("failed"), &json!("unverified")),
        "{ended}"
    );
    assert!(ended["error"]["message"].as_str().unwrap().contains("NOT EFFECTIVE"), "{ended}");
    let incident = stage.incident(&received).await;
    assert_eq!(incident["status"], "open");
    let milestones = incident["milestones"].to_string();
    assert!(milestones.contains("contain_requested_at"));
    assert!(!milestones.contains("contained_at"), "{milestones}");
    stage.page_that_says("NOT EFFECTIVE").await;
    let kpis = stage.mia.get(&format!("/incidents/{}/kpis", id(&received["incident_id"]))).await;
    assert_eq!(kpis["kpis"]["time_to_contain"]["state"], "open", "{kpis}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_stays_active() {
    without_effect("iam:UpdateAccessKey", Stage::find_key).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_not_denied() {
    without_effect("iam:PutUserPolicy", Stage::find_key).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_stays_on_the_network() {
    without_effect("ssm:StartAutomationExecution", Stage::find_instance).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_cut_off_by_the_runbook_and_released() {
    let stage = Plan::new().manual().set().await;
    let received = stage.find_instance().await;
    let run = run_of(&received);
    let approval = stage.approval(&run).await;
    let label = |item: &Value| id(&item["label"]);
    let incident = id(&received["incident_id"]);
    let items = stage.mia.list(&format!("/incidents/{incident}/evidence")).await;
    let labels: Vec<String> = items.iter().map(label).collect();
    assert!(labels.contains(&"instance".to_owned()), "evidence first: {labels:?}");
    assert_eq!(approval["card"]["changes"][0]["probed_by"], "ec2:DescribeInstances");
    stage.approve(&run).await;
    assert_eq!(stage.over_in_time(&run, 500).await["status"], "succeeded");
    assert_eq!(stage.incident(&received).await["status"], "contained");
    assert_eq!(stage.changes(), ["ssm:StartAutomationExecution"]);

    let path = format!("/runs/{run}/undo");
    let undo = id(&stage.mia.post(&path, &json!({"reason": "it is clean"})).await["id"]);
    stage.approve(&undo).await;
    assert_eq!(stage.over_in_time(&undo, 500).await["status"], "succeeded");
    assert_eq!(stage.incident(&received).await["status"], "open");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_that_does_nothing_is_not_called_undone() {
    let stage = Plan::new().manual().set().await;
    let received = stage.find_key().await;
    let run = run_of(&received);
    stage.approve(&run).await;
    stage.over_in_time(&run, 500).await;
    let path = format!("/runs/{run}/undo");
    let undo = id(&stage.mia.post(&path, &json!({"reason": "a drill"})).await["id"]);
    stage.approval(&undo).await;
    stage.fault("iam:UpdateAccessKey", FaultKind::AcceptWithoutEffect);
    stage.approve(&undo).await;
    let ended = stage.over_in_time(&undo, 500).await;
    assert_eq!(ended["error"]["code"], "unverified", "{ended}");
    assert_eq!(stage.incident(&received).await["status"], "contained");
}

#[tokio::test(flavor = "multi_thread")]
async fn triage_waits_for_a_verdict_and_changes_nothing() {
    let stage = Plan::new().set().await;
    let mut finding = stanch_plugins_aws::sandbox::Sandbox::demo_instance_finding(
        stanch_engine_core::time::Timestamp::parse("2026-11-24T03:00:00Z").unwrap(),
    );
    finding["detail"]["severity"] = json!(5.0);
    let received = stage.detector.post("/webhooks/guardduty", &finding).await;
    let run = run_of(&received);
    assert_eq!(stage.approval(&run).await["form"], "verdict");
    stage.approve(&run).await;
    assert_eq!(stage.over(&run).await["status"], "succeeded");
    let incident = stage.incident(&received).await;
    assert_eq!(
        (&incident["status"], &incident["verdict"]),
        (&json!("open"), &json!("true_positive"))
    );
    assert!(stage.changes().is_empty());
    stage.page_that_says("medium").await;
}
