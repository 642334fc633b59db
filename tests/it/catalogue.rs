//! A change that a playbook writes as nothing but a call gets the rest from the undo catalogue.

use serde_json::{Value, json};
use stanch_engine_core::effect::Mode;
use stanch_plugins_aws::sandbox::FaultKind;

use crate::stage::{ACCOUNT, KEY, Plan, Stage, USER, id};

/// A playbook that cuts a key off with a bare change, and one that can't be taken back.
const BARE: &str = r#"const PLAYBOOK = #{ name: "bare", title: "Says nothing but the call" };
let cut = plan([change("iam:UpdateAccessKey", #{ UserName: "ci-deploy",
    AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" })]);
let gate = approval("Cut?", #{ plan: cut });
if gate.outcome == "approved" { execute(cut); }
gate.outcome"#;

async fn bare() -> (Stage, String) {
    let stage = Plan::new().manual().mode(Mode::Ask).set().await;
    stage.publish(BARE).await;
    let run = stage.start_for_finding("bare").await;
    (stage, run)
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_the_state_before_the_probe_and_the_inverse_before_they_approve() {
    let (stage, run) = bare().await;
    let approval = stage.approval(&run).await;
    let change = &approval["card"]["changes"][0];
    assert_eq!(
        (&change["before"], &change["probed_by"], &change["undone_by"], &change["marks"]),
        (&json!("Active"), &json!("iam:ListAccessKeys"), &json!("iam:UpdateAccessKey"), &json!([])),
        "{change}"
    );
    assert!(stage.changes().is_empty(), "a plan only reads");
    stage.approve(&run).await;
    assert_eq!(stage.over_in_time(&run, 500).await["status"], "succeeded");

    let path = format!("/runs/{run}/undo");
    let undo = id(&stage.mia.post(&path, &json!({"reason": "a drill"})).await["id"]);
    stage.approve(&undo).await;
    assert_eq!(stage.over_in_time(&undo, 500).await["status"], "succeeded");
    let keys = stage.call(ACCOUNT, "iam:ListAccessKeys", json!({"UserName": USER})).await;
    assert_eq!(keys["AccessKeyMetadata"][0]["Status"], "Active");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_and_does_nothing_is_seen_by_the_catalogues_probe() {
    let (stage, run) = bare().await;
    stage.approval(&run).await;
    stage.fault("iam:UpdateAccessKey", FaultKind::AcceptWithoutEffect);
    stage.approve(&run).await;
    let ended = stage.over_in_time(&run, 500).await;
    assert_eq!(ended["error"]["code"], "unverified", "{ended}");
    stage.page_that_says("NOT EFFECTIVE").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_back_already_is_left_alone() {
    let (stage, run) = bare().await;
    stage.approve(&run).await;
    stage.over_in_time(&run, 500).await;
    let on = json!({"UserName": USER, "AccessKeyId": KEY, "Status": "Active"});
    stage.call(ACCOUNT, "iam:UpdateAccessKey", on).await;
    let path = format!("/runs/{run}/undo");
    let undo = id(&stage.mia.post(&path, &json!({"reason": "a drill"})).await["id"]);
    let ended = stage.over_in_time(&undo, 500).await;
    let why = ended["error"]["message"].as_str().unwrap_or_default();
    assert!(why.contains("is as it was before already"), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_undone_says_why_before_anybody_approves() {
    let stage = Plan::new().manual().mode(Mode::Ask).set().await;
    stage
        .publish(
            r#"const PLAYBOOK = #{ name: "last", title: "Deletes a key" };
            approval("Delete?", #{ plan: plan([change("iam:DeleteAccessKey", #{
                UserName: "ci-deploy", AccessKeyId: "AKIAIOSFODNN7EXAMPLE" })]) });"#,
        )
        .await;
    let run = stage.start_for_finding("last").await;
    let approval = stage.approval(&run).await;
    let change = &approval["card"]["changes"][0];
    assert_eq!(change["marks"], json!(["FINAL"]), "{change}");
    let notes: Vec<&str> =
        change["notes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert!(notes.iter().any(|note| note.starts_with("FINAL: a deleted key")), "{notes:?}");
}
