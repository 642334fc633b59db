//! What a chain said at an earlier end. Rows say what holds now: what only later records tell of is left
//! out of a bundle of that end, and everything else is shown as the rows have it, be it right or wrong.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stanch_engine_core::custody::CustodyAction;
use stanch_engine_core::custody::answers::{Answers, Said, approval_of, person_of};
use stanch_engine_core::id::{EvidenceId, IncidentId};
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::{StoreError, custody};

use crate::runtime::Runtime;

/// What records tell of rows.
#[derive(Default)]
pub(super) struct Then {
    /// Approvals that are named.
    named: BTreeSet<String>,
    /// What was said until then.
    answers: Answers,
    /// Whatever was said, or held of what had been said, after that.
    later: Vec<Said>,
    /// Items of evidence that were captured, and whether until then.
    captured: BTreeMap<String, bool>,
    /// Those that retention deleted, and whether until then.
    deleted: BTreeMap<String, bool>,
}

impl Then {
    /// Of the end that a chain had when it had so many records. It is read after the rows that it is to
    /// be held against: what they have of later is in the chain by then.
    pub(super) async fn of(
        runtime: &Runtime,
        incident: IncidentId,
        count: u64,
    ) -> Result<Self, StoreError> {
        let store = runtime.store();
        let rows = store.read(|conn| Box::pin(custody::records(conn, incident, u64::MAX))).await?;
        let (mut then, mut answers) = (Self::default(), Answers::default());
        for (place, row) in (0_u64..).zip(&rows) {
            let Some((record, detail)) = row.read() else { continue };
            then.note(record.action, &detail, place < count);
            answers.hear(&record, &detail);
            let Some(approval) = approval_of(&record, &detail) else { continue };
            if place < count {
                then.named.insert(approval.to_owned());
                then.answers.clone_from(&answers);
            } else {
                then.later.extend_from_slice(answers.all());
            }
        }
        Ok(then)
    }

    fn note(&mut self, action: CustodyAction, detail: &Value, is_then: bool) {
        let Some(id) = detail.get("evidence").and_then(Value::as_str) else { return };
        match action {
            CustodyAction::Captured => self.captured.insert(id.to_owned(), is_then),
            CustodyAction::DeletedByRetention => self.deleted.insert(id.to_owned(), is_then),
            _ => None,
        };
    }

    /// Whether an item of evidence is not one that was captured later only.
    pub(super) fn has(&self, id: EvidenceId) -> bool {
        self.captured.get(&id.to_string()) != Some(&false)
    }

    /// When an item was deleted, unless it was later.
    pub(super) fn deleted_at(&self, id: EvidenceId, row: Option<Timestamp>) -> Option<Timestamp> {
        row.filter(|_| self.deleted.get(&id.to_string()) != Some(&false))
    }

    /// Whether a record of then names an approval.
    pub(super) fn names(&self, approval: &str) -> bool {
        self.named.contains(approval)
    }

    /// A decision as it was then; nothing when it was not there yet.
    pub(super) fn decision(&self, approval: &str, row: Value) -> Option<Value> {
        let was = self.answers.find(approval, person_of(&row)).map(|said| &said.decision);
        let is_later = |said: &Said| said.approval == approval && said.decision == row;
        match was {
            Some(was) if *was == row => Some(row),
            was if self.later.iter().any(is_later) => was.cloned(),
            _ => Some(row),
        }
    }
}
