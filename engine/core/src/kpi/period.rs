//! Days and weeks, in UTC: what is added up beforehand.

use serde::Serialize;

use crate::time::Timestamp;

const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

/// 1970-01-01 was a Thursday: the Monday of its week lies three days before.
const MONDAY_US: i64 = 3 * DAY_US;

/// What facts are added up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday.
    Week,
}

impl Period {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Day, Self::Week];

    /// The word in SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    /// How long one is, in microseconds.
    pub const fn micros(self) -> i64 {
        match self {
            Self::Day => DAY_US,
            Self::Week => 7 * DAY_US,
        }
    }

    /// The beginning of the one that a time is in.
    pub const fn start_of(self, at: Timestamp) -> Timestamp {
        let shift = match self {
            Self::Day => 0,
            Self::Week => MONDAY_US,
        };
        let at = at.micros().saturating_add(shift);
        Timestamp::from_micros(at - at.rem_euclid(self.micros()) - shift)
    }
}

/// A stretch of whole periods of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// What it is made of.
    pub period: Period,
    /// The beginning of the first.
    pub from: Timestamp,
    /// The end of the last.
    pub to: Timestamp,
}

/// The whole days from `since`, which begins one, up to and with that of `until`: as few weeks and
/// days as there can be.
pub fn cover(since: Timestamp, until: Timestamp) -> Vec<Stretch> {
    let (day, week) = (Period::Day, Period::Week);
    let from = day.start_of(since);
    let to = Timestamp::from_micros(day.start_of(until).micros().saturating_add(day.micros()));
    let rounded = Timestamp::from_micros(from.micros().saturating_add(week.micros() - 1));
    let (first, last) = (week.start_of(rounded), week.start_of(to));
    let days = |from: Timestamp, to| Stretch { period: day, from, to };
    let stretches = if first >= last {
        vec![days(from, to)]
    } else {
        vec![days(from, first), Stretch { period: week, from: first, to: last }, days(last, to)]
    };
    stretches.into_iter().filter(|stretch| stretch.from < stretch.to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn days_begin_at_midnight_and_weeks_on_mondays() {
        let wednesday = at("2026-11-25T18:05:00Z");
        assert_eq!(Period::Day.start_of(wednesday), at("2026-11-25T00:00:00Z"));
        assert_eq!(Period::Week.start_of(wednesday), at("2026-11-23T00:00:00Z"));
        let monday = at("2026-11-23T00:00:00Z");
        assert_eq!(Period::Week.start_of(monday), monday);
        assert_eq!(Period::Week.start_of(at("1969-12-30T01:00:00Z")), at("1969-12-29T00:00:00Z"));
    }

    #[test]
    fn a_window_is_covered_without_a_gap_and_without_doubling() {
        let since = at("2026-11-01T00:00:00Z");
        for days in 0..40 {
            let until = Timestamp::from_micros(since.micros() + days * DAY_US + DAY_US / 2);
            let parts = cover(since, until);
            assert_eq!(parts.first().map(|part| part.from), Some(since));
            let end = Timestamp::from_micros(since.micros() + (days + 1) * DAY_US);
            assert_eq!(parts.last().map(|part| part.to), Some(end));
            assert!(parts.windows(2).all(|two| two[0].to == two[1].from), "{parts:?}");
            let weeks = parts.iter().filter(|part| part.period == Period::Week);
            assert!(weeks.clone().all(|part| Period::Week.start_of(part.from) == part.from));
        }
    }
}
