//! What Stanch stands on is touched by no change, also where the call does not name it: AWS is
//! asked what lies behind.

use http::Request;
use serde_json::{Value, json};
use stanch_engine_core::effect::Mode;
use stanch_engine_core::time::Timestamp;
use stanch_plugins_aws::sandbox::{Answer, FaultKind};
use stanch_tests::eventually;

use crate::stage::{ACCOUNT, Plan, Stage, is_over};

/// A change outside of any plan, as the run is told.
const BARE: &str = r#"
const PLAYBOOK = #{ name: "bare", title: "Does what it is given", mode: "auto" };
aws( // check: dynamic
    inputs.operation, inputs.params)
"#;

const INSTANCE: &str = "i-0abc1234def567890";
const POLICY: &str = "arn:aws:iam::111122223333:policy/p";
const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000001";

async fn stage(set: impl FnOnce(&mut Plan)) -> Stage {
    let mut plan = Plan::new().mode(Mode::Auto);
    plan.ships = false;
    plan.config.aws.roles.contain = Some("arn:aws:iam::{account}:role/stanch-contain".to_owned());
    set(&mut plan);
    let stage = plan.set().await;
    stage.publish(BARE).await;
    stage
}

/// Orders what AWS answers from now on: an output, or an error.
fn answers(stage: &Stage, answers: Value) {
    let now = Timestamp::parse("2026-11-24T03:00:00Z").unwrap();
    let told = |method: &str, body: String| {
        let request = Request::builder().method(method).uri("/_sandbox/answers");
        let said = stage.aws.answer(&request.body(body.into()).unwrap(), now);
        let Answer::Response(said) = said else { panic!("no answer") };
        assert!(said.status().is_success(), "{said:?}");
    };
    told("DELETE", String::new());
    told("POST", answers.to_string());
}

/// How a change ends, when everybody who is asked says yes.
async fn ended(stage: &Stage, operation: &str, params: Value) -> Value {
    let inputs = json!({"operation": operation, "params": params});
    let run = stage.start_for_finding_with("bare", inputs).await;
    let what = format!("{run} is over, or asks");
    let asks = eventually(&what, async || {
        let pending = stage.mia.list("/approvals?status=pending").await;
        let asks = pending.iter().any(|approval| approval["run_id"] == *run);
        let found = stage.mia.get(&format!("/runs/{run}")).await;
        (asks || is_over(&found)).then_some(asks)
    });
    if asks.await {
        stage.approve(&run).await;
    }
    stage.over(&run).await
}

/// The change is refused by a rule, and is not sent.
async fn refused(stage: &Stage, operation: &str, params: Value, rule: &str) {
    let error = ended(stage, operation, params).await["error"].clone();
    assert_eq!(error["code"], "protected", "{operation}: {error}");
    let message = error["message"].as_str().unwrap();
    let is_told = message.contains(&format!("`{rule}`")) && message.contains("built in");
    assert!(is_told, "{operation}: {message}");
    // It says how that is changed, where it is.
    let setting = match rule {
        "own-roles" => "contain_role",
        "break-glass" => "break_glass",
        "own-host" => "own_resources",
        "evidence" => "evidence_buckets",
        "evidence-key" => "evidence_keys",
        _ => "by hand",
    };
    assert!(message.contains(setting), "{operation}: {message}");
    assert!(!sent(stage, operation), "{operation} was sent");
}

/// The change goes past the rails, and is sent.
async fn passes(stage: &Stage, operation: &str, params: Value) {
    let run = ended(stage, operation, params).await;
    assert!(sent(stage, operation), "{operation}: {run}");
}

fn sent(stage: &Stage, operation: &str) -> bool {
    stage.aws.calls().iter().any(|call| call.operation == operation)
}

