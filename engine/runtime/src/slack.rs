//! Buttons that people press in Slack, however Slack tells of them.

use serde_json::{Value, json};
use stanch_engine_core::approval::{Answer, ApprovalStatus};
use stanch_engine_core::id::ApprovalId;
use stanch_engine_store::StoreError;

use crate::audit;
use crate::elsewhere::{self, ElsewhereError, Said};
use crate::runtime::Runtime;

/// The kind of channel that answers.
const KIND: &str = "slack";

/// What the id of a block begins with that fills in a field of the form.
const FIELD: &str = "form.";

/// A button that was pressed.
struct Pressed {
    approval: ApprovalId,
    user: String,
    place: Value,
    said: Said,
}

/// Takes what Slack tells of one thing that somebody did
/// (<https://api.slack.com/reference/interaction-payloads/block-actions>). What is no press of our two
/// buttons is nothing to us. Whoever is refused hears so by a message that only they see.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn press(runtime: &Runtime, payload: &Value) -> Result<(), StoreError> {
    let Some(Pressed { approval, user, place, said }) = read(payload) else { return Ok(()) };
    let tell = |text: String| elsewhere::answer(runtime, KIND, place.clone(), text);
    let person = elsewhere::person_of_slack(runtime, &user);
    let from = format!("slack {user}");
    let asked = elsewhere::asked(runtime, person.clone(), &from, (approval, &said));
    let own = runtime.clone();
    let deciding = async move {
        let person = person.ok_or(ElsewhereError::Nobody(user))?;
        if said.reason.trim().is_empty() {
            return Err(ElsewhereError::NoReason);
        }
        elsewhere::decide(&own, approval, &person, from, said).await
    };
    match audit::carry_out(runtime, asked, deciding, ElsewhereError::code).await {
        Ok(ApprovalStatus::Pending) => {
            tell("Your yes is counted. It needs more people's.".to_owned());
        }
        // The message says so to everybody.
        Ok(_) => {}
        Err(ElsewhereError::Store(error)) => return Err(error),
        Err(error) => tell(format!("Nothing is decided: {error}.")),
    }
    Ok(())
}

fn read(payload: &Value) -> Option<Pressed> {
    let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
    if text("/type") != Some("block_actions") {
        return None;
    }
    let answer = match text("/actions/0/action_id")? {
        "approve" => Answer::Approve,
        "reject" => Answer::Reject,
        _ => return None,
    };
    let (mut reason, mut fields) = (String::new(), Vec::new());
    let blocks = payload.pointer("/state/values").and_then(Value::as_object);
    for (block, elements) in blocks.into_iter().flatten() {
        let Some(filled_in) = elements.as_object().and_then(|all| all.values().next()) else {
            continue;
        };
        let chosen = filled_in.pointer("/selected_option/value");
        let Some(text) = chosen.or_else(|| filled_in.get("value")).and_then(Value::as_str) else {
            continue;
        };
        match block.strip_prefix(FIELD) {
            Some(path) => fields.push((path.to_owned(), text.to_owned())),
            None if block == "reason" => text.clone_into(&mut reason),
            // As messages ask for it that were sent by a version before.
            None if block == "verdict" => fields.push((block.clone(), text.to_owned())),
            None => {}
        }
    }
    let user = text("/user/id")?.to_owned();
    let place = json!({
        "channel": text("/container/channel_id"), "user": user, "thread": text("/message/thread_ts"),
    });
    let approval = text("/actions/0/value")?.parse().ok()?;
    Some(Pressed { approval, user, place, said: Said { answer, reason, fields } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_press_of_a_button_is_nothing() {
        let right = json!({
            "type": "block_actions", "user": {"id": "U1"}, "container": {"channel_id": "C1"},
            "actions": [{"action_id": "approve", "value": "apr_01M87VQBM55RB8VF4ZNEQGSCGY"}],
            "state": {"values": {
                "reason": {"reason": {"type": "plain_text_input", "value": null}},
                "form.host.name": {"form.host.name": {"type": "plain_text_input", "value": "web"}},
                "form.place": {"form.place": {"selected_option": {"value": "prod"}}},
                "form.sure": {"form.sure": {"selected_option": null}},
            }},
        });
        let Pressed { said, .. } = read(&right).unwrap();
        assert_eq!((said.answer, said.reason.as_str()), (Answer::Approve, ""));
        let mut fields = said.fields;
        fields.sort();
        let pair = |path: &str, text: &str| (path.to_owned(), text.to_owned());
        assert_eq!(fields, [pair("host.name", "web"), pair("place", "prod")]);
        let changed = |pointer: &str, value: Value| {
            let mut payload = right.clone();
            *payload.pointer_mut(pointer).unwrap() = value;
            read(&payload).is_none()
        };
        assert!(changed("/type", json!("view_submission")));
        assert!(changed("/actions", json!([])));
        assert!(changed("/actions/0/action_id", json!("verdict")));
        assert!(changed("/actions/0/value", json!("run_01M87VQBM55RB8VF4ZNEQGSCGY")));
        assert!(changed("/user/id", json!(7)));
        assert!(read(&Value::Null).is_none());
    }
}
