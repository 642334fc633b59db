//! Calls whose content goes beside their JSON, as bytes: an object of S3 or a part of one, and what an
//! answer leads to by a link, as to the code of a function.

use bytes::Bytes;
use serde_json::Value;
use stanch_plugins_sdk::core::effect::{Effect, RetrySafety};
use stanch_plugins_sdk::{ActionContext, ActionError, CallRecord, Done, Sink};

use super::call::nature;
use super::input::Input;
use super::standing::Standing;
use crate::client::{Client, Content, Wanted, input_content, lead, output_content};
use crate::model::Named;
use crate::secrets;

/// Makes a call once, with its content beside it.
///
/// # Errors
/// As of any call; permanent for an operation that has no content.
pub(super) async fn carry(
    client: &Client,
    context: &ActionContext,
    input: &Value,
    body: Option<Bytes>,
    sink: &mut dyn Sink,
) -> Result<Done, ActionError> {
    let Input { named, params, .. } = Input::read(&client.models, input)?;
    require_content(named, body.is_some())?;
    let nature = nature(named);
    let standing = Box::pin(Standing::find(client, context, named, nature.effect)).await?;
    let lead = lead(named).filter(|_| body.is_none());
    let content = match lead {
        Some(_) => Content::Within,
        None => Content::Beside(body.as_ref()),
    };
    let wanted = Wanted { content, ..standing.wanted(context, named, &params) };
    let mut answer = match Box::pin(client.call(wanted)).await {
        Ok(answer) => answer,
        Err(failure) => {
            let is_blind = matches!(nature.safety, RetrySafety::Natural);
            let reach = if is_blind { nature.effect } else { nature.effect.max(Effect::Change) };
            return Err(standing.told(failure.into_error(reach)));
        }
    };
    let mut call = CallRecord {
        request_id: answer.request_id,
        clock_offset_ms: answer.clock_offset_ms,
        ..standing.record()
    };
    if let Some(lead) = lead {
        let followed = client.follow(named, lead, &standing.region, &mut answer.value, sink);
        let caveat = Box::pin(followed).await;
        let caveat = caveat.map_err(|error| standing.told(error.into_error(named)))?;
        call.caveats.extend(caveat);
    }
    let secrets = match context.run {
        Some(_) => secrets::places(named, &answer.value),
        None => Vec::new(),
    };
    if let Some(content) = answer.content {
        sink.take(content).await?;
    }
    Ok(Done { value: answer.value, secrets, call })
}

fn require_content(named: Named, has_body: bool) -> Result<(), ActionError> {
    let has_content = match has_body {
        true => input_content(named).is_some(),
        false => output_content(named).is_some() || lead(named).is_some(),
    };
    has_content.then_some(()).ok_or_else(|| {
        let why = format!(
            "{named} has no content beside its JSON: an object of S3 has, and code of Lambda"
        );
        ActionError::permanent("no_content", why)
    })
}