fn entities(roles: &[&str], users: &[&str], groups: &[&str]) -> Value {
    let each = |names: &[&str], member: &str| -> Vec<Value> {
        names.iter().map(|name| json!({ member: name })).collect()
    };
    json!({"operation": "iam:ListEntitiesForPolicy", "output": {
        "PolicyRoles": each(roles, "RoleName"), "PolicyUsers": each(users, "UserName"),
        "PolicyGroups": each(groups, "GroupName"), "IsTruncated": false}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_what_it_is_attached_to() {
    let stage = stage(|plan| plan.config.guard.break_glass.push("break-glass-*".to_owned())).await;
    let document = json!({"PolicyArn": POLICY, "PolicyDocument": "{}"});
    let version = json!({"PolicyArn": POLICY, "VersionId": "v1"});
    let member = json!({"operation": "iam:GetGroup", "output": {"IsTruncated": false, "Group": {
        "Path": "/", "GroupName": "admins", "GroupId": "AGPAEXAMPLEEXAMPLE1",
        "Arn": "arn:aws:iam::111122223333:group/admins", "CreateDate": "2026-01-01T00:00:00Z"},
        "Users": [{"Path": "/", "UserName": "break-glass-1", "UserId": "AIDAEXAMPLEEXAMPLE1",
            "Arn": "arn:aws:iam::111122223333:user/break-glass-1",
            "CreateDate": "2026-01-01T00:00:00Z"}]}});
    for (attached, rule) in [
        (json!([entities(&["worker", "stanch-contain"], &[], &[])]), "own-roles"),
        (json!([entities(&["stanch-runner"], &[], &[])]), "self"),
        (json!([entities(&[], &["break-glass-1"], &[])]), "break-glass"),
        (json!([entities(&[], &[], &["admins"]), member]), "break-glass"),
    ] {
        answers(&stage, attached);
        for (operation, params) in [
            ("iam:CreatePolicyVersion", &document),
            ("iam:DeletePolicyVersion", &version),
            ("iam:SetDefaultPolicyVersion", &version),
            ("iam:DeletePolicy", &json!({"PolicyArn": POLICY})),
        ] {
            refused(&stage, operation, params.clone(), rule).await;
        }
    }
    // A policy of a group is one of each user in it.
    answers(&stage, json!([member]));
    let deny = json!({"GroupName": "admins", "PolicyName": "deny", "PolicyDocument": "{}"});
    refused(&stage, "iam:PutGroupPolicy", deny, "break-glass").await;

    stage.fault("iam:ListEntitiesForPolicy", FaultKind::Denied);
    let error = ended(&stage, "iam:CreatePolicyVersion", document.clone()).await["error"].clone();
    assert_eq!(error["code"], "protection_unknown", "{error}");
    answers(&stage, json!([entities(&["worker"], &[], &[])]));
    passes(&stage, "iam:CreatePolicyVersion", document).await;
    // What is attached to another role touches that role and no other.
    let attach = json!({"RoleName": "worker", "PolicyArn": POLICY});
    answers(&stage, json!([entities(&["stanch-contain"], &[], &[])]));
    passes(&stage, "iam:AttachRolePolicy", attach).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_the_machine_that_stanch_runs_on_stays_in_it() {
    let stage = stage(|plan| {
        let own = "arn:aws:ecs:*:*:service/tools/stanch".to_owned();
        plan.config.guard.own_resources.push(own);
    })
    .await;
    let session = format!("arn:aws:sts::{ACCOUNT}:assumed-role/stanch-runner/{INSTANCE}");
    let runner = json!({"operation": "sts:GetCallerIdentity", "output": {"Account": ACCOUNT,
        "UserId": "AROAEXAMPLE:x", "Arn": session}});
    let interface = json!({"operation": "ec2:DescribeNetworkInterfaces", "output": {
        "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1",
            "Attachment": {"InstanceId": INSTANCE}}]}});
    let volume = json!({"operation": "ec2:DescribeVolumes", "output": {
        "Volumes": [{"VolumeId": "vol-1", "Attachments": [{"InstanceId": INSTANCE}]}]}});
    answers(&stage, json!([runner, interface, volume]));
    for (operation, params) in [
        (
            "ec2:ModifyNetworkInterfaceAttribute",
            json!({"NetworkInterfaceId": "eni-1", "Groups": ["sg-1"]}),
        ),
        ("ec2:DetachNetworkInterface", json!({"AttachmentId": "eni-attach-1"})),
        ("ec2:DisassociateAddress", json!({"AssociationId": "eipassoc-1"})),
        ("ec2:DetachVolume", json!({"VolumeId": "vol-1"})),
    ] {
        refused(&stage, operation, params, "own-host").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stanch_runs_on_goes_on() {
    let stage = stage(|plan| {
        let own = "arn:aws:ecs:*:*:service/tools/stanch".to_owned();
        plan.config.guard.own_resources.push(own);
    })
    .await;
    let session = format!("arn:aws:sts::{ACCOUNT}:assumed-role/stanch-runner/{INSTANCE}");
    let runner = json!({"operation": "sts:GetCallerIdentity", "output": {"Account": ACCOUNT,
        "UserId": "AROAEXAMPLE:x", "Arn": session}});
    let association = |instance: &str| {
        json!({"operation": "ec2:DescribeIamInstanceProfileAssociations", "output": {
            "IamInstanceProfileAssociations": [{"AssociationId": "iip-assoc-1",
                "InstanceId": instance}]}})
    };
    answers(&stage, json!([runner, association(INSTANCE)]));
    let instances = json!({"InstanceIds": [INSTANCE]});
    let association_id = json!({"AssociationId": "iip-assoc-1"});
    let command = json!({"DocumentName": "AWS-RunShellScript", "InstanceIds": [INSTANCE],
        "Parameters": {"commands": ["shutdown now"]}});
    for (operation, params) in [
        ("ec2:StopInstances", instances.clone()),
        ("ec2:TerminateInstances", instances),
        ("ec2:DisassociateIamInstanceProfile", association_id.clone()),
        ("ssm:SendCommand", command),
        (
            "ecs:UpdateService",
            json!({"cluster": "tools", "service": "arn:aws:ecs:us-east-1:111122223333:service/tools/stanch",
                "desiredCount": 0}),
        ),
    ] {
        refused(&stage, operation, params, "own-host").await;
    }
    // It may be chosen by a tag.
    let tags = json!({"operation": "ec2:DescribeTags", "output": {"Tags": [{
        "ResourceId": INSTANCE, "ResourceType": "instance", "Key": "role", "Value": "tools"}]}});
    answers(&stage, json!([runner, tags]));
    let by = |key: &str, value: &str| {
        json!({"DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["id"]},
            "Targets": [{"Key": key, "Values": [value]}]})
    };
    refused(&stage, "ssm:SendCommand", by("tag:role", "tools"), "own-host").await;
    refused(&stage, "ssm:SendCommand", by("tag-key", "role"), "own-host").await;
    let group = by("resource-groups:Name", "all");
    let error = ended(&stage, "ssm:SendCommand", group).await["error"].clone();
    assert_eq!(error["code"], "protection_unknown", "{error}");
    assert!(!sent(&stage, "ssm:SendCommand"));
    let inputs = json!({"operation": "ssm:SendCommand", "params": by("tag:stage", "test")});
    let run = stage.start_for_finding_with("bare", inputs).await;
    stage.approve(&run).await;
    let is_sent = async || sent(&stage, "ssm:SendCommand").then_some(());
    eventually("the command is sent", is_sent).await;

    let other = json!({"InstanceIds": ["i-0fedcba9876543210"]});
    passes(&stage, "ec2:StopInstances", other).await;
    answers(&stage, json!([runner, association("i-0fedcba9876543210")]));
    passes(&stage, "ec2:DisassociateIamInstanceProfile", association_id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_policy_of_the_organization_reaches_home() {
    let stage = stage(|_| {}).await;
    let parent = |child: &str, id: &str, kind: &str| {
        json!({"operation": "organizations:ListParents", "match": {"ChildId": child},
            "output": {"Parents": [{"Id": id, "Type": kind}]}})
    };
    let under = |id: &str, kind: &str| {
        json!({"operation": "organizations:ListTargetsForPolicy", "output": {"Targets": [{
            "TargetId": id, "Name": "x", "Type": kind,
            "Arn": "arn:aws:organizations::111122223333:x/y"}]}})
    };
    let home = [
        parent(ACCOUNT, "ou-ab12-tools001", "ORGANIZATIONAL_UNIT"),
        parent("ou-ab12-tools001", "r-ab12", "ROOT"),
    ];
    let attach = |target: &str| json!({"PolicyId": "p-examplescp", "TargetId": target});
    answers(&stage, json!(home));
    for target in [ACCOUNT, "ou-ab12-tools001", "r-ab12"] {
        for operation in ["organizations:AttachPolicy", "organizations:DetachPolicy"] {
            refused(&stage, operation, attach(target), "own-account").await;
        }
    }
    let moves = json!({"AccountId": ACCOUNT, "SourceParentId": "ou-ab12-tools001",
        "DestinationParentId": "ou-ab12-quarant1"});
    refused(&stage, "organizations:MoveAccount", moves, "own-account").await;
    let update = json!({"PolicyId": "p-examplescp", "Content": "{}"});
    for (target, kind) in
        [(ACCOUNT, "ACCOUNT"), ("r-ab12", "ROOT"), ("ou-ab12-tools001", "ORGANIZATIONAL_UNIT")]
    {
        answers(&stage, json!([under(target, kind), home[0], home[1]]));
        refused(&stage, "organizations:UpdatePolicy", update.clone(), "own-account").await;
        let delete = json!({"PolicyId": "p-examplescp"});
        refused(&stage, "organizations:DeletePolicy", delete, "own-account").await;
    }
    answers(&stage, json!([under("444455556666", "ACCOUNT"), home[0], home[1]]));
    passes(&stage, "organizations:UpdatePolicy", update).await;
    passes(&stage, "organizations:AttachPolicy", attach("444455556666")).await;
    passes(&stage, "organizations:DetachPolicy", attach("ou-ab12-quarant1")).await;
}

fn encrypted(key: &str) -> Value {
    json!({"operation": "s3:GetBucketEncryption", "output": {"ServerSideEncryptionConfiguration": {
        "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms",
            "KMSMasterKeyID": key}}]}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_the_evidence_opens_it_for_ever() {
    let changes = |key: &str| {
        [
            ("kms:ScheduleKeyDeletion", json!({"KeyId": key, "PendingWindowInDays": 7})),
            ("kms:DisableKey", json!({"KeyId": key})),
            ("kms:PutKeyPolicy", json!({"KeyId": key, "PolicyName": "default", "Policy": "{}"})),
        ]
    };
    let stage = stage(|_| {}).await;
    let alias = json!({"operation": "kms:DescribeKey", "match": {"KeyId": "alias/evidence"},
        "output": {"KeyMetadata": {"KeyId": KEY.rsplit('/').next(), "Arn": KEY}}});
    for bucket in [encrypted(KEY), encrypted("alias/evidence")] {
        answers(&stage, json!([bucket, alias]));
        for key in [KEY, KEY.rsplit('/').next().unwrap()] {
            for (operation, params) in changes(key) {
                refused(&stage, operation, params, "evidence-key").await;
            }
        }
    }
    stage.fault("s3:GetBucketEncryption", FaultKind::Denied);
    let error = ended(&stage, "kms:DisableKey", json!({"KeyId": "k"})).await["error"].clone();
    assert_eq!(error["code"], "protection_unknown", "{error}");
    assert!(error["message"].as_str().unwrap().contains("evidence_keys"), "{error}");
    for (operation, params) in changes("00000000-0000-0000-0000-000000000002") {
        passes(&stage, operation, params).await;
    }
    // What is named in the configuration is not asked for.
    let named = self::stage(|plan| plan.config.guard.evidence_keys.push(KEY.to_owned())).await;
    for (operation, params) in changes(KEY) {
        refused(&named, operation, params, "evidence-key").await;
    }
    assert!(!sent(&named, "s3:GetBucketEncryption"));
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_added_and_neither_replaced_nor_taken_away() {
    let stage = stage(|_| {}).await;
    let there = json!({"operation": "s3:HeadObject", "output": {"ContentLength": 2}});
    let gone = json!({"operation": "s3:HeadObject",
        "error": {"code": "NotFound", "message": "there is none", "status": 404}});
    let put = json!({"Bucket": "stanch-evidence", "Key": "inc-1/a", "Body": "e30="});
    let copy = json!({"Bucket": "stanch-evidence", "Key": "inc-1/a", "CopySource": "b/k"});
    answers(&stage, json!([there]));
    refused(&stage, "s3:PutObject", put.clone(), "evidence").await;
    refused(&stage, "s3:CopyObject", copy, "evidence").await;
    for (operation, more) in [
        ("s3:DeleteObject", json!({"Key": "inc-1/a"})),
        ("s3:DeleteObjects", json!({"Delete": {"Objects": [{"Key": "inc-1/a"}]}})),
        ("s3:PutBucketPolicy", json!({"Policy": "{}"})),
        ("s3:DeleteBucketPolicy", json!({})),
        ("s3:PutBucketLifecycleConfiguration", json!({"LifecycleConfiguration": {"Rules": []}})),
        ("s3:PutBucketVersioning", json!({"VersioningConfiguration": {"Status": "Suspended"}})),
        ("s3:PutObjectAcl", json!({"Key": "inc-1/a", "ACL": "public-read"})),
    ] {
        let mut params = json!({"Bucket": "stanch-evidence"});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        refused(&stage, operation, params, "evidence").await;
    }
    stage.fault("s3:HeadObject", FaultKind::Denied);
    let error = ended(&stage, "s3:PutObject", put.clone()).await["error"].clone();
    assert_eq!(error["code"], "protection_unknown", "{error}");
    answers(&stage, json!([gone]));
    passes(&stage, "s3:PutObject", put).await;
    // Elsewhere an object is replaced as ever.
    let other = json!({"Bucket": "other", "Key": "a", "Body": "e30="});
    answers(&stage, json!([there]));
    passes(&stage, "s3:PutObject", other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_whose_answer_was_lost_is_put_again_where_nothing_is_lost_by_it() {
    let put = json!({"Bucket": "stanch-evidence", "Key": "inc-1/a", "Body": "e30="});
    for (status, expected) in [(json!("Enabled"), 2), (Value::Null, 1)] {
        let stage = stage(|_| {}).await;
        answers(
            &stage,
            json!([
                {"operation": "s3:HeadObject", "times": 1,
                    "error": {"code": "NotFound", "message": "there is none", "status": 404}},
                {"operation": "s3:HeadObject", "output": {"ContentLength": 2}},
                {"operation": "s3:GetBucketVersioning", "output": {"Status": status}},
                {"operation": "s3:PutObject", "output": {"ETag": "\"x\""}},
            ]),
        );
        stage.fault("s3:PutObject", FaultKind::CutAfterApply);
        let run = ended(&stage, "s3:PutObject", put.clone()).await;
        let calls = stage.aws.calls();
        let puts = calls.iter().filter(|call| call.operation == "s3:PutObject").count();
        assert_eq!(puts, expected, "{run}");
        match expected {
            2 => assert_eq!(run["status"], "succeeded", "{run}"),
            _ => assert_eq!(run["error"]["code"], "protected", "{run}"),
        }
    }
}
