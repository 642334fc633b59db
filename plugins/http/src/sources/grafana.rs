//! Grafana: its webhook, which is Alertmanager's with more in it, and that of its older alerts
//! (<https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/>).

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Alert, AlertStatus};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{items, scalar, severity_of_word, text};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError};

use super::alertmanager;
use super::labels::Labels;

const NAME: &str = "grafana";

/// Grafana.
pub(super) struct Grafana;

impl Source for Grafana {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        let has = |name: &str| payload.get(name).is_some();
        let of_grafana = |alert: &Value| {
            ["silenceURL", "dashboardURL", "panelURL", "valueString"]
                .iter()
                .any(|it| alert.get(it).is_some())
        };
        let is_group = has("alerts")
            && (has("orgId")
                || has("appVersion")
                || items(payload, &["alerts"]).iter().any(of_grafana));
        is_group || is_old(payload)
    }

    fn read(&self, payload: &Value, _around: &Around) -> Vec<Result<Alert, SourceError>> {
        if is_old(payload) { vec![old(payload)] } else { alertmanager::read(NAME, payload) }
    }
}

fn is_old(payload: &Value) -> bool {
    payload.get("ruleName").is_some()
        && payload.get("state").is_some()
        && payload.get("alerts").is_none()
}

/// An alert of a dashboard, as Grafana sent it before its alerts were Alertmanager's.
fn old(payload: &Value) -> Result<Alert, SourceError> {
    let missing = |name: &str| SourceError::Member { path: name.to_owned(), expected: "a text" };
    let rule = text(payload, &["ruleName"]).ok_or_else(|| missing("ruleName"))?;
    let state = text(payload, &["state"]).ok_or_else(|| missing("state"))?;
    let tags = Labels::of_object(payload.get("tags"));
    let word = tags.first(&["severity", "priority"]).and_then(severity_of_word);
    let draft = Draft {
        title: text(payload, &["title"]),
        description: text(payload, &["message"]),
        severity: word.unwrap_or(Severity::Medium),
        account: tags.account(),
        region: tags.region(),
        resources: tags.resources(),
        status: if state == "ok" { AlertStatus::Resolved } else { AlertStatus::Active },
        url: text(payload, &["ruleUrl"]),
        ..Draft::new(scalar(payload, &["ruleId"]).unwrap_or_else(|| rule.clone()), rule)
    };
    draft.alert(NAME, payload)
}
