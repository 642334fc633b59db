//! Calls in other accounts: by which role, under which name, and with how little.

use std::sync::Arc;

use serde_json::{Value, json};
use stanch_plugins_aws::sandbox::{Sandbox, SandboxCall, TrustedRole};
use stanch_plugins_aws::{AccountRoles, Aws, AwsSettings, Roles};
use stanch_plugins_sdk::core::effect::Effect;
use stanch_plugins_sdk::core::id::{IncidentId, RunId};
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{ActionContext, Catalogue, Outcome};

use crate::context::{context, done, error};
use crate::listener::{now, serve};

const OTHER: &str = "444455556666";
const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const READ: &str = "arn:aws:iam::444455556666:role/stanch-read";
const CONTAIN: &str = "arn:aws:iam::444455556666:role/stanch-contain";

fn role(arn: &str, allows: &[&str]) -> TrustedRole {
    TrustedRole {
        arn: arn.to_owned(),
        principals: vec!["arn:aws:iam::111122223333:role/stanch-runner".to_owned()],
        external_id: Some("stanch-7f3a".to_owned()),
        allows: allows.iter().map(|action| (*action).to_owned()).collect(),
    }
}

fn pattern(external_id: &str) -> Roles {
    let pattern = AccountRoles {
        read: Some("arn:aws:iam::{account}:role/stanch-read".to_owned()),
        contain: Some("arn:aws:iam::{account}:role/stanch-contain".to_owned()),
        external_id: Some(external_id.to_owned()),
        automation: None,
    };
    Roles { accounts: Default::default(), pattern }
}

async fn stage(roles: Roles) -> (Arc<Sandbox>, Catalogue) {
    let sandbox = Arc::new(Sandbox::demo(now()).unwrap());
    sandbox.add_role(role(READ, &["iam:Get*", "iam:List*", "ec2:Describe*"]));
    sandbox.add_role(role(CONTAIN, &["iam:*"]));
    let settings = AwsSettings {
        endpoint_url: Some(serve(Arc::clone(&sandbox)).await),
        credentials: Some(Sandbox::runner()),
        default_region: Some("us-east-1".to_owned()),
        roles,
        ..AwsSettings::default()
    };
    let aws = Aws::open(&settings).unwrap();
    (sandbox, aws.register(Catalogue::new(aws.operations())))
}

fn in_run(plan: &[&str]) -> ActionContext {
    ActionContext {
        incident: Some(IncidentId::new(now(), 7)),
        run: Some(RunId::new(now(), 9)),
        plan: plan.iter().map(|operation| (*operation).to_owned()).collect(),
        ..context(OTHER)
    }
}

fn cut_off() -> Value {
    json!({"UserName": "ci-deploy", "AccessKeyId": KEY, "Status": "Inactive"})
}

fn taken(sandbox: &Sandbox) -> Vec<SandboxCall> {
    let calls = sandbox.calls().into_iter();
    calls.filter(|call| call.operation == "sts:AssumeRole").collect()
}

#[tokio::test]
async fn a_read_takes_the_role_that_reads_once_and_under_the_runs_name() {
    let (sandbox, aws) = stage(pattern("stanch-7f3a")).await;
    let context = in_run(&[]);
    let user = json!({"UserName": "ci-deploy"});
    let reads = (0..8).map(|_| done(&aws, &context, "iam:GetUser", user.clone()));
    for read in futures_util::future::join_all(reads).await {
        assert_eq!(read.call.account.as_deref(), Some(OTHER));
        assert!(read.call.caveats.is_empty(), "{:?}", read.call);
        assert!(read.call.caller.unwrap().contains("assumed-role/stanch-read/inc_"));
    }
    let [taken] = <[SandboxCall; 1]>::try_from(taken(&sandbox)).unwrap();
    let name = format!("{}.{}", context.incident.unwrap(), context.run.unwrap());
    assert_eq!(taken.params["RoleArn"], READ);
    assert_eq!(taken.params["RoleSessionName"], name);
    assert_eq!(taken.params["SourceIdentity"], name);
    assert_eq!(taken.params["Policy"], Value::Null);
    let tags = taken.params["Tags"].to_string();
    assert!(tags.contains("stanch:incident") && tags.contains("stanch:run"), "{tags}");
    // Another run has a session of its own, so that AWS's log tells them apart.
    let other = ActionContext { run: Some(RunId::new(now(), 10)), ..context };
    done(&aws, &other, "iam:GetUser", user).await;
    assert_eq!(self::taken(&sandbox).len(), 2);
}

