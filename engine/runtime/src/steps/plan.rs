//! Carrying plans out: the guard before, each change, and what the probes say in the end.

use serde_json::{Value, json};
use stanch_engine_core::command::{ChangeArgs, ExecuteArgs, ItemOutcome, StepOptions, Verb};
use stanch_engine_core::containment::standing;
use stanch_engine_core::custody::CustodyAction;
use stanch_engine_core::effect::Effect;
use stanch_engine_core::error_code;
use stanch_engine_core::guard::{Permit, WhyNot, is_refusal};
use stanch_engine_core::incident::{IncidentEvent, Milestone};
use stanch_engine_core::json::Json;
use stanch_engine_core::plan::{Change, Plan, Probe, Purpose};
use stanch_engine_core::run_state::BegunPlan;
use stanch_engine_core::step::{StepError, StepKey};

use super::action::{self, AWS, Asked, allowed, refusal, would_call};
use super::{record, restored, unreadable};
use crate::containments::{self, Begun};
use crate::job::Call;
use crate::live::Live;
use crate::projection::Projection;
use crate::rails;
use crate::shared::Shared;

/// The guard in front of a whole plan: all of it may be done, or nothing is begun.
pub(super) fn execute(
    live: &mut Live,
    shared: &Shared,
    key: &StepKey,
    args: &Json,
) -> Result<(), StepError> {
    let plan = args.read::<ExecuteArgs>().map_err(|error| unreadable(&error))?.plan;
    let is_approved = live.state.approved.contains_key(&plan.digest());
    let mut not_made: Option<WhyNot> = None;
    let calls = plan.items.iter().map(|item| call_for(shared, item));
    let calls = calls.collect::<Result<Vec<_>, _>>()?;
    let why = rails::must_ask(shared, &calls).filter(|_| !is_approved);
    let asked = Asked { is_approved, must_ask: why.is_some() };
    for call in &calls {
        match allowed(live, shared, call, asked) {
            Permit::Go => rails::check(shared, call)?,
            Permit::WouldCall(why) => not_made = Some(why),
            Permit::Ask => return Err(not_approved(live, &plan, why.as_deref())),
            Permit::Refuse(why) => return Err(refusal(why)),
        }
    }
    let result = match not_made {
        None => json!({"apply": true}),
        Some(why) => json!({"would_call": why.code(), "explanation": why.explanation()}),
    };
    if not_made.is_none() && plan.purpose == Purpose::Contain {
        live.mark_if_incident(Milestone::ContainRequestedAt);
    }
    live.succeed(key.clone(), Json::canonical(&result), None);
    Ok(())
}

/// What is said of what is to be made once more without being asked for once more.
const AGAIN: &str =
    "the approval of this plan was for one execution: run the run again from its approval";

fn not_approved(live: &Live, plan: &Plan, why: Option<&str>) -> StepError {
    let message = if let Some(BegunPlan { approval: Some(approval), .. }) =
        live.state.begun.get(&plan.digest())
    {
        format!(
            "{approval} was for one execution of this plan, and that has begun: ask again with `approval`"
        )
    } else if !live.state.spent.is_empty() && live.state.approved.is_empty() {
        AGAIN.to_owned()
    } else if live.state.approved.is_empty() {
        "nobody approved this plan: put it to people with `approval(\"…\", #{ plan: p })` before `execute(p)`".to_owned()
    } else {
        format!(
            "this plan ({}) is not the one that was approved: nothing of it was done",
            plan.digest()
        )
    };
    let because = why.map(|why| format!(": {why}")).unwrap_or_default();
    StepError::denied("plan_not_approved", format!("{message}{because}"))
}

/// The call of a change.
pub(crate) fn call_for(shared: &Shared, change: &Change) -> Result<Call, StepError> {
    let options = StepOptions {
        account: change.account.clone(),
        region: change.region.clone(),
        ..StepOptions::default()
    };
    let mut input = json!({"operation": change.operation, "params": change.params});
    if let (Some(document), Some(members)) = (&change.document, input.as_object_mut()) {
        members.insert("document".to_owned(), json!(document));
    }
    action::call(shared, AWS, input, options)
}

