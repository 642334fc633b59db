//! Actions of the catalogue, and the guard in front of them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_core::approval::ApprovalOptions;
use stanch_engine_core::command::{ActionArgs, StepOptions};
use stanch_engine_core::drill;
use stanch_engine_core::effect::{Effect, Mode};
use stanch_engine_core::guard::{Circumstances, Permit, WhyNot, permit};
use stanch_engine_core::journal::{Event, StepGated};
use stanch_engine_core::json::{Json, plain};
use stanch_engine_core::plan::{Change, DocumentPin, Plan, Purpose};
use stanch_engine_core::run_state::OpenStep;
use stanch_engine_core::sealed;
use stanch_engine_core::step::{StepError, StepKey};

use super::{approval, note_refusal, restored, unreadable};
use crate::job::{Call, Work};
use crate::live::Live;
use crate::rails;
use crate::shared::Shared;
use crate::write_back;

/// The options of a step, whatever else it is asked.
#[derive(Deserialize)]
pub(super) struct OnlyOptions {
    #[serde(default)]
    pub(super) options: StepOptions,
}

/// The name of the action that calls AWS.
pub(super) const AWS: &str = "aws.call";

pub(super) fn start(
    live: &mut Live,
    shared: &Shared,
    key: &StepKey,
    args: &Json,
) -> Result<(), StepError> {
    let call = call_of(live, shared, args)?;
    let must_ask = rails::must_ask(shared, std::slice::from_ref(&call)).is_some();
    let permit = allowed(live, shared, &call, Asked { is_approved: false, must_ask });
    // Nobody is asked about what is refused whatever they say.
    if matches!(permit, Permit::Go | Permit::Ask) {
        rails::check(shared, &call)?;
    }
    match permit {
        Permit::Go if call.effect == Effect::Read => {
            live.run_job(key.clone(), 1, Work::Action(call));
        }
        Permit::Go => restored::begin(live, shared, key.clone(), call),
        Permit::WouldCall(why) => {
            let result = would_answer(shared, &call);
            live.succeed(key.clone(), result, Some(would_call(&call, why)));
        }
        Permit::Ask => gate(live, shared, key, &call),
        Permit::Refuse(why) => return Err(refusal(why)),
    }
    Ok(())
}

/// The call that an action's arguments ask for, with the place where it goes.
pub(super) fn call_of(live: &Live, shared: &Shared, args: &Json) -> Result<Call, StepError> {
    let args: ActionArgs = args.read().map_err(|error| unreadable(&error))?;
    let mut options = args.options;
    options.account = options.account.or_else(|| live.about.account.clone());
    options.region = options.region.or_else(|| live.about.region.clone());
    call(shared, &args.action, args.input, options)
}

/// A call of an action by an input that the journal keeps, with what the action says of its own
/// nature.
pub(super) fn call(
    shared: &Shared,
    name: &str,
    input: Value,
    options: StepOptions,
) -> Result<Call, StepError> {
    let action = shared
        .catalogue
        .action(name)
        .map_err(|message| StepError::permanent("no_such_action", message))?;
    let kept = sealed::is_in(&input).then(|| input.clone());
    let input = plain(input);
    let nature = action.classify(&input).map_err(StepError::from)?;
    let (effect, safety) = (nature.effect, nature.safety);
    // A change outside of any plan is a plan of its own.
    let alone = effect.is_guarded().then(|| operation_of(&input).map(str::to_owned)).flatten();
    let (action, plan) = (name.to_owned(), alone.into_iter().collect());
    Ok(Call { action, input, kept, options, effect, safety, plan, approval: None })
}

/// The operation that a call of AWS names.
fn operation_of(input: &Value) -> Option<&str> {
    input.get("operation").and_then(Value::as_str)
}

/// Whether people have been asked about a call, and must be.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) is_approved: bool,
    pub(super) must_ask: bool,
}

