//! What was laid down outside, held against the chain: a database that was restored, or replaced,
//! and went on in another way shows here.

use stanch_engine_core::chain::Walked;
use stanch_engine_core::custody::Record;
use stanch_engine_core::ledger::{Checkpoint, Entry, Signed};
use stanch_engine_core::time::Timestamp;

use super::signers::{Signers, Worth};
use super::{ANCHORS, Fault, STAMPS, Statement};

/// Compares the chain with the ends that it once had, and gives how many of its records the last of
/// them vouches for. Entries about other incidents, and about keys, are passed over.
pub(super) fn compare(
    (path, text): (&'static str, &str),
    walked: &[Walked<Record>],
    statement: &Statement,
    signers: &Signers,
) -> Result<u64, Fault> {
    let mut ends = ends((path, text), statement, signers)?;
    ends.sort_by_key(|(checkpoint, _)| checkpoint.chain.count);
    let mut same = 0;
    for (Checkpoint { chain, .. }, at) in ends {
        let Some(seq) = chain.count.checked_sub(1) else { continue };
        let record = usize::try_from(seq).ok().and_then(|seq| walked.get(seq));
        let Some(record) = record else {
            return Err(Fault::Short { seq: walked.len() as u64, count: chain.count, at });
        };
        if record.hash != chain.hash {
            let same = u64::checked_sub(same, 1);
            return Err(Fault::Forked { seq, at, same });
        }
        same = chain.count;
    }
    Ok(same)
}

/// The ends that entries name, with their times; each is signed by a key that counts.
fn ends(
    (path, text): (&'static str, &str),
    statement: &Statement,
    signers: &Signers,
) -> Result<Vec<(Checkpoint, Timestamp)>, Fault> {
    let mut ends = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let fault = |what| Fault::Anchor { path, line: at + 1, what };
        let unread = || fault("can't be read");
        let signed: Signed = serde_json::from_str(line).map_err(|_| unread())?;
        let entry: Entry = serde_json::from_str(&signed.statement).map_err(|_| unread())?;
        let Some(checkpoint) = entry.checkpoint else { continue };
        if checkpoint.incident != statement.incident {
            continue;
        }
        match signers.worth(entry.key, &signed) {
            // What is in the bundle, whoever signs that has vouched for.
            Worth::Unknown if signers.is_empty() || [ANCHORS, STAMPS].contains(&path) => {}
            Worth::Unknown => return Err(fault("is signed by a key that was not brought")),
            Worth::Wrong => {
                return Err(fault("is not signed by the key that it names, or was changed"));
            }
            Worth::Right => {}
        }
        ends.push((checkpoint, entry.at));
    }
    Ok(ends)
}
