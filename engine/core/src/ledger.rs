//! The ledger of an installation: what its evidence key has signed over all incidents, each entry
//! naming the hash of the one before it. There are two kinds: the end of an incident's chain, to be
//! laid down outside, and the handing over to another key.

use serde::{Deserialize, Serialize};

use crate::chain::Head;
use crate::digest::Sha256;
use crate::id::IncidentId;
use crate::time::Timestamp;

/// The version of the format.
pub const FORMAT: u32 = 1;

/// An entry. Its bytes in JSON are what is signed, and what the next one has the hash of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// [`FORMAT`].
    pub format: u32,
    /// Its place, from 0 and without gaps.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// The hash of the entry before it; 64 zeros for the first.
    pub prev: Sha256,
    /// The fingerprint of the key that signs it: the SHA-256 of its SubjectPublicKeyInfo.
    pub key: Sha256,
    /// The end of an incident's chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
    /// The key that signs from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handover: Option<Handover>,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The end that an incident's chain has.
    Checkpoint(Checkpoint),
    /// Another key signs from now on.
    Handover(Handover),
}

impl Entry {
    /// The entry after the last one, which `key` is to sign.
    pub fn after(head: Head, at: Timestamp, key: Sha256, what: What) -> Self {
        let (checkpoint, handover) = match what {
            What::Checkpoint(checkpoint) => (Some(checkpoint), None),
            What::Handover(handover) => (None, Some(handover)),
        };
        Self { format: FORMAT, seq: head.count, at, prev: head.hash, key, checkpoint, handover }
    }

    /// Its text, which is signed.
    pub fn statement(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The end of the ledger with it.
    pub fn head(&self) -> Head {
        Head { count: self.seq + 1, hash: Sha256::of(self.statement()) }
    }
}

/// The end that an incident's chain had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The incident.
    pub incident: IncidentId,
    /// How many records its chain had, and the hash of the last one.
    pub chain: Head,
}

/// A key hands over to another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handover {
    /// The other public key, in PEM.
    pub to: String,
    /// Who wanted it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// An entry with its signature, as it is laid down outside and in bundles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// The text of the [`Entry`].
    pub statement: String,
    /// The Ed25519 signature over the text's bytes, in hexadecimal digits.
    pub signature: String,
    /// Where and when it was laid down outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchored: Option<Anchored>,
}

/// Where and when an entry was laid down outside of the installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchored {
    /// When.
    pub at: Timestamp,
    /// Where.
    #[serde(rename = "in")]
    pub place: String,
}
