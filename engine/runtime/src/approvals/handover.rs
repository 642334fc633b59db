//! An open approval is handed from one person to another.

use std::sync::Arc;

use serde_json::json;
use stanch_engine_core::approval::Handed;
use stanch_engine_core::id::ApprovalId;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::{StoreError, Tx, handovers, pages};

use super::hearing::Heard;
use super::{DecideError, standing};
use crate::everybody;
use crate::people::Caller;
use crate::runtime::Runtime;
use crate::shared::Shared;

/// Hands an open approval that the caller is asked to another person, who is told; or hands it back
/// to whoever handed it to the caller.
///
/// # Errors
/// [`DecideError`] when it is not theirs to give, or the other can't take it.
pub async fn hand_over(
    runtime: &Runtime,
    id: ApprovalId,
    caller: &Caller,
    (to, reason): (&str, &str),
) -> Result<(), DecideError> {
    if reason.trim().is_empty() {
        return Err(DecideError::BadRequest("it needs a reason".to_owned()));
    }
    let now = runtime.world().now();
    let parts = (runtime.shared.clone(), caller.clone(), to.to_owned(), reason.to_owned());
    let parts = Arc::new(parts);
    let done = runtime.store().write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move {
            let (shared, caller, to, reason) = &*parts;
            give(tx, shared, (id, caller), (to, reason), now).await
        })
    });
    done.await.unwrap_or_else(|error| Err(DecideError::Store(error.to_string())))?;
    runtime.shared.paging.notify_one();
    Ok(())
}

async fn give(
    tx: &mut Tx<'_>,
    shared: &Shared,
    (id, caller): (ApprovalId, &Caller),
    (to, reason): (&str, &str),
    now: Timestamp,
) -> Result<Result<(), DecideError>, StoreError> {
    let approval = match standing::find_open(tx, id, now).await? {
        Ok(approval) => approval,
        Err(error) => return Ok(Err(error)),
    };
    if !everybody::named(tx, &shared.settings, now).await?.contains_key(to) {
        return Ok(Err(DecideError::BadRequest(everybody::nobody(to))));
    }
    let heard = Heard::of(tx, shared, &approval, &caller.name, now).await?;
    match heard.hand_over(&approval, (&caller.name, &caller.roles), to) {
        Ok(Handed::Over(given)) => handovers::insert(tx, id, &given, (reason, now)).await?,
        Ok(Handed::Back) => handovers::back(tx, id, to).await?,
        Err(error) => return Ok(Err(error)),
    }
    let message = format!(
        "{} hands you `{}`: {reason}. Look: `stanch approvals show {id}`. It is a no at {:.0}.",
        caller.name, approval.title, approval.expires_at
    );
    let key = format!("handover/{id}/{to}/{now}");
    let mut page = shared.page(key, vec![to.to_owned()], "approval", message);
    (page.incident, page.run) = (approval.incident, Some(approval.run));
    pages::raise(tx, &page).await?;
    let said = json!({"decision": "handed_over", "into": to, "reason": reason});
    standing::note(tx, &approval, (caller, now), said).await?;
    Ok(Ok(()))
}
