//! The plan that takes back what a run did: its changes in reverse, each by its inverse, after a
//! look whether they still stand as the run left them. What is back already is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_core::approval::{ApprovalOptions, Rule, together};
use stanch_engine_core::command::{ApprovalArgs, ChangeArgs, UndoPlanArgs, Verb};
use stanch_engine_core::containment::OneStep;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::guard::is_would_call;
use stanch_engine_core::id::RunId;
use stanch_engine_core::journal::{Entry, Event, Head};
use stanch_engine_core::json::Json;
use stanch_engine_core::plan::{Change, Plan, Purpose};
use stanch_engine_core::sealed;
use stanch_engine_core::step::{ErrorKind, StepError, StepKey};
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::StoreError;

use super::look::{is_back, look};
use crate::job::{Job, JobOutcome};
use crate::retention::journal_of;
use crate::seal::Unsealable;
use crate::shared::Shared;

/// What a run and the runs that it started changed, and how it asked.
#[derive(Default)]
struct Deeds {
    changes: Vec<Deed>,
    /// Changes that failed, perhaps half way, or that are in doubt.
    unsure: Vec<(StepKey, String)>,
    /// The rules of each question about a plan that people said yes to, and the plan.
    asked: Vec<(Sha256, Vec<Rule>)>,
    /// Runs that it started, and by which steps.
    children: Vec<(StepKey, RunId)>,
    /// Changes whose secrets do not open, and why.
    closed: Vec<String>,
}

/// A change that was made.
struct Deed {
    at: Timestamp,
    key: StepKey,
    change: Change,
    /// The plan that it is one of, and its number there.
    of: (Sha256, usize),
    /// What AWS answered.
    answer: Value,
}

impl Deeds {
    /// Those of one step alone: a change, or all that a plan's `execute` made. Whoever said yes to that
    /// plan is asked, and nobody else.
    fn only(mut self, step: &StepKey) -> Self {
        let is_meant = |key: &StepKey| key == step || key.above() == Some(&*step.0);
        self.changes.retain(|deed| is_meant(&deed.key));
        self.unsure.retain(|(key, _)| is_meant(key));
        self.children.clear();
        let plans: Vec<Sha256> = self.changes.iter().map(|deed| deed.of.0).collect();
        self.asked.retain(|(plan, _)| plans.contains(plan));
        self
    }
}

/// The step of a run that is to be taken back by itself.
///
/// # Errors
/// In words, why there is nothing of it to take back.
pub(crate) fn one_step(entries: &[Entry], step: &StepKey) -> Result<OneStep, String> {
    let Deeds { changes, unsure, children, .. } = deeds(entries);
    if let Some((_, child)) = children.iter().find(|(key, _)| key == step) {
        return Err(format!("the step {step} started {child}: undo that run, or a step of it"));
    }
    let lies_below = |key: &StepKey| key.above() == Some(&*step.0);
    if let Some(deed) = changes.iter().find(|deed| deed.key == *step) {
        return Ok(OneStep { step: step.clone(), item: Some(deed.of.1) });
    }
    if changes.iter().any(|deed| lies_below(&deed.key)) {
        return Ok(OneStep { step: step.clone(), item: None });
    }
    if unsure.iter().any(|(key, _)| key == step || lies_below(key)) {
        return Err(format!("the step {step} failed or is in doubt: look yourself"));
    }
    let made = changes.iter().map(|deed| format!("{} ({})", deed.key, deed.change.operation));
    let made: Vec<_> = made.take(NAMED).collect();
    Err(match made.is_empty() {
        true => {
            format!("there is no step {step} that changed anything: the run itself changed nothing")
        }
        false => format!("there is no step {step} that changed anything: {} did", made.join(", ")),
    })
}

/// Steps that a refusal names.
const NAMED: usize = 10;

pub(super) async fn plan(shared: &Arc<Shared>, job: &Job, args: &UndoPlanArgs) -> JobOutcome {
    let deeds = match all_deeds(shared, job, args).await {
        Ok(deeds) => deeds,
        Err(error) => {
            let error = StepError::new(ErrorKind::Transient, "store", error.to_string());
            return JobOutcome::failed(error);
        }
    };
    let (mut items, mut last, mut drifted) = (Vec::new(), deeds.closed.clone(), Vec::new());
    let mut back = Vec::new();
    for Deed { change, answer, .. } in deeds.changes.iter().rev() {
        let Some(undo) = change.undo(answer) else {
            last.push(change.operation.clone());
            continue;
        };
        let drift = drift(shared, job, change).await;
        let is_back = drift.as_ref().is_some_and(|drift| drift["back"] == true);
        drifted.extend(drift);
        if is_back {
            back.push(change.operation.clone());
        } else {
            items.push(undo);
        }
    }
    let unsure: Vec<String> = deeds.unsure.into_iter().map(|(_, operation)| operation).collect();
    if items.is_empty() {
        let message = nothing(args, &back, &last, &unsure);
        return JobOutcome::failed(StepError::permanent("nothing_to_undo", message));
    }
    let asked: Vec<_> = deeds.asked.into_iter().map(|(_, rules)| rules).collect();
    let rules = match asked.is_empty() {
        true => ApprovalOptions::default().rules(),
        false => together(&asked),
    };
    let (approvers, quorum) = match rules.as_slice() {
        [rule] if rule.why.is_none() => (json!(rule.of), Some(rule.count)),
        rules => (json!(rules), None),
    };
    JobOutcome::done(Json::of(&json!({
        "plan": Plan { purpose: Purpose::Undo, items },
        "drifted": drifted,
        "final": last,
        "unsure": unsure,
        "approvers": approvers,
        "quorum": quorum,
    })))
}

