//! `aws.ses_send`: hands a mail to Amazon SES (SendEmail of its API v2).
//!
//! Input: `{"from": "…", "to": ["…"], "raw": "BASE64", "region": "eu-west-1", "configuration_set": "…"}`;
//! the last two may be left out. `raw` is the mail as RFC 5322 writes it. The result is
//! `{"message_id": "…"}`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use stanch_plugins_sdk::core::effect::{Effect, RetrySafety};
use stanch_plugins_sdk::{
    Action, ActionContext, ActionError, BoxFuture, CallRecord, Done, Nature, Outcome,
};

use crate::client::{Client, Content, Wanted};

/// The operation: the one of API v1 of the same name takes no raw mail.
const OPERATION: &str = "sesv2:SendEmail";

/// `aws.ses_send`.
pub(crate) struct Mail(pub(crate) Arc<Client>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    from: String,
    to: Vec<String>,
    raw: String,
    region: Option<String>,
    configuration_set: Option<String>,
}

fn bad(why: &str) -> ActionError {
    ActionError::permanent("bad_input", format!("aws.ses_send: {why}"))
}

impl Input {
    fn read(input: &Value) -> Result<Self, ActionError> {
        let input = Self::deserialize(input).map_err(|error| bad(&error.to_string()))?;
        match input.to.is_empty() || input.raw.is_empty() {
            true => Err(bad("`to` or `raw` is empty")),
            false => Ok(input),
        }
    }

    fn params(&self) -> Value {
        let mut params = json!({
            "FromEmailAddress": self.from, "Destination": {"ToAddresses": self.to},
            "Content": {"Raw": {"Data": self.raw}},
        });
        if let (Some(set), Some(members)) = (&self.configuration_set, params.as_object_mut()) {
            members.insert("ConfigurationSetName".to_owned(), json!(set));
        }
        params
    }
}

impl Action for Mail {
    fn name(&self) -> &'static str {
        "aws.ses_send"
    }

    fn classify(&self, input: &Value) -> Result<Nature, ActionError> {
        Input::read(input)?;
        // A mail that comes twice does less harm than one that does not come.
        Ok(Nature { effect: Effect::Notify, safety: RetrySafety::Natural })
    }

    fn run<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Outcome, ActionError>> {
        Box::pin(async move {
            let input = Input::read(input)?;
            context.must_grant(Effect::Notify, "aws.ses_send")?;
            Box::pin(self.send(context, &input)).await
        })
    }
}

impl Mail {
    async fn send(&self, context: &ActionContext, input: &Input) -> Result<Outcome, ActionError> {
        let named = self.0.models.operation(OPERATION);
        let named = named.map_err(|error| bad(&error.to_string()))?;
        let region = match &input.region {
            Some(region) => region.clone(),
            None => self.0.default_region().await.ok_or_else(|| {
                bad("no region is known: give the channel a `region`, or set it under [aws]")
            })?,
        };
        let credentials = self.0.keychain.credentials(context.now).await;
        let credentials = credentials.map_err(|failure| failure.into_error(Effect::Notify))?;
        let wanted = Wanted {
            named,
            params: &input.params(),
            content: Content::Within,
            region: &region,
            timeout: context.timeout.duration(),
            now: context.now,
            credentials: &credentials,
            account: None,
            urgency: context.urgency,
            patience: &context.patience,
        };
        let answer = Box::pin(self.0.call(wanted)).await;
        let answer = answer.map_err(|failure| failure.into_error(Effect::Notify))?;
        let (request_id, region) = (answer.request_id, Some(region));
        let call = CallRecord { request_id, region, ..CallRecord::default() };
        let value = json!({"message_id": answer.value.get("MessageId")});
        Ok(Outcome::Done(Done { value, secrets: Vec::new(), call }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_goes_as_it_is_to_whom_it_is_for() {
        let input = json!({"from": "a@example.com", "to": ["b@example.com"], "raw": "eA=="});
        let params = Input::read(&input).unwrap().params();
        assert_eq!(params["Content"]["Raw"]["Data"], "eA==");
        assert_eq!(params["Destination"]["ToAddresses"], json!(["b@example.com"]));
        assert!(params.get("ConfigurationSetName").is_none());
        let mut named = input.clone();
        named["configuration_set"] = json!("watched");
        assert_eq!(Input::read(&named).unwrap().params()["ConfigurationSetName"], "watched");
        for (name, value) in [("to", json!([])), ("raw", json!("")), ("bcc", json!("x"))] {
            let mut wrong = input.clone();
            wrong[name] = value;
            assert!(Input::read(&wrong).is_err(), "{name}");
        }
    }
}
