//! `logging-baseline`: what accounts record of themselves, and what is switched on.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_cli::config::Account;
use stanch_engine_core::effect::Mode;
use stanch_engine_core::time::Clock as _;
use stanch_engine_runtime::playbooks;
use stanch_tests::moto::Moto;

use crate::stage::{Plan, Stage, id};

/// The account that moto plays.
const ACCOUNT: &str = "123456789012";

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../playbooks");

/// What `[config] logging` says. moto keeps no features of detectors.
fn logging(features: &[&str]) -> toml::Value {
    let mut table = toml::Table::new();
    let texts = [
        ("trail_bucket", "central-trail"),
        ("flow_logs", "arn:aws:s3:::central-flow"),
        ("query_logs", "arn:aws:s3:::central-query"),
        ("access_logs", "central-access"),
        ("config_bucket", "central-config"),
        ("config_role", "arn:aws:iam::{account}:role/config"),
    ];
    for (key, value) in texts {
        table.insert(key.to_owned(), value.into());
    }
    let features = features.iter().map(|name| toml::Value::from(*name)).collect::<Vec<_>>();
    table.insert("guardduty_features".to_owned(), features.into());
    toml::Value::Table(table)
}

/// A node with the two playbooks, before an AWS.
async fn stage(mut plan: Plan, account: &str, features: &[&str]) -> Stage {
    plan.ships = false;
    plan.config.accounts.insert(account.to_owned(), Account::of_mode(Mode::Ask));
    plan.config.config.insert("logging".to_owned(), logging(features));
    let stage = plan.set().await;
    for name in ["logging-baseline", "logging-baseline-account"] {
        let text = std::fs::read_to_string(format!("{SHIPPED}/{name}.rhai")).unwrap();
        let bundle = playbooks::gather(&text, Path::new(SHIPPED)).unwrap();
        playbooks::publish(&stage.runtime, bundle, "test", name).await.unwrap();
    }
    stage
}

