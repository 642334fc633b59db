//! A clock that can be put ahead: nobody waits for a simulated hour.

use std::pin::Pin;

use stanch_engine_core::time::{Clock, Timestamp};
use stanch_engine_runtime::system::SystemClock;
use tokio::sync::watch;

/// The machine's clock, and how far it was put ahead, in microseconds.
#[derive(Debug)]
pub(super) struct SimulatedClock(watch::Sender<i64>);

impl SimulatedClock {
    /// A clock that begins at that time.
    pub(super) fn at(begin: Timestamp) -> Self {
        Self(watch::Sender::new(begin.micros() - SystemClock.now().micros()))
    }

    /// Puts it ahead to that time, if it has not come there.
    pub(super) fn put_to(&self, at: Timestamp) {
        let ahead = at.micros() - SystemClock.now().micros();
        self.0.send_if_modified(|so_far| {
            let is_later = ahead > *so_far;
            *so_far = ahead.max(*so_far);
            is_later
        });
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(SystemClock.now().micros() + *self.0.borrow())
    }

    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut ahead = self.0.subscribe();
        Box::pin(async move {
            loop {
                let so_far = *ahead.borrow_and_update();
                let really_at = Timestamp::from_micros(at.micros().saturating_sub(so_far));
                tokio::select! {
                    () = SystemClock.sleep_until(really_at) => return,
                    put = ahead.changed() => if put.is_err() {
                        // Nobody puts it ahead any more.
                        return SystemClock.sleep_until(really_at).await;
                    },
                }
            }
        })
    }
}
