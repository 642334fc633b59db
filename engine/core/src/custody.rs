//! The custody chain of an incident: each record names the hash of the one before it.
//!
//! A record's hash is the SHA-256 of the record's bytes as they are stored and exported, so that
//! a verifier needs no rule of canonicalisation.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Sha256;
use crate::id::IncidentId;
use crate::time::Timestamp;

/// One event of custody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The incident whose chain it is in.
    pub incident: IncidentId,
    /// Its place in the chain, from 0 and without gaps.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who: a run and step, or a person.
    pub actor: String,
    /// What was done.
    pub action: CustodyAction,
    /// To what: the hash of an item, if it is about one.
    pub item: Option<Sha256>,
    /// Why, and how: labels, requests, tool and version, caveats.
    pub detail: Value,
    /// The hash of the record before it; 64 zeros for the first.
    pub prev: Sha256,
}

/// What can be done to evidence, or be a part of its story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustodyAction {
    /// An alert was received; the item is its payload.
    Received,
    /// An item was captured.
    Captured,
    /// An item was to be captured and was not.
    CaptureFailed,
    /// An item was read by a person.
    Accessed,
    /// A person decided something.
    Decided,
    /// A change was made in an account.
    Changed,
    /// A change was sent, and it failed: AWS refused it, or a person says that it did not happen.
    ChangeFailed,
    /// A guard rail refused a change: it was not sent.
    ChangeRefused,
    /// Nobody knows whether a change was made.
    ChangeDoubted,
    /// The chain and its items left in a bundle.
    Exported,
    /// The database was restored from a backup: what came after it is in another chain.
    Restored,
}

/// A record as it is stored: its bytes and their hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The record in JSON.
    pub body: String,
    /// The SHA-256 of `body`.
    pub hash: Sha256,
}

impl Record {
    /// The record's bytes and their hash.
    pub fn seal(&self) -> Sealed {
        let body = serde_json::to_string(self).unwrap_or_default();
        let hash = Sha256::of(&body);
        Sealed { body, hash }
    }
}

/// The end of a chain: the next record's `seq` and `prev`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// How many records there are.
    pub count: u64,
    /// The hash of the last one; zeros when there is none.
    pub hash: Sha256,
}

impl Head {
    /// The head of a chain without records.
    pub const EMPTY: Self = Self { count: 0, hash: Sha256::ZERO };

    /// The head after one more record.
    #[must_use]
    pub fn after(self, sealed: &Sealed) -> Self {
        Self { count: self.count + 1, hash: sealed.hash }
    }
}

/// The first thing that is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    /// A record is not what was sealed.
    #[error("record {seq} was changed: {why}")]
    Changed {
        /// Its place.
        seq: u64,
        /// How that shows.
        why: String,
    },
    /// A record is missing or stands in the wrong place.
    #[error("record {seq} is missing or out of order: record {found} stands in its place")]
    OutOfOrder {
        /// The place.
        seq: u64,
        /// The number of the record that stands there.
        found: u64,
    },
    /// Records at the end are missing, or were added.
    #[error("the chain has {found} records, and {signed} were signed: {}", end_of_chain(*.found, *.signed))]
    Length {
        /// How many there are.
        found: u64,
        /// How many the signed checkpoint says there are.
        signed: u64,
    },
    /// The last record is not the one that was signed.
    #[error("record {seq}, the last one, is not the one that was signed")]
    Head {
        /// Its place.
        seq: u64,
    },
}

fn end_of_chain(found: u64, signed: u64) -> String {
    if found < signed {
        format!("record {found} is the first that is missing")
    } else {
        format!("record {signed} is the first that was added")
    }
}

/// Walks a chain of records as they are stored and compares its end with what was signed.
///
/// # Errors
/// [`ChainFault`] names the first record that was changed, removed, added or reordered.
pub fn verify_chain<'a>(
    bodies: impl IntoIterator<Item = &'a str>,
    signed: Head,
) -> Result<Vec<Record>, ChainFault> {
    let mut head = Head::EMPTY;
    let mut records = Vec::new();
    for body in bodies {
        let seq = head.count;
        let record: Record = serde_json::from_str(body).map_err(|error| ChainFault::Changed {
            seq,
            why: format!("it can't be read: {error}"),
        })?;
        if record.seq != seq {
            return Err(ChainFault::OutOfOrder { seq, found: record.seq });
        }
        if record.prev != head.hash {
            let changed = seq.saturating_sub(1);
            let why = format!("record {seq} names another hash for it");
            return Err(ChainFault::Changed { seq: changed, why });
        }
        head = head.after(&Sealed { body: String::new(), hash: Sha256::of(body) });
        records.push(record);
    }
    if head.count != signed.count {
        return Err(ChainFault::Length { found: head.count, signed: signed.count });
    }
    if head.hash != signed.hash {
        return Err(ChainFault::Head { seq: head.count.saturating_sub(1) });
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn chain(n: u64) -> (Vec<String>, Head) {
        let incident = IncidentId::new(Timestamp::from_micros(1), 1);
        let mut head = Head::EMPTY;
        let mut bodies = Vec::new();
        for seq in 0..n {
            let record = Record {
                incident,
                seq,
                at: Timestamp::from_micros(i64::try_from(seq).unwrap()),
                actor: "run".into(),
                action: CustodyAction::Captured,
                item: Some(Sha256::of(seq.to_be_bytes())),
                detail: json!({"label": seq}),
                prev: head.hash,
            };
            let sealed = record.seal();
            head = head.after(&sealed);
            bodies.push(sealed.body);
        }
        (bodies, head)
    }

    fn fault(bodies: &[String], head: Head) -> ChainFault {
        verify_chain(bodies.iter().map(String::as_str), head).unwrap_err()
    }

    #[test]
    fn a_whole_chain_verifies() {
        let (bodies, head) = chain(5);
        assert_eq!(verify_chain(bodies.iter().map(String::as_str), head).unwrap().len(), 5);
    }

    #[test]
    fn a_changed_record_is_named_wherever_it_stands() {
        for at in 0..5 {
            let (mut bodies, head) = chain(5);
            bodies[at] = bodies[at].replace("captured", "accessed");
            match fault(&bodies, head) {
                ChainFault::Changed { seq, .. } | ChainFault::Head { seq } => {
                    assert_eq!(seq, at as u64);
                }
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn a_removed_record_is_named_wherever_it_stood_the_last_one_included() {
        for at in 0..5 {
            let (mut bodies, head) = chain(5);
            bodies.remove(at);
            let error = fault(&bodies, head);
            assert!(error.to_string().contains(&format!("record {at}")), "{error}");
        }
    }

    #[test]
    fn records_in_the_wrong_order_are_named() {
        let (mut bodies, head) = chain(5);
        bodies.swap(2, 3);
        assert_eq!(fault(&bodies, head), ChainFault::OutOfOrder { seq: 2, found: 3 });
    }

    #[test]
    fn an_added_record_is_named() {
        let (bodies, _) = chain(6);
        let (_, head) = chain(5);
        assert_eq!(fault(&bodies, head), ChainFault::Length { found: 6, signed: 5 });
    }
}