/// An account with a bucket, a log group that forgets, a load balancer, and the buckets that logs go to.
async fn furnish(stage: &Stage) {
    let ask = async |operation: &str, params: Value| stage.call(ACCOUNT, operation, params).await;
    for bucket in [
        "central-trail",
        "central-flow",
        "central-query",
        "central-access",
        "central-config",
        "shop",
    ] {
        ask("s3:CreateBucket", json!({"Bucket": bucket})).await;
    }
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::central-access/*"}]});
    let policy = json!({"Bucket": "central-access", "Policy": policy.to_string()});
    ask("s3:PutBucketPolicy", policy).await;
    ask("logs:CreateLogGroup", json!({"logGroupName": "app"})).await;
    let days = json!({"logGroupName": "app", "retentionInDays": 30});
    ask("logs:PutRetentionPolicy", days).await;
    let subnets = ask("ec2:DescribeSubnets", json!({})).await;
    let balancer = json!({"Name": "front", "Subnets": [
        subnets["Subnets"][0]["SubnetId"], subnets["Subnets"][1]["SubnetId"]]});
    ask("elbv2:CreateLoadBalancer", balancer).await;
}

fn inputs(account: &str) -> Value {
    json!({"accounts": [account], "regions": ["us-east-1"]})
}

/// A sweep that a person says yes to.
async fn sweep(stage: &Stage) -> (String, Value) {
    let run = stage.start("logging-baseline", inputs(ACCOUNT)).await;
    stage.approve(&run).await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    (run, ended["result"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_account_does_not_record_is_switched_on_and_counted() {
    let moto = Arc::new(Moto::start().await);
    let mut plan = Plan::new();
    plan.aws_url = Some(moto.url().to_owned());
    let stage = stage(plan, ACCOUNT, &[]).await;
    furnish(&stage).await;

    let only = json!({"accounts": [ACCOUNT], "regions": ["us-east-1"], "propose": false});
    let run = stage.start("logging-baseline", only).await;
    let looked = stage.over(&run).await["result"].clone();
    assert_eq!(looked["outcome"], "looked", "{looked}");
    let kinds = [
        "cloudtrail",
        "config",
        "elb_access_logs",
        "guardduty",
        "log_retention",
        "resolver_query_logs",
        "s3_access_logs",
        "securityhub",
        "vpc_flow_logs",
    ];
    let detectors = looked["detectors"].as_object().unwrap();
    assert_eq!(detectors.keys().collect::<Vec<_>>(), kinds);
    for (kind, part) in detectors {
        assert_eq!(part, &json!({"critical": 1, "covered": 0}), "{kind}");
    }
    assert_eq!((&looked["gaps"], &looked["unknown"]), (&json!(9), &json!([])), "{looked}");
    let lacking = looked["lacking"].to_string();
    assert!(lacking.contains("it keeps 30 days") && lacking.contains("no query log"), "{lacking}");

    let (first, done) = sweep(&stage).await;
    assert_eq!((&done["outcome"], &done["gaps"]), (&json!("approved"), &json!(1)), "{done}");
    // The networks are joined to the configuration by the sweep after the one that makes it.
    assert_eq!(done["detectors"]["resolver_query_logs"]["covered"], 0);
    let (_, done) = sweep(&stage).await;
    assert_eq!((&done["gaps"], &done["proposed"]), (&json!(0), &json!(1)), "{done}");

    let run = stage.start("logging-baseline", inputs(ACCOUNT)).await;
    let last = stage.over(&run).await;
    assert_eq!(last["result"]["outcome"], "looked", "nothing is left to ask for: {last}");
    for (kind, part) in last["result"]["detectors"].as_object().unwrap() {
        assert_eq!(part, &json!({"critical": 1, "covered": 1}), "{kind}");
    }
    let coverage = stage.mia.get("/kpis").await["coverage"].clone();
    assert_eq!(coverage["run"], json!(run));
    assert_eq!(coverage["detectors"]["cloudtrail"]["part"], 1, "{coverage}");

    // And back, what can be taken back.
    let undo = format!("/runs/{first}/undo");
    let undo = id(&stage.mia.post(&undo, &json!({"reason": "it was a trial"})).await["id"]);
    stage.approve(&undo).await;
    assert_eq!(stage.over(&undo).await["status"], "succeeded", "{}", moto.log());
    let found = stage.call(ACCOUNT, "guardduty:ListDetectors", json!({})).await;
    assert_eq!(found["DetectorIds"], json!([]));
    let found = stage.call(ACCOUNT, "logs:DescribeLogGroups", json!({})).await;
    assert_eq!(found["logGroups"][0]["retentionInDays"], 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_and_not_effective_is_not_counted() {
    let stage = stage(Plan::new().manual(), crate::stage::ACCOUNT, &[]).await;
    let hub = "arn:aws:securityhub:us-east-1:111122223333:hub/default";
    let answers = json!([
        {"operation": "cloudtrail:DescribeTrails", "output": {"trailList": [{
            "Name": "org", "TrailARN": "arn:aws:cloudtrail:us-east-1:111122223333:trail/org",
            "IsMultiRegionTrail": true, "LogFileValidationEnabled": true, "HomeRegion": "us-east-1",
            "S3BucketName": "central-trail"}]}},
        {"operation": "cloudtrail:GetTrailStatus", "output": {"IsLogging": true}},
        {"operation": "guardduty:ListDetectors", "output": {"DetectorIds": []}},
        {"operation": "guardduty:CreateDetector", "output": {"DetectorId": "d1"}},
        {"operation": "securityhub:DescribeHub", "output": {"HubArn": hub}},
        {"operation": "config:DescribeConfigurationRecorderStatus", "error":
            {"code": "AccessDenied", "message": "not you", "status": 403}},
        {"operation": "ec2:DescribeVpcs", "output": {"Vpcs": []}},
        {"operation": "elbv2:DescribeLoadBalancers", "output": {"LoadBalancers": []}},
        {"operation": "s3:ListBuckets", "output": {"Buckets": []}},
        {"operation": "logs:DescribeLogGroups", "output": {"logGroups": []}},
    ]);
    let now = stage.clock.as_ref().unwrap().now();
    stage.aws.load(json!({"answers": answers}), now).unwrap();
    let run = stage.start("logging-baseline", inputs(crate::stage::ACCOUNT)).await;
    let approval = stage.approval(&run).await;
    let changes = approval["card"]["changes"].as_array().unwrap();
    let operations: Vec<_> = changes.iter().map(|change| change["operation"].clone()).collect();
    assert_eq!(json!(operations), json!(["guardduty:CreateDetector"]));
    stage.approve(&run).await;
    let ended = stage.over_in_time(&run, 500).await;
    let result = &ended["result"];
    assert_eq!(result["outcome"], "not_effective", "{ended}");
    assert!(result["error"].as_str().unwrap().starts_with("unverified"), "{result}");
    assert_eq!(result["detectors"]["guardduty"], json!({"critical": 1, "covered": 0}));
    assert_eq!(result["detectors"]["cloudtrail"], json!({"critical": 1, "covered": 1}));
    assert_eq!(result["detectors"]["securityhub"], json!({"critical": 1, "covered": 1}));
    assert_eq!(result["detectors"]["config"], json!({"critical": 1, "covered": 0}));
    let unknown = result["unknown"].to_string();
    assert!(unknown.contains("AccessDenied"), "what could not be asked is told: {unknown}");
    stage.page_that_says("the logging baseline was not switched on").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_can_not_be_called_is_told_and_the_others_are_looked_at() {
    let moto = Arc::new(Moto::start().await);
    let mut plan = Plan::new();
    plan.aws_url = Some(moto.url().to_owned());
    let stage = stage(plan, ACCOUNT, &[]).await;
    let both = json!({"accounts": ["999900001111", ACCOUNT], "regions": ["us-east-1"],
        "propose": false});
    let run = stage.start("logging-baseline", both).await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let unknown = ended["result"]["unknown"].to_string();
    assert!(unknown.contains("999900001111"), "{unknown}");
    assert_eq!(ended["result"]["detectors"]["guardduty"]["covered"], 0, "{ended}");
}