#[tokio::test]
async fn a_change_takes_the_role_that_contains_and_may_do_what_the_plan_says() {
    let (sandbox, aws) = stage(pattern("stanch-7f3a")).await;
    let context = in_run(&["iam:UpdateAccessKey", "iam:PutUserPolicy"]);
    let cut = done(&aws, &context, "iam:UpdateAccessKey", cut_off()).await;
    assert!(cut.call.caller.unwrap().contains("assumed-role/stanch-contain/"));
    let [taken] = <[SandboxCall; 1]>::try_from(taken(&sandbox)).unwrap();
    assert_eq!(taken.params["RoleArn"], CONTAIN);
    let policy: Value = serde_json::from_str(taken.params["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(
        policy["Statement"],
        json!([{"Effect": "Allow", "Resource": "*",
            "Action": ["iam:PutUserPolicy", "iam:UpdateAccessKey"]}])
    );
    // A probe of the same run looks with the role that reads.
    let probe = done(&aws, &context, "iam:ListAccessKeys", json!({"UserName": "ci-deploy"})).await;
    assert!(probe.call.caller.unwrap().contains("assumed-role/stanch-read/"));
    assert_eq!(probe.value["AccessKeyMetadata"][0]["Status"], "Inactive");
}

#[tokio::test]
async fn a_session_can_do_no_more_than_its_policy_says() {
    let (sandbox, aws) = stage(pattern("stanch-7f3a")).await;
    done(&aws, &in_run(&["iam:UpdateAccessKey"]), "iam:UpdateAccessKey", cut_off()).await;
    let stolen = sandbox.calls().into_iter().rfind(|c| c.operation == "iam:UpdateAccessKey");
    let settings = AwsSettings {
        endpoint_url: Some(serve(Arc::clone(&sandbox)).await),
        credentials: Some(stanch_plugins_aws::StaticCredentials {
            access_key_id: stolen.unwrap().access_key_id,
            secret_access_key: "s".to_owned(),
            session_token: Some("t".to_owned()),
        }),
        ..AwsSettings::default()
    };
    let thief = Aws::open(&settings).unwrap();
    let thief = thief.register(Catalogue::new(thief.operations()));
    let params = json!({"UserName": "ci-deploy", "PolicyName": "p", "PolicyDocument": "{}"});
    let refused = error(&thief, &context(OTHER), "iam:PutUserPolicy", params).await;
    assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::Denied, "AccessDenied"));
    done(&thief, &context(OTHER), "iam:UpdateAccessKey", cut_off()).await;
}

#[tokio::test]
async fn a_wrong_external_id_is_refused_and_the_error_says_what_lacks() {
    let (sandbox, aws) = stage(pattern("wrong-id")).await;
    let context = in_run(&["iam:UpdateAccessKey"]);
    let refused = error(&aws, &context, "iam:UpdateAccessKey", cut_off()).await;
    assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::Denied, "role_denied"));
    for word in [CONTAIN, "stanch-runner", "sts:TagSession", "sts:SetSourceIdentity", "external_id"]
    {
        assert!(refused.message.contains(word), "{}", refused.message);
    }
    assert!(!refused.message.contains("wrong-id"), "{}", refused.message);
    assert!(!sandbox.calls().iter().any(|call| call.operation == "iam:UpdateAccessKey"));
}

