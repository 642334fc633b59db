//! Whether a failed attempt is followed by another, and after how long.

use crate::digest::Sha256;
use crate::limits;
use crate::step::ErrorKind;

/// How an action is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all while throttled.
    pub attempts_throttled: u32,
    /// Attempts in all while the fault passes.
    pub attempts_transient: u32,
    /// The first pause.
    pub backoff_ms_initial: i64,
    /// The longest pause.
    pub backoff_ms_max: i64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_throttled: limits::ATTEMPTS_THROTTLED,
            attempts_transient: limits::ATTEMPTS_TRANSIENT,
            backoff_ms_initial: 500,
            backoff_ms_max: 60_000,
        }
    }
}

impl RetryPolicy {
    /// The same policy with another number of attempts for both kinds.
    #[must_use]
    pub fn with_attempts(self, attempts: u32) -> Self {
        let attempts = attempts.clamp(1, limits::ATTEMPTS_MAX);
        Self { attempts_throttled: attempts, attempts_transient: attempts, ..self }
    }

    /// Milliseconds until the attempt after number `attempt` (from 1), or nothing when that was
    /// the last. The pause doubles, and the `seed` spreads it over its upper half so that many
    /// runs do not come back at once.
    pub fn pause_ms(&self, kind: ErrorKind, attempt: u32, seed: &[u8]) -> Option<i64> {
        let attempts = match kind {
            ErrorKind::Throttle => self.attempts_throttled,
            ErrorKind::Transient => self.attempts_transient,
            ErrorKind::Permanent | ErrorKind::Denied | ErrorKind::InDoubt => return None,
        };
        if attempt >= attempts {
            return None;
        }
        let doubled = self.backoff_ms_initial.saturating_mul(1_i64 << (attempt - 1).min(20));
        let whole = doubled.min(self.backoff_ms_max).max(2);
        let hash = Sha256::of_parts(&[seed, &attempt.to_be_bytes()]);
        let (random, _) = hash.bytes().split_at(4);
        let random = random.iter().fold(0_i64, |sum, byte| sum * 256 + i64::from(*byte));
        Some(whole / 2 + random % (whole / 2 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_will_never_work_is_not_tried_again() {
        let policy = RetryPolicy::default();
        for kind in [ErrorKind::Permanent, ErrorKind::Denied, ErrorKind::InDoubt] {
            assert_eq!(policy.pause_ms(kind, 1, b"x"), None);
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_then_end() {
        let policy = RetryPolicy::default().with_attempts(100);
        for attempt in 1..100 {
            let whole = (500_i64 << (attempt - 1).min(20)).min(60_000);
            let pause = policy.pause_ms(ErrorKind::Transient, attempt, b"run").unwrap();
            assert!((whole / 2..=whole).contains(&pause), "{attempt}: {pause}");
        }
        assert_eq!(policy.pause_ms(ErrorKind::Transient, 100, b"run"), None);
    }

    #[test]
    fn a_pause_is_the_same_for_the_same_seed() {
        let policy = RetryPolicy::default();
        let pause = |seed| policy.pause_ms(ErrorKind::Throttle, 3, seed);
        assert_eq!(pause(b"a"), pause(b"a"));
        assert_ne!(pause(b"a"), pause(b"b"));
    }
}
