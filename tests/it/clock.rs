//! A clock that a test moves.

use std::pin::Pin;

use stanch_engine_core::time::{Clock, Timestamp};
use stanch_engine_runtime::system::SystemClock;
use tokio::sync::watch;

/// Time stands still until [`ManualClock::pass`].
#[derive(Debug)]
pub(crate) struct ManualClock(watch::Sender<Timestamp>);

impl ManualClock {
    pub(crate) fn at(now: &str) -> Self {
        Self(watch::Sender::new(Timestamp::parse(now).unwrap()))
    }

    /// Lets time pass, in milliseconds.
    pub(crate) fn pass(&self, ms: i64) {
        self.0.send_modify(|now| *now = now.plus_ms(ms));
    }
}

/// How much faster time passes on a [`FastClock`].
const FASTER: i64 = 40;

/// Time passes faster than it does, in every process in the same way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FastClock {
    since: Timestamp,
}

impl FastClock {
    /// It shows the true time at `since`.
    pub(crate) fn since(since: Timestamp) -> Self {
        Self { since }
    }
}

impl Clock for FastClock {
    fn now(&self) -> Timestamp {
        let passed = SystemClock.now().micros() - self.since.micros();
        Timestamp::from_micros(self.since.micros() + passed * FASTER)
    }

    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let passed = at.micros().saturating_sub(self.since.micros()) / FASTER;
        SystemClock.sleep_until(Timestamp::from_micros(self.since.micros() + passed + 1))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut time = self.0.subscribe();
        Box::pin(async move {
            // A clock that is gone moves no more.
            if time.wait_for(|now| *now >= at).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}
