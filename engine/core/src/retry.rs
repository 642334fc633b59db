//! Whether a failed attempt is followed by another, and after how long.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Sha256;
use crate::limits;
use crate::span::Span;
use crate::step::ErrorKind;

/// What a playbook says about trying a step again: `"never"`, or what, how often and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum Retry {
    /// One attempt.
    Never,
    /// As told; what is not said stays as it is.
    Told(RetryTold),
}

/// The members of a `retry` that is written out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryTold {
    /// Attempts in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The first pause; it doubles at every further one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Span>,
    /// What is tried again: `throttle`, `transient`, or codes such as `NoSuchEntity`, for what is
    /// not there yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Vec<String>>,
}

impl TryFrom<Value> for Retry {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::String(word) if word == "never" => Ok(Self::Never),
            told @ Value::Object(_) => {
                let told: RetryTold =
                    serde_json::from_value(told).map_err(|error| format!("retry: {error}"))?;
                match told.attempts {
                    Some(n) if !(1..=limits::ATTEMPTS_MAX).contains(&n) => {
                        Err(format!("retry: attempts is from 1 to {}", limits::ATTEMPTS_MAX))
                    }
                    _ => Ok(Self::Told(told)),
                }
            }
            _ => Err("retry is \"never\", or a map of attempts, backoff and on".to_owned()),
        }
    }
}

impl From<Retry> for Value {
    fn from(retry: Retry) -> Self {
        match retry {
            Retry::Never => Self::from("never"),
            Retry::Told(told) => serde_json::to_value(told).unwrap_or_default(),
        }
    }
}

/// How an action is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Kinds of errors and codes that are tried again; if nothing is said, those that pass.
    pub on: Option<Vec<String>>,
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
            on: None,
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

    /// The same policy, as far as a playbook does not say otherwise.
    #[must_use]
    pub fn told(self, retry: &Retry) -> Self {
        let RetryTold { attempts, backoff, on } = match retry {
            Retry::Never => return self.with_attempts(1),
            Retry::Told(told) => told,
        };
        let policy = match attempts {
            Some(attempts) => self.with_attempts(*attempts),
            None => self,
        };
        let first = backoff.map_or(policy.backoff_ms_initial, |backoff| backoff.ms);
        Self {
            on: on.clone().or(policy.on),
            backoff_ms_initial: first,
            backoff_ms_max: policy.backoff_ms_max.max(first),
            ..policy
        }
    }

    /// How many attempts an error of a kind and code may be given.
    fn attempts(&self, kind: ErrorKind, code: &str) -> u32 {
        let is_told = |word: &str| match &self.on {
            Some(on) => on.iter().any(|told| told == word || told == code),
            None => true,
        };
        match kind {
            ErrorKind::Throttle if is_told("throttle") => self.attempts_throttled,
            ErrorKind::Transient if is_told("transient") => self.attempts_transient,
            ErrorKind::Permanent | ErrorKind::Denied if self.on.is_some() && is_told(code) => {
                self.attempts_transient
            }
            // Whether what is in doubt may be repeated is not for the playbook to say.
            _ => 1,
        }
    }

    /// Milliseconds until the attempt after number `attempt` (from 1), or nothing when that was
    /// the last. The pause doubles, and the `seed` spreads it over its upper half so that many
    /// runs do not come back at once.
    pub fn pause_ms(&self, kind: ErrorKind, code: &str, attempt: u32, seed: &[u8]) -> Option<i64> {
        if attempt >= self.attempts(kind, code) {
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
    use serde_json::json;

    #[test]
    fn what_will_never_work_is_not_tried_again() {
        let policy = RetryPolicy::default();
        for kind in [ErrorKind::Permanent, ErrorKind::Denied, ErrorKind::InDoubt] {
            assert_eq!(policy.pause_ms(kind, "c", 1, b"x"), None);
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_then_end() {
        let policy = RetryPolicy::default().with_attempts(100);
        for attempt in 1..100 {
            let whole = (500_i64 << (attempt - 1).min(20)).min(60_000);
            let pause = policy.pause_ms(ErrorKind::Transient, "c", attempt, b"run").unwrap();
            assert!((whole / 2..=whole).contains(&pause), "{attempt}: {pause}");
        }
        assert_eq!(policy.pause_ms(ErrorKind::Transient, "c", 100, b"run"), None);
    }

    #[test]
    fn a_pause_is_the_same_for_the_same_seed() {
        let policy = RetryPolicy::default();
        let pause = |seed| policy.pause_ms(ErrorKind::Throttle, "c", 3, seed);
        assert_eq!(pause(b"a"), pause(b"a"));
        assert_ne!(pause(b"a"), pause(b"b"));
    }

    fn told(retry: Value) -> RetryPolicy {
        RetryPolicy::default().told(&serde_json::from_value(retry).unwrap())
    }

    #[test]
    fn a_playbook_says_what_is_tried_again_and_how_often() {
        use ErrorKind::{Denied, InDoubt, Permanent, Throttle, Transient};
        let never = told(json!("never"));
        assert_eq!(never.pause_ms(Throttle, "SlowDown", 1, b"x"), None);
        let policy = told(json!({"attempts": 3, "backoff": "10s", "on": ["throttle", "NotYet"]}));
        for (kind, code, again) in [
            (Throttle, "SlowDown", true),
            (Permanent, "NotYet", true),
            (Denied, "NotYet", true),
            (Transient, "NotYet", true),
            (Transient, "timeout", false),
            (Permanent, "NoSuchEntity", false),
            (InDoubt, "NotYet", false),
        ] {
            let pause = policy.pause_ms(kind, code, 1, b"x");
            assert_eq!(pause.is_some(), again, "{kind:?} {code}");
            assert!(pause.is_none_or(|ms| (5_000..=10_000).contains(&ms)), "{pause:?}");
        }
        assert_eq!(policy.pause_ms(Permanent, "NotYet", 3, b"x"), None);
        let longer = told(json!({"backoff": "5m"}));
        let pause = longer.pause_ms(Transient, "c", 4, b"x").unwrap();
        assert!((150_000..=300_000).contains(&pause), "{pause}");
    }

    #[test]
    fn a_retry_that_is_none_is_told() {
        for (retry, said) in [
            (json!("always"), "\"never\""),
            (json!(3), "\"never\""),
            (json!({"attempts": 0}), "from 1 to 100"),
            (json!({"attemps": 3}), "attemps"),
            (json!({"backoff": "soon"}), "soon"),
        ] {
            let error = serde_json::from_value::<Retry>(retry).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
