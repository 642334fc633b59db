//! Socket Mode: Slack tells of buttons on a line that this side opens
//! (<https://api.slack.com/apis/socket-mode>).

use std::sync::Arc;

use serde_json::{Value, json};
use stanch_plugins_sdk::{BoxFuture, Dial, Ear, Exchange, Outgoing, Take};

use crate::secret::Secret;
use crate::text;

/// How long Slack may take to say where the line is.
const PATIENCE_MS: u64 = 15_000;

/// Listens to an app of Slack.
pub struct SlackEar {
    /// Where its API is, without a slash at the end; `https://slack.com/api` but for tests.
    pub base_url: String,
    /// The app's token, `xapp-…`, with the scope `connections:write`.
    pub token: Secret,
    /// What carries the first call.
    pub exchange: Arc<dyn Exchange>,
    /// What opens the line.
    pub dial: Arc<dyn Dial>,
}

impl SlackEar {
    /// Where the next line is: an address that is good for one.
    async fn place(&self) -> Result<String, String> {
        let token = self.token.bare();
        let outgoing = Outgoing {
            method: "POST",
            url: format!("{}/apps.connections.open", self.base_url),
            headers: vec![
                ("content-type", "application/x-www-form-urlencoded".to_owned()),
                ("authorization", format!("Bearer {token}")),
            ],
            body: Vec::new(),
            timeout_ms: PATIENCE_MS,
        };
        let told = |error: stanch_plugins_sdk::ActionError| error.to_string();
        let incoming = self.exchange.exchange(outgoing).await.map_err(told)?;
        incoming.succeeded("Slack", token).map_err(told)?;
        let answer = incoming.json();
        match (answer["ok"] == true, answer["url"].as_str()) {
            (true, Some(url)) => Ok(url.to_owned()),
            _ => {
                let code = answer["error"].as_str().unwrap_or("no JSON");
                Err(format!("Slack says `{}`", text::cut(code, 80)))
            }
        }
    }

    async fn attend(&self, taker: &dyn Take) -> Result<(), String> {
        let place = self.place().await?;
        let mut line = self.dial.dial(&place).await?;
        while let Some(said) = line.hear().await? {
            let Ok(said) = serde_json::from_str::<Value>(&said) else { continue };
            // Slack ends each line after some hours and says so; the next one is opened then.
            if said["type"] == "disconnect" {
                return Ok(());
            }
            let Some(id) = said["envelope_id"].as_str() else { continue };
            let is_taken = match said["type"].as_str() {
                Some("interactive") => taker.take(said["payload"].clone()).await,
                // What else an app may be told of is nothing to us.
                _ => true,
            };
            // What is not confirmed is shown as failed there, and can be pressed again.
            if is_taken {
                line.say(json!({"envelope_id": id}).to_string()).await?;
            }
        }
        Ok(())
    }
}

impl Ear for SlackEar {
    fn kind(&self) -> &'static str {
        "slack"
    }

    fn listen<'a>(&'a self, taker: &'a dyn Take) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.attend(taker))
    }
}
