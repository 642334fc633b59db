//! Who sent a payload, where the payload itself is what proves it.

use stanch_engine_core::time::Timestamp;

use crate::BoxFuture;

/// Proves who sent a payload by what stands in it.
pub trait Verifier: Send + Sync + 'static {
    /// Checks a body, and does what the sender asks of the receiver alone, such as to confirm a
    /// subscription.
    fn verify<'a>(
        &'a self,
        body: &'a [u8],
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Verified, Denied>>;
}

/// What a body that was proven is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    /// A payload, to be read.
    Payload,
    /// What was asked of the receiver, and was done: in words.
    Done(String),
    /// The sender says that it sends no more: in words.
    Ended(String),
}

/// Why a body was not proven.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It is not from whom it says.
    #[error("{0}")]
    Forged(String),
    /// It can't be found out now; it is to be sent again.
    #[error("{0}")]
    Unavailable(String),
}

/// Gets what lies at an address that was checked before. It follows no redirect.
pub trait Fetch: Send + Sync + 'static {
    /// At most `most` bytes of what is there.
    fn get<'a>(&'a self, url: &'a str, most: usize) -> BoxFuture<'a, Result<Vec<u8>, String>>;
}
