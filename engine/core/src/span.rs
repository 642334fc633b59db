//! Lengths of time as people write them: `"15m"`, `"24h"`, `"7d"`.

use serde::{Deserialize, Serialize};

/// A length of time in milliseconds, written in JSON and in playbooks as `"1h 30m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Milliseconds; never negative.
    pub ms: i64,
}

/// A text that is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time such as \"30s\", \"15m\", \"24h\" or \"7d\"")]
pub struct NotASpan(pub String);

impl Span {
    /// From milliseconds.
    pub const fn from_ms(ms: i64) -> Self {
        Self { ms }
    }

    /// From whole seconds.
    pub const fn from_secs(seconds: i64) -> Self {
        Self { ms: seconds.saturating_mul(1_000) }
    }

    /// Reads `"30s"`, `"15m"`, `"1h 30m"`, `"7d"`.
    ///
    /// # Errors
    /// [`NotASpan`] for anything else.
    pub fn parse(text: &str) -> Result<Self, NotASpan> {
        let bad = || NotASpan(text.chars().take(80).collect());
        let duration = humantime::parse_duration(text.trim()).map_err(|_| bad())?;
        Ok(Self { ms: i64::try_from(duration.as_millis()).map_err(|_| bad())? })
    }

    /// As a standard duration.
    pub fn duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(u64::try_from(self.ms).unwrap_or(0))
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        humantime::format_duration(self.duration()).fmt(f)
    }
}

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_write_them() {
        assert_eq!(Span::parse("15m").unwrap().ms, 900_000);
        assert_eq!(Span::parse("1h 30m").unwrap().to_string(), "1h 30m");
        assert_eq!(Span::parse("7d").unwrap().ms, 604_800_000);
        assert!(Span::parse("soon").is_err());
        assert!(Span::parse("-5m").is_err());
    }
}
