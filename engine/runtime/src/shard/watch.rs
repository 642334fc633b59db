//! Watches how long a script computes, and stops one that does not come back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stanch_engine_script::Interrupt;

/// How long a script may compute between two steps. A usual turn takes less than a millisecond.
const LONGEST: Duration = Duration::from_secs(5);

/// What a shard says of itself, and the flag that stops its script.
#[derive(Clone)]
pub(crate) struct Watch {
    interrupt: Interrupt,
    origin: Instant,
    /// Milliseconds since `origin` at which the script began, plus one; 0 when none runs.
    since: Arc<AtomicU64>,
}

impl Default for Watch {
    fn default() -> Self {
        let (interrupt, since) = Default::default();
        Self { interrupt, origin: Instant::now(), since }
    }
}

impl Watch {
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Runs a script under watch.
    ///
    /// # Errors
    /// In words, when it panics: that is a fault in Stanch, which must not take the other runs of
    /// the thread with it. What the body worked on is then to be thrown away.
    pub(crate) fn during<T>(&self, body: impl FnOnce() -> T) -> Result<T, String> {
        self.interrupt.lower();
        self.since.store(self.elapsed_ms().saturating_add(1), Ordering::Relaxed);
        let result = catch_unwind(AssertUnwindSafe(body));
        self.since.store(0, Ordering::Relaxed);
        result.map_err(|panic| {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no word");
            format!("Stanch failed over it, which is a fault in Stanch: {said}")
        })
    }

    /// Stops the script if it has computed for too long. Called now and then from elsewhere.
    pub(crate) fn look(&self) {
        let since = self.since.load(Ordering::Relaxed);
        let longest = u64::try_from(LONGEST.as_millis()).unwrap_or(u64::MAX);
        if since != 0 && self.elapsed_ms().saturating_sub(since - 1) > longest {
            self.interrupt.raise();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_what_it_is_in_and_nothing_else() {
        let watch = Watch::default();
        let why = watch.during(|| -> u8 { panic!("a fault of number {}", 7) }).unwrap_err();
        assert!(why.contains("a fault of number 7"), "{why}");
        assert_eq!(watch.during(|| 1), Ok(1));
    }
}
