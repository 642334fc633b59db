//! An automation, followed to its end.

use std::sync::Arc;

use serde_json::{Value, json};
use stanch_plugins_aws::sandbox::{Fault, FaultKind, Sandbox};
use stanch_plugins_sdk::core::effect::{Effect, RetrySafety};
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{ActionContext, ActionError, Catalogue, Done, Nature, Outcome};

use crate::context::{call, catalogue, context, done};
use crate::listener::{now, serve};

const INSTANCE: &str = "i-0abc1234def567890";

fn runbook(action: &str, instance: &str) -> Value {
    json!({
        "operation": "ssm:StartAutomationExecution",
        "params": {
            "DocumentName": "AWSSupport-ContainEC2Instance",
            "Parameters": {
                "InstanceId": [instance], "Action": [action], "BackupS3BucketName": ["backups"],
            },
        },
    })
}

async fn sandbox() -> (Arc<Sandbox>, Catalogue, ActionContext) {
    let sandbox = Arc::new(Sandbox::demo(now()).unwrap());
    let url = serve(Arc::clone(&sandbox)).await;
    (sandbox, catalogue(&url), context("111122223333"))
}

/// Looks until it is over, as the engine does between its pauses.
async fn follow(
    aws: &Catalogue,
    context: &ActionContext,
    input: &Value,
) -> Result<(Done, Vec<i64>), ActionError> {
    let (mut context, mut pauses) = (context.clone(), Vec::new());
    loop {
        match call(aws).run(&context, input).await? {
            Outcome::Done(done) => return Ok((done, pauses)),
            Outcome::Again { state, after } => {
                pauses.push(after.ms);
                context.state = Some(state);
            }
        }
    }
}

async fn groups(aws: &Catalogue, context: &ActionContext) -> Vec<Value> {
    let ids = json!({"InstanceIds": [INSTANCE]});
    let seen = done(aws, context, "ec2:DescribeInstances", ids).await;
    let instance = seen.value["Reservations"][0]["Instances"][0].clone();
    let interfaces = json!({"Filters": [{"Name": "attachment.instance-id", "Values": [INSTANCE]}]});
    let interfaces = done(aws, context, "ec2:DescribeNetworkInterfaces", interfaces).await;
    let of_interface = &interfaces.value["NetworkInterfaces"][0]["Groups"];
    let own = instance["SecurityGroups"].as_array().unwrap();
    assert_eq!(own, of_interface.as_array().unwrap());
    own.iter().map(|group| group["GroupName"].clone()).collect()
}

#[tokio::test]
async fn an_instance_is_contained_and_released() {
    let (_, aws, context) = sandbox().await;
    let contain = runbook("Contain", INSTANCE);
    let nature = call(&aws).classify(&contain).unwrap();
    assert_eq!(nature, Nature { effect: Effect::Change, safety: RetrySafety::Token });
    assert_eq!(groups(&aws, &context).await, ["web"]);

    let (done_with, pauses) = follow(&aws, &context, &contain).await.unwrap();
    assert_eq!(done_with.value["AutomationExecutionStatus"], "Success");
    assert_eq!(done_with.value["StepExecutions"].as_array().unwrap().len(), 5);
    assert!(done_with.value["Outputs"]["ReportContain.Output"].is_array());
    assert_eq!(done_with.call.account.as_deref(), Some("111122223333"));
    assert_eq!(pauses, [2_000, 4_000, 8_000, 15_000, 15_000]);
    assert_eq!(groups(&aws, &context).await, [format!("containment-{INSTANCE}")]);
    let named = json!({"Filters": [{"Name": "group-name", "Values": ["containment-*", format!("containment-{INSTANCE}")]}]});
    let isolation = done(&aws, &context, "ec2:DescribeSecurityGroups", named).await;
    let isolation = &isolation.value["SecurityGroups"][0];
    assert_eq!(
        (&isolation["IpPermissions"], &isolation["IpPermissionsEgress"]),
        (&json!([]), &json!([]))
    );

    let release = ActionContext { token: uuid::Uuid::from_u128(2), ..context.clone() };
    follow(&aws, &release, &runbook("Release", INSTANCE)).await.unwrap();
    assert_eq!(groups(&aws, &context).await, ["web"]);
}

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_repeated_and_is_one_execution() {
    let (sandbox, aws, context) = sandbox().await;
    let cut = Fault {
        operation: "ssm:StartAutomationExecution".to_owned(),
        kind: FaultKind::CutAfterApply,
        times: 1,
    };
    sandbox.fault(cut);
    let contain = runbook("Contain", INSTANCE);
    let lost = call(&aws).run(&context, &contain).await.unwrap_err();
    assert_eq!(lost.kind, ErrorKind::InDoubt);
    let again = ActionContext { attempt: 2, ..context.clone() };
    let mut ids = Vec::new();
    for _ in 0..2 {
        match call(&aws).run(&again, &contain).await.unwrap() {
            Outcome::Again { state, .. } => ids.push(state["execution_id"].clone()),
            Outcome::Done(done) => panic!("{done:?}"),
        }
    }
    assert_eq!(ids[0], ids[1]);
    let calls = sandbox.calls();
    let starts = calls.iter().filter(|call| call.operation == "ssm:StartAutomationExecution");
    let tokens: Vec<_> = starts.map(|call| call.token.clone().unwrap()).collect();
    assert_eq!(tokens, vec![context.token.to_string(); 3]);
    follow(&aws, &again, &contain).await.unwrap();
}

#[tokio::test]
async fn a_token_does_not_start_something_else() {
    let (_, aws, context) = sandbox().await;
    call(&aws).run(&context, &runbook("Contain", INSTANCE)).await.unwrap();
    let other = call(&aws).run(&context, &runbook("Release", INSTANCE)).await.unwrap_err();
    assert_eq!(
        (other.kind, other.code.as_str()),
        (ErrorKind::Permanent, "IdempotentParameterMismatch")
    );
}

#[tokio::test]
async fn a_runbook_that_fails_says_why() {
    let (_, aws, context) = sandbox().await;
    let error = follow(&aws, &context, &runbook("Contain", "i-0")).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Permanent, "automation_failed"));
    assert!(error.message.contains("i-0"), "{error}");
    let wrong = runbook("Destroy", INSTANCE);
    let context = ActionContext { token: uuid::Uuid::from_u128(9), ..context };
    let wrong = call(&aws).run(&context, &wrong).await.unwrap_err();
    assert_eq!(wrong.code, "InvalidAutomationExecutionParametersException");
}

#[tokio::test]
async fn a_runbook_may_succeed_and_do_nothing() {
    let (sandbox, aws, context) = sandbox().await;
    sandbox.fault(Fault {
        operation: "ssm:StartAutomationExecution".to_owned(),
        kind: FaultKind::AcceptWithoutEffect,
        times: 1,
    });
    follow(&aws, &context, &runbook("Contain", INSTANCE)).await.unwrap();
    assert_eq!(groups(&aws, &context).await, ["web"]);
}
