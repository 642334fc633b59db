//! CloudTrail Insights: more calls or more errors than usual
//! (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-insights-fields-insight-details.html>).

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Actor, Alert, AlertStatus};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{at, items, text, time};
use stanch_plugins_sdk::{Around, Draft, SourceError, id_of_content};

use super::NAME;
use crate::sources::event::Event;
use stanch_plugins_sdk::payload::arn;

pub(super) fn is_insight(record: &Value) -> bool {
    record.get("insightDetails").is_some_and(Value::is_object)
}

/// Start and end of one insight share an id: the end resolves it. It has no severity, and is
/// medium: a detector says that something is unusual.
pub(super) fn read(event: &Event<'_>, around: &Around) -> Result<Alert, SourceError> {
    let record = event.detail;
    let said = |name: &str| text(record, &["insightDetails", name]);
    let needed = |name: &'static str| {
        said(name).ok_or_else(|| event.missing(&format!("insightDetails.{name}"), "a text"))
    };
    let (service, operation) = (needed("eventSource")?, needed("eventName")?);
    let service = service.split('.').next().unwrap_or_default();
    let what = said("insightType").unwrap_or_else(|| "Insight".to_owned());
    let ended = said("state").as_deref() == Some("End");
    let id = text(record, &["sharedEventID"]).or_else(|| text(record, &["eventID"]));
    let identity = attributed(record, "userIdentityArn");
    let moment = at(record, &["eventTime"]).and_then(time);
    let draft = Draft {
        title: Some(format!("{what}: {service}:{operation}")),
        description: text(record, &["insightDetails", "errorCode"]),
        severity: if ended { Severity::Informational } else { Severity::Medium },
        account: event.account(&["recipientAccountId"], identity.as_deref(), around),
        region: event.region(&["awsRegion"], None, around),
        resources: identity.as_deref().and_then(arn::resource).into_iter().collect(),
        actor: Some(Actor {
            ip: None,
            user: identity.as_deref().map(|arn| arn::own_part(arn).to_owned()),
            user_agent: attributed(record, "userAgent"),
        }),
        occurred_at: moment.filter(|_| !ended),
        detected_at: event.time().or(moment).filter(|_| !ended),
        updated_at: moment,
        status: if ended { AlertStatus::Resolved } else { AlertStatus::Active },
        ..Draft::new(
            id.unwrap_or_else(|| id_of_content(record)),
            format!("{what}/{service}:{operation}"),
        )
    };
    draft.alert(NAME, event.whole)
}

/// The first of what the unusual calls have in common.
fn attributed(record: &Value, attribute: &str) -> Option<String> {
    let all = items(record, &["insightDetails", "insightContext", "attributions"]);
    let found = all.iter().find(|it| text(it, &["attribute"]).as_deref() == Some(attribute))?;
    text(items(found, &["insight"]).first()?, &["value"])
}
