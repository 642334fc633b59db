//! The client against the sandbox: every answer of the sandbox is read by it, and every fault
//! that can be ordered is told apart by it.

use std::sync::Arc;

use serde_json::{Value, json};
use stanch_plugins_aws::sandbox::{Fault, FaultKind, Sandbox};
use stanch_plugins_sdk::core::effect::Effect;
use stanch_plugins_sdk::core::id::RunId;
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{ActionContext, Catalogue, Outcome};

use crate::context::{anywhere, attempt, call, catalogue, context, done, error};
use crate::listener::{now, serve};
use crate::reading::one;

const ACCOUNT: &str = "111122223333";
const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const INSTANCE: &str = "i-0abc1234def567890";

async fn sandbox() -> (Arc<Sandbox>, Catalogue, ActionContext) {
    let sandbox = Arc::new(Sandbox::demo(now()).unwrap());
    let url = serve(Arc::clone(&sandbox)).await;
    (sandbox, catalogue(&url), context(ACCOUNT))
}

fn order(sandbox: &Sandbox, operation: &str, kind: FaultKind) {
    sandbox.fault(Fault { operation: operation.to_owned(), kind, times: 1 });
}

fn cut_off() -> Value {
    json!({"UserName": "ci-deploy", "AccessKeyId": KEY, "Status": "Inactive"})
}

async fn key_status(aws: &Catalogue, context: &ActionContext) -> Value {
    let keys = done(aws, context, "iam:ListAccessKeys", json!({"UserName": "ci-deploy"})).await;
    keys.value["AccessKeyMetadata"][0]["Status"].clone()
}

#[tokio::test]
async fn the_story_of_the_key_is_read_and_the_key_is_cut_off() {
    let (_, aws, context) = sandbox().await;
    let user = json!({"UserName": "ci-deploy"});
    let owner = json!({"AccessKeyId": KEY});
    let owner = done(&aws, &context, "iam:GetAccessKeyLastUsed", owner).await;
    assert_eq!(owner.value["UserName"], "ci-deploy");
    assert_eq!(owner.value["AccessKeyLastUsed"]["LastUsedDate"], "2026-11-24T02:58:00Z");
    let got = done(&aws, &context, "iam:GetUser", user.clone()).await;
    assert_eq!(got.value["User"]["Arn"], "arn:aws:iam::111122223333:user/ci-deploy");
    assert_eq!(got.value["User"]["PermissionsBoundary"], Value::Null);
    for (operation, list, length) in [
        ("iam:ListUserPolicies", "PolicyNames", 1),
        ("iam:ListAttachedUserPolicies", "AttachedPolicies", 1),
        ("iam:ListGroupsForUser", "Groups", 1),
        ("iam:ListMFADevices", "MFADevices", 0),
        ("iam:ListUserTags", "Tags", 1),
    ] {
        let listed = done(&aws, &context, operation, user.clone()).await;
        assert_eq!(listed.value[list].as_array().unwrap().len(), length, "{operation}");
    }
    assert_eq!(key_status(&aws, &context).await, "Active");
    let cut = done(&aws, &context, "iam:UpdateAccessKey", cut_off()).await;
    let runner = "arn:aws:sts::111122223333:assumed-role/stanch-runner/stanch";
    assert_eq!(cut.call.caller.as_deref(), Some(runner));
    assert_eq!(cut.call.clock_offset_ms.map(|offset| offset.abs() < 5_000), Some(true));
    assert!(cut.call.request_id.is_some());
    assert_eq!(key_status(&aws, &context).await, "Inactive");
}

#[tokio::test]
async fn a_users_sessions_are_denied_and_allowed_again() {
    let (_, aws, context) = sandbox().await;
    let document = json!({"Version": "2012-10-17", "Statement": []}).to_string();
    let policy = json!({"UserName": "ci-deploy", "PolicyName": "stanch-deny"});
    let mut put = policy.clone();
    put["PolicyDocument"] = document.clone().into();
    done(&aws, &context, "iam:PutUserPolicy", put).await;
    let got = done(&aws, &context, "iam:GetUserPolicy", policy.clone()).await;
    // IAM answers documents percent-encoded.
    assert!(got.value["PolicyDocument"].as_str().unwrap().starts_with("%7B%22Statement%22"));
    done(&aws, &context, "iam:DeleteUserPolicy", policy.clone()).await;
    let gone = error(&aws, &context, "iam:GetUserPolicy", policy.clone()).await;
    assert_eq!((gone.kind, gone.code.as_str()), (ErrorKind::Permanent, "NoSuchEntity"));
    // Of a first attempt it is an error, of a repetition it is the proof.
    let first = error(&aws, &context, "iam:DeleteUserPolicy", policy.clone()).await;
    assert_eq!(first.code, "NoSuchEntity");
    let again = ActionContext { attempt: 2, ..context };
    let repeated = done(&aws, &again, "iam:DeleteUserPolicy", policy).await;
    assert!(repeated.call.caveats[0].contains("NoSuchEntity"));
}

