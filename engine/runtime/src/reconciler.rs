//! Compares what detectors list with the alerts that came. What never came is taken as if it had:
//! EventBridge gives up after a day of trying, and a rule that somebody deleted tells nobody.

mod lists;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::StreamExt as _;
use serde_json::Value;
use stanch_engine_core::reconcile::{Outcome, Reconcile, Target};
use stanch_engine_core::step::ErrorKind;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::reconciliations::{self, Ended, Reconciliation};
use stanch_engine_store::{StoreError, alerts};
use stanch_plugins_sdk::ActionError;
use tokio::sync::watch;

use crate::intake::{Hand, Taking, about};
use crate::runtime::Runtime;
use crate::shared::Shared;

/// The longest pause between two looks at what is due.
const LOOK_MS: i64 = 60_000;

/// Lists that are gone through at once.
const AT_ONCE: usize = 4;

/// Why a list was not seen to its end.
#[derive(Debug, thiserror::Error)]
enum Cut {
    /// The detector is not switched on there.
    #[error("{0}")]
    Off(String),
    /// AWS.
    #[error(transparent)]
    Aws(#[from] ActionError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Every list that is compared, as far as it was; also those that wait for their first look.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn standing(
    runtime: &Runtime,
) -> Result<Vec<(Target, Option<Reconciliation>)>, StoreError> {
    let Some(plan) = &runtime.settings().reconcile else { return Ok(Vec::new()) };
    let mut known = known(&runtime.shared).await?;
    Ok(plan.targets().into_iter().map(|target| (target.clone(), known.remove(&target))).collect())
}

/// Has this node compare every list now. False when none is configured.
pub fn now(runtime: &Runtime) -> bool {
    let is_on = runtime.settings().reconcile.is_some();
    runtime.shared.is_reconcile_asked.store(is_on, Ordering::Relaxed);
    runtime.shared.reconciling.notify_one();
    is_on
}

async fn known(shared: &Shared) -> Result<BTreeMap<Target, Reconciliation>, StoreError> {
    let rows = shared.store.read(|conn| Box::pin(reconciliations::list(conn))).await?;
    Ok(rows.into_iter().map(|row| (row.target.clone(), row)).collect())
}

/// Compares what is due, until it is told to stop.
pub(crate) async fn work(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let Some(plan) = shared.settings.reconcile.clone() else { return };
    while !*stop.borrow() {
        let next = tokio::select! {
            next = round(&shared, &plan) => next,
            _ = stop.changed() => return,
        };
        let next = next.unwrap_or_else(|error| {
            tracing::warn!(%error, "findings can't be compared");
            shared.world.now().plus_ms(LOOK_MS)
        });
        tokio::select! {
            () = shared.world.clock.sleep_until(next) => {}
            () = shared.reconciling.notified() => {}
            _ = stop.changed() => {}
        }
    }
}

/// Compares every list that is due, and says when to look again.
async fn round(shared: &Arc<Shared>, plan: &Reconcile) -> Result<Timestamp, StoreError> {
    let is_asked = shared.is_reconcile_asked.swap(false, Ordering::Relaxed);
    let known = known(shared).await?;
    let now = shared.world.now();
    let mut next = now.plus_ms(LOOK_MS);
    let mut due = Vec::new();
    for target in plan.targets() {
        let row = known.get(&target);
        let due_at = row.map(|row| row.checked_at.plus_ms(plan.every.ms));
        match due_at.filter(|at| *at > now && !is_asked) {
            Some(at) => next = next.min(at),
            None => {
                let (seen, until) = (row.map(|r| r.checked_at), row.and_then(|r| r.complete_until));
                due.push((target, seen, until));
            }
        }
    }
    let looks = due.into_iter().map(|(target, seen, until)| async move {
        if let Err(error) = look(shared, plan, &target, (seen, until)).await {
            tracing::warn!(%target, %error, "findings can't be compared");
        }
    });
    futures_util::stream::iter(looks).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    Ok(next)
}

/// Goes through one list. `seen` is when a look last began, and until when all was compared.
async fn look(
    shared: &Arc<Shared>,
    plan: &Reconcile,
    target: &Target,
    (seen, complete_until): (Option<Timestamp>, Option<Timestamp>),
) -> Result<(), StoreError> {
    let now = shared.world.now();
    let of = target.clone();
    let begun = shared.store.write(move |tx| {
        let of = of.clone();
        Box::pin(async move { reconciliations::begin(tx, &of, seen, now).await })
    });
    if !begun.await? {
        return Ok(());
    }
    let (from, to) = plan.window(complete_until, now);
    let mut listed = 0;
    let went = lists::go_through(shared, plan, target, (from, to), &mut listed).await;
    let (outcome, error) = match went {
        Ok(()) => (Outcome::Complete, None),
        Err(cut) => (outcome_of(&cut), Some(cut.to_string())),
    };
    if let Some(error) = &error {
        tracing::warn!(%target, error, "a detector's findings could not be compared");
    }
    let complete_until = (outcome == Outcome::Complete).then_some(to);
    let ended = Arc::new((target.clone(), Ended { outcome, error, complete_until, listed }));
    let end = shared.store.write(move |tx| {
        let ended = ended.clone();
        Box::pin(async move { reconciliations::end(tx, &ended.0, &ended.1).await })
    });
    end.await
}

fn outcome_of(cut: &Cut) -> Outcome {
    match cut {
        Cut::Off(_) => Outcome::Off,
        Cut::Aws(error) => match error.kind {
            ErrorKind::Denied => Outcome::Denied,
            ErrorKind::Throttle => Outcome::Throttled,
            _ => Outcome::Failed,
        },
        Cut::Store(_) => Outcome::Failed,
    }
}

/// Takes what never came, and later versions that did not. What is there already, by whatever way
/// and however shortly before, is left alone: it is looked at in the transaction that would take it.
async fn take(
    shared: &Arc<Shared>,
    target: &Target,
    findings: Vec<Value>,
) -> Result<(), StoreError> {
    let mut read = Vec::new();
    for finding in findings {
        match shared.catalogue.read(target.source.as_str(), &without_nulls(finding)) {
            Ok(reading) => {
                if !reading.refused.is_empty() {
                    let why = crate::intake::reasons(&reading.refused);
                    tracing::warn!(%target, why, "a finding of a detector's list can't be read");
                }
                read.extend(reading.alerts);
            }
            Err(why) => tracing::error!(%target, why, "no source reads a detector's list"),
        }
    }
    let about = about(shared, &read);
    let parts = Arc::new((shared.clone(), target.clone(), read));
    let taken = shared.store.write_beside(&about, move |tx| {
        let parts = parts.clone();
        Box::pin(async move {
            let (shared, target, read) = &*parts;
            let taking = Taking::begin(tx, shared, Hand::Reconciler).await?;
            let (mut missed, mut updated) = (0, 0);
            for alert in read {
                match alerts::find(tx, &alert.dedup_key).await? {
                    None => missed += 1,
                    Some(it) if alert.is_newer_than(&it.version, taking.now) => updated += 1,
                    Some(_) => continue,
                }
                taking.take_one(tx, alert).await?;
            }
            reconciliations::count(tx, target, missed, updated).await?;
            Ok(missed + updated)
        })
    });
    if taken.await? > 0 {
        shared.nudge();
    }
    Ok(())
}

/// Answers have every member that there could be; alerts are read from what is there.
pub(crate) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name, without_nulls(value)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}
