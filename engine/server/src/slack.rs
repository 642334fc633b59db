//! `POST /v1/slack/interactions`: buttons that people press in Slack
//! (<https://api.slack.com/authentication/verifying-requests-from-slack>).
//!
//! Slack wants an answer within three seconds and shows nothing of it: whoever is refused hears so by
//! a message that only they see.

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde_json::Value;
use stanch_engine_runtime::slack;

use crate::body::capped;
use crate::problem::{Handled, Refusal};
use crate::{App, audit, auth};

/// Bytes of a request: a message of fifty blocks and what was filled in are far less.
const MOST_BYTES: usize = 256 * 1024;

pub(crate) async fn interact(State(app): State<App>, request: Request) -> Handled<StatusCode> {
    let Some(policy) = &app.settings.slack else {
        let detail = "buttons of Slack are not configured: set `signing_secrets` under [slack]";
        return Err(Refusal::not_found(detail));
    };
    let (head, body) = request.into_parts();
    let _admitted = app.pressure.admit(&head.headers, MOST_BYTES)?;
    let body = capped(body, MOST_BYTES).await?;
    let now = app.runtime.world().now();
    if let Err(refusal) = policy.check_body(&head.headers, &body, now).await {
        audit::stranger(&app, "slack.interactions", auth::address(&head), refusal.ended()).await;
        return Err(refusal);
    }
    slack::press(&app.runtime, &payload(&body)?).await?;
    Ok(StatusCode::OK)
}

fn payload(body: &Bytes) -> Handled<Value> {
    let mut fields = form_urlencoded::parse(body);
    let payload = fields.find(|(name, _)| name == "payload").map(|(_, value)| value);
    let missing = || Refusal::bad_request("the form has no member `payload`");
    serde_json::from_str(&payload.ok_or_else(missing)?)
        .map_err(|error| Refusal::bad_request(format!("`payload`: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_json_in_a_form() {
        let read = |text: &'static str| payload(&Bytes::from_static(text.as_bytes()));
        assert_eq!(read("payload=%7B%7D&x=1").unwrap(), serde_json::json!({}));
        assert!(read("payload=%7B").is_err());
        assert!(read("x=1").is_err());
    }
}
