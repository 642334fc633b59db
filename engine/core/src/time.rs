//! Points in time, and the clock that the engine is given.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A point in time: microseconds since 1970-01-01T00:00:00Z. In JSON it is RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A text that is no point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an RFC 3339 time such as 2026-11-24T03:00:00Z")]
pub struct NotATime(pub String);

impl Timestamp {
    /// From microseconds since the epoch, as the database holds it.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded towards the past.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// This time moved by `ms` milliseconds, held at the ends of the range.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(1_000)))
    }

    /// Milliseconds from `earlier` to this time; negative when this time is the earlier one.
    pub const fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).div_euclid(1_000)
    }

    /// Reads RFC 3339 and ISO 8601 with any offset, with or without a colon in it.
    ///
    /// # Errors
    /// [`NotATime`] for anything else, a time without an offset among it.
    pub fn parse(text: &str) -> Result<Self, NotATime> {
        let bad = || NotATime(text.chars().take(80).collect());
        let parsed: jiff::Timestamp = text.parse().map_err(|_| bad())?;
        Ok(Self(parsed.as_microsecond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(at) => at.fmt(f),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = NotATime;
    fn from_str(text: &str) -> Result<Self, NotATime> {
        Self::parse(text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Where the engine gets the time from. Production reads the machine's clock in
/// `engine/runtime/src/system.rs`; tests move time by hand.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// Resolves when `now()` has reached `at`.
    fn sleep_until(&self, at: Timestamp) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_with_and_without_a_colon() {
        let z = Timestamp::parse("2025-08-22T01:40:10.007Z").unwrap();
        assert_eq!(Timestamp::parse("2025-08-22T03:40:10.007+02:00").unwrap(), z);
        assert_eq!(Timestamp::parse("2025-08-22T03:40:10.007+0200").unwrap(), z);
        assert_eq!(z.to_string(), "2025-08-22T01:40:10.007Z");
    }

    #[test]
    fn a_time_without_an_offset_is_refused() {
        assert!(Timestamp::parse("2025-08-22T01:40:10").is_err());
        assert!(Timestamp::parse("yesterday").is_err());
    }

    #[test]
    fn differences_are_signed() {
        let a = Timestamp::from_micros(5_000);
        assert_eq!(a.plus_ms(-10).ms_since(a), -10);
    }
}
