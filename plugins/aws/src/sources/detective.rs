//! Detective: an investigation, as `GetInvestigation` and `ListInvestigations` answer it
//! (<https://docs.aws.amazon.com/detective/latest/APIReference/API_GetInvestigation.html>).

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Alert, AlertStatus};
use stanch_plugins_sdk::payload::{at, severity_of_word, text, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError};

use super::event::Event;
use stanch_plugins_sdk::payload::arn;

const NAME: &str = "detective";

/// Detective.
pub(crate) struct Detective;

impl Source for Detective {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        let detail = Event::of(payload).detail;
        at(detail, &["investigationId"]).is_some() && at(detail, &["entityArn"]).is_some()
    }

    fn read(&self, payload: &Value, around: &Around) -> Vec<Result<Alert, SourceError>> {
        vec![read(&Event::of(payload), around)]
    }
}

fn read(event: &Event<'_>, around: &Around) -> Result<Alert, SourceError> {
    let detail = event.detail;
    let (id, entity) = (event.needed("investigationId")?, event.needed("entityArn")?);
    let graph = text(detail, &["graphArn"]);
    let severity = text(detail, &["severity"]).and_then(|word| severity_of_word(&word));
    let moment = |name: &str| at(detail, &[name]).and_then(time);
    let kind = text(detail, &["entityType"]).unwrap_or_else(|| "ENTITY".to_owned());
    let about = arn::own_part(&entity).to_owned();
    let archived = text(detail, &["state"]).as_deref() == Some("ARCHIVED");
    let draft = Draft {
        title: Some(format!("Detective investigated {about}")),
        description: text(detail, &["status"]),
        severity: severity.ok_or_else(|| event.missing("severity", "a severity"))?,
        account: event.account(&[], Some(&entity), around),
        region: event.region(&[], graph.as_deref(), around),
        resources: arn::resource(&entity).into_iter().collect(),
        occurred_at: moment("scopeStartTime"),
        detected_at: moment("createdTime"),
        updated_at: moment("createdTime"),
        status: if archived { AlertStatus::Suppressed } else { AlertStatus::Active },
        ..Draft::new(id, format!("Investigation/{kind}"))
    };
    draft.alert(NAME, event.whole)
}
