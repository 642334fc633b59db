//! Prometheus's Alertmanager: its webhook, version 4, and alerts as its API has them
//! (<https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>).

use serde_json::{Map, Value};
use stanch_plugins_sdk::core::alert::{Alert, AlertStatus};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{at, items, severity_of_word, text, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError, id_of_content};

use super::labels::Labels;

const NAME: &str = "alertmanager";

/// Alertmanager.
pub(super) struct Alertmanager;

impl Source for Alertmanager {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        let is_group = payload.get("alerts").is_some_and(Value::is_array)
            && (payload.get("groupKey").is_some() || payload.get("receiver").is_some());
        is_group || is_alert(payload)
    }

    fn read(&self, payload: &Value, _around: &Around) -> Vec<Result<Alert, SourceError>> {
        read(NAME, payload)
    }
}

/// One alert, as the API lists it and as Prometheus sends it.
fn is_alert(payload: &Value) -> bool {
    at(payload, &["labels", "alertname"]).is_some()
        && (payload.get("startsAt").is_some() || payload.get("annotations").is_some())
}

/// Reads a group of alerts, or one alert. Grafana sends the same form with more in it.
pub(super) fn read(source: &str, payload: &Value) -> Vec<Result<Alert, SourceError>> {
    if is_alert(payload) {
        return vec![alert(source, payload, &Value::Null, String::new())];
    }
    let all = items(payload, &["alerts"]).iter().enumerate();
    all.map(|(at, one)| alert(source, one, payload, format!("alerts[{at}]."))).collect()
}

fn alert(source: &str, one: &Value, group: &Value, place: String) -> Result<Alert, SourceError> {
    let labels = Labels::of_object(one.get("labels"));
    let labels = labels.and(Labels::of_object(group.get("commonLabels")));
    let notes = Labels::of_object(one.get("annotations"));
    let notes = notes.and(Labels::of_object(group.get("commonAnnotations")));
    let name = labels.first(&["alertname"]).map(str::to_owned);
    let missing =
        || SourceError::Member { path: format!("{place}labels.alertname"), expected: "a text" };
    let name = name.ok_or_else(missing)?;
    let state = text(one, &["status"])
        .or_else(|| text(one, &["status", "state"]))
        .or_else(|| text(group, &["status"]));
    let is_over = state.as_deref() == Some("resolved");
    let started = at(one, &["startsAt"]).and_then(time);
    let ended = at(one, &["endsAt"]).and_then(time).filter(|_| is_over);
    let word = labels.first(&["severity", "priority", "level"]).and_then(severity_of_word);
    let id = text(one, &["fingerprint"])
        .unwrap_or_else(|| id_of_content(one.get("labels").unwrap_or(one)));
    let url = ["panelURL", "dashboardURL", "generatorURL"].iter().find_map(|at| text(one, &[at]));
    let draft = Draft {
        title: notes.first(&["summary", "title"]).map(str::to_owned),
        description: notes.first(&["description", "message"]).map(str::to_owned),
        severity: word.unwrap_or(Severity::Medium),
        account: labels.account(),
        region: labels.region(),
        resources: labels.resources(),
        occurred_at: started,
        detected_at: started,
        updated_at: ended.or(started),
        status: match state.as_deref() {
            Some("resolved") => AlertStatus::Resolved,
            Some("suppressed") => AlertStatus::Suppressed,
            _ => AlertStatus::Active,
        },
        url: url.or_else(|| text(group, &["externalURL"])),
        ..Draft::new(id, name)
    };
    match group.as_object() {
        Some(members) => draft.alert(source, &group_of_one(members, one)),
        None => draft.alert(source, one),
    }
}

/// The group as if it held only this alert.
fn group_of_one(group: &Map<String, Value>, one: &Value) -> Value {
    let others = group.iter().filter(|(name, _)| *name != "alerts");
    let mut members: Map<_, _> =
        others.map(|(name, value)| (name.clone(), value.clone())).collect();
    members.insert("alerts".to_owned(), Value::Array(vec![one.clone()]));
    Value::Object(members)
}
