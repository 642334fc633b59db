//! `aws.sns_publish`: tells a topic.
//!
//! Input: `{"topic_arn": "arn:…", "message": "…", "subject": "…", "region": "eu-west-1"}`; the last
//! two may be left out, and the region is then the topic's own. The result is
//! `{"message_id": "…"}`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use stanch_plugins_sdk::core::effect::{Effect, RetrySafety};
use stanch_plugins_sdk::{
    Action, ActionContext, ActionError, BoxFuture, CallRecord, Done, Nature, Outcome,
};

use aws_sdk_sns::operation::RequestId as _;

use crate::client::{Client, Failure};

/// Characters of a subject
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>).
const SUBJECT_CHARS: usize = 100;

/// `aws.sns_publish`.
pub(crate) struct Publish(pub(crate) Arc<Client>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    topic_arn: String,
    message: String,
    subject: Option<String>,
    region: Option<String>,
}

impl Input {
    fn read(input: &Value) -> Result<Self, ActionError> {
        let bad = |why| ActionError::permanent("bad_input", format!("aws.sns_publish: {why}"));
        let input = Self::deserialize(input).map_err(|error| bad(error.to_string()))?;
        if input.message.is_empty() {
            return Err(bad("`message` is empty".to_owned()));
        }
        match input.region_of_topic() {
            Some(_) => Ok(input),
            None => Err(bad("`topic_arn` is not of the form arn:aws:sns:REGION:…".to_owned())),
        }
    }

    fn region_of_topic(&self) -> Option<&str> {
        let mut parts = self.topic_arn.split(':');
        let service = (parts.next()? == "arn").then(|| parts.nth(1)).flatten()?;
        (service == "sns").then(|| parts.next()).flatten().filter(|region| !region.is_empty())
    }
}

/// A subject as SNS takes it: one line of printable ASCII that begins with a letter, a number or
/// punctuation, of at most 100 characters.
fn subject(text: &str) -> Option<String> {
    let line = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    let ascii = line.map(|c| if matches!(c, ' '..='~') { c } else { '?' });
    let line: String = ascii.collect::<String>().trim().chars().take(SUBJECT_CHARS).collect();
    (!line.is_empty()).then_some(line)
}

impl Action for Publish {
    fn name(&self) -> &'static str {
        "aws.sns_publish"
    }

    fn classify(&self, input: &Value) -> Result<Nature, ActionError> {
        Input::read(input)?;
        // A message that comes twice does less harm than one that does not come.
        Ok(Nature { effect: Effect::Notify, safety: RetrySafety::Natural })
    }

    fn run<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Outcome, ActionError>> {
        Box::pin(async move {
            let input = Input::read(input)?;
            context.must_grant(Effect::Notify, "aws.sns_publish")?;
            let region = input.region.as_deref().or_else(|| input.region_of_topic());
            let region = region.unwrap_or_default().to_owned();
            let sent = Box::pin(self.send(context, &input, &region)).await;
            sent.map(Outcome::Done).map_err(|failure| failure.into_error(Effect::Notify))
        })
    }
}

impl Publish {
    async fn send(
        &self,
        context: &ActionContext,
        input: &Input,
        region: &str,
    ) -> Result<Done, Failure> {
        let timeout = context.timeout.duration();
        let credentials = self.0.keychain.credentials(context.now).await?;
        let config = Box::pin(self.0.sdk_config("SNS", region, timeout, &credentials)).await;
        let publish = aws_sdk_sns::Client::new(&config)
            .publish()
            .topic_arn(&input.topic_arn)
            .message(&input.message)
            .set_subject(input.subject.as_deref().and_then(subject));
        let sent = Box::pin(publish.send()).await.map_err(Failure::of)?;
        let call = CallRecord {
            request_id: sent.request_id().map(str::to_owned),
            region: Some(region.to_owned()),
            ..CallRecord::default()
        };
        Ok(Done { value: json!({"message_id": sent.message_id()}), secrets: Vec::new(), call })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_cut_to_what_sns_takes() {
        assert_eq!(subject("INC-1: key\nin use").as_deref(), Some("INC-1: key in use"));
        assert_eq!(subject("Schlüssel").as_deref(), Some("Schl?ssel"));
        assert_eq!(subject(&"x".repeat(200)).map(|line| line.len()), Some(100));
        assert_eq!(subject(" \n "), None);
    }

    #[test]
    fn the_region_is_the_topics_own() {
        let topic = |arn: &str| Input::read(&json!({"topic_arn": arn, "message": "m"}));
        let input = topic("arn:aws:sns:eu-west-1:111122223333:alerts").unwrap();
        assert_eq!(input.region_of_topic(), Some("eu-west-1"));
        assert!(topic("alerts").is_err());
        assert!(topic("arn:aws:sqs:eu-west-1:111122223333:alerts").is_err());
    }
}