/// What the guard says to a call.
pub(super) fn allowed(live: &Live, shared: &Shared, call: &Call, asked: Asked) -> Permit {
    let mode = mode(live, shared, call.options.account.as_deref());
    permit(&Circumstances {
        effect: call.effect,
        mode: write_back::mode(live, shared, call, mode),
        is_halted: shared.is_halted(),
        is_sample: live.about.is_sample && !is_drilled(live, call),
        is_approved: asked.is_approved,
        must_ask: asked.must_ask,
    })
}

/// Whether a call changes the user that a drill made, and nothing else.
fn is_drilled(live: &Live, call: &Call) -> bool {
    let user = live.about.drill_user.as_deref();
    call.action == AWS && user.is_some_and(|user| drill::reaches_only(user, &call.input))
}

/// The strictest of the account's and the playbook's mode.
pub(super) fn mode(live: &Live, shared: &Shared, account: Option<&str>) -> Mode {
    shared.settings.mode_of(account).strictest(live.header().mode)
}

pub(super) fn refusal(why: WhyNot) -> StepError {
    StepError::denied(why.code(), why.explanation())
}

/// What the journal says of a call that was not made.
pub(super) fn would_call(call: &Call, why: WhyNot) -> Json {
    Json::canonical(&json!({
        "would_call": {"action": call.action, "input": call.input, "account": call.options.account,
            "region": call.options.region},
        "why": why.code(), "explanation": why.explanation(),
    }))
}

/// An answer of the right shape to a call that was not made.
fn would_answer(shared: &Shared, call: &Call) -> Json {
    match operation_of(&call.input) {
        Some(operation) if call.action == AWS => {
            Json::canonical(&shared.catalogue.operations().blank_answer(operation))
        }
        _ => Json::null(),
    }
}

/// A change outside of any plan asks for an approval of its own: a plan of one.
fn gate(live: &mut Live, shared: &Shared, key: &StepKey, call: &Call) {
    let operation = match operation_of(&call.input) {
        Some(operation) => operation.to_owned(),
        None => call.action.clone(),
    };
    // A decision binds to what is sealed, too.
    let input = call.kept.as_ref().unwrap_or(&call.input);
    let plan = Plan {
        purpose: Purpose::Contain,
        items: vec![Change {
            operation: operation.clone(),
            params: input.get("params").unwrap_or(input).clone(),
            account: call.options.account.clone(),
            region: call.options.region.clone(),
            document: call.input.get("document").and_then(|pin| DocumentPin::deserialize(pin).ok()),
            probe: None,
            inverse: None,
            before: None,
            given: BTreeMap::new(),
            settles: false,
            notes: Vec::new(),
        }],
    };
    let options = ApprovalOptions { plan: Some(plan), ..ApprovalOptions::default() };
    let row = approval::put(live, shared, key, &format!("May {operation} be called?"), options);
    if let Some(head) = live.take_head(key) {
        let (approval, wake_at) = (row.id.to_string(), row.expires_at);
        live.record(Event::StepGated(StepGated { key: key.clone(), head, approval, wake_at }));
    }
}

/// Begins a step that people have just approved.
pub(crate) fn begin_approved(live: &mut Live, shared: &Shared, key: StepKey, step: &OpenStep) {
    let begun = call_of(live, shared, &step.head.args).and_then(|call| {
        match allowed(live, shared, &call, Asked { is_approved: true, must_ask: false }) {
            Permit::Go => rails::check(shared, &call).map(|()| Call {
                approval: step.waits_for.as_deref().and_then(|id| id.parse().ok()),
                ..call
            }),
            Permit::WouldCall(why) | Permit::Refuse(why) => Err(refusal(why)),
            Permit::Ask => Err(StepError::denied("not_approved", "the approval does not cover it")),
        }
    });
    match begun {
        Ok(call) => restored::begin(live, shared, key, call),
        Err(error) => {
            note_refusal(live, shared, &key, (step.head.verb, &step.head.args), &error);
            live.fail(key, error, None);
        }
    }
}
