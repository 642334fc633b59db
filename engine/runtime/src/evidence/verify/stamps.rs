//! What an authority has stamped with its time: each stamp is about an end that the chain once had, and
//! is worth what the verifier's own authorities make of it.

use serde::Serialize;
use stanch_engine_core::chain::Walked;
use stanch_engine_core::custody::Record;
use stanch_engine_core::ledger::Entry;
use stanch_engine_core::time::Timestamp;

use super::anchors;
use super::signers::Signers;
use super::{Fault, STAMPS, Statement};
use crate::evidence::stamps::{Authorities, Line, proved};

/// The last end of a chain that was stamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stamped {
    /// How many records were there.
    pub records: u64,
    /// When, by the authority.
    pub at: Timestamp,
}

/// Holds the stamps against the chain and, where the verifier brought some, against authorities. Gives
/// the last of those that were proved.
pub(super) fn compare(
    text: &str,
    authorities: Option<&Authorities>,
    walked: &[Walked<Record>],
    statement: &Statement,
    signers: &Signers,
) -> Result<Option<Stamped>, Fault> {
    let (mut ends, mut last) = (String::new(), None::<Stamped>);
    for (at, line) in text.lines().enumerate() {
        let unread = || Fault::Anchor { path: STAMPS, line: at + 1, what: "can't be read" };
        let line: Line = serde_json::from_str(line).map_err(|_| unread())?;
        let (nonce, token) = line.token().ok_or_else(unread)?;
        let entry: Entry = serde_json::from_str(&line.statement).map_err(|_| unread())?;
        let end = entry.checkpoint.filter(|end| end.incident == statement.incident);
        let end = end.ok_or_else(unread)?;
        ends.push_str(&serde_json::to_string(&line.entry()).unwrap_or_default());
        ends.push('\n');
        let Some(authorities) = authorities else { continue };
        let proved = proved(&token, line.statement.as_bytes(), Some(&nonce), authorities);
        let time = proved.map_err(|why| Fault::Stamp { line: at + 1, why })?;
        if last.is_none_or(|last| last.records <= end.chain.count) {
            last = Some(Stamped { records: end.chain.count, at: time });
        }
    }
    anchors::compare((STAMPS, ends.as_str()), walked, statement, signers)?;
    Ok(last)
}