#[tokio::test]
async fn the_trail_is_looked_up_by_key_by_region_and_in_pages() {
    let (_, aws, context) = sandbox().await;
    let lookup = json!({
        "LookupAttributes": [{"AttributeKey": "AccessKeyId", "AttributeValue": KEY}],
        "StartTime": "2026-11-24T02:30:00Z",
    });
    let found = done(&aws, &context, "cloudtrail:LookupEvents", lookup.clone()).await;
    let events = found.value["Events"].as_array().unwrap();
    assert_eq!(events.len(), 10);
    assert_eq!(events[0]["EventName"], "ListBuckets");
    assert_eq!(events[0]["EventTime"], "2026-11-24T02:58:00Z");
    let whole: Value =
        serde_json::from_str(events[0]["CloudTrailEvent"].as_str().unwrap()).unwrap();
    assert_eq!(whole["sourceIPAddress"], "198.51.100.77");
    let elsewhere = ActionContext { region: Some("eu-west-1".to_owned()), ..context.clone() };
    let none = done(&aws, &elsewhere, "cloudtrail:LookupEvents", lookup).await;
    assert_eq!(none.value["Events"], json!([]));
    let input = json!({"operation": "cloudtrail:LookupEvents", "params": {"MaxResults": 5},
        "paginate": true});
    let Outcome::Done(all) = call(&aws).run(&context, &input).await.unwrap() else { panic!() };
    assert_eq!(all.value["Events"].as_array().unwrap().len(), 12);
}

#[tokio::test]
async fn what_has_no_pages_is_refused_them_and_left_alone_on_auto() {
    let (_, aws, context) = sandbox().await;
    let run = async |operation: &str, params: Value, paginate: Value| {
        let input = json!({"operation": operation, "params": params, "paginate": paginate});
        match call(&aws).run(&context, &input).await {
            Ok(Outcome::Done(done)) => Ok(done.value),
            Ok(Outcome::Again { .. }) => panic!("{operation} is over at once"),
            Err(error) => Err(error),
        }
    };
    let user = json!({"UserName": "ci-deploy"});
    let refused = run("iam:GetUser", user.clone(), json!(true)).await.unwrap_err();
    assert!(refused.message.contains("iam:GetUser"), "{refused}");
    let got = run("iam:GetUser", user, json!("auto")).await.unwrap();
    assert_eq!(got["User"]["UserName"], "ci-deploy");
    let few = json!({"MaxResults": 5});
    let all = run("cloudtrail:LookupEvents", few, json!("auto")).await.unwrap();
    assert_eq!(all["Events"].as_array().unwrap().len(), 12);
}

#[tokio::test]
async fn the_instance_is_described_snapshotted_and_tagged() {
    let (_, aws, context) = sandbox().await;
    let regions = done(&aws, &context, "ec2:DescribeRegions", json!({})).await;
    assert_eq!(regions.value["Regions"].as_array().unwrap().len(), 3);
    let ids = json!({"InstanceIds": [INSTANCE]});
    let seen = done(&aws, &context, "ec2:DescribeInstances", ids).await;
    let instance = &seen.value["Reservations"][0]["Instances"][0];
    assert_eq!(instance["State"], json!({"Code": 16, "Name": "running"}));
    let of_instance =
        json!({"Filters": [{"Name": "attachment.instance-id", "Values": [INSTANCE]}]});
    for (operation, list, length) in [
        ("ec2:DescribeVolumes", "Volumes", 2),
        ("ec2:DescribeNetworkInterfaces", "NetworkInterfaces", 1),
    ] {
        let listed = done(&aws, &context, operation, of_instance.clone()).await;
        assert_eq!(listed.value[list].as_array().unwrap().len(), length, "{operation}");
    }
    let groups = json!({"GroupIds": ["sg-0aaaabbbbcccc1111"]});
    let groups = done(&aws, &context, "ec2:DescribeSecurityGroups", groups).await;
    assert_eq!(groups.value["SecurityGroups"][0]["IpPermissions"][0]["FromPort"], 443);
    let console = json!({"InstanceId": INSTANCE});
    done(&aws, &context, "ec2:GetConsoleOutput", console).await;

    let snapshots = json!({"InstanceSpecification": {"InstanceId": INSTANCE}});
    let made = done(&aws, &context, "ec2:CreateSnapshots", snapshots).await;
    let made = made.value["Snapshots"].as_array().unwrap().clone();
    assert_eq!((made.len(), &made[0]["State"]), (2, &json!("pending")));
    let ids = json!({"SnapshotIds": [made[0]["SnapshotId"]]});
    let mut states = Vec::new();
    for _ in 0..3 {
        let seen = done(&aws, &context, "ec2:DescribeSnapshots", ids.clone()).await;
        states.push(seen.value["Snapshots"][0]["State"].clone());
    }
    assert_eq!(states, ["pending", "pending", "completed"]);
    let tags = json!({"Resources": [INSTANCE], "Tags": [{"Key": "ir:incident", "Value": "INC-1"}]});
    done(&aws, &context, "ec2:CreateTags", tags).await;
    let tagged = json!({"Filters": [{"Name": "tag:ir:incident", "Values": ["INC-1"]}]});
    let tagged = done(&aws, &context, "ec2:DescribeInstances", tagged).await;
    assert_eq!(tagged.value["Reservations"].as_array().unwrap().len(), 1);
    let delete = json!({"SnapshotId": made[0]["SnapshotId"]});
    done(&aws, &context, "ec2:DeleteSnapshot", delete.clone()).await;
    let gone = error(&aws, &context, "ec2:DeleteSnapshot", delete).await;
    assert_eq!(gone.code, "InvalidSnapshot.NotFound");
}

