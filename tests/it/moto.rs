//! The containment of a key against moto, which was written by others.

use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_cli::config::Account;
use stanch_engine_core::effect::Mode;
use stanch_engine_core::time::Timestamp;
use stanch_plugins_aws::sandbox::Sandbox;
use stanch_tests::moto::Moto;

use crate::stage::{KEY, Plan, id, run_of};

/// The account that moto plays.
const ACCOUNT: &str = "123456789012";

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_cut_off_and_back_on() {
    let moto = Arc::new(Moto::start().await);
    let mut plan = Plan::new();
    plan.aws_url = Some(moto.url().to_owned());
    plan.config.accounts.insert(ACCOUNT.to_owned(), Account::of_mode(Mode::Ask));
    let stage = plan.set().await;
    let ask = async |operation: &str, params: Value| stage.call(ACCOUNT, operation, params).await;
    ask("sns:CreateTopic", json!({"Name": "stanch-pages"})).await;
    ask("iam:CreateUser", json!({"UserName": "ci-deploy"})).await;
    let made = ask("iam:CreateAccessKey", json!({"UserName": "ci-deploy"})).await;
    let key = id(&made["AccessKey"]["AccessKeyId"]);
    let status = async || {
        let keys = ask("iam:ListAccessKeys", json!({"UserName": "ci-deploy"})).await;
        id(&keys["AccessKeyMetadata"][0]["Status"])
    };
    assert_eq!(status().await, "Active");

    let finding = Sandbox::demo_finding(Timestamp::parse("2026-11-24T03:00:00Z").unwrap());
    let finding = finding.to_string().replace(KEY, &key).replace(crate::stage::ACCOUNT, ACCOUNT);
    let (code, received) = stage.detector.send("/webhooks/guardduty", finding).await;
    assert_eq!(code, 202, "{received}");
    let run = run_of(&received);
    stage.approve(&run).await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["status"], "succeeded", "{ended}\n{}", moto.log());
    assert_eq!(status().await, "Inactive");
    let policies = ask("iam:ListUserPolicies", json!({"UserName": "ci-deploy"})).await;
    assert_eq!(policies["PolicyNames"], json!(["stanch-deny-all"]));
    assert_eq!(stage.incident(&received).await["status"], "contained");

    let path = format!("/runs/{run}/undo");
    let undo = id(&stage.mia.post(&path, &json!({"reason": "a drill"})).await["id"]);
    stage.approve(&undo).await;
    assert_eq!(stage.over(&undo).await["status"], "succeeded");
    assert_eq!(status().await, "Active");
}
