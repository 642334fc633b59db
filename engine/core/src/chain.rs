//! Chains of records: each names its place and the hash of the one before it.
//!
//! A record's hash is the SHA-256 of its bytes as they are stored and exported, so that a verifier
//! needs no rule of canonicalisation. Custody records and the audit log are chains.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256;

/// A record of a chain.
pub trait Link: Serialize + DeserializeOwned {
    /// Its place, from 0 and without gaps.
    fn seq(&self) -> u64;

    /// The hash of the record before it; 64 zeros for the first.
    fn prev(&self) -> Sha256;

    /// Its bytes and their hash.
    fn seal(&self) -> Sealed {
        let body = serde_json::to_string(self).unwrap_or_default();
        let hash = Sha256::of(&body);
        Sealed { body, hash }
    }
}

/// A record as it is stored: its bytes and their hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The record in JSON.
    pub body: String,
    /// The SHA-256 of `body`.
    pub hash: Sha256,
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
    /// The text beside a record is not what it was.
    #[error("the detail of record {seq} {what}")]
    Detail {
        /// The record's place.
        seq: u64,
        /// What is wrong with it.
        what: &'static str,
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

/// A record of a chain that was walked.
#[derive(Clone, Debug, PartialEq)]
pub struct Walked<R> {
    /// The record.
    pub record: R,
    /// The hash of its bytes.
    pub hash: Sha256,
}

/// Walks a chain of records as they are stored and compares its end with what was signed. `fits` says
/// why a record that can be read is none of this chain.
///
/// # Errors
/// [`ChainFault`] names the first record that was changed, removed, added or reordered.
pub fn walk<'a, R: Link>(
    bodies: impl IntoIterator<Item = &'a str>,
    signed: Head,
    fits: impl Fn(&R) -> Result<(), &'static str>,
) -> Result<Vec<Walked<R>>, ChainFault> {
    let mut head = Head::EMPTY;
    let mut records = Vec::new();
    for body in bodies {
        let seq = head.count;
        let record: R = read(body, seq)?;
        fits(&record).map_err(|why| ChainFault::Changed { seq, why: why.to_owned() })?;
        if record.seq() != seq {
            return Err(ChainFault::OutOfOrder { seq, found: record.seq() });
        }
        follows(&record, head.hash)?;
        let hash = Sha256::of(body);
        head = Head { count: seq + 1, hash };
        records.push(Walked { record, hash });
    }
    if head.count != signed.count {
        return Err(ChainFault::Length { found: head.count, signed: signed.count });
    }
    if head.hash != signed.hash {
        return Err(ChainFault::Head { seq: head.count.saturating_sub(1) });
    }
    Ok(records)
}

/// Walks some records of a chain, in its order: those beside each other name each other.
///
/// # Errors
/// [`ChainFault`] names the first record that was changed, or is not in its place.
pub fn walk_some<'a, R: Link>(
    bodies: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Walked<R>>, ChainFault> {
    let (mut next, mut hash) = (0, Sha256::ZERO);
    let mut records = Vec::new();
    for body in bodies {
        let record: R = read(body, next)?;
        let seq = record.seq();
        if seq < next {
            return Err(ChainFault::OutOfOrder { seq: next, found: seq });
        }
        if seq == next {
            follows(&record, hash)?;
        }
        (next, hash) = (seq + 1, Sha256::of(body));
        records.push(Walked { record, hash });
    }
    Ok(records)
}

fn read<R: Link>(body: &str, seq: u64) -> Result<R, ChainFault> {
    serde_json::from_str(body)
        .map_err(|error| ChainFault::Changed { seq, why: format!("it can't be read: {error}") })
}

/// Whether a record names the hash of the one before it.
fn follows(record: &impl Link, prev: Sha256) -> Result<(), ChainFault> {
    if record.prev() == prev {
        return Ok(());
    }
    let seq = record.seq();
    let why = format!("record {seq} names another hash for it");
    Err(ChainFault::Changed { seq: seq.saturating_sub(1), why })
}
