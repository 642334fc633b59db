//! How often a source may be sent to: a bucket that fills by time, kept as the moment at which it
//! is full.

use std::sync::{Mutex, PoisonError};

use stanch_engine_core::time::Timestamp;

/// A bucket.
#[derive(Debug)]
pub struct Rate {
    each_us: i64,
    burst_us: i64,
    full_at: Mutex<i64>,
}

impl Rate {
    /// So many a second in the long run, and so many at once after a pause. Nothing when either is
    /// below one in a thousand seconds, or no number.
    pub fn new(per_second: f64, burst: f64) -> Option<Self> {
        let is_one = per_second.is_finite() && burst.is_finite();
        if !is_one || per_second < 0.001 || !(1.0..=1e9).contains(&burst) {
            return None;
        }
        let each_us = (1e6 / per_second).max(1.0);
        let burst_us = (each_us * burst).min(1e15);
        Some(Self { each_us: each_us as i64, burst_us: burst_us as i64, full_at: Mutex::new(0) })
    }

    /// Takes one, or says in how many milliseconds there is one.
    pub(super) fn take(&self, now: Timestamp) -> Result<(), u64> {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.micros();
        let then = (*full_at).max(now).saturating_add(self.each_us);
        let over = then.saturating_sub(now).saturating_sub(self.burst_us);
        if over > 0 {
            return Err(u64::try_from(over).unwrap_or_default().div_ceil(1_000));
        }
        *full_at = then;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lets_a_burst_through_and_then_keeps_the_rate() {
        let rate = Rate::new(10.0, 3.0).unwrap();
        let at = |ms: i64| Timestamp::from_micros(1_000_000_000 + ms * 1_000);
        let taken = (0..5).filter(|_| rate.take(at(0)).is_ok()).count();
        assert_eq!(taken, 3);
        assert_eq!(rate.take(at(0)), Err(100));
        assert_eq!(rate.take(at(100)), Ok(()));
        assert!(rate.take(at(100)).is_err());
        assert_eq!((0..99).filter(|_| rate.take(at(60_000)).is_ok()).count(), 3);
    }

    #[test]
    fn what_is_no_rate_is_none() {
        for (per_second, burst) in [(0.0, 1.0), (f64::NAN, 1.0), (1.0, 0.5), (1.0, f64::INFINITY)] {
            assert!(Rate::new(per_second, burst).is_none(), "{per_second} {burst}");
        }
    }
}
