//! Calls whose outcome is unknown: looked up where that is possible, and else a person is asked.

use serde_json::{Value, json};
use stanch_engine_core::effect::Mode;
use stanch_plugins_aws::sandbox::{Fault, FaultKind};

use crate::stage::{Plan, Stage, id};

/// A change that nobody can look up, and that must not be made twice.
const TELLS: &str = r#"
const PLAYBOOK = #{ name: "tells", title: "Tells the bus", mode: "auto" };
let told = aws("events:PutEvents", #{
    Entries: [#{ Source: "stanch", DetailType: "contained", Detail: "{}" }] });
told.FailedEntryCount
"#;

/// A change that carries a token by which it is found again.
const SNAPSHOTS: &str = r#"
const PLAYBOOK = #{ name: "snapshots", title: "Keeps the disks", mode: "auto" };
let made = aws("ec2:CreateSnapshots", #{
    InstanceSpecification: #{ InstanceId: "i-0abc1234def567890" } });
made.Snapshots.len()
"#;

/// A change that can be made again without harm.
const CUTS: &str = r#"
const PLAYBOOK = #{ name: "cuts", title: "Cuts a key off", mode: "auto" };
aws("iam:UpdateAccessKey", #{ UserName: "ci-deploy", AccessKeyId: "AKIAIOSFODNN7EXAMPLE",
    Status: "Inactive" });
"done"
"#;

async fn run(text: &str, name: &str, fault: (&str, FaultKind)) -> (Stage, String) {
    let mut plan = Plan::new().mode(Mode::Auto).manual();
    plan.ships = false;
    let stage = plan.set().await;
    stage.publish(text).await;
    stage.fault(fault.0, fault.1);
    let run = stage.start_for_finding(name).await;
    (stage, run)
}

fn count(stage: &Stage, operation: &str) -> usize {
    stage.aws.calls().iter().filter(|call| call.operation == operation).count()
}

async fn doubted() -> (Stage, String, String) {
    let fault = ("events:PutEvents", FaultKind::CutAfterApply);
    let (stage, run) = run(TELLS, "tells", fault).await;
    let parked = stage.over_in_time(&run, 1_000).await;
    assert_eq!(
        (&parked["status"], &parked["parked_reason"]),
        (&json!("parked"), &json!("in_doubt"))
    );
    assert_eq!(count(&stage, "events:PutEvents"), 1, "it is not sent again");
    stage.page_that_says("events:PutEvents").await;
    let journal = stage.journal(&run).await;
    let doubt = journal.iter().find(|entry| entry["kind"] == "step_doubted");
    let step = id(&doubt.unwrap_or_else(|| panic!("{journal:?}"))["body"]["key"]);
    (stage, run, step)
}

async fn settle(stage: &Stage, run: &str, body: Value) {
    stage.mia.post(&format!("/runs/{run}/retry"), &body).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_says_that_it_took_place() {
    let (stage, run, step) = doubted().await;
    let result = json!({"FailedEntryCount": 0});
    let body =
        json!({"step": step, "outcome": "succeeded", "reason": "I see it", "result": result});
    settle(&stage, &run, body).await;
    let ended = stage.run_when(&run, |run| run["status"] != "parked").await;
    let ended =
        if crate::stage::is_over(&ended) { ended } else { stage.over_in_time(&run, 1_000).await };
    assert_eq!((&ended["status"], &ended["result"]), (&json!("succeeded"), &json!(0)));
    assert_eq!(count(&stage, "events:PutEvents"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_says_that_it_did_not() {
    let (stage, run, step) = doubted().await;
    let body = json!({"step": step, "outcome": "failed", "reason": "it is not there"});
    settle(&stage, &run, body).await;
    let ended = stage.run_when(&run, |run| run["status"] == "failed").await;
    assert_eq!(ended["error"]["code"], "did_not_happen", "{ended}");
    assert_eq!(count(&stage, "events:PutEvents"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_has_it_tried_again() {
    let (stage, run, step) = doubted().await;
    let body = json!({"step": step, "outcome": "repeat", "reason": "it is not there"});
    settle(&stage, &run, body).await;
    // The sandbox plays no PutEvents: what counts is that it was asked again.
    stage.run_when(&run, |run| run["status"] == "failed").await;
    assert_eq!(count(&stage, "events:PutEvents"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_step_in_doubt_is_settled() {
    let (stage, run, step) = doubted().await;
    let path = format!("/runs/{run}/retry");
    let body = |step: &str, outcome: &str| json!({"step": step, "outcome": outcome, "reason": "x"});
    assert_eq!(stage.mia.post_refused(&path, &body("nonsense#1", "failed")).await.0, 404);
    assert_eq!(stage.mia.post_refused(&path, &body(&step, "maybe")).await.0, 400);
    let gave = json!({"step": step, "outcome": "failed", "reason": "x", "result": {"n": 1}});
    assert_eq!(
        stage.mia.post_refused(&path, &gave).await.0,
        400,
        "a result of what did not happen"
    );
    settle(&stage, &run, body(&step, "failed")).await;
    stage.run_when(&run, |run| run["status"] == "failed").await;
    assert_eq!(stage.mia.post_refused(&path, &body(&step, "failed")).await.0, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_looked_up_is_looked_up() {
    let lost = ("ec2:CreateSnapshots", FaultKind::CutAfterApply);
    let (stage, run) = run(SNAPSHOTS, "snapshots", lost).await;
    let ended = stage.over_in_time(&run, 1_000).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert_eq!(count(&stage, "ec2:CreateSnapshots"), 1, "it took place, and is not repeated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_that_is_throttled_waits_outlives_its_node_and_asks_no_person() {
    let lost = ("ec2:CreateSnapshots", FaultKind::CutAfterApply);
    let mut plan = Plan::new().mode(Mode::Auto).manual();
    plan.ships = false;
    let mut stage = plan.set().await;
    stage.publish(SNAPSHOTS).await;
    stage.fault(lost.0, lost.1);
    let operation = "ec2:DescribeSnapshots".to_owned();
    stage.aws.fault(Fault { operation, kind: FaultKind::Throttle, times: 7 });
    let run = stage.start_for_finding("snapshots").await;
    stage.run_when(&run, |run| run["status"] == "waiting").await;
    stage.restart().await;
    let ended = stage.over_in_time(&run, 1_000).await;
    assert_eq!((&ended["status"], &ended["result"]), (&json!("succeeded"), &json!(2)), "{ended}");
    assert_eq!(count(&stage, "ec2:CreateSnapshots"), 1, "it took place, and is not repeated");
    let journal = stage.journal(&run).await;
    let later = |entry: &&Value| entry["body"]["error"]["code"] == "look_up_later";
    assert_eq!(journal.iter().filter(later).count(), 7, "{journal:?}");
    assert!(!journal.iter().any(|entry| entry["kind"] == "step_doubted"), "{journal:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_that_is_throttled_without_end_is_put_to_a_person() {
    let mut plan = Plan::new().mode(Mode::Auto).manual();
    plan.ships = false;
    let stage = plan.set().await;
    stage.publish(SNAPSHOTS).await;
    stage.fault("ec2:CreateSnapshots", FaultKind::CutAfterApply);
    let operation = "ec2:DescribeSnapshots".to_owned();
    stage.aws.fault(Fault { operation, kind: FaultKind::Throttle, times: 1_000 });
    let run = stage.start_for_finding("snapshots").await;
    let parked = stage.over_in_time(&run, 1_000).await;
    assert_eq!(parked["parked_reason"], "in_doubt", "{parked}");
    assert_eq!(count(&stage, "ec2:CreateSnapshots"), 1);
    stage.page_that_says("can't be looked up: RequestLimitExceeded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_take_place_is_done_again() {
    let lost = ("ec2:CreateSnapshots", FaultKind::CutBefore);
    let (stage, run) = run(SNAPSHOTS, "snapshots", lost).await;
    let ended = stage.over_in_time(&run, 1_000).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert_eq!(count(&stage, "ec2:CreateSnapshots"), 2);
    let calls = stage.aws.calls();
    let snapshots = calls.iter().filter(|call| call.operation == "ec2:CreateSnapshots");
    let params: Vec<_> = snapshots.map(|call| &call.params["TagSpecifications"]).collect();
    assert_eq!(params[0], params[1], "both carry the same token");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_no_harm_twice_is_just_done_again() {
    let lost = ("iam:UpdateAccessKey", FaultKind::CutAfterApply);
    let (stage, run) = run(CUTS, "cuts", lost).await;
    assert_eq!(stage.over_in_time(&run, 1_000).await["result"], "done");
    assert_eq!(count(&stage, "iam:UpdateAccessKey"), 2);
}

/// A change of that operation, whose answer is lost after it was made, before an AWS of those
/// manners; and how it ended.
async fn lost(name: &str, operation: &str, params: &str, manners: Value) -> (Stage, Value) {
    let text = format!(
        "const PLAYBOOK = #{{ name: \"{name}\", title: \"Changes\", mode: \"auto\" }};\n\
         aws(\"{operation}\", #{{ {params} }})"
    );
    let mut plan = Plan::new().mode(Mode::Auto).manual();
    plan.ships = false;
    let stage = plan.set().await;
    stage.publish(&text).await;
    stage.aws.play_by(manners).unwrap();
    stage.fault(operation, FaultKind::CutAfterApply);
    let run = stage.start_for_finding(name).await;
    let ended = stage.over_in_time(&run, 1_000).await;
    (stage, ended)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_a_token_is_repeated_with_the_same() {
    let manners = json!({"ec2:RunInstances": {"does": "each", "token": "ClientToken",
        "answer": "{Instances: [{InstanceId: id}]}"}});
    let params = "ImageId: \"ami-1\", MinCount: 1, MaxCount: 1";
    let (stage, ended) = lost("runs", "ec2:RunInstances", params, manners).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert_eq!(ended["result"]["Instances"][0]["InstanceId"], "made-1");
    assert_eq!(stage.aws.made("ec2:RunInstances").len(), 1);
    let calls = stage.aws.calls();
    let tokens = calls.iter().filter(|call| call.operation == "ec2:RunInstances");
    let tokens: Vec<_> = tokens.map(|call| call.token.as_ref().unwrap()).collect();
    assert!(tokens.len() == 2 && tokens[0] == tokens[1], "{tokens:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_that_is_told_it_is_done_is_done() {
    let manners = json!({"iam:DetachUserPolicy": {"does": "once", "code": "NoSuchEntity"}});
    let params = "UserName: \"ci-deploy\", PolicyArn: \"arn:aws:iam::aws:policy/ReadOnlyAccess\"";
    let (stage, ended) = lost("detaches", "iam:DetachUserPolicy", params, manners).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert_eq!(count(&stage, "iam:DetachUserPolicy"), 2);
    assert_eq!(stage.aws.made("iam:DetachUserPolicy").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_late_is_not_done_again() {
    let manners = json!({
        "rds:CreateDBSnapshot": {"does": "each"},
        "rds:DescribeDBSnapshots": {"does": "shows", "of": "rds:CreateDBSnapshot", "late": 1,
            "answer": "{DBSnapshots: things[].\
                {DBSnapshotIdentifier: params.DBSnapshotIdentifier, TagList: params.Tags}}"},
    });
    let params = "DBSnapshotIdentifier: \"evidence\", DBInstanceIdentifier: \"shop\"";
    let (stage, ended) = lost("keeps", "rds:CreateDBSnapshot", params, manners).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert_eq!(ended["result"]["DBSnapshot"]["DBSnapshotIdentifier"], "evidence");
    assert_eq!(count(&stage, "rds:DescribeDBSnapshots"), 2);
    assert_eq!(stage.aws.made("rds:CreateDBSnapshot").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_and_faults_that_pass_are_waited_out() {
    for kind in [FaultKind::Throttle, FaultKind::ServerError] {
        let (stage, run) = run(CUTS, "cuts", ("iam:UpdateAccessKey", kind)).await;
        let retried = stage.run_when(&run, |run| !run["wake_at"].is_null()).await;
        assert_eq!(retried["status"], "waiting", "{retried}");
        assert_eq!(stage.over_in_time(&run, 1_000).await["result"], "done");
        assert_eq!(count(&stage, "iam:UpdateAccessKey"), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_is_not_tried_again() {
    let (stage, run) = run(CUTS, "cuts", ("iam:UpdateAccessKey", FaultKind::Denied)).await;
    let ended = stage.over_in_time(&run, 1_000).await;
    assert_eq!(ended["status"], "failed");
    assert_eq!(ended["error"]["code"], "AccessDenied", "{ended}");
    assert_eq!(count(&stage, "iam:UpdateAccessKey"), 1);
}

/// Throttled attempts go 0.5 s, 1 s, 2 s, … apart, up to a minute, or down to half of that as chance
/// has it: eight of them take more than a minute in any case.
const A_MINUTE: u32 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_of_throttling_is_waited_out_and_the_change_is_made_once() {
    let (stage, run) = throttled(A_MINUTE).await;
    assert_eq!(stage.over_in_time(&run, 1_000).await["result"], "done");
    let calls = stage.aws.calls();
    let cuts: Vec<_> =
        calls.iter().filter(|call| call.operation == "iam:UpdateAccessKey").collect();
    assert_eq!(cuts.len(), usize::try_from(A_MINUTE).unwrap() + 1);
    assert_eq!(cuts.iter().filter(|call| call.outcome == "ok").count(), 1);
    let (first, last) = (cuts.first().unwrap(), cuts.last().unwrap());
    assert!(last.at.ms_since(first.at) >= 60_000, "{} to {}", first.at, last.at);
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_without_an_end_ends_the_step_with_awss_own_code() {
    let (stage, run) = throttled(u32::MAX).await;
    let ended = stage.over_in_time(&run, 5_000).await;
    assert_eq!(ended["status"], "failed", "{ended}");
    assert_eq!(ended["error"]["code"], "Throttling", "{ended}");
    assert_eq!(count(&stage, "iam:UpdateAccessKey"), 10, "no more than the limit of attempts");
}

async fn throttled(times: u32) -> (Stage, String) {
    let mut plan = Plan::new().mode(Mode::Auto).manual();
    plan.ships = false;
    let stage = plan.set().await;
    stage.publish(CUTS).await;
    let operation = "iam:UpdateAccessKey".to_owned();
    stage.aws.fault(Fault { operation, kind: FaultKind::Throttle, times });
    let run = stage.start_for_finding("cuts").await;
    (stage, run)
}
