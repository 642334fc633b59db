//! Any other event of EventBridge: of EC2, Auto Scaling, ECS, schedules, other services and
//! people's own applications. It is informational unless its detail has a word for how bad it is.

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Actor, Alert};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{items, severity_of_word, text};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError, id_of_content};

use super::event::Event;
use super::named;
use stanch_plugins_sdk::payload::arn;

const NAME: &str = "eventbridge";

/// Whatever EventBridge sends.
pub(crate) struct EventBridge;

impl Source for EventBridge {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        let event = Event::of(payload);
        event.detail_type().is_some() && event.envelope("source").is_some()
    }

    fn read(&self, payload: &Value, around: &Around) -> Vec<Result<Alert, SourceError>> {
        let event = Event::of(payload);
        vec![match event.detail_type() {
            Some(kind) => read(&event, kind, around),
            None => Err(SourceError::Member { path: "detail-type".into(), expected: "a text" }),
        }]
    }
}

fn read(event: &Event<'_>, kind: &str, around: &Around) -> Result<Alert, SourceError> {
    let detail = event.detail;
    let said = |names: &[&str]| names.iter().find_map(|name| text(detail, &[name]));
    let service = event.envelope("source").unwrap_or_default();
    let service = service.strip_prefix("aws.").unwrap_or(service);
    let first = event.resources().find(|name| arn::Arn::parse(name).is_some());
    let listed =
        event.resources().chain(items(detail, &["resources"]).iter().filter_map(Value::as_str));
    let resources = listed.filter_map(arn::resource).chain(named::all([detail], service)).collect();
    let word = said(&["severity", "Severity", "level", "priority"]);
    let state = said(&["state", "status", "lastStatus", "StatusCode", "result"]);
    let draft = Draft {
        title: Some(match &state {
            Some(state) => format!("{kind}: {state}"),
            None => kind.to_owned(),
        }),
        description: said(&[
            "message",
            "description",
            "Description",
            "StatusMessage",
            "stoppedReason",
            "reason",
            "cause",
        ]),
        severity: word.and_then(|word| severity_of_word(&word)).unwrap_or(Severity::Informational),
        account: event.account(&[], first, around),
        region: event.region(&[], first, around),
        resources,
        actor: Some(Actor {
            ip: said(&["sourceIPAddress", "source-ip-address"]),
            user: None,
            user_agent: said(&["userAgent"]),
        }),
        occurred_at: event.time(),
        ..Draft::new(
            event.envelope("id").map_or_else(|| id_of_content(event.whole), str::to_owned),
            kind,
        )
    };
    draft.alert(NAME, event.whole)
}
