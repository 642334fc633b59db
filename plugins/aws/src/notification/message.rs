//! A message of SNS as it comes by HTTP, and the text that is signed.

use serde::Deserialize;
use serde_json::Value;

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Kind {
    /// It tells something.
    Notification,
    /// It asks whether messages are wanted.
    SubscriptionConfirmation,
    /// It says that no more will come.
    UnsubscribeConfirmation,
}

/// A message. A member that SNS does not send is an error: it is not signed, and might say
/// something else to whoever reads the message next.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Message {
    #[serde(rename = "Type")]
    pub(super) kind: Kind,
    pub(super) message_id: String,
    pub(super) token: Option<String>,
    pub(super) topic_arn: String,
    pub(super) subject: Option<String>,
    pub(super) message: String,
    #[serde(rename = "SubscribeURL")]
    pub(super) subscribe_url: Option<String>,
    pub(super) timestamp: String,
    pub(super) signature_version: String,
    pub(super) signature: String,
    #[serde(rename = "SigningCertURL")]
    pub(super) signing_cert_url: String,
    #[serde(rename = "UnsubscribeURL")]
    _unsubscribe_url: Option<String>,
    #[serde(rename = "MessageAttributes")]
    _message_attributes: Option<Value>,
    #[serde(rename = "SequenceNumber")]
    _sequence_number: Option<String>,
}

impl Message {
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(body).map_err(|error| format!("it is no message of SNS: {error}"))
    }

    /// The text that is signed: names and values by turns, each on lines of its own, in the order
    /// of the names.
    pub(super) fn canonical(&self) -> String {
        let kind = match self.kind {
            Kind::Notification => "Notification",
            Kind::SubscriptionConfirmation => "SubscriptionConfirmation",
            Kind::UnsubscribeConfirmation => "UnsubscribeConfirmation",
        };
        let is_told = self.kind == Kind::Notification;
        let of = |wanted: bool, value: &Option<String>| value.clone().filter(|_| wanted);
        let members = [
            ("Message", Some(self.message.clone())),
            ("MessageId", Some(self.message_id.clone())),
            ("Subject", of(is_told, &self.subject)),
            ("SubscribeURL", of(!is_told, &self.subscribe_url)),
            ("Timestamp", Some(self.timestamp.clone())),
            ("Token", of(!is_told, &self.token)),
            ("TopicArn", Some(self.topic_arn.clone())),
            ("Type", Some(kind.to_owned())),
        ];
        let lines = members.into_iter().filter_map(|(name, value)| Some((name, value?)));
        lines.map(|(name, value)| format!("{name}\n{value}\n")).collect()
    }
}
