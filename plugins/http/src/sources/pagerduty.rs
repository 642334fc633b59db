//! PagerDuty: webhooks of version 3 and 2, and an incident as its API answers it
//! (<https://developer.pagerduty.com/docs/webhooks-overview>).

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Alert, AlertStatus};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{at, items, severity_of_word, text, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError};

const NAME: &str = "pagerduty";

/// PagerDuty.
pub(super) struct PagerDuty;

impl Source for PagerDuty {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        is_v3(payload) || is_v2(payload) || is_incident(payload)
    }

    fn read(&self, payload: &Value, _around: &Around) -> Vec<Result<Alert, SourceError>> {
        if is_v2(payload) {
            return items(payload, &["messages"]).iter().map(of_message).collect();
        }
        vec![if is_v3(payload) {
            of_event(payload)
        } else {
            read(payload, "incident", None, payload)
        }]
    }
}

fn is_v3(payload: &Value) -> bool {
    at(payload, &["event", "event_type"]).is_some() && at(payload, &["event", "data"]).is_some()
}

fn is_v2(payload: &Value) -> bool {
    items(payload, &["messages"]).iter().any(|message| {
        message.get("incident").is_some() && message.get("event").is_some_and(Value::is_string)
    })
}

fn is_incident(payload: &Value) -> bool {
    let has = |name: &str| payload.get(name).is_some();
    has("incident_number") && has("urgency") && has("id")
}

fn of_event(payload: &Value) -> Result<Alert, SourceError> {
    let event = payload.get("event").unwrap_or(&Value::Null);
    let kind = text(event, &["event_type"]).ok_or_else(|| missing("event.event_type"))?;
    let data = event.get("data").unwrap_or(&Value::Null);
    if !kind.starts_with("incident.") {
        return Err(SourceError::Refused(format!("a {kind} of PagerDuty is no incident")));
    }
    // What happens to an incident has the incident in it.
    let incident = data.get("incident").unwrap_or(data);
    let stands =
        ["status", "urgency", "priority"].iter().any(|name| at(incident, &[name]).is_some());
    if !stands && !is_over(&kind) {
        return Err(SourceError::Refused(format!(
            "a {kind} of PagerDuty does not say how the incident stands: leave it out of the webhook's events"
        )));
    }
    read(incident, &kind, at(event, &["occurred_at"]), payload)
}

fn of_message(message: &Value) -> Result<Alert, SourceError> {
    let kind = text(message, &["event"]).ok_or_else(|| missing("event"))?;
    let incident = message.get("incident").unwrap_or(&Value::Null);
    read(incident, &kind, at(message, &["created_on"]), message)
}

fn missing(path: &str) -> SourceError {
    SourceError::Member { path: path.to_owned(), expected: "a text" }
}

fn read(
    incident: &Value,
    kind: &str,
    happened: Option<&Value>,
    raw: &Value,
) -> Result<Alert, SourceError> {
    let id = text(incident, &["id"]).ok_or_else(|| missing("incident.id"))?;
    let is_over = text(incident, &["status"]).as_deref() == Some("resolved") || is_over(kind);
    let moment = |name: &str| at(incident, &[name]).and_then(time);
    let updated =
        ["updated_at", "last_status_change_at", "created_at"].iter().find_map(|it| moment(it));
    let title = text(incident, &["title"]).or_else(|| text(incident, &["summary"]));
    let details = text(incident, &["body", "details"]).or_else(|| text(incident, &["description"]));
    let draft = Draft {
        description: details.filter(|details| Some(details) != title.as_ref()),
        title,
        severity: severity(incident),
        detected_at: moment("created_at"),
        updated_at: happened.and_then(time).or(updated),
        status: if is_over { AlertStatus::Resolved } else { AlertStatus::Active },
        url: text(incident, &["html_url"]).or_else(|| text(incident, &["self"])),
        ..Draft::new(id, kind)
    };
    draft.alert(NAME, raw)
}

/// Whether an event of this type says that the incident is over.
fn is_over(kind: &str) -> bool {
    ["incident.resolved", "incident.resolve"].contains(&kind)
}

/// The priority where there is one, else the urgency, which is high or low.
fn severity(incident: &Value) -> Severity {
    let names = [&["priority", "summary"][..], &["priority", "name"]];
    let priority = names.iter().find_map(|path| severity_of_word(&text(incident, path)?));
    priority.unwrap_or_else(|| match text(incident, &["urgency"]).as_deref() {
        Some("high") => Severity::High,
        Some("low") => Severity::Low,
        _ => Severity::Medium,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_note_on_an_incident_neither_reopens_it_nor_lowers_it() {
        let event = |kind: &str, data: Value| {
            json!({"event": {"id": "E1", "event_type": kind, "occurred_at": "2026-11-24T03:05:12Z",
                "data": data}})
        };
        let named = json!({"id": "P1", "type": "incident_reference", "summary": "t"});
        let note = json!({"id": "N1", "content": "c", "incident": named});
        for kind in ["incident.annotated", "incident.responder.added"] {
            let refused = of_event(&event(kind, note.clone())).unwrap_err().to_string();
            assert!(refused.contains(kind) && refused.contains("leave it out"), "{refused}");
        }
        let whole = json!({"id": "P1", "title": "t", "status": "triggered", "urgency": "high"});
        let alert = of_event(&event("incident.triggered", whole)).unwrap();
        assert_eq!((&*alert.id, alert.severity), ("P1", Severity::High));
        let over = of_event(&event("incident.resolved", named)).unwrap();
        assert_eq!(over.status, AlertStatus::Resolved);
    }
}