#[tokio::test]
async fn the_runners_own_account_needs_no_role() {
    let (sandbox, aws) = stage(pattern("stanch-7f3a")).await;
    let own = ActionContext { account: Some("111122223333".to_owned()), ..in_run(&[]) };
    done(&aws, &own, "iam:UpdateAccessKey", cut_off()).await;
    assert!(taken(&sandbox).is_empty());
}

#[tokio::test]
async fn a_session_is_replaced_before_it_ends() {
    let (sandbox, aws) = stage(pattern("stanch-7f3a")).await;
    let context = in_run(&["iam:UpdateAccessKey"]);
    done(&aws, &context, "iam:UpdateAccessKey", cut_off()).await;
    let soon = ActionContext { now: now().plus_ms(11 * 60_000), ..context.clone() };
    done(&aws, &soon, "iam:UpdateAccessKey", cut_off()).await;
    assert_eq!(taken(&sandbox).len(), 1);
    let later = ActionContext { now: now().plus_ms(13 * 60_000), ..context };
    done(&aws, &later, "iam:UpdateAccessKey", cut_off()).await;
    assert_eq!(taken(&sandbox).len(), 2);
}

const AUTOMATION: &str = "arn:aws:iam::444455556666:role/stanch-automation";

/// Runs the runbook to its end, and gives its status and the policy of the session that started it.
async fn run_the_runbook(automation: Option<&str>, said: Option<&str>) -> (String, Value) {
    let mut roles = pattern("stanch-7f3a");
    roles.pattern.automation = automation.map(str::to_owned);
    let (sandbox, aws) = stage(roles).await;
    let document = json!({"operation": "ssm:DescribeDocument",
        "params": {"Name": "AWSSupport-ContainEC2Instance"}});
    sandbox.add_role(role(READ, &["ec2:Describe*", "ssm:*"]));
    sandbox.add_role(role(CONTAIN, &["ssm:*", "iam:PassRole", "ec2:*", "s3:*"]));
    sandbox.add_role(role(AUTOMATION, &["ec2:*", "s3:PutObject"]));
    let context = in_run(&["ssm:StartAutomationExecution"]);
    let call = aws.action("aws.call").unwrap();
    let Outcome::Done(found) = call.run(&context, &document).await.unwrap() else { panic!() };
    let found = &found.value["Document"];
    let role = said.map(|role| json!([role]));
    let mut parameters = json!({"Action": ["Contain"], "InstanceId": ["i-0abc1234def567890"],
        "BackupS3BucketName": ["backups"]});
    parameters
        .as_object_mut()
        .unwrap()
        .extend(role.map(|r| ("AutomationAssumeRole".to_owned(), r)));
    let input = json!({
        "operation": "ssm:StartAutomationExecution",
        "params": {"DocumentName": "AWSSupport-ContainEC2Instance", "DocumentVersion": "1",
            "Parameters": parameters},
        "document": {"name": "AWSSupport-ContainEC2Instance", "version": "1",
            "hash": found["Hash"], "hash_type": found["HashType"]},
    });
    let mut context = context;
    let status = loop {
        match call.run(&context, &input).await {
            Ok(Outcome::Done(done)) => break done.value["AutomationExecutionStatus"].to_string(),
            Ok(Outcome::Again { state, .. }) => context.state = Some(state),
            Err(error) => break error.to_string(),
        }
    };
    let contain = taken(&sandbox).into_iter().rfind(|call| call.params["RoleArn"] == CONTAIN);
    (status, contain.unwrap().params["Policy"].clone())
}

