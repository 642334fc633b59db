//! `POST /v1/slack/interactions`: buttons that people press in Slack
//! (<https://api.slack.com/authentication/verifying-requests-from-slack>).
//!
//! Slack wants an answer within three seconds and shows nothing of it: whoever is refused hears so by
//! a message that only they see.

#![expect(clippy::indexing_slicing, reason = "a member that a payload lacks reads as null")]

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use stanch_engine_core::approval::{Answer, ApprovalStatus};
use stanch_engine_core::id::ApprovalId;
use stanch_engine_runtime::approvals::Say;
use stanch_engine_runtime::elsewhere::{self, ElsewhereError};

use crate::App;
use crate::body::capped;
use crate::problem::{Handled, Refusal};

/// Bytes of a request: a message of fifty blocks and what was filled in are far less.
const MOST_BYTES: usize = 256 * 1024;

/// The kind of channel that answers.
const KIND: &str = "slack";

/// A button that was pressed.
struct Pressed {
    approval: ApprovalId,
    answer: Answer,
    user: String,
    reason: String,
    form: Value,
    place: Value,
}

pub(crate) async fn interact(State(app): State<App>, request: Request) -> Handled<StatusCode> {
    let Some(policy) = &app.settings.slack else {
        let detail = "buttons of Slack are not configured: set `signing_secrets` under [slack]";
        return Err(Refusal::not_found(detail));
    };
    let (head, body) = request.into_parts();
    let _admitted = app.pressure.admit(&head.headers, MOST_BYTES)?;
    let body = capped(body, MOST_BYTES).await?;
    let now = app.runtime.world().now();
    policy.check_body(&head.headers, &body, now).await?;
    // What is pressed beside the two buttons, and what else Slack tells, is nothing to us.
    if let Some(pressed) = read(&body)? {
        take(&app, pressed).await?;
    }
    Ok(StatusCode::OK)
}

fn read(body: &Bytes) -> Handled<Option<Pressed>> {
    let mut fields = form_urlencoded::parse(body);
    let payload = fields.find(|(name, _)| name == "payload").map(|(_, value)| value);
    let missing = || Refusal::bad_request("the form has no member `payload`");
    let payload: Value = serde_json::from_str(&payload.ok_or_else(missing)?)
        .map_err(|error| Refusal::bad_request(format!("`payload`: {error}")))?;
    Ok(pressed(&payload))
}

fn pressed(payload: &Value) -> Option<Pressed> {
    if payload["type"] != "block_actions" {
        return None;
    }
    let action = payload["actions"].as_array()?.first()?;
    let answer = match action["action_id"].as_str()? {
        "approve" => Answer::Approve,
        "reject" => Answer::Reject,
        _ => return None,
    };
    let filled_in = |name: &str| &payload["state"]["values"][name][name];
    let verdict = &filled_in("verdict")["selected_option"]["value"];
    let form = if verdict.is_string() { json!({"verdict": verdict}) } else { Value::Null };
    let user = payload["user"]["id"].as_str()?.to_owned();
    let place = json!({
        "channel": payload["container"]["channel_id"], "user": user,
        "thread": payload["message"]["thread_ts"],
    });
    Some(Pressed {
        approval: action["value"].as_str()?.parse().ok()?,
        answer,
        reason: filled_in("reason")["value"].as_str().unwrap_or_default().to_owned(),
        user,
        form,
        place,
    })
}

async fn take(app: &App, pressed: Pressed) -> Handled<()> {
    let Pressed { approval, answer, user, reason, form, place } = pressed;
    let tell = |text: String| elsewhere::answer(&app.runtime, KIND, place.clone(), text);
    let Some(person) = elsewhere::person_of_slack(&app.runtime, &user) else {
        tracing::warn!(%user, %approval, "a user of Slack whom nobody is decides nothing");
        tell(format!(
            "Nothing is decided: the user {user} of Slack is bound to nobody. An administrator binds \
             you by `slack = \"{user}\"` under [people.NAME]."
        ));
        return Ok(());
    };
    if reason.trim().is_empty() {
        tell("Nothing is decided yet: say why, and press the button again.".to_owned());
        return Ok(());
    }
    let (from, say) = (format!("slack {user}"), Say { answer, reason, form });
    match elsewhere::decide(&app.runtime, approval, &person, from, say).await {
        Ok(ApprovalStatus::Pending) => {
            tell("Your yes is counted. It needs more people's.".to_owned());
        }
        // The message says so to everybody.
        Ok(_) => {}
        Err(ElsewhereError::Store(error)) => return Err(error.into()),
        Err(error) => tell(format!("Nothing is decided: {error}.")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_press_of_a_button_is_nothing() {
        let right = json!({
            "type": "block_actions", "user": {"id": "U1"}, "container": {"channel_id": "C1"},
            "actions": [{"action_id": "approve", "value": "apr_01M87VQBM55RB8VF4ZNEQGSCGY"}],
            "state": {"values": {"reason": {"reason": {"type": "plain_text_input", "value": null}}}},
        });
        let read = pressed(&right).unwrap();
        assert_eq!((read.answer, read.reason.as_str()), (Answer::Approve, ""));
        let changed = |pointer: &str, value: Value| {
            let mut payload = right.clone();
            *payload.pointer_mut(pointer).unwrap() = value;
            pressed(&payload).is_none()
        };
        assert!(changed("/type", json!("view_submission")));
        assert!(changed("/actions", json!([])));
        assert!(changed("/actions/0/action_id", json!("verdict")));
        assert!(changed("/actions/0/value", json!("run_01M87VQBM55RB8VF4ZNEQGSCGY")));
        assert!(changed("/user/id", json!(7)));
        assert!(pressed(&Value::Null).is_none());
        assert!(self::read(&Bytes::from_static(b"payload=%7B")).is_err());
        assert!(self::read(&Bytes::from_static(b"x=1")).is_err());
    }
}
