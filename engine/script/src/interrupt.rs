//! A way to stop a script that does not come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that a script looks at between any two of its operations.
///
/// The limits in [`stanch_engine_core::limits`] count operations; one operation on a large value
/// can take long. Whoever runs scripts watches the time and raises this flag.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks the script that runs now to stop.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Lets the next script run.
    pub fn lower(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether it is raised.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
