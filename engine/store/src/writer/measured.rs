//! What the writer measures of its own work.

use std::time::Instant;

use stanch_engine_core::metric::{Histogram, SIZES, Unit};

use super::batch::Batch;

/// Transactions that were committed.
#[derive(Debug)]
pub struct Written {
    /// How many parts shared each of them.
    pub parts: Histogram,
    /// How long each took.
    pub took: Histogram,
}

impl Default for Written {
    fn default() -> Self {
        Self { parts: Histogram::new(Unit::Count, SIZES), took: Histogram::of_durations() }
    }
}

impl Written {
    /// A batch was committed.
    pub(super) fn committed(&self, batch: &Batch, began: Instant) {
        self.parts.observe((batch.appends.len() + batch.units.len()) as u64);
        self.took.took(began.elapsed());
    }
}