#[tokio::test]
async fn findings_are_fetched_again_and_topics_are_told() {
    let (sandbox, aws, context) = sandbox().await;
    let event = Sandbox::demo_finding(now());
    let id = &event["detail"]["id"];
    let fetch = json!({"DetectorId": "12abc34d567e8fa901bc2d34e56789f0", "FindingIds": [id]});
    let got = done(&aws, &context, "guardduty:GetFindings", fetch).await;
    assert_eq!(got.value["Findings"][0]["Resource"]["AccessKeyDetails"]["AccessKeyId"], KEY);
    let fetched = one(&got.value);
    let pushed = one(&event);
    assert_eq!(fetched.dedup_key, pushed.dedup_key);
    assert_eq!(fetched.resources, pushed.resources);
    let other = one(&Sandbox::demo_instance_finding(now()));
    assert_eq!(other.resources[0].id, INSTANCE);

    let input = json!({"topic_arn": "arn:aws:sns:us-east-1:111122223333:alerts",
        "subject": "INC-1", "message": "a & b"});
    let publish = aws.action("aws.sns_publish").unwrap();
    publish.run(&context, &input).await.unwrap();
    let published = sandbox.published();
    assert_eq!((published.len(), &*published[0].message), (1, "a & b"));
    let only_reads = ActionContext { granted: Effect::Read, ..context };
    assert_eq!(publish.run(&only_reads, &input).await.unwrap_err().code, "not_granted");
}

#[tokio::test]
async fn each_fault_is_told_apart() {
    use ErrorKind::{Denied, InDoubt, Throttle, Transient};
    let (sandbox, aws, context) = sandbox().await;
    let instances = json!({"InstanceIds": [INSTANCE]});
    let tags = json!({"Resources": [INSTANCE], "Tags": [{"Key": "k", "Value": "v"}]});
    let lookup = json!({});
    for (kind, reads, changes) in [
        (FaultKind::Throttle, Throttle, Throttle),
        (FaultKind::Denied, Denied, Denied),
        (FaultKind::ServerError, Transient, InDoubt),
        (FaultKind::CutBefore, Transient, InDoubt),
        (FaultKind::CutAfterApply, Transient, InDoubt),
    ] {
        for (operation, params, expected) in [
            ("iam:ListAccessKeys", json!({"UserName": "ci-deploy"}), reads),
            ("iam:UpdateAccessKey", cut_off(), changes),
            ("ec2:DescribeInstances", instances.clone(), reads),
            ("ec2:CreateTags", tags.clone(), changes),
            ("cloudtrail:LookupEvents", lookup.clone(), reads),
        ] {
            order(&sandbox, operation, kind);
            let error = error(&aws, &context, operation, params).await;
            assert_eq!(error.kind, expected, "{operation} {kind:?}: {error:?}");
            assert_eq!(error.call.region.as_deref(), Some("us-east-1"));
        }
    }
}

