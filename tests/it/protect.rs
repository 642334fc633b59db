//! What is protected stays untouched, whoever says yes.

use serde_json::{Value, json};
use stanch_engine_cli::config::{Account, Protect};
use stanch_engine_core::effect::Mode;
use stanch_tests::eventually;

use crate::bundle::unpack;
use crate::stage::{ACCOUNT, Plan, Stage, USER, id};

/// A playbook that executes what it is given, without asking.
const DO: &str = r#"
const PLAYBOOK = #{ name: "do", title: "Does what it is given", mode: "auto" };
execute(plan([change(inputs.operation, inputs.params, #{})]))
"#;

/// The same outside of any plan.
const BARE: &str = r#"
const PLAYBOOK = #{ name: "bare", title: "Does what it is given", mode: "auto" };
aws(inputs.operation, inputs.params)
"#;

fn rule(name: &str) -> Protect {
    Protect {
        name: name.to_owned(),
        reason: "the shop stands on it".to_owned(),
        owner: "team payments".to_owned(),
        arns: Vec::new(),
        tags: Default::default(),
        accounts: Vec::new(),
        ous: Vec::new(),
    }
}

fn cut_off() -> Value {
    json!({"operation": "iam:UpdateAccessKey", "params": {"UserName": USER,
        "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": "Inactive"}})
}

async fn stage(set: impl FnOnce(&mut Plan)) -> Stage {
    let mut plan = Plan::new().mode(Mode::Auto);
    plan.ships = false;
    set(&mut plan);
    let stage = plan.set().await;
    // The operation is no literal, on purpose.
    stage.publish(&DO.replace("execute(", "execute( // check: dynamic\n")).await;
    stage.publish(&BARE.replace("aws(", "aws( // check: dynamic\n")).await;
    stage
}

/// Runs both playbooks, and gives the error of each.
async fn errors(stage: &Stage, inputs: &Value) -> Vec<Value> {
    let mut errors = Vec::new();
    for playbook in ["do", "bare"] {
        let run = stage.start_for_finding_with(playbook, inputs.clone()).await;
        errors.push(stage.over(&run).await["error"].clone());
    }
    errors
}

async fn refused(stage: &Stage, inputs: &Value, words: &[&str]) {
    for error in errors(stage, inputs).await {
        assert_eq!(error["code"], "protected", "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    }
    assert!(stage.changes().is_empty(), "{:?}", stage.changes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_resource_is_not_touched_and_everybody_is_told_why() {
    let arns = vec![format!("arn:aws:iam::*:user/{USER}")];
    let stage = stage(|plan| {
        plan.config.guard.protect.push(Protect { arns, ..rule("deployers") });
    })
    .await;
    let words = ["deployers", "team payments", "the shop stands on it", "stanch.toml"];
    refused(&stage, &cut_off(), &words).await;

    let run = stage.start_for_finding_with("do", cut_off()).await;
    let ended = stage.over(&run).await;
    let incident = id(&ended["incident_id"]);
    let told = stage.mia.get(&format!("/incidents/{incident}/timeline")).await.to_string();
    assert!(told.contains("protected by the rule `deployers`"), "{told}");
    let journal = Value::from(stage.journal(&run).await).to_string();
    assert!(journal.contains("protected by the rule `deployers`"), "{journal}");
    let bundle = stage.mia.bytes(&format!("/incidents/{incident}/export")).await;
    let text = |path: &str| String::from_utf8(unpack(&bundle)[path].clone()).unwrap();
    let (chain, details) = (text("chain.jsonl"), text("details.jsonl"));
    assert!(chain.contains("change_refused") && details.contains("deployers"), "{details}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_account_tag_or_unit_is_not_touched() {
    let of_account = stage(|plan| {
        let accounts = vec![ACCOUNT.to_owned()];
        plan.config.guard.protect.push(Protect { accounts, ..rule("all-of-it") });
    })
    .await;
    refused(&of_account, &cut_off(), &["all-of-it"]).await;

    let of_unit = stage(|plan| {
        let ous = vec!["ou-ab12-prod".to_owned()];
        plan.config.guard.protect.push(Protect { ous, ..rule("production") });
        let ou = Some("ou-ab12-prod".to_owned());
        let account = Account { ou, ..Account::of_mode(Mode::Auto) };
        plan.config.accounts.insert(ACCOUNT.to_owned(), account);
    })
    .await;
    refused(&of_unit, &cut_off(), &["production", "ou-ab12-prod"]).await;

    // The demo's user bears this tag, which AWS is asked for.
    let tags = |value: &str| [("owner".to_owned(), value.to_owned())].into();
    let of_tag = stage(|plan| {
        let tags = tags("platform-*");
        plan.config.guard.protect.push(Protect { tags, ..rule("platform") });
    })
    .await;
    refused(&of_tag, &cut_off(), &["platform", "owner=platform-team"]).await;

    let of_another_tag = stage(|plan| {
        plan.config.guard.protect.push(Protect { tags: tags("nobody"), ..rule("nobody") });
    })
    .await;
    let run = of_another_tag.start_for_finding_with("do", cut_off()).await;
    of_another_tag.over(&run).await;
    assert_eq!(of_another_tag.changes(), ["iam:UpdateAccessKey"]);
}

/// A command for machines, as it says which.
fn command(which: Value, commands: &str) -> Value {
    let mut params = json!({"DocumentName": "AWS-RunShellScript",
        "Parameters": {"commands": [commands]}});
    params.as_object_mut().unwrap().extend(which.as_object().unwrap().clone());
    json!({"operation": "ssm:SendCommand", "params": params})
}

/// The error of a run that does it outside of a plan, before anybody is asked.
async fn error_of(stage: &Stage, inputs: Value) -> Value {
    let run = stage.start_for_finding_with("bare", inputs).await;
    stage.over(&run).await["error"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_machine_is_not_reached_by_way_of_a_command() {
    const INSTANCE: &str = "i-0abc1234def567890";
    let arns = vec![format!("arn:aws:ec2:*:{ACCOUNT}:instance/*")];
    let stage = stage(|plan| {
        plan.config.guard.protect.push(Protect { arns, ..rule("machines") });
    })
    .await;
    let targets = |key: &str, value: &str| json!({"Targets": [{"Key": key, "Values": [value]}]});
    for inputs in [
        command(json!({"InstanceIds": [INSTANCE]}), "id"),
        command(targets("InstanceIds", INSTANCE), "id"),
        command(targets("tag:none", "x"), &format!("aws ec2 stop-instances --ids {INSTANCE}")),
    ] {
        let error = error_of(&stage, inputs).await;
        assert_eq!(error["code"], "protected", "{error}");
        assert!(error["message"].as_str().unwrap().contains("machines"), "{error}");
    }
    // Nobody can tell what has a tag when it is run.
    for which in [targets("tag:stage", "prod"), targets("InstanceIds", "*")] {
        let error = error_of(&stage, command(which, "id")).await;
        assert_eq!(error["code"], "protection_unknown", "{error}");
        assert!(error["message"].as_str().unwrap().contains("name the instances"), "{error}");
    }
    assert!(stage.changes().is_empty(), "{:?}", stage.changes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_machine_is_not_reached_by_what_lies_in_it() {
    let stage = stage(|plan| {
        let arns = vec![format!("arn:aws:ec2:*:{ACCOUNT}:instance/i-0abc1234def567890")];
        plan.config.guard.protect.push(Protect { arns, ..rule("machines") });
    })
    .await;
    let change = |operation: &str, params: Value| json!({"operation": operation, "params": params});
    let groups = json!({"NetworkInterfaceId": "eni-0abc1234def567890", "Groups": ["sg-1"]});
    for inputs in [
        change("ec2:ModifyNetworkInterfaceAttribute", groups),
        change("ec2:DetachVolume", json!({"VolumeId": "vol-0aaa1111bbb22222c"})),
    ] {
        for error in errors(&stage, &inputs).await {
            assert_eq!(error["code"], "protected", "{error}");
            assert!(error["message"].as_str().unwrap().contains("machines"), "{error}");
        }
    }
    assert!(stage.changes().is_empty(), "{:?}", stage.changes());
    // An interface of another machine is no such thing.
    let other = json!({"NetworkInterfaceId": "eni-0fedcba9876543210", "Groups": ["sg-1"]});
    let inputs = change("ec2:ModifyNetworkInterfaceAttribute", other);
    for error in errors(&stage, &inputs).await {
        assert_ne!(error["code"], "protected", "{error}");
        assert_ne!(error["code"], "protection_unknown", "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_by_tags_lets_a_command_go_to_machines_without_them() {
    let stage = stage(|plan| {
        let tags = [("stage".to_owned(), "prod".to_owned())].into();
        plan.config.guard.protect.push(Protect { tags, ..rule("production") });
    })
    .await;
    let inputs = command(json!({"InstanceIds": ["i-0abc1234def567890"]}), "id");
    let run = stage.start_for_finding_with("bare", inputs).await;
    stage.approve(&run).await;
    let sent = async || (stage.changes() == ["ssm:SendCommand"]).then_some(());
    eventually("the command is sent", sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_found_out_is_a_no() {
    use stanch_plugins_aws::sandbox::FaultKind;
    let stage = stage(|plan| {
        let tags = [("owner".to_owned(), "nobody".to_owned())].into();
        plan.config.guard.protect.push(Protect { tags, ..rule("nobody") });
    })
    .await;
    stage.fault("iam:GetUser", FaultKind::Denied);
    let run = stage.start_for_finding_with("do", cut_off()).await;
    let error = stage.over(&run).await["error"].clone();
    assert_eq!(error["code"], "protection_unknown", "{error}");
    // A unit is protected, and nobody plays the organization.
    let of_unit = self::stage(|plan| {
        let ous = vec!["ou-ab12-prod".to_owned()];
        plan.config.guard.protect.push(Protect { ous, ..rule("production") });
    })
    .await;
    for error in errors(&of_unit, &cut_off()).await {
        assert_eq!(error["code"], "protection_unknown", "{error}");
    }
    assert!(stage.changes().is_empty() && of_unit.changes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn stanch_cuts_off_neither_itself_nor_those_who_come_after_it() {
    let stage = stage(|plan| {
        plan.config.guard.break_glass.push("break-glass-*".to_owned());
        plan.config.guard.log_archive_accounts.push("999988887777".to_owned());
        plan.config.aws.roles.contain =
            Some("arn:aws:iam::{account}:role/stanch-contain".to_owned());
    })
    .await;
    let role = |name: &str| {
        json!({"operation": "iam:PutRolePolicy", "params": {"RoleName": name,
            "PolicyName": "deny", "PolicyDocument": "{}"}})
    };
    for (inputs, rule) in [
        (role("stanch-contain"), "own-roles"),
        (role("AWSServiceRoleForSupport"), "service-linked-roles"),
        (role("OrganizationAccountAccessRole"), "organization-access"),
        (role("break-glass-1"), "break-glass"),
        (
            json!({"operation": "s3:DeleteBucketPolicy", "params": {"Bucket": "stanch-evidence"}}),
            "evidence",
        ),
        (
            json!({"operation": "organizations:MoveAccount", "params": {
                "AccountId": "999988887777", "SourceParentId": "r-ab12",
                "DestinationParentId": "ou-ab12-quarant1"}}),
            "log-archive",
        ),
        // The sandbox calls the runner by this name.
        (role("stanch-runner"), "self"),
        (
            json!({"operation": "iam:UpdateAccessKey", "params": {
                "AccessKeyId": "AKIAI44QH8DHBEXAMPLE", "Status": "Inactive"}}),
            "self",
        ),
    ] {
        refused(&stage, &inputs, &[&format!("`{rule}`"), "built in"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_survey_that_is_throttled_is_made_later_and_nothing_is_sent_before() {
    use stanch_plugins_aws::sandbox::{Fault, FaultKind};
    let mut plan = Plan::new().mode(Mode::Auto).manual();
    plan.ships = false;
    let tags = [("owner".to_owned(), "somebody-else".to_owned())].into();
    plan.config.guard.protect.push(Protect { tags, ..rule("others") });
    let mut stage = plan.set().await;
    stage.publish(&BARE.replace("aws(", "aws( // check: dynamic\n")).await;
    let operation = "iam:GetUser".to_owned();
    stage.aws.fault(Fault { operation, kind: FaultKind::Throttle, times: 6 });
    let run = stage.start_for_finding_with("bare", cut_off()).await;
    stage.run_when(&run, |run| run["status"] == "waiting").await;
    assert!(stage.changes().is_empty(), "{:?}", stage.changes());
    stage.restart().await;
    let ended = stage.over_in_time(&run, 1_000).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert_eq!(stage.changes().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_not_reached_by_its_access_point() {
    let stage = stage(|_| {}).await;
    for bucket in [
        "arn:aws:s3:us-east-1:111122223333:accesspoint/logs",
        "logs-abcdefghijklmnopqrstuvwxyz012345use1a-s3alias",
    ] {
        let params = json!({"Bucket": bucket, "Key": "trail/1", "Tagging": {"TagSet": []}});
        let inputs = json!({"operation": "s3:PutObjectTagging", "params": params});
        for error in errors(&stage, &inputs).await {
            assert_eq!(error["code"], "protection_unknown", "{error}");
            assert!(error["message"].as_str().unwrap().contains("name the bucket"), "{error}");
        }
    }
    assert!(stage.changes().is_empty(), "{:?}", stage.changes());
}
