//! Sentry: alerts on issues and on metrics by its integration platform, and its older webhook
//! (<https://docs.sentry.io/organization/integrations/integration-platform/webhooks/>).

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Actor, Alert, AlertStatus};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{at, items, number, scalar, severity_of_word, text, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError};

const NAME: &str = "sentry";

/// Sentry.
pub(super) struct Sentry;

impl Source for Sentry {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        let of_platform = ["issue", "event", "metric_alert", "error"]
            .iter()
            .any(|what| at(payload, &["data", what]).is_some_and(Value::is_object));
        let is_old = payload.get("project_slug").is_some() && payload.get("event").is_some();
        (of_platform && payload.get("action").is_some()) || is_old
    }

    fn read(&self, payload: &Value, _around: &Around) -> Vec<Result<Alert, SourceError>> {
        vec![match at(payload, &["data", "metric_alert"]) {
            Some(metric) => of_metric(payload, metric),
            None => of_issue(payload),
        }]
    }
}

fn of_issue(payload: &Value) -> Result<Alert, SourceError> {
    let data = payload.get("data").unwrap_or(payload);
    let event = ["event", "error"].iter().find_map(|name| data.get(name)).unwrap_or(&Value::Null);
    let issue = data.get("issue").unwrap_or(&Value::Null);
    let places = [issue, data, event];
    let said = |names: &[&str]| {
        names.iter().find_map(|name| places.iter().find_map(|it| scalar(it, &[name])))
    };
    let id = scalar(issue, &["id"])
        .or_else(|| scalar(event, &["issue_id"]))
        .or_else(|| scalar(data, &["id"]))
        .or_else(|| scalar(event, &["event_id"]));
    let missing = || SourceError::Member { path: "data.issue.id".to_owned(), expected: "a text" };
    let level = said(&["level"]).and_then(|word| severity_of_word(&word));
    let moment = |from: &Value, names: &[&str]| {
        names.iter().find_map(|name| at(from, &[name]).and_then(time))
    };
    let state = said(&["status"]);
    let is_over = state.as_deref() == Some("resolved")
        || text(payload, &["action"]).as_deref() == Some("resolved");
    let draft = Draft {
        title: text(event, &["title"]).or_else(|| said(&["title", "message"])),
        description: said(&["message", "culprit"]),
        severity: level.unwrap_or(Severity::Medium),
        actor: Some(actor(event)),
        occurred_at: moment(event, &["timestamp", "datetime"])
            .or_else(|| moment(issue, &["firstSeen"])),
        detected_at: moment(issue, &["firstSeen"]).or_else(|| moment(event, &["received"])),
        updated_at: moment(issue, &["lastSeen"])
            .or_else(|| moment(event, &["timestamp", "datetime"])),
        count: number(issue, &["count"]).filter(|n| *n >= 0.0 && *n < 1e15).map(|n| n as u64),
        status: match state.as_deref() {
            _ if is_over => AlertStatus::Resolved,
            Some("ignored" | "archived") => AlertStatus::Suppressed,
            _ => AlertStatus::Active,
        },
        url: said(&["web_url", "permalink", "url", "issue_url"]),
        ..Draft::new(id.ok_or_else(missing)?, said(&["type"]).unwrap_or_else(|| "issue".to_owned()))
    };
    draft.alert(NAME, payload)
}

fn of_metric(payload: &Value, metric: &Value) -> Result<Alert, SourceError> {
    let missing =
        || SourceError::Member { path: "data.metric_alert.id".to_owned(), expected: "a text" };
    let action = text(payload, &["action"]).unwrap_or_default();
    let id = scalar(metric, &["id"]).ok_or_else(missing)?;
    let moment = |name: &str| at(metric, &[name]).and_then(time);
    let draft = Draft {
        title: text(payload, &["data", "description_title"]).or_else(|| text(metric, &["title"])),
        description: text(payload, &["data", "description_text"]),
        severity: severity_of_word(&action).unwrap_or(Severity::Medium),
        occurred_at: moment("date_started"),
        detected_at: moment("date_detected").or_else(|| moment("date_created")),
        updated_at: moment("date_closed").or_else(|| moment("date_detected")),
        status: if action == "resolved" { AlertStatus::Resolved } else { AlertStatus::Active },
        url: text(payload, &["data", "web_url"]),
        ..Draft::new(id, "metric_alert")
    };
    draft.alert(NAME, payload)
}

fn actor(event: &Value) -> Actor {
    let header = items(event, &["request", "headers"]).iter().find_map(|pair| {
        let is_agent = pair.get(0).and_then(Value::as_str)?.eq_ignore_ascii_case("user-agent");
        pair.get(1).and_then(Value::as_str).filter(|_| is_agent).map(str::to_owned)
    });
    let user = ["username", "email", "id"].iter().find_map(|name| scalar(event, &["user", name]));
    Actor { ip: text(event, &["user", "ip_address"]), user, user_agent: header }
}