#[tokio::test]
async fn a_change_that_was_cut_after_it_took_place_took_place() {
    let (sandbox, aws, context) = sandbox().await;
    order(&sandbox, "iam:UpdateAccessKey", FaultKind::CutBefore);
    error(&aws, &context, "iam:UpdateAccessKey", cut_off()).await;
    assert_eq!(key_status(&aws, &context).await, "Active");
    order(&sandbox, "iam:UpdateAccessKey", FaultKind::CutAfterApply);
    error(&aws, &context, "iam:UpdateAccessKey", cut_off()).await;
    assert_eq!(key_status(&aws, &context).await, "Inactive");
}

#[tokio::test]
async fn a_change_may_be_accepted_and_do_nothing() {
    let (sandbox, aws, context) = sandbox().await;
    order(&sandbox, "iam:UpdateAccessKey", FaultKind::AcceptWithoutEffect);
    done(&aws, &context, "iam:UpdateAccessKey", cut_off()).await;
    assert_eq!(key_status(&aws, &context).await, "Active");
}

#[tokio::test]
async fn a_change_in_the_wrong_account_is_refused_before_it_is_sent() {
    let (sandbox, aws, context) = sandbox().await;
    let elsewhere = ActionContext { account: Some("444455556666".to_owned()), ..context.clone() };
    let refused = error(&aws, &elsewhere, "iam:UpdateAccessKey", cut_off()).await;
    assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::Denied, "account_mismatch"));
    assert!(refused.message.contains("444455556666") && refused.message.contains(ACCOUNT));
    let of_a_run = ActionContext { run: Some(RunId::new(context.now, 1)), ..anywhere() };
    let nowhere = error(&aws, &of_a_run, "iam:UpdateAccessKey", cut_off()).await;
    assert_eq!((nowhere.kind, nowhere.code.as_str()), (ErrorKind::Denied, "account_mismatch"));
    let sent = sandbox.calls().iter().any(|call| call.operation == "iam:UpdateAccessKey");
    assert!(!sent);
    // A read goes on, and says where it looked.
    let user = json!({"UserName": "ci-deploy"});
    let read = done(&aws, &elsewhere, "iam:GetUser", user).await;
    assert!(read.call.caveats[0].contains(ACCOUNT));
    // The owner is asked once, and not before each call.
    let asked = |call: &&stanch_plugins_aws::sandbox::SandboxCall| {
        call.operation == "sts:GetCallerIdentity"
    };
    assert_eq!(sandbox.calls().iter().filter(asked).count(), 1);
}

#[tokio::test]
async fn nothing_reaches_farther_than_was_granted() {
    let (sandbox, aws, context) = sandbox().await;
    let reads = ActionContext { granted: Effect::Read, ..context };
    let refused = error(&aws, &reads, "iam:UpdateAccessKey", cut_off()).await;
    assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::Denied, "not_granted"));
    assert!(sandbox.calls().is_empty());
}

#[tokio::test]
async fn a_call_in_a_role_is_never_made_without_it() {
    let (sandbox, aws, context) = sandbox().await;
    let in_role = ActionContext { role: Some("responder".to_owned()), ..context };
    let refused = error(&aws, &in_role, "iam:GetUser", json!({})).await;
    assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::Denied, "role_denied"));
    assert!(!sandbox.calls().iter().any(|call| call.operation == "iam:GetUser"));
}

#[tokio::test]
async fn mistakes_are_told_before_anything_is_sent() {
    let (sandbox, aws, context) = sandbox().await;
    for (input, code, said) in [
        (json!({"operation": "iam:ListAccesKeys"}), "unknown_operation", "`ListAccessKeys`"),
        (json!({"operation": "iam:GetUser", "parms": {}}), "bad_input", "parms"),
        (json!({"operation": "iam:GetUser", "paginate": true}), "bad_input", "pages"),
        (
            json!({"operation": "iam:UpdateAccessKey", "params": {"Status": "Off", "Key": "k"}}),
            "bad_parameters",
            "`AccessKeyId` is missing; `Key` is no parameter",
        ),
    ] {
        let error = call(&aws).run(&context, &input).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Permanent, code));
        assert!(error.message.contains(said), "{error}");
        assert_eq!(call(&aws).classify(&input).unwrap_err().code, code);
    }
    assert!(sandbox.calls().is_empty());
}

#[tokio::test]
async fn an_operation_that_is_not_played_finds_nothing_and_changes_nothing() {
    let (_, aws, context) = sandbox().await;
    let account = json!({"AccountId": ACCOUNT});
    let read = done(&aws, &context, "organizations:DescribeAccount", account).await;
    assert_eq!(read.value, json!({"Account": null}));
    let key = json!({"KeyId": "k"});
    let refused = attempt(&aws, &context, "kms:DisableKey", key).await.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::Permanent, "NotImplemented"));
}