#[tokio::test]
async fn a_runbook_acts_with_the_role_of_the_account_or_with_all_of_the_role_that_changes() {
    let narrow = |policy: &Value| {
        let policy: Value = serde_json::from_str(policy.as_str().unwrap()).unwrap();
        let actions = &policy["Statement"][0]["Action"];
        let of_plan =
            ["iam:PassRole", "ssm:GetAutomationExecution", "ssm:StartAutomationExecution"];
        assert_eq!(*actions, json!(of_plan));
    };
    let pattern = "arn:aws:iam::{account}:role/stanch-automation";
    let (status, policy) = run_the_runbook(Some(pattern), None).await;
    assert_eq!(status, "\"Success\"");
    narrow(&policy);
    let (status, policy) = run_the_runbook(None, Some(AUTOMATION)).await;
    assert_eq!(status, "\"Success\"");
    narrow(&policy);
    // Under a policy of the plan alone its first step would be refused.
    let (status, policy) = run_the_runbook(None, None).await;
    assert_eq!((status.as_str(), policy), ("\"Success\"", Value::Null));
    let (status, _) = run_the_runbook(None, Some(READ)).await;
    assert!(status.contains("not authorized to perform: s3:PutObject"), "{status}");
}

#[tokio::test]
async fn nothing_but_a_change_takes_the_role_that_contains() {
    let (sandbox, aws) = stage(pattern("stanch-7f3a")).await;
    let reads = ActionContext { granted: Effect::Read, ..in_run(&["iam:UpdateAccessKey"]) };
    let refused = error(&aws, &reads, "iam:UpdateAccessKey", cut_off()).await;
    assert_eq!(refused.code, "not_granted");
    done(&aws, &reads, "iam:GetUser", json!({"UserName": "ci-deploy"})).await;
    assert!(taken(&sandbox).iter().all(|call| call.params["RoleArn"] == READ));
}

#[tokio::test]
async fn a_role_that_a_playbook_asks_for_only_looks() {
    let (sandbox, aws) = stage(pattern("stanch-7f3a")).await;
    sandbox.add_role(role("arn:aws:iam::444455556666:role/forensics", &["iam:GetUser"]));
    let asked = ActionContext { role: Some("forensics".to_owned()), ..in_run(&[]) };
    let read = done(&aws, &asked, "iam:GetUser", json!({"UserName": "ci-deploy"})).await;
    assert!(read.call.caller.unwrap().contains("assumed-role/forensics/"));
    let refused = error(&aws, &asked, "iam:UpdateAccessKey", cut_off()).await;
    assert_eq!(refused.code, "role_denied");
    let strong = ActionContext { role: Some(CONTAIN.to_owned()), ..in_run(&[]) };
    let refused = error(&aws, &strong, "iam:GetUser", json!({"UserName": "ci-deploy"})).await;
    assert_eq!(refused.code, "role_denied");
}

#[tokio::test]
async fn a_policy_that_does_not_fit_when_it_is_packed_gives_way_to_that_of_the_call() {
    let (sandbox, aws) = stage(pattern("stanch-7f3a")).await;
    let too_large = json!({"answers": [{"operation": "sts:AssumeRole", "times": 1,
        "error": {"code": "PackedPolicyTooLargeException", "message": "it is too large"}}]});
    sandbox.load(too_large, now()).unwrap();
    let context = in_run(&["iam:UpdateAccessKey", "iam:PutUserPolicy"]);
    done(&aws, &context, "iam:UpdateAccessKey", cut_off()).await;
    let [first, second] = <[SandboxCall; 2]>::try_from(taken(&sandbox)).unwrap();
    assert!(first.params["Policy"].as_str().unwrap().contains("iam:PutUserPolicy"));
    let policy = second.params["Policy"].as_str().unwrap();
    assert!(
        policy.contains("iam:UpdateAccessKey") && !policy.contains("PutUserPolicy"),
        "{policy}"
    );
    // A second no is told.
    let too_large = json!({"answers": [{"operation": "sts:AssumeRole",
        "error": {"code": "PackedPolicyTooLargeException", "message": "it is too large"}}]});
    sandbox.load(too_large, now()).unwrap();
    let put = json!({"UserName": "ci-deploy", "PolicyName": "p", "PolicyDocument": "{}"});
    let other = ActionContext { run: Some(RunId::new(now(), 10)), ..context };
    let error = error(&aws, &other, "iam:PutUserPolicy", put).await;
    assert!(error.code.starts_with("PackedPolicyTooLarge"), "{error}");
}
