//! The story beside the chain, as far as the chain says the same: the records of the audit log are
//! whole and in order, and what was asked, answered and kept is what records say.

use serde_json::Value;
use stanch_engine_core::audit;
use stanch_engine_core::chain::{Walked, walk_some};
use stanch_engine_core::custody::Record;

use super::scan::Scanned;
use super::{APPROVALS, AUDIT, EVIDENCE, Fault, approvals, evidence};

/// Holds what is in a bundle beside the chain against it. `told` are the texts beside the records.
pub(super) fn compare(
    files: &Scanned,
    walked: &[Walked<Record>],
    told: &[Value],
) -> Result<(), Fault> {
    walk_some::<audit::Record>(files.optional(AUDIT)?.lines()).map_err(Fault::Audit)?;
    if let Some(asked) = list(files, APPROVALS)? {
        approvals::compare(&asked, walked, told)?;
    }
    if let Some(items) = list(files, EVIDENCE)? {
        evidence::compare(&items, walked, told)?;
    }
    Ok(())
}

/// What a file lists, if it is there.
fn list(files: &Scanned, path: &str) -> Result<Option<Vec<Value>>, Fault> {
    let text = files.optional(path)?;
    if text.is_empty() {
        return Ok(None);
    }
    let unread = |_| Fault::File { path: path.to_owned(), what: "can't be read: it was changed" };
    serde_json::from_str(text).map(Some).map_err(unread)
}
