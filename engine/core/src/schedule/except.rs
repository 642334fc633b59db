//! When a schedule does not tick.

use serde::{Deserialize, Serialize};

use super::cron::{Cron, Zone};
use crate::time::Timestamp;

/// A day (`2026-12-25`) in the schedule's zone, or a cron expression that names what is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exception {
    /// A day.
    Day(jiff::civil::Date),
    /// Every moment that an expression names; every minute, where it says nothing of seconds.
    Pattern(Cron),
}

/// A text that is no exception.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is neither a day such as 2026-12-25 nor a cron expression such as `* * * * SAT,SUN`"
)]
pub struct NotAnException(String);

impl Exception {
    /// Reads a day or an expression.
    ///
    /// # Errors
    /// [`NotAnException`] when it is neither.
    pub fn parse(text: &str) -> Result<Self, NotAnException> {
        if let Ok(day) = text.parse() {
            return Ok(Self::Day(day));
        }
        let pattern = Cron::parse(text);
        pattern.map(Self::Pattern).map_err(|_| NotAnException(text.chars().take(120).collect()))
    }

    /// Until when a tick and all moments after it are left out, as far as that can be said at once; nothing
    /// when the tick is not left out. So a schedule of each second gets over a weekend in two steps.
    pub(super) fn holds_until(&self, tick: Timestamp, zone: &Zone) -> Option<Timestamp> {
        match self {
            Self::Day(day) => (zone.at(tick)?.0.date() == *day).then(|| zone.end_of_day(tick)),
            Self::Pattern(pattern) => {
                let holds = match pattern.has_seconds() {
                    true => pattern.names(tick, zone),
                    false => pattern.covers(tick, zone),
                };
                if !holds {
                    return None;
                }
                Some(if pattern.fills_days() {
                    zone.end_of_day(tick)
                } else if pattern.fills_minutes() {
                    let minute = tick.micros().div_euclid(60_000_000) * 60_000_000;
                    Timestamp::from_micros(minute + 59_000_000)
                } else {
                    tick
                })
            }
        }
    }
}

impl std::fmt::Display for Exception {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Day(day) => day.fmt(f),
            Self::Pattern(pattern) => pattern.fmt(f),
        }
    }
}

impl Serialize for Exception {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Exception {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
