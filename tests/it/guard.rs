//! What stands before every change: modes, the kill switch, and the plan that people approved.

use serde_json::json;
use stanch_engine_core::effect::Mode;

use crate::stage::{Plan, Stage, id, run_of};

/// A playbook that asks about one plan and executes another.
const SWITCHED: &str = r#"
const PLAYBOOK = #{ name: "switched", title: "Asks for one thing and does another", mode: "auto" };
fn cut(status) {
    plan([change("iam:UpdateAccessKey", #{ UserName: "ci-deploy",
        AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: status }, #{})])
}
approval("Leave it on?", #{ plan: cut("Active") });
execute(cut("Inactive"))
"#;

/// A playbook that executes without asking.
const UNASKED: &str = r#"
const PLAYBOOK = #{ name: "unasked", title: "Asks nobody", mode: "auto" };
execute(plan([change("iam:UpdateAccessKey", #{ UserName: "ci-deploy",
    AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" }, #{})]))
"#;

/// A change outside of any plan.
const BARE: &str = r#"
const PLAYBOOK = #{ name: "bare", title: "Changes without a plan", mode: "auto" };
aws("iam:UpdateAccessKey", #{ UserName: "ci-deploy", AccessKeyId: "AKIAIOSFODNN7EXAMPLE",
    Status: "Inactive" });
"done"
"#;

async fn stage_with(text: &str, mode: Mode) -> Stage {
    let mut plan = Plan::new().mode(mode);
    plan.ships = false;
    let stage = plan.set().await;
    stage.publish(text).await;
    stage
}

async fn start(stage: &Stage, playbook: &str) -> String {
    stage.start_for_finding(playbook).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_nobody_configured_is_only_observed() {
    let mut plan = Plan::new();
    plan.config.accounts.clear();
    let stage = plan.set().await;
    let received = stage.find_key().await;
    let run = run_of(&received);
    let note = stage.approval(&run).await["card"]["note"].clone();
    assert!(note.as_str().unwrap().contains("nothing is changed"), "{note}");
    stage.approve(&run).await;
    assert_eq!(stage.over(&run).await["status"], "succeeded");
    assert!(stage.changes().is_empty());
    let incident = stage.incident(&received).await;
    assert_eq!(incident["status"], "open");
    let milestones = incident["milestones"].to_string();
    assert!(!milestones.contains("contained_at") && !milestones.contains("contain_requested_at"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_strictest_of_account_and_playbook_holds() {
    let stage = stage_with(UNASKED, Mode::Ask).await;
    let ended = stage.over(&start(&stage, "unasked").await).await;
    assert_eq!(
        (&ended["status"], &ended["error"]["code"]),
        (&json!("failed"), &json!("plan_not_approved"))
    );
    assert!(stage.changes().is_empty());

    let stage = stage_with(UNASKED, Mode::Auto).await;
    stage.over(&start(&stage, "unasked").await).await;
    assert_eq!(stage.changes(), ["iam:UpdateAccessKey"]);

    let observing = UNASKED.replace("auto", "observe");
    let stage = stage_with(&observing, Mode::Auto).await;
    let ended = stage.over(&start(&stage, "unasked").await).await;
    assert_eq!(ended["result"]["observed"], true, "{ended}");
    assert!(stage.changes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_differs_from_the_approved_one_is_refused() {
    let stage = stage_with(SWITCHED, Mode::Ask).await;
    let run = start(&stage, "switched").await;
    stage.approve(&run).await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["error"]["code"], "plan_not_approved", "{ended}");
    assert!(ended["error"]["message"].as_str().unwrap().contains("not the one"), "{ended}");
    assert!(stage.changes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_outside_of_a_plan_asks_by_itself() {
    let stage = stage_with(BARE, Mode::Ask).await;
    let run = start(&stage, "bare").await;
    let approval = stage.approval(&run).await;
    assert_eq!(approval["plan"]["items"][0]["operation"], "iam:UpdateAccessKey");
    assert!(stage.changes().is_empty());
    stage.approve(&run).await;
    assert_eq!(stage.over(&run).await["result"], "done");
    assert_eq!(stage.changes(), ["iam:UpdateAccessKey"]);

    let run = start(&stage, "bare").await;
    let approval = id(&stage.approval(&run).await["id"]);
    let no = json!({"decision": "reject", "reason": "not now"});
    stage.mia.post(&format!("/approvals/{approval}/decisions"), &no).await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["status"], "failed");
    assert!(ended["error"]["message"].as_str().unwrap().contains("not now"), "{ended}");
    assert_eq!(stage.changes().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kill_switch_stops_what_was_approved() {
    let stage = Plan::new().set().await;
    let received = stage.find_key().await;
    let run = run_of(&received);
    stage.approval(&run).await;
    stage.admin.post("/halt", &json!({"reason": "something is wrong"})).await;
    stage.approve(&run).await;
    let ended = stage.over(&run).await;
    assert_eq!((&ended["status"], &ended["error"]["code"]), (&json!("failed"), &json!("halted")));
    assert!(stage.changes().is_empty());
    assert_eq!(stage.incident(&received).await["status"], "open");
    stage.page_that_says("halted").await;

    stage.admin.delete("/halt").await;
    let body = json!({"playbook": "iam-access-key-compromise", "alert": received["alert_id"]});
    let run = id(&stage.mia.post("/runs", &body).await["id"]);
    stage.approve(&run).await;
    assert_eq!(stage.over(&run).await["status"], "succeeded");
    assert_eq!(stage.incident(&received).await["status"], "contained");
}
