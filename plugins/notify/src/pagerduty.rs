//! PagerDuty by its Events API v2 (<https://developer.pagerduty.com/docs/events-api-v2-overview>).

use std::sync::Arc;

use serde_json::{Value, json};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::{
    ActionContext, ActionError, BoxFuture, Channel, Exchange, Message, Outgoing, Receipt, Standing,
};

use crate::secret::Secret;
use crate::text;

/// Characters of a summary, at most.
const SUMMARY_CHARS: usize = 1_024;

/// A service of PagerDuty.
pub struct PagerDuty {
    /// Where its API is, without a slash at the end; `https://events.pagerduty.com` unless it is
    /// another region's.
    pub base_url: String,
    /// The integration key of the service.
    pub routing_key: Secret,
    /// Where people find Stanch.
    pub public_url: String,
    /// What carries it.
    pub exchange: Arc<dyn Exchange>,
}

fn severity(severity: Option<Severity>) -> &'static str {
    match severity {
        None | Some(Severity::Critical) => "critical",
        Some(Severity::High) => "error",
        Some(Severity::Medium) => "warning",
        Some(Severity::Low | Severity::Informational) => "info",
    }
}

/// What PagerDuty is told. All sendings of a page are one alert there.
fn event(message: &Message, routing_key: &str, public_url: &str) -> Value {
    let action = match message.standing {
        Standing::Open => "trigger",
        Standing::Taken { .. } => "acknowledge",
        Standing::Over { .. } => "resolve",
    };
    let mut event = json!({
        "routing_key": routing_key, "event_action": action, "dedup_key": message.key,
    });
    if action != "trigger" {
        return event;
    }
    event["payload"] = json!({
        "summary": text::cut(&text::subject(message), SUMMARY_CHARS),
        "source": message.incident_id.map_or_else(|| "stanch".to_owned(), |id| id.to_string()),
        "severity": severity(message.severity),
        "timestamp": message.raised_at,
        "class": message.code,
        "custom_details": {
            "text": message.text, "to": message.to, "incident_id": message.incident_id,
            "run_id": message.run_id, "approval": message.ask, "turn": message.turn,
        },
    });
    event["client"] = json!("Stanch");
    event["client_url"] = json!(public_url);
    event
}

impl PagerDuty {
    async fn enqueue(&self, context: &ActionContext, message: &Message) -> Result<(), ActionError> {
        let key = self.routing_key.bare();
        let event = event(message, key, &self.public_url);
        let outgoing = Outgoing {
            method: "POST",
            url: format!("{}/v2/enqueue", self.base_url),
            headers: vec![("content-type", "application/json".to_owned())],
            body: event.to_string().into_bytes(),
            timeout_ms: context.timeout.duration().as_millis().try_into().unwrap_or(u64::MAX),
        };
        self.exchange.exchange(outgoing).await?.succeeded("PagerDuty", key)
    }
}

impl Channel for PagerDuty {
    fn kind(&self) -> &'static str {
        "pagerduty"
    }

    fn send<'a>(
        &'a self,
        context: &'a ActionContext,
        message: &'a Message,
        _thread: Option<&'a Value>,
    ) -> BoxFuture<'a, Result<Receipt, ActionError>> {
        Box::pin(async move {
            self.enqueue(context, message).await?;
            Ok(Receipt { place: json!({"dedup_key": message.key}), is_followed: true })
        })
    }

    fn follow<'a>(
        &'a self,
        context: &'a ActionContext,
        message: &'a Message,
        _place: &'a Value,
    ) -> BoxFuture<'a, Result<(), ActionError>> {
        Box::pin(self.enqueue(context, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::{message, question};

    #[test]
    fn a_page_is_one_alert_from_its_trigger_to_its_end() {
        let open = event(&message(), "R0", "https://stanch.example");
        assert_eq!(open["event_action"], "trigger");
        assert_eq!(open["payload"]["severity"], "error");
        assert_eq!(open["payload"]["custom_details"]["to"], "role:responder");
        let standings = [
            (Standing::Taken { by: "mia".to_owned() }, "acknowledge"),
            (Standing::Over { how: "mia said no".to_owned() }, "resolve"),
        ];
        for (standing, action) in standings {
            let told = event(&Message { standing, ..message() }, "R0", "https://stanch.example");
            assert_eq!(told["event_action"], action);
            assert_eq!(told["dedup_key"], open["dedup_key"]);
            assert!(told.get("payload").is_none());
        }
        let long = Message { text: "x".repeat(5_000), ..message() };
        let said = event(&long, "R0", "u")["payload"]["summary"].as_str().unwrap().len();
        assert!(said <= SUMMARY_CHARS, "{said}");
        let ask = event(&question(), "R0", "u");
        assert_eq!(ask["payload"]["custom_details"]["approval"]["title"], "Cut the key off?");
        assert_eq!(severity(None), "critical", "the worst is supposed");
    }
}