/// The call of a change, for going on with it: one of a plan that the guard let begin, as it
/// stands there.
pub(super) fn call_of(live: &Live, shared: &Shared, args: &Json) -> Result<Call, StepError> {
    let args: ChangeArgs = args.read().map_err(|error| unreadable(&error))?;
    let begun = begun(live, &args)?;
    let plan = begun.plan.items.iter().map(|item| item.operation.clone()).collect();
    let approval = begun.approval.as_deref().and_then(|id| id.parse().ok());
    Ok(Call { plan, approval, ..call_for(shared, &args.change)? })
}

/// The plan that a change belongs to. Only `execute` begins one.
fn begun<'l>(live: &'l Live, args: &ChangeArgs) -> Result<&'l BegunPlan, StepError> {
    let begun = live.state.begun.get(&args.plan);
    begun.filter(|begun| begun.plan.items.get(args.item) == Some(&args.change)).ok_or_else(|| {
        let message = "the change is not one of a plan that `execute` has begun";
        StepError::denied("plan_not_approved", message)
    })
}

/// The probe of a change: it also shows whether a call of unknown outcome took place.
pub(super) fn probe_of(args: &Json) -> Option<Probe> {
    args.read::<ChangeArgs>().ok()?.change.probe
}

/// One change. The guard is asked again: much may have happened since the plan was begun.
pub(super) fn change(
    live: &mut Live,
    shared: &Shared,
    key: &StepKey,
    args: &Json,
) -> Result<(), StepError> {
    let call = call_of(live, shared, args)?;
    let args: ChangeArgs = args.read().map_err(|error| unreadable(&error))?;
    let plan = begun(live, &args)?;
    let is_made = live.state.is_made(plan, args.item);
    let is_approved = plan.approval.is_some() && !is_made;
    let now = rails::must_ask(shared, std::slice::from_ref(&call));
    let asked = Asked { is_approved, must_ask: now.is_some() };
    match allowed(live, shared, &call, asked) {
        Permit::Go => {
            rails::check(shared, &call)?;
            restored::begin(live, shared, key.clone(), call);
        }
        Permit::WouldCall(why) => {
            let said = would_call(&call, why);
            live.succeed(key.clone(), said.clone(), Some(said));
        }
        Permit::Ask => {
            let because = now.map(|why| format!(": {why}")).unwrap_or_default();
            let message = match is_made {
                true => format!("{AGAIN}{because}"),
                false => format!("the plan that this change belongs to was not approved{because}"),
            };
            return Err(StepError::denied("plan_not_approved", message));
        }
        Permit::Refuse(why) => return Err(refusal(why)),
    }
    Ok(())
}

/// What became of a change goes into the custody chain, whether it was planned or not. Steps that
/// change nothing leave nothing there.
pub(crate) fn note_change(
    live: &mut Live,
    shared: &Shared,
    key: &StepKey,
    became: CustodyAction,
    how: &Value,
) {
    let Some(incident) = live.who.incident else { return };
    let Some(step) = live.open_step(key).filter(|step| step.is_intended) else { return };
    let mut detail = match step.head.verb {
        Verb::Change => planned(live, &step.head.args),
        Verb::Action => bare(live, shared, &step.head.args),
        _ => None,
    };
    let Some(members) = detail.as_mut().and_then(Value::as_object_mut) else { return };
    members.insert("call".to_owned(), how.clone());
    let new = record(live, incident, key, became, None, detail.unwrap_or_default());
    live.project(Projection::Record(Box::new(new)));
}

/// What a guard rail refused before anything was intended goes into the custody chain, too.
pub(crate) fn note_refusal(
    live: &mut Live,
    shared: &Shared,
    key: &StepKey,
    (verb, args): (Verb, &Json),
    error: &StepError,
) {
    let Some(incident) = live.who.incident.filter(|_| is_refusal(&error.code)) else { return };
    let asked = match verb {
        Verb::Change => planned(live, args),
        Verb::Action => bare(live, shared, args),
        Verb::Execute => args
            .read::<ExecuteArgs>()
            .ok()
            .map(|args| json!({"plan": args.plan.digest(), "changes": args.plan.items})),
        _ => None,
    };
    let Some(mut detail) = asked else { return };
    if let Some(members) = detail.as_object_mut() {
        members.insert("error".to_owned(), json!(error));
    }
    let refused = CustodyAction::ChangeRefused;
    let new = record(live, incident, key, refused, None, detail);
    live.project(Projection::Record(Box::new(new)));
}

