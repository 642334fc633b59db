//! Claims of journals, and how they are held against the log.

use serde_json::json;

use super::*;
use crate::command::{Position, Verb};
use crate::journal::{Entry, Event, Head, StepDoubted, StepFailed, StepScheduled, StepSucceeded};
use crate::json::Json;
use crate::step::{ErrorKind, StepError};

const ACCOUNT: &str = "111122223333";

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

fn run_session() -> String {
    session(IncidentId::new(at(0), 1), RunId::new(at(0), 2))
}

fn scheduled(key: &str, operation: &str) -> Event {
    let args = json!({"action": "aws.call", "input": {"operation": operation, "params": {}},
        "options": {"account": ACCOUNT, "region": "us-east-1"}});
    let head =
        Head { verb: Verb::Action, args: Json::canonical(&args), position: Position::default() };
    Event::StepScheduled(StepScheduled {
        key: StepKey::from(key),
        head: Some(head),
        token: None,
        waits_for: None,
        wake_at: None,
    })
}

fn succeeded(key: &str, request_id: &str, session: &str) -> Event {
    let call = json!({"request_id": request_id, "account": ACCOUNT, "region": "us-east-1",
        "caller": format!("arn:aws:sts::{ACCOUNT}:assumed-role/stanch-contain/{session}")});
    let (key, result) = (StepKey::from(key), Json::canonical(&json!({})));
    Event::StepSucceeded(StepSucceeded {
        key,
        head: None,
        result,
        call: Some(Json::canonical(&call)),
    })
}

fn failed(key: &str) -> Event {
    let error = StepError::denied("AccessDenied", "not you");
    Event::StepFailed(StepFailed { key: StepKey::from(key), head: None, error, call: None })
}

fn doubted(key: &str) -> Event {
    let error = StepError::new(ErrorKind::InDoubt, "cut", "no answer");
    Event::StepDoubted(StepDoubted { key: StepKey::from(key), error })
}

fn entries(events: Vec<Event>) -> Vec<Entry> {
    let entry = |(event, seq): (Event, u32)| Entry { seq, at: at(i64::from(seq)), event };
    events.into_iter().zip(1..).map(entry).collect()
}

fn changes(operation: &str) -> bool {
    !operation.contains(":List")
}

fn event(id: &str, name: &str, request_id: &str) -> Value {
    logged(id, name, request_id, &json!({}))
}

fn logged(id: &str, name: &str, request_id: &str, more: &Value) -> Value {
    let mut identity = json!({"type": "AssumedRole", "accountId": ACCOUNT,
        "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/stanch-contain/{}", run_session())});
    identity.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let whole = json!({"eventID": id, "eventName": name, "eventSource": "iam.amazonaws.com",
        "eventTime": at(2), "awsRegion": "us-east-1", "requestID": request_id,
        "recipientAccountId": ACCOUNT, "readOnly": false, "userIdentity": identity});
    json!({"ReadOnly": "false", "CloudTrailEvent": whole.to_string()})
}

fn held(events: Vec<Event>, log: &[Value]) -> Difference {
    let mut difference = Difference::default();
    let claims = claims(&entries(events), changes, &run_session(), &mut difference);
    let listed = log.iter().filter_map(|event| listed(event, &run_session())).collect();
    compare(claims, listed, difference)
}

#[test]
fn what_both_say_agrees_and_looks_don_t_count() {
    let ours = run_session();
    let journal = vec![
        scheduled("1", "iam:ListUsers"),
        succeeded("1", "r0", &ours),
        scheduled("2", "iam:UpdateAccessKey"),
        succeeded("2", "r1", &ours),
    ];
    let mut look = event("e0", "ListUsers", "r0");
    look["ReadOnly"] = json!("true");
    let both = held(journal.clone(), &[look, event("e1", "UpdateAccessKey", "r1")]);
    assert!(both.is_none() && both.agreed == 1, "{both:?}");
    // A page that overlaps the one before it.
    let twice = [event("e1", "UpdateAccessKey", "r1"), event("e1", "UpdateAccessKey", "r1")];
    assert!(held(journal, &twice).is_none());
}

