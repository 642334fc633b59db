//! Secrets that a sender shows: kept as hashes, compared in constant time, several at once while
//! they are rotated.

use stanch_engine_core::digest::Sha256;
use subtle::ConstantTimeEq as _;

/// The hashes of the secrets that are right.
#[derive(Clone)]
pub struct Secrets(Vec<Sha256>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// Of the secrets themselves.
    pub fn new<T: AsRef<[u8]>>(secrets: impl IntoIterator<Item = T>) -> Self {
        Self(secrets.into_iter().map(Sha256::of).collect())
    }

    /// Whether one of them was shown. It takes as long whichever it is.
    pub(super) fn hold(&self, shown: impl AsRef<[u8]>) -> bool {
        let shown = Sha256::of(shown);
        let hits = self.0.iter().map(|known| known.bytes().ct_eq(shown.bytes()));
        hits.fold(subtle::Choice::from(0), |any, hit| any | hit).into()
    }
}
