//! People who leave: their tokens are no good any more, and what they said and was not done yet
//! does not count.

use serde_json::json;
use stanch_engine_core::id::{ApprovalId, ContainmentId};
use stanch_engine_store::StoreError;
use stanch_engine_store::people::{self, Disabled};
use stanch_engine_store::{absences, custody, handovers, vouched};

use crate::containments;
use crate::runtime::Runtime;

/// What disabling a person has taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenBack {
    /// How many tokens.
    pub tokens: u64,
    /// The approvals in which a yes of theirs counts no more.
    pub approvals: Vec<ApprovalId>,
    /// How many absences and hand-overs, of theirs and to them.
    pub entrusted: u64,
    /// What they owned of what was contained: it is `role:responder`'s now.
    pub containments: Vec<ContainmentId>,
}

/// Disables a person: no token of theirs is good from now on, whenever it was made, and their yes
/// counts no more in what was not carried out yet. Nothing when they were disabled before.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn disable(
    runtime: &Runtime,
    name: &str,
    by: &str,
    reason: &str,
) -> Result<Option<TakenBack>, StoreError> {
    let who = Disabled {
        name: name.to_owned(),
        at: runtime.world().now(),
        by: by.to_owned(),
        reason: reason.to_owned(),
    };
    runtime
        .store()
        .write(move |tx| {
            let who = who.clone();
            Box::pin(async move {
                if !people::disable(tx, &who).await? {
                    return Ok(None);
                }
                let tokens = people::revoke_tokens(tx, &who.name, who.at).await?;
                vouched::forget(tx, &who.name).await?;
                let absences = absences::end_all(tx, &who.name, who.at).await?;
                let entrusted = absences + handovers::end_all(tx, &who.name).await?;
                let mut approvals = Vec::new();
                for (approval, incident) in people::revoke_decisions(tx, &who.name, who.at).await? {
                    approvals.push(approval);
                    let Some(incident) = incident else { continue };
                    let detail = json!({
                        "approval": approval, "decision": "revoked", "of": who.name,
                        "reason": format!("{} was disabled: {}", who.name, who.reason),
                    });
                    custody::decided(tx, incident, (&who.by, who.at), detail).await?;
                }
                let containments = containments::disown(tx, &who).await?;
                Ok(Some(TakenBack { tokens, approvals, entrusted, containments }))
            })
        })
        .await
}

/// Lets a person call again, with tokens that are made from now on. What was taken back stays so.
/// False when nobody of this name was disabled.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn enable(runtime: &Runtime, name: &str) -> Result<bool, StoreError> {
    let name = name.to_owned();
    runtime
        .store()
        .write(move |tx| {
            let name = name.clone();
            Box::pin(async move { people::enable(tx, &name).await })
        })
        .await
}
