//! Datadog's webhook. What it sends is what its template says; these are the names of the default
//! one and of those that its documentation has
//! (<https://docs.datadoghq.com/integrations/webhooks/>). Another is read by a mapping.

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Alert, AlertStatus};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{at, scalar, severity_of_word, text, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError, id_of_content};

use super::labels::Labels;

const NAME: &str = "datadog";

/// Datadog.
pub(super) struct Datadog;

impl Source for Datadog {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        let has = |name: &str| payload.get(name).is_some();
        let has_title = has("title") || has("alert_title") || has("event_title");
        let by_default = has("event_type") && (has("last_updated") || has("org"));
        let by_alert = has("alert_transition") || has("alert_type") || has("alert_status");
        let by_monitor = has("monitor_id") && has("query");
        has_title && (by_default || by_alert || by_monitor)
    }

    fn read(&self, payload: &Value, _around: &Around) -> Vec<Result<Alert, SourceError>> {
        vec![read(payload)]
    }
}

fn read(payload: &Value) -> Result<Alert, SourceError> {
    let said = |names: &[&str]| names.iter().find_map(|name| text(payload, &[name]));
    let id = ["alert_id", "monitor_id", "aggreg_key", "alert_cycle_key", "id"]
        .iter()
        .find_map(|name| scalar(payload, &[name]));
    let scope = said(&["alert_scope", "scope"]);
    let id = id.unwrap_or_else(|| id_of_content(payload));
    let transition = said(&["alert_transition", "alert_status", "transition"]).unwrap_or_default();
    let kind = said(&["alert_type"]);
    let is_over =
        ["Recovered", "OK", "resolved"].iter().any(|word| transition.eq_ignore_ascii_case(word))
            || kind.as_deref() == Some("success");
    let tags = Labels::of_tags(at(payload, &["tags"]));
    let tags = tags.and(Labels::of_tags(scope.as_ref().map(|s| Value::String(s.clone())).as_ref()));
    let host = Labels::of_object(Some(payload));
    let moment = |names: &[&str]| names.iter().find_map(|name| at(payload, &[name]).and_then(time));
    let draft = Draft {
        title: said(&["title", "alert_title", "event_title"]),
        description: said(&["body", "event_msg", "text_only_msg", "message", "description"]),
        severity: severity(payload, kind.as_deref()),
        account: tags.account().or_else(|| host.account()),
        region: tags.region().or_else(|| host.region()),
        resources: tags.and(host).resources(),
        occurred_at: moment(&["date", "timestamp"]),
        detected_at: moment(&["date", "timestamp", "last_updated"]),
        updated_at: moment(&["last_updated", "date"]),
        status: if is_over { AlertStatus::Resolved } else { AlertStatus::Active },
        url: said(&["link", "url", "event_url"]),
        ..Draft::new(
            match scope {
                Some(scope) => format!("{id}/{scope}"),
                None => id,
            },
            said(&["event_type", "type"]).or(kind).unwrap_or_else(|| "alert".to_owned()),
        )
    };
    draft.alert(NAME, payload)
}

/// The monitor's priority, 1 to 5, else what kind of alert it is. `$PRIORITY` of a template is the
/// event's, `normal` or `low`, and says nothing of how bad it is where the kind does.
fn severity(payload: &Value, kind: Option<&str>) -> Severity {
    let is_of_event = |said: &str| {
        said.eq_ignore_ascii_case("normal") || (kind.is_some() && said.eq_ignore_ascii_case("low"))
    };
    let priority = ["alert_priority", "priority"].iter().find_map(|name| {
        let said =
            scalar(payload, &[name]).filter(|said| *name != "priority" || !is_of_event(said))?;
        let rank = if said.len() == 1 { format!("P{said}") } else { said };
        severity_of_word(&rank)
    });
    let word = || text(payload, &["severity"]).and_then(|word| severity_of_word(&word));
    priority.or_else(word).or_else(|| severity_of_word(kind?)).unwrap_or(Severity::Medium)
}
