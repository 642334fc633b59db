//! SSM documents: what is approved is the document as it stands, by version and hash, and not
//! whatever bears its name later.

use rhai::{Dynamic, Map, Position as At};
use stanch_engine_core::command::Verb;
use stanch_engine_core::plan::DocumentPin;
use stanch_engine_core::step::StepError;

use super::step::step;
use super::{Fallible, encode, object, quoted, read};
use crate::error::thrown;

/// Whether an operation runs a document.
pub(super) fn runs_one(operation: &str) -> bool {
    matches!(operation, "ssm:StartAutomationExecution" | "ssm:SendCommand")
}

/// Pins the document of a change, and of the change that undoes it.
pub(super) fn pin_change(mut change: Map, at: At) -> Fallible<Map> {
    if let Some(inverse) = change.get("inverse").and_then(|inverse| inverse.clone().try_cast()) {
        change.insert("inverse".into(), pin_change(inverse, at)?.into());
    }
    let operation = change.get("operation").map(ToString::to_string).unwrap_or_default();
    let is_pinned = change.get("document").is_some_and(|pin| !pin.is_unit());
    if !runs_one(&operation) || is_pinned {
        return Ok(change);
    }
    let Some(params) = change.get("params").and_then(|params| params.clone().try_cast::<Map>())
    else {
        return Ok(change);
    };
    let place = ["account", "region"].map(|name| {
        let value = change.get(name).filter(|value| !value.is_unit()).cloned();
        value.map(|value| (name.into(), value))
    });
    let options: Map = place.into_iter().flatten().collect();
    let (params, pin) = pin(&operation, params, options, at)?;
    change.insert("params".into(), params.into());
    change.insert("document".into(), pin);
    Ok(change)
}

/// Reads the document that parameters name, and gives them with its version, and the pin.
pub(super) fn pin(
    operation: &str,
    mut params: Map,
    options: Map,
    at: At,
) -> Fallible<(Map, Dynamic)> {
    let name = params.get("DocumentName").cloned().unwrap_or_default();
    let mut asked = Map::from([("Name".into(), name.clone())]);
    if let Some(version) = params.get("DocumentVersion").filter(|version| !version.is_unit()) {
        asked.insert("DocumentVersion".into(), version.clone());
    }
    let input = Map::from([
        ("operation".into(), "ssm:DescribeDocument".into()),
        ("params".into(), asked.into()),
    ]);
    let args = object(&[
        ("action", &quoted("aws.call")),
        ("input", &encode("aws.call", &input.into(), at)?),
        ("options", &encode("options", &options.into(), at)?),
    ]);
    let answer = step(Verb::Action, args, at)?;
    let document = answer.try_cast::<Map>().and_then(|mut answer| answer.remove("Document"));
    let document = document.and_then(Dynamic::try_cast::<Map>).unwrap_or_default();
    let text = |member: &str| document.get(member).cloned().unwrap_or_default();
    let pin: Map = [
        ("hash", text("Hash")),
        ("hash_type", text("HashType")),
        ("name", name.clone()),
        ("version", text("DocumentVersion")),
    ]
    .map(|(member, value)| (member.into(), value))
    .into();
    let pin = Dynamic::from_map(pin);
    if read::<DocumentPin>("document", &pin, at).is_err() {
        let why = format!("AWS gives no version and hash of the document {name}");
        let error = StepError::permanent("document_not_described", why);
        return Err(thrown(&error, &"".into(), at));
    }
    params.insert("DocumentVersion".into(), text("DocumentVersion"));
    if operation == "ssm:SendCommand" {
        params.insert("DocumentHash".into(), text("Hash"));
        params.insert("DocumentHashType".into(), text("HashType"));
    }
    Ok((params, pin))
}
