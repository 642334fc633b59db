//! What a playbook leaves out of its changes: the state before, the probe and the inverse, by an
//! action that reads. Its answer is journaled, and becomes part of the plan that people see.

use rhai::{Array, Dynamic, Map, Position as At};
use stanch_engine_core::command::Verb;

use super::super::step::{decode, perform, place};
use super::super::{Fallible, encode, object, quoted};
use crate::hot::below;
use crate::tape::Answer;

/// The action that completes a change.
const ACTION: &str = "aws.prepare";

/// The changes with what they were left without; nothing when none lacks anything. What the
/// playbook says itself holds.
pub(super) fn complete(mut items: Array, at: At) -> Fallible<Option<Array>> {
    let lacks = |item: &Dynamic| {
        let item = item.as_map_ref().ok();
        item.is_some_and(|item| is_unset(&item, "probe") || is_unset(&item, "inverse"))
    };
    if !items.iter().any(lacks) {
        return Ok(None);
    }
    let key = place("plan", at)?;
    below(&key, || {
        for item in items.iter_mut().filter(|item| lacks(item)) {
            let added = prepare(item, at)?;
            if let Some(mut item) = item.write_lock::<Map>() {
                add(&mut item, added);
            }
        }
        Ok(Some(items))
    })
}

fn is_unset(item: &Map, name: &str) -> bool {
    item.get(name).is_none_or(Dynamic::is_unit)
}

/// Asks for what a change lacks. A refusal leaves it as it is, with a note: it is FINAL or
/// UNVERIFIED, and people see that.
fn prepare(change: &Dynamic, at: At) -> Fallible<Map> {
    let text = encode("change", change, at)?;
    let input = object(&[("change", &text)]);
    let mut options = Map::new();
    if let Ok(change) = change.as_map_ref() {
        for name in ["account", "region"] {
            let value = change.get(name).filter(|value| !value.is_unit());
            options.extend(value.map(|value| (name.into(), value.clone())));
        }
    }
    let options = encode("options", &options.into(), at)?;
    let args = object(&[("action", &quoted(ACTION)), ("input", &input), ("options", &options)]);
    match perform(Verb::Action, args, at)? {
        (_, Answer::Result(result)) => {
            Ok(decode(&result, at)?.try_cast::<Map>().unwrap_or_default())
        }
        (_, Answer::Error(error)) => {
            let note = format!("nothing could be added to it: {error}");
            Ok(Map::from([("notes".into(), Array::from([note.into()]).into())]))
        }
    }
}

fn add(item: &mut Map, mut added: Map) {
    for name in ["probe", "inverse", "before"] {
        let value = added.remove(name).filter(|value| !value.is_unit());
        if let Some(value) = value.filter(|_| is_unset(item, name)) {
            item.insert(name.into(), value);
        }
    }
    let notes = added.remove("notes").and_then(Dynamic::try_cast::<Array>).unwrap_or_default();
    if notes.is_empty() {
        return;
    }
    let said = item.remove("notes").and_then(Dynamic::try_cast::<Array>).unwrap_or_default();
    item.insert("notes".into(), said.into_iter().chain(notes).collect::<Array>().into());
}
