//! Legal holds: while one is on an incident, retention moves and deletes nothing of it. Where evidence
//! lies in a bucket that has locks, its objects are held there, too (`upkeep.rs`).

use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_core::custody::CustodyAction;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::limits;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::custody::{self, NewRecord};
use stanch_engine_store::holds::{self, Hold};
use stanch_engine_store::{StoreError, Tx, incidents};

use crate::first_act;
use crate::incident_work::WorkError;
use crate::runs::Person;
use crate::runtime::Runtime;

/// Lays a hold on an incident, whatever its status.
///
/// # Errors
/// [`WorkError::Conflict`] when one is on it already.
pub async fn hold(runtime: &Runtime, id: IncidentId, person: Person) -> Result<Hold, WorkError> {
    is_short(&person.reason)?;
    let at = runtime.world().now();
    let hold = Arc::new(Hold { incident: id, reason: person.reason, by: person.name, at });
    let laid = runtime.store().write(move |tx| {
        let hold = hold.clone();
        Box::pin(async move {
            if incidents::get(tx, id).await?.is_none() {
                return Ok(Err(WorkError::NotFound(id)));
            }
            if let Some(before) = holds::get(tx, id).await? {
                let Hold { at, by, reason, .. } = before;
                let why = format!("{by} laid a hold on {id} at {at} already: {reason}");
                return Ok(Err(WorkError::Conflict(why)));
            }
            first_act::mark(tx, id, &hold.by, hold.at).await?;
            lay(tx, &hold, json!({"reason": hold.reason})).await?;
            Ok(Ok(Hold::clone(&hold)))
        })
    });
    let laid = laid.await?;
    runtime.shared.holding.notify_one();
    laid
}

async fn lay(tx: &mut Tx<'_>, hold: &Hold, detail: Value) -> Result<(), StoreError> {
    holds::lay(tx, hold).await?;
    tell(tx, (hold.incident, hold.at), &hold.by, CustodyAction::Held, detail).await
}

/// Lifts the hold of an incident.
///
/// # Errors
/// [`WorkError::Conflict`] when none is on it.
pub async fn release(runtime: &Runtime, id: IncidentId, person: Person) -> Result<(), WorkError> {
    is_short(&person.reason)?;
    let (now, person) = (runtime.world().now(), Arc::new(person));
    let lifted = runtime.store().write(move |tx| {
        let person = person.clone();
        Box::pin(async move {
            if incidents::get(tx, id).await?.is_none() {
                return Ok(Err(WorkError::NotFound(id)));
            }
            let Some(hold) = holds::get(tx, id).await? else {
                return Ok(Err(WorkError::Conflict(format!("there is no hold on {id}"))));
            };
            holds::lift(tx, id).await?;
            first_act::mark(tx, id, &person.name, now).await?;
            let detail = json!({"reason": person.reason, "held_by": hold.by, "held_at": hold.at});
            tell(tx, (id, now), &person.name, CustodyAction::Released, detail).await?;
            Ok(Ok(()))
        })
    });
    let lifted = lifted.await?;
    runtime.shared.holding.notify_one();
    lifted
}

/// What goes on in another incident is held there, too.
///
/// # Errors
/// [`StoreError`] of the database.
pub(crate) async fn follow(
    tx: &mut Tx<'_>,
    from: IncidentId,
    into: IncidentId,
    (by, at): (&str, Timestamp),
) -> Result<(), StoreError> {
    let Some(before) = holds::get(tx, from).await? else { return Ok(()) };
    if holds::get(tx, into).await?.is_some() {
        return Ok(());
    }
    let hold = Hold { incident: into, reason: before.reason, by: by.to_owned(), at };
    let detail = json!({"reason": hold.reason, "from": from, "held_by": before.by});
    lay(tx, &hold, detail).await
}

fn is_short(reason: &str) -> Result<(), WorkError> {
    if reason.chars().count() > limits::REASON_CHARS {
        let why = format!("what is said has more than {} characters", limits::REASON_CHARS);
        return Err(WorkError::BadRequest(why));
    }
    Ok(())
}

async fn tell(
    tx: &mut Tx<'_>,
    (incident, at): (IncidentId, Timestamp),
    by: &str,
    action: CustodyAction,
    detail: Value,
) -> Result<(), StoreError> {
    let record = NewRecord { incident, at, actor: by.to_owned(), action, item: None, detail };
    custody::append(tx, &record).await.map(drop)
}
