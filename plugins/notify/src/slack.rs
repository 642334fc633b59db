//! Slack, by a bot's token: a thread for each incident, buttons for what is to be decided, and
//! messages that are brought up to date (<https://api.slack.com/methods/chat.postMessage>).

mod blocks;
mod socket;

pub use socket::SlackEar;

use std::sync::Arc;

use serde_json::{Value, json};
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{
    ActionContext, ActionError, BoxFuture, Channel, Exchange, Message, Outgoing, Receipt,
};

use crate::secret::Secret;
use crate::text;

/// Errors of Slack's that pass by themselves.
const PASSING: &[&str] = &[
    "fatal_error",
    "internal_error",
    "request_timeout",
    "service_unavailable",
    "team_added_to_org",
];

/// Errors of Slack's that say that the token is not good for it.
const DENIED: &[&str] = &[
    "access_denied",
    "account_inactive",
    "ekm_access_denied",
    "invalid_auth",
    "missing_scope",
    "no_permission",
    "not_authed",
    "token_expired",
    "token_revoked",
];

/// A channel of Slack.
pub struct Slack {
    /// Where its API is, without a slash at the end; `https://slack.com/api` but for tests.
    pub base_url: String,
    /// The bot's token, with the scope `chat:write`.
    pub token: Secret,
    /// The channel's id, such as `C0123456789`.
    pub channel: String,
    /// Whether its buttons are answered, by `POST /v1/slack/interactions`.
    pub is_interactive: bool,
    /// What carries it.
    pub exchange: Arc<dyn Exchange>,
}

impl Slack {
    async fn call(
        &self,
        context: &ActionContext,
        method: &str,
        body: &Value,
    ) -> Result<Value, ActionError> {
        let token = self.token.bare();
        let outgoing = Outgoing {
            method: "POST",
            url: format!("{}/{method}", self.base_url),
            headers: vec![
                ("content-type", "application/json; charset=utf-8".to_owned()),
                ("authorization", format!("Bearer {token}")),
            ],
            body: body.to_string().into_bytes(),
            timeout_ms: context.timeout.duration().as_millis().try_into().unwrap_or(u64::MAX),
        };
        let incoming = self.exchange.exchange(outgoing).await?;
        incoming.succeeded("Slack", token)?;
        let answer = incoming.json();
        if answer["ok"] == true {
            return Ok(answer);
        }
        let code = answer["error"].as_str().unwrap_or("no JSON").to_owned();
        Err(refused(&code))
    }

    /// A message as Slack is sent it.
    fn compose(&self, message: &Message) -> Value {
        json!({
            "channel": self.channel, "text": blocks::plain(message),
            "blocks": blocks::blocks(message, self.is_interactive),
            "unfurl_links": false, "unfurl_media": false,
        })
    }
}

fn refused(code: &str) -> ActionError {
    let kind = match code {
        "ratelimited" | "rate_limited" => ErrorKind::Throttle,
        code if PASSING.contains(&code) => ErrorKind::Transient,
        code if DENIED.contains(&code) => ErrorKind::Denied,
        _ => ErrorKind::Permanent,
    };
    ActionError::new(kind, format!("slack_{code}"), format!("Slack says `{}`", text::cut(code, 80)))
}

impl Channel for Slack {
    fn kind(&self) -> &'static str {
        "slack"
    }

    fn send<'a>(
        &'a self,
        context: &'a ActionContext,
        message: &'a Message,
        thread: Option<&'a Value>,
    ) -> BoxFuture<'a, Result<Receipt, ActionError>> {
        Box::pin(async move {
            let mut body = self.compose(message);
            // What is in a thread is shown in the channel, too: it calls people.
            if let Some(first) = thread.and_then(|place| place["ts"].as_str()) {
                body["thread_ts"] = json!(first);
                body["reply_broadcast"] = json!(true);
            }
            let answer = self.call(context, "chat.postMessage", &body).await?;
            let place = json!({
                "channel": answer["channel"], "ts": answer["ts"], "thread": body["thread_ts"],
            });
            Ok(Receipt { place, is_followed: true })
        })
    }

    fn follow<'a>(
        &'a self,
        context: &'a ActionContext,
        message: &'a Message,
        place: &'a Value,
    ) -> BoxFuture<'a, Result<(), ActionError>> {
        Box::pin(async move {
            let mut body = self.compose(message);
            body["channel"] = place["channel"].clone();
            body["ts"] = place["ts"].clone();
            match self.call(context, "chat.update", &body).await {
                // Somebody has deleted it.
                Err(error) if error.code == "slack_message_not_found" => Ok(()),
                other => other.map(drop),
            }
        })
    }

    fn answer<'a>(
        &'a self,
        context: &'a ActionContext,
        place: &'a Value,
        text: &'a str,
    ) -> BoxFuture<'a, Result<(), ActionError>> {
        Box::pin(async move {
            let mut body = json!({
                "channel": place["channel"], "user": place["user"], "text": blocks::escaped(text),
            });
            if place["thread"].is_string() {
                body["thread_ts"] = place["thread"].clone();
            }
            self.call(context, "chat.postEphemeral", &body).await.map(drop)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::question;
    use stanch_plugins_sdk::Incoming;

    struct Nobody;

    impl Exchange for Nobody {
        fn exchange(&self, _: Outgoing) -> BoxFuture<'_, Result<Incoming, ActionError>> {
            Box::pin(std::future::ready(Err(ActionError::permanent("nobody", "nobody answers"))))
        }
    }

    #[test]
    fn the_message_that_the_docs_show_is_the_one_that_slack_is_sent() {
        let slack = Slack {
            base_url: String::new(),
            token: Secret::new("xoxb-a-token-of-some-length".to_owned()),
            channel: "C0123456789".to_owned(),
            is_interactive: true,
            exchange: Arc::new(Nobody),
        };
        let shown: Value =
            serde_json::from_str(include_str!("../../../docs/slack-message.json")).unwrap();
        assert_eq!(slack.compose(&question()), shown);
    }

    #[test]
    fn errors_say_what_may_be_done_about_them() {
        for (code, kind) in [
            ("ratelimited", ErrorKind::Throttle),
            ("internal_error", ErrorKind::Transient),
            ("invalid_auth", ErrorKind::Denied),
            ("channel_not_found", ErrorKind::Permanent),
            ("what is new", ErrorKind::Permanent),
        ] {
            assert_eq!(refused(code).kind, kind, "{code}");
        }
    }
}
