//! A JSON object that describes itself: it has a title and a word for how bad it is. It is asked
//! last, and what it does not find under the usual names is null.

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Actor, Alert, AlertStatus};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::core::time::Timestamp;
use stanch_plugins_sdk::payload::{arn, at, items, scalar, severity_of_word, text, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError, id_of_content};

use super::labels::Labels;

const NAME: &str = "generic";

/// What describes itself.
pub(super) struct Plain;

const TITLES: [&str; 7] =
    ["title", "summary", "message", "subject", "alert_name", "alertName", "name"];
const WORDS: [&str; 5] = ["severity", "level", "priority", "criticality", "urgency"];

impl Source for Plain {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        severity(payload).is_some() && TITLES.iter().any(|name| text(payload, &[name]).is_some())
    }

    fn read(&self, payload: &Value, around: &Around) -> Vec<Result<Alert, SourceError>> {
        vec![read(payload, around)]
    }
}

fn severity(payload: &Value) -> Option<Severity> {
    WORDS.iter().find_map(|name| severity_of_word(payload.get(name)?.as_str()?))
}

fn read(payload: &Value, around: &Around) -> Result<Alert, SourceError> {
    let missing = |path: &str, expected| SourceError::Member { path: path.to_owned(), expected };
    let severity = severity(payload).ok_or_else(|| missing("severity", "a word such as high"))?;
    let said = |names: &[&str]| names.iter().find_map(|name| text(payload, &[name]));
    let id = ["id", "alert_id", "alertId", "uuid", "fingerprint", "event_id"];
    let id = id.iter().find_map(|name| scalar(payload, &[name]));
    let moment = |names: &[&str]| -> Option<Timestamp> {
        names.iter().find_map(|name| at(payload, &[name]).and_then(time))
    };
    let labels = Labels::of_object(Some(payload)).and(Labels::of_object(payload.get("labels")));
    let state = said(&["status", "state"]).unwrap_or_default().to_lowercase();
    let named = items(payload, &["resources"]).iter().filter_map(Value::as_str);
    let created = moment(&["detected_at", "created_at", "createdAt", "timestamp", "time", "date"]);
    let title = said(&TITLES);
    let draft = Draft {
        description: said(&["description", "details", "body", "message"])
            .filter(|it| Some(it) != title.as_ref()),
        title,
        severity,
        account: labels.account().or_else(|| around.account.clone()),
        region: labels.region().or_else(|| around.region.clone()),
        resources: named.filter_map(arn::resource).chain(labels.resources()).collect(),
        actor: Some(Actor {
            ip: said(&["source_ip", "src_ip", "sourceIp", "ip"]),
            user: said(&["user", "username", "user_name"]),
            user_agent: said(&["user_agent", "userAgent"]),
        }),
        occurred_at: moment(&["occurred_at", "occurredAt", "first_seen"]),
        detected_at: created,
        updated_at: moment(&["updated_at", "updatedAt", "last_seen"]).or(created),
        count: payload.get("count").and_then(Value::as_u64),
        status: match state.as_str() {
            "resolved" | "ok" | "closed" | "recovered" => AlertStatus::Resolved,
            "suppressed" | "muted" | "archived" | "ignored" => AlertStatus::Suppressed,
            _ => AlertStatus::Active,
        },
        url: said(&["url", "link", "html_url"]),
        ..Draft::new(
            id.unwrap_or_else(|| id_of_content(payload)),
            said(&["type", "alert_type", "category", "rule", "event_type"])
                .unwrap_or_else(|| "alert".to_owned()),
        )
    };
    draft.alert(NAME, payload)
}
