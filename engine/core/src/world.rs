//! Where time and randomness come from: passed in, everywhere.

use std::sync::Arc;

use crate::time::{Clock, Timestamp};

/// Where random numbers come from.
pub trait Entropy: Send + Sync + 'static {
    /// 128 bits that nobody can guess.
    fn next(&self) -> u128;
}

/// The clock and the dice that a part of the engine is given.
#[derive(Clone)]
pub struct World {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The dice.
    pub entropy: Arc<dyn Entropy>,
}

impl World {
    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A new id, by its constructor: `world.id(RunId::new)`.
    pub fn id<T>(&self, new: impl FnOnce(Timestamp, u128) -> T) -> T {
        new(self.now(), self.entropy.next())
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}
