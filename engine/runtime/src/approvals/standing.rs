//! Whether an approval still waits, and what people did about one that does beside deciding it.

use serde_json::{Value, json};
use stanch_engine_core::approval::ApprovalStatus;
use stanch_engine_core::id::ApprovalId;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::approvals::{self, Approval};
use stanch_engine_store::{StoreError, Tx, custody};

use super::DecideError;
use crate::first_act;
use crate::people::Caller;

/// An approval that waits for people.
pub(super) async fn find_open(
    tx: &mut Tx<'_>,
    id: ApprovalId,
    now: Timestamp,
) -> Result<Result<Approval, DecideError>, StoreError> {
    let Some(approval) = approvals::hold(tx, id).await? else {
        return Ok(Err(DecideError::NotFound(id)));
    };
    Ok(is_open(&approval, now).map(|()| approval))
}

/// Whether it waits for people.
pub(super) fn is_open(approval: &Approval, now: Timestamp) -> Result<(), DecideError> {
    if approval.status != ApprovalStatus::Pending {
        return Err(DecideError::TooLate(approval.status));
    }
    if now >= approval.expires_at {
        return Err(DecideError::TooLate(ApprovalStatus::Expired));
    }
    Ok(())
}

/// Puts what a caller did into the custody chain of the incident, where there is one.
pub(super) async fn note(
    tx: &mut Tx<'_>,
    approval: &Approval,
    (caller, now): (&Caller, Timestamp),
    said: Value,
) -> Result<(), StoreError> {
    let Some(incident) = approval.incident else { return Ok(()) };
    let mut detail = json!({
        "approval": approval.id, "title": approval.title, "plan": approval.plan_digest,
        "from": caller.from,
    });
    if let (Value::Object(detail), Value::Object(said)) = (&mut detail, said) {
        detail.extend(said);
    }
    first_act::mark(tx, incident, &caller.name, now).await?;
    custody::decided(tx, incident, (&caller.name, now), detail).await
}
