//! The real world: the machine's clock and its randomness. Nobody else reads them.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use stanch_engine_core::time::{Clock, Timestamp};
use stanch_engine_core::world::{Entropy, World};

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let micros = since.map_or(0, |since| since.as_micros());
        Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one sleeper")]
    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let micros = at.micros().saturating_sub(self.now().micros());
        let pause = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
        Box::pin(tokio::time::sleep(pause))
    }
}

/// The machine's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// A machine without randomness can't make ids or secrets: it stops here.
    #[expect(clippy::expect_used, reason = "nothing can go on without randomness")]
    fn next(&self) -> u128 {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the machine gives randomness");
        u128::from_be_bytes(bytes)
    }
}

/// The real world.
pub fn world() -> World {
    World { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) }
}
