//! The first thing that a person does about an incident: whoever does it took the incident, and KPIs count
//! from then on.

use stanch_engine_core::id::IncidentId;
use stanch_engine_core::incident::Milestone;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::{StoreError, Tx, incidents, milestones};

use crate::runtime::Runtime;

/// A person has done something about an incident: it is their first action where none came before.
///
/// # Errors
/// [`StoreError`] of the database.
pub(crate) async fn mark(
    tx: &mut Tx<'_>,
    incident: IncidentId,
    person: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    incidents::taken_up(tx, incident, person).await?;
    milestones::mark_alone(tx, incident, Milestone::AcknowledgedAt, now, person).await.map(drop)
}

/// The same, beside what was done already: that holds, whether or not this can be written.
pub(crate) async fn mark_after(runtime: &Runtime, incident: IncidentId, person: String) {
    let now = runtime.world().now();
    let marked = runtime.store().write(move |tx| {
        let person = person.clone();
        Box::pin(async move { mark(tx, incident, &person, now).await })
    });
    if let Err(error) = marked.await {
        tracing::warn!(%incident, %error, "who acted first is not written down");
    }
}
