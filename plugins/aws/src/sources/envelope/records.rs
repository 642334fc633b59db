//! `Records`: what Lambda is called with by SNS, SQS, Kinesis and S3, and CloudTrail's files.

use std::borrow::Cow;

use serde_json::Value;
use stanch_plugins_sdk::core::limits;
use stanch_plugins_sdk::payload::text;
use stanch_plugins_sdk::{Around, Envelope, Part, SourceError};

use super::logs::unpack;
use super::topic;
use stanch_plugins_sdk::payload::arn::Arn;

/// A list of records.
pub(crate) struct Records;

impl Envelope for Records {
    fn open<'v>(&self, payload: &'v Value) -> Option<Vec<Part<'v>>> {
        let records = payload.get("Records").or_else(|| payload.get("records"))?.as_array()?;
        let part = |(at, record): (usize, &'v Value)| {
            let part = part(record);
            let path = match part.path.as_str() {
                "" => format!("Records[{at}]"),
                within => format!("Records[{at}].{within}"),
            };
            Part { path, ..part }
        };
        Some(records.iter().enumerate().map(part).collect())
    }
}

fn part(record: &Value) -> Part<'_> {
    if let Some(notification) = record.get("Sns") {
        let part = Part::of("Sns", notification);
        return part.within(topic::around(notification));
    }
    let is_queued = record.get("receiptHandle").is_some()
        || record.get("eventSource").and_then(Value::as_str) == Some("aws:sqs");
    if let Some(body) = record.get("body").filter(|_| is_queued) {
        let queue = text(record, &["eventSourceARN"]);
        let queue = queue.as_deref().and_then(Arn::parse);
        let around = queue.map(|arn| Around { account: arn.account(), region: arn.region() });
        return Part::of("body", body).within(around.unwrap_or_default());
    }
    let data = record.get("kinesis").map_or_else(|| record.get("data"), |k| k.get("data"));
    match data.and_then(Value::as_str) {
        Some(data) => {
            let payload = unpack(data, limits::UNPACKED_BYTES).map(Cow::Owned);
            let payload = payload.map_err(|why| SourceError::Refused(format!("its data {why}")));
            Part { path: "data".to_owned(), payload, around: Around::default() }
        }
        None => Part::of("", record),
    }
}
