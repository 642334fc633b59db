//! SNS: a notification over HTTP or in a queue, with the message as text
//! (<https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>). AWS's
//! documentation prints some messages as objects, and tools send them so: both are opened.

use serde_json::Value;
use stanch_plugins_sdk::{Around, Envelope, Part, SourceError};

use stanch_plugins_sdk::payload::arn::Arn;

/// A notification of SNS.
pub(crate) struct Topic;

impl Envelope for Topic {
    fn open<'v>(&self, payload: &'v Value) -> Option<Vec<Part<'v>>> {
        is_message(payload).then(|| vec![message(payload)])
    }
}

/// Whether it is a message of SNS. Some relays drop `Type`.
pub(in crate::sources) fn is_message(payload: &Value) -> bool {
    let has = |name: &str| payload.get(name).is_some_and(Value::is_string);
    has("TopicArn") && has("MessageId") && payload.get("Message").is_some()
}

/// The message that a notification holds. What asks for a confirmation is no alert.
pub(super) fn message(notification: &Value) -> Part<'_> {
    let kind = notification.get("Type").and_then(Value::as_str).unwrap_or("Notification");
    let message = match notification.get("Message") {
        _ if kind != "Notification" => {
            let why = format!("a {kind} of SNS is no alert: it is confirmed by whoever may");
            return Part {
                path: String::new(),
                payload: Err(SourceError::Refused(why)),
                around: Around::default(),
            };
        }
        Some(message) => message,
        None => &Value::Null,
    };
    Part::of("Message", message).within(around(notification))
}

/// The account and the region of the topic.
pub(in crate::sources) fn around(notification: &Value) -> Around {
    let topic = notification.get("TopicArn").and_then(Value::as_str).and_then(Arn::parse);
    let Some(topic) = topic else { return Around::default() };
    Around { account: topic.account(), region: topic.region() }
}
