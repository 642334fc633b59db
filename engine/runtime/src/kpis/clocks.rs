//! Where the time of incidents went, and what their automatic changes came to: read from the
//! journals of their runs, once all of these have ended.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use stanch_engine_core::command::{ExecuteArgs, ItemOutcome, Verb};
use stanch_engine_core::id::{IncidentId, RunId};
use stanch_engine_core::journal::{Entry, Event, Head};
use stanch_engine_core::kpi::Known;
use stanch_engine_core::plan::Purpose;
use stanch_engine_core::step::StepKey;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::kpis::reading::{self, Found};
use stanch_engine_store::{StoreError, journal, runs};

use crate::retention::{is_archived, journal_of};
use crate::shared::Shared;

/// Kinds of entries that begin or end a step.
const STEPS: &[&str] =
    &["step_gated", "step_scheduled", "step_retried", "step_succeeded", "step_failed"];

/// What is known of incidents.
pub(super) async fn known(
    shared: &Arc<Shared>,
    ids: &[IncidentId],
) -> Result<BTreeMap<IncidentId, Found>, StoreError> {
    let ids: Arc<[IncidentId]> = ids.into();
    let mut all =
        shared.store.read(|conn| Box::pin(async move { reading::known(conn, &ids).await })).await?;
    for (id, found) in &mut all {
        let runs = &found.known.clocks.runs;
        if runs.is_empty() || runs.iter().any(|(_, end)| end.is_none()) {
            continue;
        }
        let id = *id;
        let approved =
            shared.store.read(|conn| Box::pin(reading::approved_plans(conn, id))).await?;
        match entries_of(shared, id).await {
            Ok(entries) => tell(&mut found.known, entries, &approved),
            Err(error) => {
                tracing::error!(%id, %error, "journals can't be read: the incident has no clocks");
                found.known.clocks.runs.clear();
            }
        }
    }
    Ok(all)
}

/// The entries of an incident's runs, those of journals that were archived among them.
async fn entries_of(
    shared: &Arc<Shared>,
    id: IncidentId,
) -> Result<Vec<(RunId, Entry)>, StoreError> {
    let mut entries =
        shared.store.read(|conn| Box::pin(journal::of_incident(conn, id, STEPS))).await?;
    let runs = shared.store.read(|conn| Box::pin(runs::of_incident(conn, id))).await?;
    for run in runs.iter().filter(|run| is_archived(run)).map(|run| run.id) {
        let archived = journal_of(shared, run).await?;
        entries.retain(|(of, _)| *of != run);
        entries.extend(archived.into_iter().map(|entry| (run, entry)));
    }
    Ok(entries)
}

/// Adds what the journals tell.
fn tell(known: &mut Known, entries: Vec<(RunId, Entry)>, approved: &BTreeSet<(RunId, String)>) {
    let mut steps: HashMap<(RunId, StepKey), (Head, Option<Timestamp>)> = HashMap::new();
    for (run, entry) in entries {
        let Some(key) = entry.event.step().cloned() else { continue };
        let place = (run, key);
        if let Some(head) = entry.event.head() {
            steps.entry(place.clone()).or_insert_with(|| (head.clone(), None));
        }
        let Some((head, begun_at)) = steps.get_mut(&place) else { continue };
        match &entry.event {
            Event::StepScheduled(_) => *begun_at = begun_at.or(Some(entry.at)),
            Event::StepSucceeded(_) | Event::StepFailed(_) => {
                let lasted = (begun_at.take().unwrap_or(entry.at), Some(entry.at));
                match head.verb {
                    Verb::Action | Verb::Change | Verb::Probe | Verb::Collect => {
                        known.clocks.calls.push(lasted);
                    }
                    Verb::Sleep | Verb::WaitSignal => known.clocks.rests.push(lasted),
                    Verb::Verify => of_plan(known, run, head, approved),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

/// Counts the changes of a plan that nobody approved.
fn of_plan(known: &mut Known, run: RunId, head: &Head, approved: &BTreeSet<(RunId, String)>) {
    let Ok(ExecuteArgs { plan, outcomes }) = head.args.read() else { return };
    let is_approved = approved.contains(&(run, plan.digest().to_string()));
    if is_approved || matches!(plan.purpose, Purpose::Undo | Purpose::Inform) {
        return;
    }
    for outcome in outcomes {
        match outcome {
            ItemOutcome::WouldCall | ItemOutcome::NotAttempted => {}
            ItemOutcome::Effective => {
                known.automatic_attempted += 1;
                known.automatic_effective += 1;
            }
            ItemOutcome::NotEffective | ItemOutcome::Unverified | ItemOutcome::Failed => {
                known.automatic_attempted += 1;
            }
        }
    }
}
