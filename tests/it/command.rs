//! A command on instances, sent once and followed to its end.

use std::sync::Arc;

use http::Request;
use serde_json::{Value, json};
use stanch_engine_core::effect::Mode;
use stanch_engine_core::time::Clock as _;
use stanch_plugins_aws::sandbox::Answer;
use stanch_tests::eventually;

use crate::stage::{Plan, Stage};

const INSTANCE: &str = "i-0abc1234def567890";

async fn stage_with(options: &str) -> Stage {
    let mut plan = Plan::new().mode(Mode::Auto).manual();
    plan.ships = false;
    let stage = plan.set().await;
    let text = format!(
        "const PLAYBOOK = #{{ name: \"ask\", title: \"Asks a host\", mode: \"auto\" }};\n\
         let ran = ssm_command(\"AWS-RunShellScript\", [\"id\"], \
         #{{ instances: [\"{INSTANCE}\"], {options} }});\n\
         ran.Invocations.map(|one| [one.InstanceId, one.Status])"
    );
    stage.publish(&text).await;
    stage
}

fn sent(stage: &Stage) -> usize {
    stage.aws.calls().iter().filter(|call| call.operation == "ssm:SendCommand").count()
}

/// A run whose command was approved and is sent.
async fn begun(stage: &Stage) -> String {
    let run = stage.start_for_finding("ask").await;
    stage.approve(&run).await;
    eventually("the command is sent", async || (sent(stage) == 1).then_some(())).await;
    run
}

/// Orders answers for whatever is looked at from now on.
fn answer(stage: &Stage, answers: Value) {
    let told = Request::post("/_sandbox/answers").body(answers.to_string().into()).unwrap();
    let clock = Arc::clone(stage.clock.as_ref().unwrap());
    let said = stage.aws.answer(&told, clock.now());
    assert!(matches!(said, Answer::Response(said) if said.status().is_success()));
}

fn ended_as(status: &str) -> Value {
    let command = json!({"CommandId": "c", "Status": status, "StatusDetails": status});
    let there = json!({"CommandId": "c", "InstanceId": INSTANCE, "Status": status,
        "StatusDetails": status});
    json!([
        {"operation": "ssm:ListCommands", "output": {"Commands": [command]}},
        {"operation": "ssm:ListCommandInvocations", "output": {"CommandInvocations": [there]}},
        {"operation": "ssm:GetCommandInvocation", "output": there},
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_followed_to_its_end_through_a_restart_and_is_sent_once() {
    let mut stage = stage_with("").await;
    let run = begun(&stage).await;
    stage.restart().await;
    let ended = stage.over_in_time(&run, 1_000).await;
    assert_eq!(ended["result"], json!([[INSTANCE, "Success"]]), "{ended}");
    assert_eq!(sent(&stage), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_the_document_after_it_was_sent_does_not_end_the_step() {
    let stage = stage_with("").await;
    let run = begun(&stage).await;
    stage.aws.change_document(&"e".repeat(64));
    let ended = stage.over_in_time(&run, 1_000).await;
    assert_eq!(ended["result"], json!([[INSTANCE, "Success"]]), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_fails_the_step_unless_that_may_be() {
    for (options, is_error) in [("", true), ("require: \"none\"", false)] {
        let stage = stage_with(options).await;
        let run = begun(&stage).await;
        answer(&stage, ended_as("Failed"));
        let ended = stage.over_in_time(&run, 1_000).await;
        match is_error {
            true => assert_eq!(ended["error"]["code"], "command_failed", "{ended}"),
            false => assert_eq!(ended["result"], json!([[INSTANCE, "Failed"]]), "{ended}"),
        }
        assert_eq!(sent(&stage), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_takes_too_long_is_not_waited_for() {
    let stage = stage_with("timeout: \"1m\"").await;
    let run = begun(&stage).await;
    answer(&stage, ended_as("InProgress"));
    let ended = stage.over_in_time(&run, 5_000).await;
    assert_eq!(ended["error"]["code"], "command_timeout", "{ended}");
}
