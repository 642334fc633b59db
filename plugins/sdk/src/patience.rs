//! The time that an attempt spends waiting for its turn, which its deadline leaves out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long an attempt has waited for its turn, with nothing sent and nothing under way.
#[derive(Clone, Debug, Default)]
pub struct Patience(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    waiting: AtomicU32,
    waited_ms: AtomicU64,
}

impl Patience {
    /// Waits until what is given back is dropped.
    pub fn wait(&self) -> Waiting {
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        Waiting { counts: self.0.clone(), since: Instant::now() }
    }

    /// Whether it waits now.
    pub fn is_waiting(&self) -> bool {
        self.0.waiting.load(Ordering::SeqCst) > 0
    }

    /// How long it has waited, without the wait that it may be in now.
    pub fn waited(&self) -> Duration {
        Duration::from_millis(self.0.waited_ms.load(Ordering::SeqCst))
    }
}

/// A wait that is not over.
#[derive(Debug)]
pub struct Waiting {
    counts: Arc<Counts>,
    since: Instant,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.counts.waited_ms.fetch_add(ms, Ordering::SeqCst);
        self.counts.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_lasts_until_it_is_dropped() {
        let patience = Patience::default();
        let (first, second) = (patience.wait(), patience.clone().wait());
        drop(first);
        assert!(patience.is_waiting());
        drop(second);
        assert!(!patience.is_waiting());
    }
}
