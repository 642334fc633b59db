//! The plan that takes back what a run did: its changes in reverse, each by its inverse, after a
//! look whether they still stand as the run left them.

use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_core::approval::ApprovalOptions;
use stanch_engine_core::command::{ApprovalArgs, ChangeArgs, Verb};
use stanch_engine_core::id::RunId;
use stanch_engine_core::journal::{Entry, Event, Head};
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;
use stanch_engine_core::plan::{Change, Plan, Purpose};
use stanch_engine_core::step::{ErrorKind, StepError, StepKey};
use stanch_engine_store::journal;

use super::look::look;
use crate::job::{Job, JobOutcome};
use crate::shared::Shared;

/// What a run changed, and how it asked.
#[derive(Default)]
struct Deeds {
    changes: Vec<Change>,
    asked: Option<ApprovalOptions>,
}

pub(super) async fn plan(shared: &Arc<Shared>, job: &Job, run: RunId) -> JobOutcome {
    let load = shared
        .store
        .read(|conn| Box::pin(journal::load(conn, run, 0, limits::STEPS_PER_RUN * 4)))
        .await;
    let entries = match load {
        Ok(entries) => entries,
        Err(error) => {
            let (kind, code) = (ErrorKind::Transient, "store".to_owned());
            return JobOutcome::failed(StepError { kind, code, message: error.to_string() });
        }
    };
    let deeds = deeds(&entries);
    let (mut items, mut last, mut drifted) = (Vec::new(), Vec::new(), Vec::new());
    for change in deeds.changes.iter().rev() {
        match change.undo() {
            Some(undo) => {
                drifted.extend(drift(shared, job, change).await);
                items.push(undo);
            }
            None => last.push(change.operation.clone()),
        }
    }
    if items.is_empty() {
        let message = match last.as_slice() {
            [] => format!("{run} changed nothing"),
            last => {
                format!("nothing that {run} changed can be undone: {} is FINAL", last.join(", "))
            }
        };
        return JobOutcome::failed(StepError::permanent("nothing_to_undo", message));
    }
    let asked = deeds.asked.unwrap_or_default();
    JobOutcome::done(Json::of(&json!({
        "plan": Plan { purpose: Purpose::Undo, items },
        "drifted": drifted,
        "final": last,
        "approvers": asked.approvers(),
        "quorum": asked.quorum(),
    })))
}

/// Reads what a run did out of its journal. A change whose outcome a person decided counts as
/// they said.
fn deeds(entries: &[Entry]) -> Deeds {
    let mut heads: Vec<(StepKey, Head)> = Vec::new();
    let mut deeds = Deeds::default();
    for event in entries.iter().map(|entry| &entry.event) {
        if let (Some(key), Some(head)) = (event.step(), event.head()) {
            heads.push((key.clone(), head.clone()));
        }
        let Event::StepSucceeded(done) = event else { continue };
        let Some((_, head)) = heads.iter().rev().find(|(key, _)| *key == done.key) else {
            continue;
        };
        match head.verb {
            Verb::Change if done.result.value().get("would_call").is_none() => {
                deeds.changes.extend(head.args.read::<ChangeArgs>().ok().map(|args| args.change));
            }
            Verb::Approval => {
                let args = head.args.read::<ApprovalArgs>().ok();
                deeds.asked =
                    args.map(|args| args.options).filter(|o| o.plan.is_some()).or(deeds.asked);
            }
            _ => {}
        }
    }
    deeds
}

/// What stands differently than the run left it. What can't be looked at counts as drifted.
async fn drift(shared: &Arc<Shared>, job: &Job, change: &Change) -> Option<Value> {
    let probe = change.probe.as_ref()?;
    match look(shared, job, probe).await {
        JobOutcome::Done { result, .. } => {
            let seen = result.value();
            let holds = seen.get("passes") == Some(&Value::Bool(true));
            (!holds).then(|| json!({"operation": change.operation, "seen": seen.get("value")}))
        }
        JobOutcome::Failed { error, .. } => {
            Some(json!({"operation": change.operation, "error": error.to_string()}))
        }
        _ => None,
    }
}
