//! AWS Health: events about the services that an account uses, and about its abuse
//! (<https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html>).
//!
//! Health has categories and no severity. What it says of abuse and of risk (a key that was found
//! in public) is high, an issue is medium, a change that is planned is low.

use std::collections::BTreeMap;

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Alert, AlertStatus, Resource};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{at, items, text, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError};

use super::event::Event;
use stanch_plugins_sdk::payload::arn;

const NAME: &str = "health";

/// AWS Health.
pub(crate) struct Health;

impl Source for Health {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        let event = Event::of(payload);
        event.is_from("aws.health").unwrap_or_else(|| event.detail.get("eventTypeCode").is_some())
            && event.detail.get("eventTypeCode").is_some()
    }

    fn read(&self, payload: &Value, around: &Around) -> Vec<Result<Alert, SourceError>> {
        vec![read(&Event::of(payload), around)]
    }
}

fn read(event: &Event<'_>, around: &Around) -> Result<Alert, SourceError> {
    let detail = event.detail;
    let kind = event.needed("eventTypeCode")?;
    let said = |name: &str| text(detail, &[name]);
    let arn = said("eventArn").or_else(|| said("arn"));
    let id = arn.clone().or_else(|| event.envelope("id").map(str::to_owned));
    let id = id.ok_or_else(|| event.missing("eventArn", "a text"))?;
    let moment = |name: &str| at(detail, &[name]).and_then(time);
    let is_over = said("statusCode").as_deref() == Some("closed");
    let entities = items(detail, &["affectedEntities"]).iter().filter_map(entity);
    let named = event.resources().filter_map(arn::resource);
    let draft = Draft {
        title: Some(kind.replace('_', " ")),
        description: description(detail),
        severity: severity(event, &kind),
        account: event.account(&["affectedAccount", "awsAccountId"], arn.as_deref(), around),
        region: event.region(&["eventRegion"], arn.as_deref(), around),
        resources: entities.chain(named).collect(),
        occurred_at: moment("startTime"),
        detected_at: event.time(),
        updated_at: moment("lastUpdatedTime").or_else(|| event.time()),
        status: if is_over { AlertStatus::Resolved } else { AlertStatus::Active },
        ..Draft::new(id, kind)
    };
    draft.alert(NAME, event.whole)
}

fn description(detail: &Value) -> Option<String> {
    let all = items(detail, &["eventDescription"]);
    let is_english = |it: &&Value| text(it, &["language"]).is_some_and(|it| it.starts_with("en"));
    let chosen = all.iter().find(is_english).or_else(|| all.first());
    chosen
        .and_then(|it| text(it, &["latestDescription"]))
        .or_else(|| text(detail, &["eventDescription", "latestDescription"]))
}

fn severity(event: &Event<'_>, kind: &str) -> Severity {
    let service = text(event.detail, &["service"]).unwrap_or_default();
    let is_abuse = event.detail_type().is_some_and(|it| it.contains("Abuse"));
    let category = text(event.detail, &["eventTypeCategory"]).unwrap_or_default();
    if is_abuse
        || ["ABUSE", "RISK"].contains(&&*service)
        || kind.starts_with("AWS_RISK_")
        || kind.starts_with("AWS_ABUSE_")
    {
        return Severity::High;
    }
    match category.as_str() {
        "issue" | "investigation" => Severity::Medium,
        "scheduledChange" => Severity::Low,
        _ => Severity::Informational,
    }
}

fn entity(entity: &Value) -> Option<Resource> {
    let id = text(entity, &["entityValue"])?;
    let tags = at(entity, &["tags"]).and_then(Value::as_object).into_iter().flatten();
    let tags: BTreeMap<_, _> =
        tags.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
    let found = arn::resource(&id).unwrap_or_else(|| arn::plain(kind(&id), &id, None));
    Some(Resource { name: tags.get("Name").cloned(), tags, ..found })
}

/// An entity may be the whole account.
fn kind(id: &str) -> &'static str {
    if id == "AWS_ACCOUNT" || arn::is_account(id) { "AwsAccount" } else { "Other" }
}
