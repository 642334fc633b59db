//! The plan that takes back what a run did: its changes in reverse, each by its inverse, after a
//! look whether they still stand as the run left them. What is back already is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_core::approval::{ApprovalOptions, Rule, together};
use stanch_engine_core::command::{ApprovalArgs, ChangeArgs, Verb};
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
    unsure: Vec<String>,
    /// The rules of each question about a plan that people said yes to.
    asked: Vec<Vec<Rule>>,
    children: Vec<RunId>,
    /// Changes whose secrets do not open, and why.
    closed: Vec<String>,
}

/// A change that was made.
struct Deed {
    at: Timestamp,
    change: Change,
    /// What AWS answered.
    answer: Value,
}

pub(super) async fn plan(shared: &Arc<Shared>, job: &Job, run: RunId) -> JobOutcome {
    let deeds = match all_deeds(shared, job, run).await {
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
    if items.is_empty() {
        let message = match (last.as_slice(), deeds.unsure.as_slice()) {
            _ if !back.is_empty() => {
                format!("{} of {run} is as it was before already", back.join(", "))
            }
            ([], []) => format!("{run} changed nothing"),
            ([], unsure) => format!(
                "{run} changed nothing for sure, but look yourself at what failed or is in doubt: {}",
                unsure.join(", ")
            ),
            (last, _) => {
                format!("nothing that {run} changed can be undone: {} is FINAL", last.join(", "))
            }
        };
        return JobOutcome::failed(StepError::permanent("nothing_to_undo", message));
    }
    let rules = match deeds.asked.is_empty() {
        true => ApprovalOptions::default().rules(),
        false => together(&deeds.asked),
    };
    let (approvers, quorum) = match rules.as_slice() {
        [rule] if rule.why.is_none() => (json!(rule.of), Some(rule.count)),
        rules => (json!(rules), None),
    };
    JobOutcome::done(Json::of(&json!({
        "plan": Plan { purpose: Purpose::Undo, items },
        "drifted": drifted,
        "final": last,
        "unsure": deeds.unsure,
        "approvers": approvers,
        "quorum": quorum,
    })))
}

/// The deeds of a run and of every run that it started, by time. What is sealed in them is handed
/// over to the run that undoes.
async fn all_deeds(shared: &Arc<Shared>, job: &Job, run: RunId) -> Result<Deeds, StoreError> {
    let mut all = Deeds { children: vec![run], ..Deeds::default() };
    let mut read = 0;
    while let Some(run) = all.children.get(read).copied() {
        read += 1;
        let entries = journal_of(shared, run).await?;
        let one = deeds(&entries);
        for deed in one.changes {
            let operation = deed.change.operation.clone();
            match handed_over(shared, deed, (run, job.run)) {
                Ok(deed) => all.changes.push(deed),
                Err(why) => all.closed.push(format!("{operation} ({})", why.told())),
            }
        }
        all.unsure.extend(one.unsure);
        all.children.extend(one.children);
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
                deeds.children.extend(child);
            }
            (Event::StepSucceeded(done), Verb::Change) => {
                open.remove(key);
                let answer = done.result.value();
                let change = change_of(head).filter(|_| !is_would_call(&answer));
                deeds.changes.extend(change.map(|change| Deed { at: *at, change, answer }));
            }
            // Whoever was asked and did not say yes allowed nothing of it.
            (Event::StepSucceeded(done), Verb::Approval)
                if done.result.value().get("outcome").is_some_and(|said| said == "approved") =>
            {
                let args = head.args.read::<ApprovalArgs>().ok();
                let asked = args.map(|args| args.options).filter(|o| o.plan.is_some());
                deeds.asked.extend(asked.map(|options| options.rules()));
            }
            _ => {}
        }
    }
    let unsure = open.into_iter().filter_map(|key| change_of(heads.get(key)?));
    deeds.unsure = unsure.map(|change| change.operation).collect();
    deeds
}

fn change_of(head: &Head) -> Option<Change> {
    head.args.read::<ChangeArgs>().ok().map(|args| args.change)
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
