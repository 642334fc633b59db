//! S3: objects that were made or deleted, as EventBridge's event or as a record of a notification
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>). Each is informational.

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Actor, Alert, Resource};
use stanch_plugins_sdk::payload::{at, text, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError, id_of_content};

use super::event::Event;
use crate::percent::form_decoded;
use stanch_plugins_sdk::payload::arn;

const NAME: &str = "s3";

/// S3.
pub(crate) struct S3;

impl Source for S3 {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        is_record(payload) || {
            let event = Event::of(payload);
            event.is_from("aws.s3") == Some(true) && at(event.detail, &["bucket", "name"]).is_some()
        }
    }

    fn read(&self, payload: &Value, around: &Around) -> Vec<Result<Alert, SourceError>> {
        vec![if is_record(payload) {
            of_record(payload, around)
        } else {
            of_event(payload, around)
        }]
    }
}

fn is_record(payload: &Value) -> bool {
    payload.get("eventSource").and_then(Value::as_str) == Some("aws:s3")
        && payload.get("s3").is_some()
}

fn of_event(payload: &Value, around: &Around) -> Result<Alert, SourceError> {
    let event = Event::of(payload);
    let kind = event.detail_type().unwrap_or("S3 event").to_owned();
    let resources = resources(event.detail, str::to_owned);
    let id = event.envelope("id").map_or_else(|| id_of_content(event.detail), str::to_owned);
    let said = |name: &str| text(event.detail, &[name]);
    let draft = Draft {
        title: Some(title(&kind, &resources)),
        description: said("reason"),
        account: event.account(&[], None, around),
        region: event.region(&[], None, around),
        resources,
        actor: Some(Actor {
            ip: said("source-ip-address"),
            user: said("requester"),
            user_agent: None,
        }),
        occurred_at: event.time(),
        ..Draft::new(id, kind)
    };
    draft.alert(NAME, payload)
}

fn of_record(record: &Value, around: &Around) -> Result<Alert, SourceError> {
    let missing = |name: &str| SourceError::Member { path: name.to_owned(), expected: "a text" };
    let kind = text(record, &["eventName"]).ok_or_else(|| missing("eventName"))?;
    let about = record.get("s3").unwrap_or(&Value::Null);
    // Its keys are encoded as in a form; those of events are not.
    let resources = resources(about, form_decoded);
    let request = text(record, &["responseElements", "x-amz-request-id"]);
    let sequence = text(about, &["object", "sequencer"]);
    let id = match (request, sequence) {
        (None, None) => id_of_content(record),
        (request, sequence) => {
            let part = |part: Option<String>| part.unwrap_or_default();
            format!("{}/{}", part(request), part(sequence))
        }
    };
    let draft = Draft {
        title: Some(title(&kind, &resources)),
        account: around.account.clone(),
        region: text(record, &["awsRegion"]).or_else(|| around.region.clone()),
        resources,
        actor: Some(Actor {
            ip: text(record, &["requestParameters", "sourceIPAddress"]),
            user: text(record, &["userIdentity", "principalId"]),
            user_agent: None,
        }),
        occurred_at: at(record, &["eventTime"]).and_then(time),
        ..Draft::new(id, kind)
    };
    draft.alert(NAME, record)
}

fn title(kind: &str, resources: &[Resource]) -> String {
    let about = resources.first().map(|resource| resource.id.as_str()).unwrap_or_default();
    format!("{kind}: {about}")
}

fn resources(about: &Value, key: impl Fn(&str) -> String) -> Vec<Resource> {
    let Some(bucket) = text(about, &["bucket", "name"]) else { return Vec::new() };
    let key = text(about, &["object", "key"]).map(|said| key(&said));
    let object = key.map(|key| arn::plain("AwsS3Object", &format!("{bucket}/{key}"), None));
    let arn = text(about, &["bucket", "arn"]);
    object.into_iter().chain([arn::plain("AwsS3Bucket", &bucket, arn.as_deref())]).collect()
}
