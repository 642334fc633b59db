//! CloudTrail: what happened, looked up by one attribute.

use std::io::Read as _;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use stanch_plugins_sdk::core::effect::Effect;
use stanch_plugins_sdk::core::time::Timestamp;

use super::reply::Refusal;
use super::request::Asked;
use super::trust;
use super::world::World;
use crate::client::value;
use crate::effect;

/// Events of a page, unless fewer are asked for
/// (<https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>).
const PAGE: usize = 50;

/// Answers for CloudTrail.
pub(super) fn answer(
    world: &World,
    operation: &str,
    asked: &Asked,
) -> Option<Result<Value, Refusal>> {
    (operation == "LookupEvents").then(|| look_up(world, asked))
}

fn look_up(world: &World, asked: &Asked) -> Result<Value, Refusal> {
    let attribute = asked.params.get("LookupAttributes").and_then(|list| list.get(0));
    let bound = |name| asked.params.get(name).and_then(millis);
    let (from, to) = (bound("StartTime"), bound("EndTime"));
    let found = world.trail.iter().filter(|event| {
        let at = event.get("EventTime").and_then(millis);
        region(event).is_none_or(|region| region == asked.region)
            && attribute.is_none_or(|attribute| has(event, attribute))
            && from.is_none_or(|from| at >= Some(from))
            && to.is_none_or(|to| at <= Some(to))
    });
    let events: Vec<&Value> = found.collect();
    let skipped = asked.text("NextToken").map_or(Ok(0), str::parse::<usize>);
    let skipped = skipped.map_err(|_| {
        Refusal::new(400, "InvalidNextTokenException", "the token is not one of ours")
    })?;
    let most = asked.params.get("MaxResults").and_then(Value::as_u64).map(usize::try_from);
    let most = most.and_then(Result::ok).unwrap_or(PAGE).min(PAGE);
    let page: Vec<&Value> = events.iter().skip(skipped).take(most).copied().collect();
    let next = skipped + page.len();
    let token = (next < events.len()).then(|| next.to_string());
    Ok(json!({"Events": page, "NextToken": token}))
}

fn millis(at: &Value) -> Option<i64> {
    value::timestamp(at)?.to_millis().ok()
}

/// The region of an event, which only the text of the whole event says.
fn region(event: &Value) -> Option<String> {
    let whole = event.get("CloudTrailEvent")?.as_str()?;
    let whole: Value = serde_json::from_str(whole).ok()?;
    Some(whole.get("awsRegion")?.as_str()?.to_owned())
}

fn has(event: &Value, attribute: &Value) -> bool {
    let part = |name| attribute.get(name).and_then(Value::as_str).unwrap_or_default();
    let (key, wanted) = (part("AttributeKey"), part("AttributeValue"));
    match key {
        "ResourceName" | "ResourceType" => {
            let resources = event.get("Resources").and_then(Value::as_array);
            resources.into_iter().flatten().any(|r| r.get(key).is_some_and(|own| own == wanted))
        }
        _ => event.get(key).is_some_and(|own| own == wanted),
    }
}

/// An event as `LookupEvents` answers it, from what CloudTrail writes.
pub(super) fn event(record: &Value, resources: &Value) -> Value {
    let at = |path: &str| record.pointer(path).cloned().unwrap_or_default();
    let read_only = record.get("readOnly").and_then(Value::as_bool).unwrap_or(false);
    json!({
        "EventId": at("/eventID"),
        "EventName": at("/eventName"),
        "ReadOnly": read_only.to_string(),
        "AccessKeyId": at("/userIdentity/accessKeyId"),
        "EventTime": at("/eventTime"),
        "EventSource": at("/eventSource"),
        "Username": username(record),
        "Resources": resources,
        "CloudTrailEvent": record.to_string(),
    })
}

/// Who it was: of a session of a role its name.
fn username(record: &Value) -> Value {
    let text = |path: &str| record.pointer(path).and_then(Value::as_str);
    let session = text("/userIdentity/arn").filter(|arn| arn.contains(":assumed-role/"));
    let session = session.and_then(|arn| arn.rsplit('/').next());
    text("/userIdentity/userName").or(session).into()
}

