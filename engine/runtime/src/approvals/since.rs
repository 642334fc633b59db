//! What came after a question was asked, and which other questions are like it.

use stanch_engine_core::approval::ApprovalStatus;
use stanch_engine_core::id::ApprovalId;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::StoreError;
use stanch_engine_store::alerts::{self, StoredAlert};
use stanch_engine_store::approvals::{self, Approval};
use stanch_engine_store::evidence::{self, Item};

use crate::runtime::Runtime;

/// Questions that are read at a time.
const ROWS: u32 = 200;

/// What came to an incident after people were asked, and before they had decided.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Since {
    /// Items of evidence.
    pub evidence: Vec<Item>,
    /// Alerts, and alerts that came again.
    pub alerts: Vec<StoredAlert>,
}

/// What came after a question was asked. A decision is about what there was then.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn since(runtime: &Runtime, approval: &Approval) -> Result<Since, StoreError> {
    let Some(incident) = approval.incident else { return Ok(Since::default()) };
    let is_new = |at: Timestamp| {
        at > approval.requested_at && approval.decided_at.is_none_or(|decided| at <= decided)
    };
    let items = runtime.store().read(|c| Box::pin(evidence::of_incident(c, incident))).await?;
    let found = runtime.store().read(|c| Box::pin(alerts::of_incident(c, incident))).await?;
    Ok(Since {
        evidence: items.into_iter().filter(|item| is_new(item.captured_at)).collect(),
        alerts: found.into_iter().filter(|alert| is_new(alert.last_received_at)).collect(),
    })
}

/// The open questions that are the same but for what exactly they are about: of the same playbook,
/// to the same people, with the same form, about a plan of the same operations.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn alike(runtime: &Runtime, to: &Approval) -> Result<Vec<Approval>, StoreError> {
    let (mut found, mut before): (Vec<Approval>, Option<ApprovalId>) = (Vec::new(), None);
    loop {
        let pending = Some(ApprovalStatus::Pending);
        let page = runtime.store().read(|c| Box::pin(approvals::list(c, before, pending, ROWS)));
        let rows = page.await?;
        let Some(last) = rows.last() else { break };
        before = Some(last.id);
        found.extend(rows.into_iter().filter(|one| is_like(one, to)));
    }
    found.reverse();
    Ok(found)
}

fn is_like(one: &Approval, other: &Approval) -> bool {
    let playbook = |it: &Approval| it.card.value().get("playbook").cloned();
    let operations = |it: &Approval| {
        let items = it.plan.iter().flat_map(|plan| &plan.items);
        items.map(|item| item.operation.clone()).collect::<Vec<_>>()
    };
    let asked = |it: &Approval| {
        it.rules.iter().map(|rule| (rule.of.clone(), rule.count)).collect::<Vec<_>>()
    };
    one.form == other.form
        && asked(one) == asked(other)
        && playbook(one) == playbook(other)
        && operations(one) == operations(other)
}
