//! The story beside the chain, as far as the chain says the same: the records of the audit log are
//! whole and in order, and each decision is in a record.

use serde_json::Value;
use stanch_engine_core::audit;
use stanch_engine_core::chain::{Walked, walk_some};
use stanch_engine_core::custody::{CustodyAction, Record};

use super::scan::Scanned;
use super::{APPROVALS, AUDIT, Fault};

/// What makes two decisions the same one.
const SAME: [&str; 4] = ["person", "answer", "reason", "at"];

/// Holds what is in a bundle beside the chain against it. `told` are the texts beside the records.
pub(super) fn compare(
    files: &Scanned,
    walked: &[Walked<Record>],
    told: &[Value],
) -> Result<(), Fault> {
    walk_some::<audit::Record>(files.optional(AUDIT)?.lines()).map_err(Fault::Audit)?;
    let text = files.optional(APPROVALS)?;
    if text.is_empty() {
        return Ok(());
    }
    let unread =
        |_| Fault::File { path: APPROVALS.to_owned(), what: "can't be read: it was changed" };
    let approvals: Vec<Value> = serde_json::from_str(text).map_err(unread)?;
    for approval in &approvals {
        let decisions = approval.get("decisions").and_then(Value::as_array);
        for decision in decisions.into_iter().flatten() {
            let is_it = |(record, detail): (&Walked<Record>, &Value)| {
                record.record.action == CustodyAction::Decided
                    && detail.get("approval") == approval.get("id")
                    && detail.get("decision").is_some_and(|said| is_same(said, decision))
            };
            if !walked.iter().zip(told).any(is_it) {
                let text = |of: &Value, member: &str| {
                    of.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
                };
                let (person, approval) = (text(decision, "person"), text(approval, "id"));
                return Err(Fault::Decision { person, approval });
            }
        }
    }
    Ok(())
}

fn is_same(said: &Value, decision: &Value) -> bool {
    SAME.iter().all(|member| said.get(member) == decision.get(member))
}