/// Why there is nothing to take back.
fn nothing(args: &UndoPlanArgs, back: &[String], last: &[String], unsure: &[String]) -> String {
    let what = match &args.step {
        Some(step) => format!("the step {step} of {}", args.run),
        None => args.run.to_string(),
    };
    match (last, unsure) {
        _ if !back.is_empty() => {
            format!("{} of {what} is as it was before already", back.join(", "))
        }
        ([], []) => format!("{what} changed nothing"),
        ([], unsure) => format!(
            "{what} changed nothing for sure, but look yourself at what failed or is in doubt: {}",
            unsure.join(", ")
        ),
        (last, _) => {
            format!("nothing that {what} changed can be undone: {} is FINAL", last.join(", "))
        }
    }
}

/// The deeds of a run and of every run that it started, by time; or those of one step. What is sealed
/// in them is handed over to the run that undoes.
async fn all_deeds(
    shared: &Arc<Shared>,
    job: &Job,
    args: &UndoPlanArgs,
) -> Result<Deeds, StoreError> {
    let (mut all, mut runs, mut read) = (Deeds::default(), vec![args.run], 0);
    while let Some(run) = runs.get(read).copied() {
        read += 1;
        let entries = journal_of(shared, run).await?;
        let one = match &args.step {
            Some(step) => deeds(&entries).only(step),
            None => deeds(&entries),
        };
        for deed in one.changes {
            let operation = deed.change.operation.clone();
            match handed_over(shared, deed, (run, job.run)) {
                Ok(deed) => all.changes.push(deed),
                Err(why) => all.closed.push(format!("{operation} ({})", why.told())),
            }
        }
        all.unsure.extend(one.unsure);
        runs.extend(one.children.into_iter().map(|(_, child)| child));
        all.asked.extend(one.asked);
    }
    all.changes.sort_by_key(|deed| deed.at);
    Ok(all)
}

fn handed_over(shared: &Shared, deed: Deed, between: (RunId, RunId)) -> Result<Deed, Unsealable> {
    let hand_over = |value| shared.seals.hand_over(&shared.world, value, between);
    let change = json!(deed.change);
    let change = match sealed::is_in(&change) {
        true => serde_json::from_value(hand_over(change)?).map_err(|_| Unsealable::Changed)?,
        false => deed.change,
    };
    Ok(Deed { change, answer: hand_over(deed.answer)?, ..deed })
}

/// Reads what a run did out of its journal. A change whose outcome a person decided counts as
/// they said.
fn deeds(entries: &[Entry]) -> Deeds {
    let mut heads: BTreeMap<&StepKey, &Head> = BTreeMap::new();
    let mut deeds = Deeds::default();
    let mut open: BTreeSet<&StepKey> = BTreeSet::new();
    for Entry { at, event, .. } in entries {
        if let (Some(key), Some(head)) = (event.step(), event.head()) {
            heads.insert(key, head);
        }
        let Some(key) = event.step() else { continue };
        let Some(head) = heads.get(key) else { continue };
        match (event, head.verb) {
            (Event::StepScheduled(_), Verb::Change) => drop(open.insert(key)),
            (Event::StepScheduled(begun), Verb::RunPlaybook) => {
                let child = begun.waits_for.as_ref().and_then(|id| id.parse::<RunId>().ok());
                deeds.children.extend(child.map(|child| (key.clone(), child)));
            }
            (Event::StepSucceeded(done), Verb::Change) => {
                open.remove(key);
                let answer = done.result.value();
                let made = change_of(head).filter(|_| !is_would_call(&answer));
                deeds.changes.extend(made.map(|ChangeArgs { change, plan, item }| {
                    let key = key.clone();
                    Deed { at: *at, key, change, of: (plan, item), answer }
                }));
            }
            // Whoever was asked and did not say yes allowed nothing of it.
            (Event::StepSucceeded(done), Verb::Approval)
                if done.result.value().get("outcome").is_some_and(|said| said == "approved") =>
            {
                let args = head.args.read::<ApprovalArgs>().ok();
                let asked = args.map(|args| args.options);
                let asked = asked.and_then(|o| Some((o.plan.as_ref()?.digest(), o.rules())));
                deeds.asked.extend(asked);
            }
            _ => {}
        }
    }
    let of = |key: &StepKey| Some((key.clone(), change_of(heads.get(key)?)?.change.operation));
    deeds.unsure = open.into_iter().filter_map(of).collect();
    deeds
}

fn change_of(head: &Head) -> Option<ChangeArgs> {
    head.args.read::<ChangeArgs>().ok()
}

/// What stands differently than the run left it. What can't be looked at counts as drifted.
async fn drift(shared: &Arc<Shared>, job: &Job, change: &Change) -> Option<Value> {
    // What was only a step on the way is not expected to stand.
    let probe = change.probe.as_ref().filter(|_| !change.settles)?;
    match look(shared, job, probe).await {
        JobOutcome::Done { result, .. } => {
            let seen = result.value();
            if seen.get("passes") == Some(&Value::Bool(true)) {
                return None;
            }
            Some(json!({
                "operation": change.operation, "seen": seen.get("value"),
                "before": change.before.as_ref().map(|before| &before.state),
                "back": is_back(shared, job, change).await,
            }))
        }
        JobOutcome::Failed { error, .. } => {
            Some(json!({"operation": change.operation, "error": error.to_string(), "back": false}))
        }
        _ => None,
    }
}
