//! Security Hub: findings in its own format (ASFF), bare or in EventBridge's events, the results
//! of insights, and its second version, which speaks OCSF
//! (<https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html>).

mod asff;
mod insight;

use serde_json::{Map, Value, json};
use stanch_plugins_sdk::core::alert::Alert;
use stanch_plugins_sdk::payload::{at, text};
use stanch_plugins_sdk::{Around, Source, SourceError};

use super::event::Event;
use super::ocsf;

const NAME: &str = "security_hub";

/// Security Hub.
pub(crate) struct SecurityHub;

impl Source for SecurityHub {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        let event = Event::of(payload);
        let of_hub = event.is_from("aws.securityhub").unwrap_or(false);
        (of_hub && is_findings(&event))
            || insight::is_result(&event)
            || findings(&event).iter().any(|finding| is_mine(finding))
    }

    fn read(&self, payload: &Value, around: &Around) -> Vec<Result<Alert, SourceError>> {
        let event = Event::of(payload);
        if insight::is_result(&event) {
            return vec![insight::read(&event, around)];
        }
        let all = findings(&event);
        if all.is_empty() {
            return vec![Err(event.missing("findings", "a list of findings"))];
        }
        let is_one = all.len() == 1;
        let one = |(at, finding): (usize, &Value)| {
            let part;
            let raw = if is_one {
                payload
            } else {
                part = only(&event, finding);
                &part
            };
            let place =
                if event.is_event() { format!("detail.findings[{at}].") } else { String::new() };
            if ocsf::is_finding(finding) {
                ocsf::read(NAME, finding, raw, &event, around)
            } else {
                asff::read(finding, raw, &place, &event, around)
            }
        };
        all.iter().copied().enumerate().map(one).collect()
    }
}

/// The events that hold findings; there are others, such as the state of an aggregation.
fn is_findings(event: &Event<'_>) -> bool {
    event.detail_type().is_some_and(|kind| kind.contains("Findings"))
}

/// The findings of an event, or the finding that the payload is.
fn findings<'v>(event: &Event<'v>) -> Vec<&'v Value> {
    match event.detail.get("findings").or_else(|| event.detail.get("Findings")) {
        Some(Value::Array(all)) if event.is_event() => all.iter().collect(),
        _ if is_mine(event.detail) => vec![event.detail],
        _ => Vec::new(),
    }
}

fn is_mine(finding: &Value) -> bool {
    let is_asff = at(finding, &["productArn"]).is_some_and(Value::is_string)
        && (at(finding, &["awsAccountId"]).is_some() || at(finding, &["generatorId"]).is_some());
    is_asff || (ocsf::is_finding(finding) && is_of_hub(finding))
}

/// Whether an OCSF finding came through Security Hub: its product is one of the hub's.
fn is_of_hub(finding: &Value) -> bool {
    let product = text(finding, &["metadata", "product", "uid"]).unwrap_or_default();
    let name = text(finding, &["metadata", "product", "name"]).unwrap_or_default();
    product.contains(":securityhub:") || name == "Security Hub"
}

/// The event as if it held only this finding.
fn only(event: &Event<'_>, finding: &Value) -> Value {
    let mut detail = without(event.detail, "findings");
    detail.insert("findings".to_owned(), json!([finding]));
    let mut members = without(event.whole, "detail");
    members.insert("detail".to_owned(), Value::Object(detail));
    Value::Object(members)
}

fn without(value: &Value, name: &str) -> Map<String, Value> {
    let members = value.as_object().into_iter().flatten().filter(|(member, _)| *member != name);
    members.map(|(name, value)| (name.clone(), value.clone())).collect()
}
