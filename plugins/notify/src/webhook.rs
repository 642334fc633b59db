//! Anything that takes a POST: signed by us, so that the receiver can tell that it was.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use serde_json::Value;
use sha2::Sha256;
use stanch_plugins_sdk::{
    ActionContext, ActionError, BoxFuture, Channel, Exchange, Message, Outgoing, Receipt, Standing,
};
use std::sync::Arc;

use crate::secret::Secret;

/// A receiver of JSON.
pub struct Webhook {
    /// Where to.
    pub url: String,
    /// What it is signed with: by each of them, while they are rotated.
    pub secrets: Vec<Secret>,
    /// What carries it.
    pub exchange: Arc<dyn Exchange>,
}

#[derive(Serialize)]
struct Body<'m> {
    event: &'static str,
    delivery: String,
    #[serde(flatten)]
    message: &'m Message,
}

/// What a time and a body are signed as: `v1=` and the HMAC-SHA256 of `TIME.BODY`, in hexadecimal
/// digits, once for each secret and with commas between.
fn sign(secrets: &[Secret], time_s: i64, body: &[u8]) -> String {
    let of = |secret: &Secret| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.bare().as_bytes()).ok()?;
        mac.update(format!("{time_s}.").as_bytes());
        mac.update(body);
        Some(format!("v1={}", hex::encode(mac.finalize().into_bytes())))
    };
    secrets.iter().filter_map(of).collect::<Vec<_>>().join(",")
}

impl Webhook {
    async fn post(&self, context: &ActionContext, message: &Message) -> Result<(), ActionError> {
        let (event, standing) = match message.standing {
            Standing::Open => ("page.sent", "open"),
            Standing::Taken { .. } => ("page.taken", "taken"),
            Standing::Over { .. } => ("page.over", "over"),
        };
        let delivery = format!("{}/{}/{standing}", message.key, message.turn);
        let body = Body { event, delivery: delivery.clone(), message };
        let body = serde_json::to_vec(&body)
            .map_err(|error| ActionError::permanent("bad_input", error.to_string()))?;
        let time_s = context.now.millis().div_euclid(1_000);
        let outgoing = Outgoing {
            method: "POST",
            url: self.url.clone(),
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("stanch-delivery", delivery),
                ("stanch-timestamp", time_s.to_string()),
                ("stanch-signature", sign(&self.secrets, time_s, &body)),
            ],
            body,
            timeout_ms: context.timeout.duration().as_millis().try_into().unwrap_or(u64::MAX),
        };
        self.exchange.exchange(outgoing).await?.succeeded("the webhook", "")
    }
}

impl Channel for Webhook {
    fn kind(&self) -> &'static str {
        "webhook"
    }

    fn send<'a>(
        &'a self,
        context: &'a ActionContext,
        message: &'a Message,
        _thread: Option<&'a Value>,
    ) -> BoxFuture<'a, Result<Receipt, ActionError>> {
        Box::pin(async move {
            self.post(context, message).await?;
            Ok(Receipt { place: Value::Null, is_followed: true })
        })
    }

    fn follow<'a>(
        &'a self,
        context: &'a ActionContext,
        message: &'a Message,
        _place: &'a Value,
    ) -> BoxFuture<'a, Result<(), ActionError>> {
        Box::pin(self.post(context, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of `docs/notifications.md`, which a receiver can check its own code against.
    #[test]
    fn the_time_and_the_body_are_signed_by_every_secret() {
        let secrets = [Secret::new("Jefe"), Secret::new("the old one")];
        let signed = sign(&secrets, 1_700_000_000, b"{}");
        let parts: Vec<&str> = signed.split(',').collect();
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap();
        mac.update(b"1700000000.{}");
        assert_eq!(parts[0], format!("v1={}", hex::encode(mac.finalize().into_bytes())));
        assert!(parts[1].starts_with("v1=") && parts[1] != parts[0]);
        assert_eq!(parts.len(), 2);
        let other = sign(&secrets[..1], 1_700_000_001, b"{}");
        assert_ne!(other, parts[0], "the time is signed");
    }
}
