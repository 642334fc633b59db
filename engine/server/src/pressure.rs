//! Back-pressure: a node takes no more alerts at once than its memory bears. What comes beyond is
//! told to come back, before a byte of it is read.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use stanch_engine_core::limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::{Handled, Refusal};

/// A permit stands for so many bytes.
const UNIT: usize = 1_024;

/// How much is on its way in.
#[derive(Clone)]
pub(crate) struct Pressure(Arc<Semaphore>);

impl Default for Pressure {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(limits::INTAKE_BYTES / UNIT)))
    }
}

impl Pressure {
    /// Lets a request in whose body has at most `most` bytes, until what comes back is dropped.
    pub(crate) fn admit(&self, headers: &HeaderMap, most: usize) -> Handled<OwnedSemaphorePermit> {
        let length =
            headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        // Who does not say how much comes may send as much as is allowed, and so may who packs it.
        let length = length.filter(|_| !headers.contains_key(CONTENT_ENCODING));
        let bytes = length
            .unwrap_or(most)
            .clamp(limits::INTAKE_LEAST_BYTES, most.max(limits::INTAKE_LEAST_BYTES));
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        Arc::clone(&self.0).try_acquire_many_owned(units).map_err(|_| {
            let detail = "more alerts are on their way than are taken at once; send it again";
            Refusal::too_many(detail, limits::RETRY_AFTER_S)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_full_by_bytes_and_by_number_and_free_again_afterwards() {
        let pressure = Pressure::default();
        let mut large = HeaderMap::new();
        large.insert(CONTENT_LENGTH, (1 << 20).into());
        let held: Vec<_> = (0..32).map(|_| pressure.admit(&large, 1 << 20).unwrap()).collect();
        assert!(pressure.admit(&large, 1 << 20).is_err());
        drop(held);
        // One that says nothing of its length counts as the largest.
        let held: Vec<_> =
            (0..32).map(|_| pressure.admit(&HeaderMap::new(), 1 << 20).unwrap()).collect();
        assert!(pressure.admit(&large, 1 << 20).is_err());
        drop(held);
        // Nor does the length of what is packed say how much it is.
        let mut packed = HeaderMap::new();
        packed.insert(CONTENT_LENGTH, 2.into());
        packed.insert(CONTENT_ENCODING, axum::http::HeaderValue::from_static("gzip"));
        let held: Vec<_> = (0..32).map(|_| pressure.admit(&packed, 1 << 20).unwrap()).collect();
        assert!(pressure.admit(&large, 1 << 20).is_err());
        drop(held);
        let mut small = HeaderMap::new();
        small.insert(CONTENT_LENGTH, 2.into());
        let held: Vec<_> = (0..8_192).map(|_| pressure.admit(&small, 1 << 20).unwrap()).collect();
        assert!(pressure.admit(&small, 1 << 20).is_err());
        drop(held);
    }
}
