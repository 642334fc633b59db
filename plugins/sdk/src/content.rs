//! Content: the bytes of a call, or of its answer, that never become JSON.

use bytes::Bytes;

use crate::{ActionError, BoxFuture};

/// Takes content in, piece by piece, as it comes.
pub trait Sink: Send {
    /// Takes the next piece. Whoever gives it waits until it is taken, so that what comes faster than
    /// it is kept does not fill the memory.
    ///
    /// # Errors
    /// When it can't be kept; no more is given then.
    fn take(&mut self, piece: Bytes) -> BoxFuture<'_, Result<(), ActionError>>;
}

/// Content that is meant to fit into memory.
impl Sink for Vec<u8> {
    fn take(&mut self, piece: Bytes) -> BoxFuture<'_, Result<(), ActionError>> {
        self.extend_from_slice(&piece);
        Box::pin(std::future::ready(Ok(())))
    }
}