fn planned(live: &Live, args: &Json) -> Option<Value> {
    let ChangeArgs { change, plan, .. } = args.read().ok()?;
    Some(json!({
        "operation": change.operation, "params": change.params, "account": change.account,
        "region": change.region, "plan": plan,
        "approval": live.state.begun.get(&plan).and_then(|begun| begun.approval.as_ref()),
    }))
}

fn bare(live: &Live, shared: &Shared, args: &Json) -> Option<Value> {
    let call = action::call_of(live, shared, args).ok()?;
    (call.effect >= Effect::Change).then(|| {
        json!({
            "action": call.action, "input": call.input, "account": call.options.account,
            "region": call.options.region,
        })
    })
}

/// What came of a plan. Only here is an incident called contained.
pub(super) fn verify(
    live: &mut Live,
    shared: &Shared,
    key: &StepKey,
    args: &Json,
) -> Result<(), StepError> {
    let ExecuteArgs { plan, outcomes } = args.read().map_err(|error| unreadable(&error))?;
    let all = |wanted| !outcomes.is_empty() && outcomes.iter().all(|o| *o == wanted);
    let is_effective = all(ItemOutcome::Effective) && outcomes.len() == plan.items.len();
    let result = json!({
        "effective": is_effective, "observed": all(ItemOutcome::WouldCall), "outcomes": outcomes,
    });
    contained(live, shared, key, (&plan, &outcomes));
    if is_effective {
        reached(live, shared, plan.purpose);
    } else if !all(ItemOutcome::WouldCall) {
        let message = shortfall(&plan, &outcomes);
        live.page(
            shared,
            &format!("unverified/{key}"),
            error_code::UNVERIFIED.code,
            message.clone(),
        );
        if outcomes.contains(&ItemOutcome::NotEffective) {
            return Err(StepError::permanent("unverified", message));
        }
    }
    live.succeed(key.clone(), Json::canonical(&result), None);
    Ok(())
}

/// What was contained has an owner from now on.
fn contained(
    live: &mut Live,
    shared: &Shared,
    key: &StepKey,
    (plan, outcomes): (&Plan, &[ItemOutcome]),
) {
    let changes = standing(plan, outcomes);
    if changes.is_empty() {
        return;
    }
    let made_by = (live.who.id, key.to_string());
    let mut row = containments::row(shared, made_by, changes, live.now());
    row.incident = live.who.incident;
    let begun = live.state.begun.get(&plan.digest());
    let approval = begun.and_then(|begun| begun.approval.as_deref()?.parse().ok());
    live.project(Projection::Contain(Box::new(Begun { row, approval })));
}

fn reached(live: &mut Live, shared: &Shared, purpose: Purpose) {
    if purpose == Purpose::Undo {
        let expires_at = live.now().plus_ms(shared.settings.containments.expires.ms);
        let (by, at, one) = (live.who.id, live.now(), live.about.undoes.clone());
        live.project(Projection::Undone { by, one, at, expires_at });
    }
    let Some(incident) = live.who.incident else { return };
    if let Some(milestone) = purpose.milestone() {
        live.mark(incident, milestone);
    }
    match purpose {
        Purpose::Contain => live.project(Projection::Status(incident, IncidentEvent::Contained)),
        Purpose::Undo => live.project(Projection::Status(incident, IncidentEvent::Undone)),
        Purpose::Preserve | Purpose::Eradicate | Purpose::Recover | Purpose::Inform => {}
    }
}

fn shortfall(plan: &Plan, outcomes: &[ItemOutcome]) -> String {
    let lines = plan.items.iter().zip(outcomes).map(|(item, outcome)| {
        let outcome = match outcome {
            ItemOutcome::Effective => "is effective",
            ItemOutcome::NotEffective => "was accepted and is NOT EFFECTIVE",
            ItemOutcome::Unverified => "was accepted and is UNVERIFIED: it has no probe",
            ItemOutcome::WouldCall => "was not made",
            ItemOutcome::Failed => "FAILED",
            ItemOutcome::NotAttempted => "was not attempted",
        };
        format!("{} {}", item.operation, outcome)
    });
    lines.collect::<Vec<_>>().join("; ")
}

/// The value that a probe's look gives.
pub(crate) fn seen(passes: bool, value: &Value, at: stanch_engine_core::time::Timestamp) -> Json {
    Json::canonical(&json!({"passes": passes, "value": value, "at": at}))
}
