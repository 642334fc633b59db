//! Opsgenie's webhook, and that of its successor in Jira Service Management
//! (<https://support.atlassian.com/opsgenie/docs/opsgenie-edge-connector-alert-action-data/>).

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Alert, AlertStatus};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{arn, at, severity_of_word, text, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError};

use super::labels::Labels;

const NAME: &str = "opsgenie";

/// Opsgenie.
pub(super) struct Opsgenie;

impl Source for Opsgenie {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        let has_id =
            at(payload, &["alert", "alertId"]).is_some() || at(payload, &["alert", "id"]).is_some();
        has_id && payload.get("action").is_some_and(Value::is_string)
    }

    fn read(&self, payload: &Value, _around: &Around) -> Vec<Result<Alert, SourceError>> {
        vec![read(payload)]
    }
}

fn read(payload: &Value) -> Result<Alert, SourceError> {
    let missing = |path: &str| SourceError::Member { path: path.to_owned(), expected: "a text" };
    let alert = payload.get("alert").ok_or_else(|| missing("alert"))?;
    let action = text(payload, &["action"]).ok_or_else(|| missing("action"))?;
    let id = text(alert, &["alertId"]).or_else(|| text(alert, &["id"]));
    let details = Labels::of_object(alert.get("details"));
    let labels = details.and(Labels::of_tags(alert.get("tags")));
    let entity = text(alert, &["entity"]).and_then(|entity| arn::resource(&entity));
    let priority = text(alert, &["priority"]).and_then(|word| severity_of_word(&word));
    let is_over = ["Close", "Delete"].contains(&action.as_str());
    let moment = |name: &str| at(alert, &[name]).and_then(time);
    let draft = Draft {
        title: text(alert, &["message"]),
        description: text(alert, &["description"]),
        severity: priority.unwrap_or(Severity::Medium),
        account: labels.account(),
        region: labels.region(),
        resources: entity.into_iter().chain(labels.resources()).collect(),
        detected_at: moment("createdAt"),
        updated_at: moment("updatedAt").or_else(|| moment("createdAt")),
        count: alert.get("count").and_then(Value::as_u64),
        status: if is_over { AlertStatus::Resolved } else { AlertStatus::Active },
        ..Draft::new(id.ok_or_else(|| missing("alert.alertId"))?, action)
    };
    draft.alert(NAME, payload)
}