#[test]
fn a_call_that_is_not_logged_is_missing_and_one_that_was_not_asked_for_is_not_ours() {
    let journal =
        || vec![scheduled("1", "iam:UpdateAccessKey"), succeeded("1", "r1", &run_session())];
    let nothing = held(journal(), &[]);
    assert_eq!(nothing.missing[0].operation, "iam:UpdateAccessKey");
    assert!(nothing.summary().contains("1 are MISSING (iam:UpdateAccessKey)"));
    // The same operation at the same time, by another request, is another call.
    let other = held(
        journal(),
        &[event("e1", "UpdateAccessKey", "r9"), event("e2", "UpdateAccessKey", "r1")],
    );
    assert_eq!((other.agreed, other.unclaimed.len()), (1, 1), "{other:?}");
    assert_eq!(other.unclaimed[0].request_id.as_deref(), Some("r9"));
    assert!(other.summary().contains("NOT OURS (UpdateAccessKey of iam.amazonaws.com)"));
}

#[test]
fn attempts_that_aws_refused_belong_to_the_call_that_was_made() {
    let journal =
        || vec![scheduled("1", "iam:UpdateAccessKey"), succeeded("1", "r2", &run_session())];
    let refused = |name: &str| {
        let mut event = event("e1", name, "r1");
        let mut whole: Value =
            serde_json::from_str(event["CloudTrailEvent"].as_str().unwrap()).unwrap();
        whole["errorCode"] = json!("Throttling");
        event["CloudTrailEvent"] = json!(whole.to_string());
        event
    };
    let made = event("e2", "UpdateAccessKey", "r2");
    let both = held(journal(), &[refused("UpdateAccessKey"), made.clone()]);
    assert!(both.is_none() && both.agreed == 1, "{both:?}");
    let foreign = held(journal(), &[refused("DeleteUser"), made]);
    assert_eq!(foreign.unclaimed.len(), 1, "{foreign:?}");
}

#[test]
fn another_session_and_what_was_never_sent_are_no_claims() {
    let refused = held(vec![scheduled("1", "iam:DeleteUser"), failed("1")], &[]);
    assert_eq!(refused, Difference::default());
    let base = held(vec![scheduled("1", "iam:DeleteUser"), succeeded("1", "r1", "somebody")], &[]);
    assert!(base.is_none() && base.without_session.contains("iam:DeleteUser"), "{base:?}");
    let would = Event::StepSucceeded(StepSucceeded {
        key: StepKey::from("1"),
        head: None,
        result: Json::canonical(&json!({"would_call": "observe"})),
        call: None,
    });
    let observed = held(vec![scheduled("1", "iam:DeleteUser"), would], &[]);
    assert_eq!(observed, Difference::default());
}

#[test]
fn a_call_in_doubt_may_be_logged_or_not() {
    let journal = || vec![scheduled("1", "iam:UpdateAccessKey"), doubted("1")];
    let gone = held(journal(), &[]);
    assert!(gone.is_none() && gone.uncertain.len() == 1, "{gone:?}");
    let there = held(journal(), &[event("e1", "UpdateAccessKey20150331v2", "r1")]);
    assert_eq!((there.is_none(), there.agreed, there.uncertain.len()), (true, 1, 0), "{there:?}");
    let other = held(journal(), &[event("e1", "UpdateAccessKeyOwner", "r1")]);
    assert_eq!(other.unclaimed.len(), 1, "{other:?}");
}

#[test]
fn what_cloudtrail_does_not_list_and_what_aws_makes_on_our_behalf_is_said() {
    let ours = run_session();
    let journal = vec![scheduled("1", "s3:PutObject"), succeeded("1", "r1", &ours)];
    let data = held(journal, &[]);
    assert!(data.is_none() && data.unlisted.contains("s3:PutObject"), "{data:?}");
    let journal =
        || vec![scheduled("1", "ssm:StartAutomationExecution"), succeeded("1", "r1", &ours)];
    let by = |service: &str| {
        let more = json!({"invokedBy": service});
        [event("e1", "StartAutomationExecution", "r1"), logged("e2", "CreateTags", "r2", &more)]
    };
    let made = held(journal(), &by("ssm.amazonaws.com"));
    assert!(made.is_none() && made.on_behalf.len() == 1, "{made:?}");
    let foreign = held(journal(), &by("glue.amazonaws.com"));
    assert_eq!(foreign.unclaimed.len(), 1, "no call of ours has it act: {foreign:?}");
}

#[test]
fn the_home_of_what_belongs_to_no_region_is_that_of_the_partition() {
    assert_eq!(home_region("eu-west-1"), "us-east-1");
    assert_eq!(home_region("us-gov-east-1"), "us-gov-west-1");
    assert_eq!(home_region("cn-northwest-1"), "cn-north-1");
}