/// Writes a call down that was made under the session of a role, if the account does so.
pub(super) fn note(
    world: &mut World,
    asked: &Asked,
    request_id: &str,
    outcome: &str,
    now: Timestamp,
) {
    let operation = asked.operation();
    let is_recorded = world.unrecorded.as_ref().is_some_and(|but| !but.contains(&operation));
    let Some(identity) = trust::identity(world, asked).filter(|_| is_recorded) else { return };
    let is_global = matches!(&*asked.named.model.name, "iam" | "organizations" | "sts");
    let mut record = json!({
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": seconds(now),
        "eventSource": format!("{}.amazonaws.com", asked.named.model.name),
        "eventName": asked.named.operation.name,
        "awsRegion": if is_global { "us-east-1" } else { asked.region.as_str() },
        "sourceIPAddress": "203.0.113.99",
        "requestParameters": asked.params,
        "requestID": request_id,
        "eventID": world.next_uuid(),
        "readOnly": effect::of(asked.named) == Effect::Read,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": world.account,
        "eventCategory": "Management",
    });
    if let (Some(members), false) = (record.as_object_mut(), outcome == "ok") {
        members.insert("errorCode".to_owned(), outcome.into());
    }
    let resources = resources_of(&record);
    let event = event(&record, &resources);
    world.trail_mut().insert(0, event);
}

/// Bytes of a file once it is unpacked, at most. CloudTrail's own have some hundred kilobytes.
const FILE_BYTES: u64 = 256 << 20;

/// Events from a file of CloudTrail.
///
/// # Errors
/// In words, when it is none.
pub(super) fn of_file(file: &[u8]) -> Result<Vec<Value>, String> {
    let mut text = Vec::new();
    if file.starts_with(&[0x1f, 0x8b]) {
        let mut from = GzDecoder::new(file).take(FILE_BYTES);
        from.read_to_end(&mut text).map_err(|error| format!("it can't be unpacked: {error}"))?;
    } else {
        text.extend_from_slice(file);
    }
    let read: Value = serde_json::from_slice(&text).map_err(|error| format!("no JSON: {error}"))?;
    of_records(match read {
        Value::Array(records) => records,
        one => vec![one],
    })
}

/// Events as `LookupEvents` answers them, from what CloudTrail's files hold: records, or objects
/// with `Records` in them.
///
/// # Errors
/// In words, when something is no event.
pub(super) fn of_records(given: Vec<Value>) -> Result<Vec<Value>, String> {
    let mut events = Vec::new();
    for one in given {
        let records = match one.get("Records") {
            Some(Value::Array(records)) => records.clone(),
            _ => vec![one],
        };
        for record in records {
            if record.get("eventName").is_none() || record.get("eventTime").is_none() {
                let keys = record.as_object().map(|members| members.keys().cloned().collect());
                let keys: Vec<String> = keys.unwrap_or_default();
                return Err(format!(
                    "an event of CloudTrail has `eventName` and `eventTime`; one has only {}",
                    keys.join(", ")
                ));
            }
            events.push(event(&record, &resources_of(&record)));
        }
    }
    Ok(events)
}

/// The resources that a record names, in the form of an answer.
fn resources_of(record: &Value) -> Value {
    let named = record.get("resources").and_then(Value::as_array).into_iter().flatten();
    let of_list = named.map(|resource| {
        let part = |name: &str| resource.get(name).cloned().unwrap_or_default();
        json!({"ResourceType": part("type"), "ResourceName": part("ARN")})
    });
    let parameters = record.get("requestParameters");
    let of_parameters = PARAMETERS.iter().filter_map(|(parameter, kind)| {
        let name = parameters?.get(parameter)?.as_str()?;
        Some(json!({"ResourceType": kind, "ResourceName": name}))
    });
    of_list.chain(of_parameters).collect()
}

/// Parameters that name a resource, and of which type.
const PARAMETERS: [(&str, &str); 5] = [
    ("userName", "AWS::IAM::User"),
    ("roleName", "AWS::IAM::Role"),
    ("bucketName", "AWS::S3::Bucket"),
    ("instanceId", "AWS::EC2::Instance"),
    ("groupId", "AWS::EC2::SecurityGroup"),
];

/// Puts events in the order in which they are answered.
pub(super) fn newest_first(events: &mut [Value]) {
    events.sort_by_key(|event| std::cmp::Reverse(event.get("EventTime").and_then(millis)));
}

/// A time as CloudTrail writes it: whole seconds.
pub(super) fn seconds(at: Timestamp) -> String {
    Timestamp::from_micros(at.millis().div_euclid(1_000) * 1_000_000).to_string()
}
