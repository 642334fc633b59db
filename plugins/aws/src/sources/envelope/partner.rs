//! EventBridge's partner events: what PagerDuty, Datadog and others send, as `detail`
//! (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-saas.html>).

use serde_json::Value;
use stanch_plugins_sdk::payload::text;
use stanch_plugins_sdk::{Around, Envelope, Part};

use crate::sources::event::account;

/// An event of a partner.
pub(crate) struct Partner;

impl Envelope for Partner {
    fn open<'v>(&self, payload: &'v Value) -> Option<Vec<Part<'v>>> {
        let source = payload.get("source").and_then(Value::as_str)?;
        let detail = payload.get("detail").filter(|_| source.starts_with("aws.partner/"))?;
        let around =
            Around { account: account(payload, &["account"]), region: text(payload, &["region"]) };
        Some(vec![Part::of("detail", detail).within(around)])
    }
}
