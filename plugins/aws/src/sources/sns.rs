//! A notification of SNS whose message nobody else knows: a text that somebody or some service
//! wrote, such as AWS Backup's
//! (<https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>).

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Alert, Resource};
use stanch_plugins_sdk::payload::{at, text, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError};

use super::envelope;
use stanch_plugins_sdk::payload::arn;

const NAME: &str = "sns";

/// A text by SNS.
pub(crate) struct Sns;

impl Source for Sns {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        let kind = payload.get("Type").and_then(Value::as_str);
        envelope::is_message(payload) && kind.is_none_or(|kind| kind == "Notification")
    }

    fn read(&self, payload: &Value, _around: &Around) -> Vec<Result<Alert, SourceError>> {
        vec![read(payload)]
    }
}

fn read(payload: &Value) -> Result<Alert, SourceError> {
    let missing = |name: &str| SourceError::Member { path: name.to_owned(), expected: "a text" };
    let id = text(payload, &["MessageId"]).ok_or_else(|| missing("MessageId"))?;
    let message = match payload.get("Message") {
        Some(Value::String(text)) => text.clone(),
        Some(message) => message.to_string(),
        None => return Err(missing("Message")),
    };
    let topic = envelope::around(payload);
    let attribute = |name: &str| text(payload, &["MessageAttributes", name, "Value"]);
    let sent = at(payload, &["Timestamp"]).and_then(time);
    let started = attribute("StartTime");
    let draft = Draft {
        title: text(payload, &["Subject"]).or_else(|| Some(message.clone())),
        resources: named(&message),
        description: Some(message),
        account: topic.account,
        region: topic.region,
        occurred_at: started.and_then(|at| stanch_plugins_sdk::payload::time_of_text(&at)),
        detected_at: sent,
        ..Draft::new(id, attribute("EventType").unwrap_or_else(|| "Notification".to_owned()))
    };
    draft.alert(NAME, payload)
}

/// The ARNs that a text names.
fn named(message: &str) -> Vec<Resource> {
    let is_end = |letter: char| {
        letter.is_whitespace()
            || matches!(letter, '"' | '\'' | ',' | '<' | '>' | '(' | ')' | '[' | ']')
    };
    let words = message.split(is_end).map(|word| word.trim_end_matches(['.', ';', ':']));
    words.filter(|word| word.starts_with("arn:")).filter_map(arn::resource).take(100).collect()
}
