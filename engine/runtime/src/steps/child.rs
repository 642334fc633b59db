//! Other playbooks that a run calls.

use serde_json::{Map, Value};
use stanch_engine_core::command::RunPlaybookArgs;
use stanch_engine_core::header::Header;
use stanch_engine_core::id::RunId;
use stanch_engine_core::journal::Started;
use stanch_engine_core::json::{Json, plain};
use stanch_engine_core::limits;
use stanch_engine_core::playbook::LANGUAGE;
use stanch_engine_core::run_state::OpenStep;
use stanch_engine_core::sealed::plain_but_sealed;
use stanch_engine_core::step::{StepError, StepKey};
use stanch_engine_core::turn::Turn;
use stanch_engine_store::playbooks::Active;
use stanch_engine_store::runs::{NewRun, Parent};

use super::unreadable;
use crate::live::Live;
use crate::projection::Projection;
use crate::shared::Shared;

/// Begins another playbook, and waits for its end.
pub(super) fn start(
    live: &mut Live,
    shared: &Shared,
    key: &StepKey,
    args: &Json,
) -> Result<(), StepError> {
    let args: RunPlaybookArgs = args.read().map_err(|error| unreadable(&error))?;
    let active = playbook(live, shared, &args.playbook)?;
    let inputs = inputs_of(&active.header, args.inputs.into_iter().collect()).map_err(|why| {
        StepError::permanent("wrong_inputs", format!("`{}`: {why}", args.playbook))
    })?;
    let id = shared.world.id(RunId::new);
    let inputs = shared.seals.hand_over(&shared.world, inputs, (live.who.id, id))?;
    let scope = live.state.started.as_ref().map_or_else(Json::null, |s| s.scope.clone());
    let mut scope = scope.value();
    if let Some(members) = scope.as_object_mut() {
        members.insert("inputs".to_owned(), inputs);
    }
    let concurrency = active.header.concurrency.as_ref();
    let gate = concurrency.map(|limit| limit.gate(&active.header.name, &plain(scope.clone())));
    let turn = Turn { level: live.who.level, gate };
    let new = NewRun {
        id,
        playbook: args.playbook,
        digest: active.digest,
        incident: live.who.incident,
        alert: live.who.alert,
        subject: None,
        parent: Some(Parent { run: live.who.id, step: key.clone() }),
        depth: live.who.depth + 1,
        requester: live.who.id.to_string(),
        at: live.now(),
        claim: None,
        restored_at: live.who.restored_at,
        turn,
    };
    let timeout_ms = active.header.timeout.map_or(limits::RUN_TIMEOUT_MS, |timeout| timeout.ms);
    let started = Started {
        playbook: new.playbook.clone(),
        digest: active.digest,
        language: LANGUAGE,
        generation: 1,
        requester: new.requester.clone(),
        scope: Json::canonical(&scope),
        deadline_at: live.now().plus_ms(timeout_ms),
    };
    live.project(Projection::Begin(Box::new(new), Box::new(started)));
    let wake_at = args.timeout.map(|timeout| live.now().plus_ms(timeout.ms));
    live.wait(key.clone(), Some(id.to_string()), wake_at);
    Ok(())
}

fn playbook(live: &Live, shared: &Shared, name: &str) -> Result<Active, StepError> {
    let Some(active) = shared.playbook(name) else {
        let names = shared.active();
        let names = names.iter().map(|active| active.header.name.as_str());
        let hint = stanch_engine_core::suggest::hint(name, names);
        let message = format!("no playbook `{name}` is active{hint}");
        return Err(StepError::permanent("no_such_playbook", message));
    };
    if live.who.depth + 1 > limits::CHILD_DEPTH {
        let message = format!("playbooks may call each other {} levels deep", limits::CHILD_DEPTH);
        return Err(StepError::permanent("too_deep", message));
    }
    Ok(active)
}

/// The inputs, as the header of the playbook declares them.
pub(crate) fn inputs_of(header: &Header, given: Map<String, Value>) -> Result<Value, String> {
    let Value::Object(mut inputs) = plain_but_sealed(Value::Object(given.clone())) else {
        return Ok(Value::Null);
    };
    header.complete_inputs(&mut inputs)?;
    let mut whole = given;
    let completed = inputs.into_iter().filter(|(_, value)| value.is_null());
    for (name, value) in completed {
        whole.entry(name).or_insert(value);
    }
    Ok(Value::Object(whole))
}

/// The child took too long: it is ended, and nobody waits for it any more.
pub(crate) fn time_out(live: &mut Live, shared: &Shared, key: StepKey, step: &OpenStep) {
    let child = step.waits_for.clone().unwrap_or_default();
    if let Ok(child) = child.parse() {
        live.cancel_child(shared, child, "it took longer than its caller would wait");
    }
    let message = format!("{child}: it took longer than its caller would wait");
    live.fail(key, StepError::permanent("timeout", message), None);
}
