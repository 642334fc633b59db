//! Macie: sensitive data in S3, and buckets that are too open
//! (<https://docs.aws.amazon.com/macie/latest/user/findings-publish-event-schemas.html>).

use std::collections::BTreeMap;

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Actor, Alert, AlertStatus, Resource};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{at, items, member, number, severity_of_word, text, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError};

use super::event::Event;
use stanch_plugins_sdk::payload::arn;

const NAME: &str = "macie";

/// Macie.
pub(crate) struct Macie;

impl Source for Macie {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        let event = Event::of(payload);
        match event.detail_type() {
            Some(kind) => kind == "Macie Finding",
            None => {
                at(event.detail, &["resourcesAffected"]).is_some()
                    && at(event.detail, &["severity", "description"]).is_some()
            }
        }
    }

    fn read(&self, payload: &Value, around: &Around) -> Vec<Result<Alert, SourceError>> {
        vec![read(&Event::of(payload), around)]
    }
}

fn read(event: &Event<'_>, around: &Around) -> Result<Alert, SourceError> {
    let detail = event.detail;
    let (id, kind) = (event.needed("id")?, event.needed("type")?);
    let severity = severity(detail);
    let archived = at(detail, &["archived"]) == Some(&Value::Bool(true));
    let moment = |path: &[&str]| at(detail, path).and_then(time);
    let draft = Draft {
        title: text(detail, &["title"]),
        description: text(detail, &["description"]),
        severity: severity.ok_or_else(|| event.missing("severity.description", "a severity"))?,
        account: event.account(&["accountId"], None, around),
        region: event.region(&["region"], None, around),
        resources: resources(detail),
        actor: at(detail, &["policyDetails", "actor"]).map(actor),
        occurred_at: moment(&["policyDetails", "action", "apiCallDetails", "firstSeen"]),
        detected_at: moment(&["createdAt"]),
        updated_at: moment(&["updatedAt"]),
        count: at(detail, &["count"]).and_then(Value::as_u64),
        status: if archived { AlertStatus::Suppressed } else { AlertStatus::Active },
        ..Draft::new(id, kind)
    };
    draft.alert(NAME, event.whole)
}

/// The word, or the number: 1 is low, 2 medium, 3 high.
fn severity(detail: &Value) -> Option<Severity> {
    let word = text(detail, &["severity", "description"]);
    word.and_then(|word| severity_of_word(&word)).or_else(|| {
        let score = number(detail, &["severity", "score"])?;
        Some(match score {
            score if score >= 3.0 => Severity::High,
            score if score >= 2.0 => Severity::Medium,
            _ => Severity::Low,
        })
    })
}

fn resources(detail: &Value) -> Vec<Resource> {
    let bucket = at(detail, &["resourcesAffected", "s3Bucket"]).and_then(|bucket| {
        let (name, arn) = (text(bucket, &["name"])?, text(bucket, &["arn"]));
        let found = arn::plain("AwsS3Bucket", &name, arn.as_deref());
        Some(Resource { name: Some(name), tags: tags(bucket), ..found })
    });
    let object = at(detail, &["resourcesAffected", "s3Object"]).and_then(|object| {
        let key = text(object, &["key"])?;
        let of_bucket = bucket.as_ref().map(|bucket| format!("{}/{key}", bucket.id));
        let path = text(object, &["path"]).or(of_bucket).unwrap_or(key);
        Some(Resource { tags: tags(object), ..arn::plain("AwsS3Object", &path, None) })
    });
    object.into_iter().chain(bucket).collect()
}

fn tags(of: &Value) -> BTreeMap<String, String> {
    let pair =
        |tag: &Value| Some((text(tag, &["key"])?, at(tag, &["value"])?.as_str()?.to_owned()));
    items(of, &["tags"]).iter().filter_map(pair).collect()
}

fn actor(actor: &Value) -> Actor {
    let identity = member(actor, "userIdentity");
    let name = identity.and_then(|identity| {
        let kinds = ["iamUser", "assumedRole", "federatedUser", "root", "awsAccount", "awsService"];
        let found = kinds.iter().find_map(|kind| member(identity, kind))?;
        text(found, &["userName"])
            .or_else(|| text(found, &["arn"]).map(|arn| arn::own_part(&arn).to_owned()))
            .or_else(|| text(found, &["invokedBy"]))
            .or_else(|| text(found, &["principalId"]))
    });
    Actor { ip: text(actor, &["ipAddressDetails", "ipAddressV4"]), user: name, user_agent: None }
}
