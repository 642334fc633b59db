//! CloudTrail: what happened, looked up by one attribute.

use serde_json::{Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use super::reply::Refusal;
use super::request::Asked;
use super::world::World;
use crate::client::value;

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
        "Username": at("/userIdentity/userName"),
        "Resources": resources,
        "CloudTrailEvent": record.to_string(),
    })
}

/// A time as CloudTrail writes it: whole seconds.
pub(super) fn seconds(at: Timestamp) -> String {
    Timestamp::from_micros(at.millis().div_euclid(1_000) * 1_000_000).to_string()
}
