//! Inspector: vulnerabilities, reachable ports and weak code
//! (<https://docs.aws.amazon.com/inspector/latest/user/eventbridge-integration.html>).

use std::collections::BTreeMap;

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Alert, AlertStatus, Resource};
use stanch_plugins_sdk::payload::{at, items, number, severity_of_word, text, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError};

use super::event::Event;
use super::kind;
use stanch_plugins_sdk::payload::arn;

const NAME: &str = "inspector";

/// Inspector.
pub(crate) struct Inspector;

impl Source for Inspector {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        let event = Event::of(payload);
        match event.detail_type() {
            Some(kind) => kind == "Inspector2 Finding",
            None => {
                text(event.detail, &["findingArn"]).is_some_and(|arn| arn.contains(":inspector2:"))
            }
        }
    }

    fn read(&self, payload: &Value, around: &Around) -> Vec<Result<Alert, SourceError>> {
        vec![read(&Event::of(payload), around)]
    }
}

fn read(event: &Event<'_>, around: &Around) -> Result<Alert, SourceError> {
    let detail = event.detail;
    let (id, kind) = (event.needed("findingArn")?, event.needed("type")?);
    let severity = severity_of_word(&event.needed("severity")?);
    let severity = severity.ok_or_else(|| event.missing("severity", "a severity"))?;
    let score = number(detail, &["inspectorScore"]).filter(|score| (0.0..=10.0).contains(score));
    let moment = |name: &str| at(detail, &[name]).and_then(time);
    let draft = Draft {
        title: text(detail, &["title"]),
        description: text(detail, &["description"]),
        severity,
        // Between 0 and 100; the label stands where the two disagree.
        severity_score: score.map(|score| (score * 10.0).round() as u8),
        account: event.account(&["awsAccountId"], Some(&id), around),
        region: event.region(&[], Some(&id), around),
        resources: items(detail, &["resources"]).iter().filter_map(resource).collect(),
        occurred_at: None,
        detected_at: moment("firstObservedAt"),
        updated_at: moment("updatedAt").or_else(|| moment("lastObservedAt")),
        status: match text(detail, &["status"]).as_deref() {
            Some("CLOSED") => AlertStatus::Resolved,
            Some("SUPPRESSED") => AlertStatus::Suppressed,
            _ => AlertStatus::Active,
        },
        url: text(detail, &["packageVulnerabilityDetails", "sourceUrl"]),
        ..Draft::new(id.clone(), kind)
    };
    draft.alert(NAME, event.whole)
}

fn resource(resource: &Value) -> Option<Resource> {
    let id = text(resource, &["id"])?;
    let kind = kind::of_upper_case(&text(resource, &["type"]).unwrap_or_default());
    let tags = at(resource, &["tags"]).and_then(Value::as_object).into_iter().flatten();
    let tags: BTreeMap<_, _> =
        tags.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
    let arn = arn::Arn::parse(&id).map(|_| &*id);
    // An image's ARN is its repository's with the digest behind it.
    let own =
        if kind == "AwsEcrContainerImage" { id.rsplit('/').next()? } else { arn::own_part(&id) };
    Some(Resource { name: tags.get("Name").cloned(), tags, ..arn::plain(&kind, own, arn) })
}
