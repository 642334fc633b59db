//! An SSM document is approved as it stands, by version and hash.

use serde_json::{Value, json};
use stanch_engine_core::effect::Mode;

use crate::stage::{Plan, Stage, run_of};

const RUNBOOK: &str = "AWSSupport-ContainEC2Instance";

fn starts(stage: &Stage) -> Vec<Value> {
    let calls = stage.aws.calls().into_iter();
    let starts = calls.filter(|call| call.operation == "ssm:StartAutomationExecution");
    starts.map(|call| call.params).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_names_the_version_and_the_hash_and_both_are_on_the_card() {
    let stage = Plan::new().manual().set().await;
    let run = run_of(&stage.find_instance().await);
    let approval = stage.approval(&run).await;
    let item = &approval["plan"]["items"][0];
    assert_eq!(item["params"]["DocumentVersion"], "1");
    assert_eq!(item["document"]["name"], RUNBOOK);
    assert_eq!(item["document"]["hash"].as_str().unwrap().len(), 64);
    assert_eq!(item["inverse"]["document"], item["document"]);
    assert_eq!(approval["card"]["changes"][0]["document"], item["document"]);
    stage.approve(&run).await;
    assert_eq!(stage.over_in_time(&run, 1_000).await["status"], "succeeded");
    assert_eq!(starts(&stage)[0]["DocumentVersion"], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_was_changed_after_the_approval_is_not_run() {
    let stage = Plan::new().set().await;
    let run = run_of(&stage.find_instance().await);
    stage.approval(&run).await;
    stage.aws.change_document(&"e".repeat(64));
    stage.approve(&run).await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["error"]["code"], "document_changed", "{ended}");
    assert!(starts(&stage).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_outside_of_a_plan_is_pinned_and_one_that_is_not_is_not_run() {
    let mut plan = Plan::new().mode(Mode::Ask);
    plan.ships = false;
    let stage = plan.set().await;
    let head = |name: &str| {
        format!("const PLAYBOOK = #{{ name: \"{name}\", title: \"T\", mode: \"ask\" }};\n")
    };
    let parameters = r#"#{ Action: ["Contain"], InstanceId: ["i-0abc1234def567890"] }"#;
    let bare = format!("{}ssm_automation(\"{RUNBOOK}\", {parameters});", head("bare"));
    stage.publish(&bare).await;
    let run = stage.start_for_finding("bare").await;
    let item = stage.approval(&run).await["plan"]["items"][0].clone();
    assert_eq!(item["document"]["version"], "1", "{item}");
    stage.aws.change_document(&"e".repeat(64));
    stage.approve(&run).await;
    assert_eq!(stage.over(&run).await["error"]["code"], "document_changed");

    let by_hand = format!(
        "{}let p = #{{ items: [#{{ operation: \"ssm:StartAutomationExecution\", account: \
         \"111122223333\", region: \"us-east-1\", params: #{{ DocumentName: \"{RUNBOOK}\", \
         Parameters: {parameters} }} }}] }}; approval(\"Go?\", #{{ plan: p }}); execute(p);",
        head("by-hand")
    );
    stage.publish(&by_hand).await;
    let run = stage.start_for_finding("by-hand").await;
    stage.approve(&run).await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["error"]["code"], json!("document_not_pinned"), "{ended}");
    assert!(starts(&stage).is_empty());
}
