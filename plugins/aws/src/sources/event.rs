//! What AWS's events and answers wrap their findings in.

use serde_json::Value;
use stanch_plugins_sdk::SourceError;

use super::field::member;

/// One finding, where it stands in the payload, and what is around it.
#[derive(Clone, Debug)]
pub(super) struct Found<'v> {
    /// The finding.
    pub(super) finding: &'v Value,
    /// The path of the finding, with a dot behind, or nothing.
    pub(super) path: String,
    /// The event around it, or the finding itself where there is none.
    pub(super) raw: &'v Value,
}

/// Takes a payload apart: a finding, an EventBridge event around one
/// (<https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html>), an answer
/// that lists some, or a list of any of these.
pub(super) fn unwrap(payload: &Value) -> Result<Vec<Found<'_>>, SourceError> {
    let mut found = Vec::new();
    add(payload, String::new(), &mut found);
    if found.is_empty() {
        return Err(SourceError::NotMine("the payload holds no finding".to_owned()));
    }
    Ok(found)
}

/// Whether it is an event. A transformer before us may have dropped some of its members.
fn is_event(value: &Value) -> bool {
    ["source", "detail-type"].iter().any(|name| value.get(name).is_some_and(Value::is_string))
}

fn add<'v>(value: &'v Value, path: String, found: &mut Vec<Found<'v>>) {
    if let Value::Array(items) = value {
        for (at, item) in items.iter().enumerate() {
            add(item, format!("{path}[{at}]."), found);
        }
    } else if let Some(Value::Array(findings)) = member(value, "findings") {
        for (at, finding) in findings.iter().enumerate() {
            let path = format!("{path}Findings[{at}].");
            found.push(Found { finding, path, raw: finding });
        }
    } else if let Some(finding) = value.get("detail").filter(|_| is_event(value)) {
        found.push(Found { finding, path: format!("{path}detail."), raw: value });
    } else if value.is_object() {
        found.push(Found { finding: value, path, raw: value });
    }
}
