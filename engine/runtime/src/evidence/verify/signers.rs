//! Whose signatures count: the keys that the verifier brought, and those that they handed over to.

use ed25519_dalek::VerifyingKey;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::ledger::{Entry, Signed};

use super::{Fault, HANDOVERS};
use crate::evidence::keys::{fingerprint, is_signed, read_public};

/// Keys whose signatures count, by their fingerprints; none when the verifier brought none, and then
/// no signature is checked.
pub(super) struct Signers(Vec<(Sha256, VerifyingKey)>);

/// What a signature is worth.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    Right,
    Wrong,
    /// It is of a key that nobody brought.
    Unknown,
}

impl Signers {
    /// The keys that were brought, and those of the bundle that they handed over to, one after the
    /// other.
    pub(super) fn of(brought: &[&str], handovers: &str) -> Result<Self, Fault> {
        let keys = brought.iter().map(|pem| read_public(pem).map_err(Fault::Key));
        let named = |key: Result<VerifyingKey, Fault>| key.map(|key| (fingerprint(&key), key));
        let mut signers = Self(keys.map(named).collect::<Result<_, _>>()?);
        for (at, line) in handovers.lines().enumerate() {
            let changed = || Fault::File {
                path: HANDOVERS.to_owned(),
                what: "can't be read: it was changed",
            };
            let signed: Signed = serde_json::from_str(line).map_err(|_| changed())?;
            let entry: Entry = serde_json::from_str(&signed.statement).map_err(|_| changed())?;
            let to = entry.handover.as_ref().ok_or_else(changed)?;
            match signers.worth(entry.key, &signed) {
                Worth::Unknown => {}
                Worth::Wrong => return Err(Fault::Handover { line: at + 1 }),
                Worth::Right => {
                    let key = read_public(&to.to).map_err(|_| changed())?;
                    signers.0.push((fingerprint(&key), key));
                }
            }
        }
        Ok(signers)
    }

    /// Whether a text is signed by any of the keys.
    pub(super) fn is_signed(&self, text: &str, signature: &str) -> bool {
        let signed = |(_, key): &(_, VerifyingKey)| is_signed(key, text.as_bytes(), signature);
        self.0.is_empty() || self.0.iter().any(signed)
    }

    /// What the signature of an entry is worth that names its key.
    pub(super) fn worth(&self, key: Sha256, signed: &Signed) -> Worth {
        match self.0.iter().find(|(own, _)| *own == key) {
            None => Worth::Unknown,
            Some((_, key)) if is_signed(key, signed.statement.as_bytes(), &signed.signature) => {
                Worth::Right
            }
            Some(_) => Worth::Wrong,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
