//! Weeks and months on the clocks of a zone.

use jiff::SignedDuration;
use jiff::civil::Date;

use super::Zone;
use crate::time::Timestamp;

/// A day on the clocks of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// Its date, such as `2026-11-30`.
    pub date: String,
    /// When it begins.
    pub begins_at: Timestamp,
}

impl Zone {
    /// The Monday of the week that a moment is in. Nothing for a moment that no calendar has.
    pub fn week_of(&self, moment: Timestamp) -> Option<Day> {
        let date = self.at(moment)?.0.date();
        let since_monday = i64::from(date.weekday().to_monday_zero_offset());
        self.day(date.checked_sub(SignedDuration::from_hours(24 * since_monday)).ok()?)
    }

    /// The first of the month that a moment is in. Nothing for a moment that no calendar has.
    pub fn month_of(&self, moment: Timestamp) -> Option<Day> {
        self.day(self.at(moment)?.0.date().first_of_month())
    }

    /// A day that has no midnight begins with its first moment.
    fn day(&self, date: Date) -> Option<Day> {
        let begins = date.to_zoned_datetime(self.0.clone()).ok()?;
        let begins_at = Timestamp::from_micros(begins.timestamp().as_microsecond());
        Some(Day { date: date.to_string(), begins_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(day: Option<Day>) -> (String, String) {
        let day = day.unwrap();
        (day.date, day.begins_at.to_string())
    }

    #[test]
    fn weeks_begin_on_mondays_and_months_on_their_first_where_people_are() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let is = |date: &str, begins: &str| (date.to_owned(), begins.to_owned());
        let (utc, berlin) = (Zone::default(), Zone::parse("Europe/Berlin").unwrap());
        let wednesday = at("2026-12-16T07:30:00Z");
        assert_eq!(told(utc.week_of(wednesday)), is("2026-12-14", "2026-12-14T00:00:00Z"));
        assert_eq!(told(utc.month_of(wednesday)), is("2026-12-01", "2026-12-01T00:00:00Z"));
        assert_eq!(told(berlin.week_of(wednesday)), is("2026-12-14", "2026-12-13T23:00:00Z"));
        // It is Monday, and December, there already.
        let late = at("2026-11-30T23:30:00Z");
        assert_eq!(told(berlin.month_of(late)), is("2026-12-01", "2026-11-30T23:00:00Z"));
        assert_eq!(told(utc.month_of(late)), is("2026-11-01", "2026-11-01T00:00:00Z"));
        // A week in which the clocks change, and a month.
        let changed = at("2026-03-29T20:00:00Z");
        assert_eq!(told(berlin.week_of(changed)), is("2026-03-23", "2026-03-22T23:00:00Z"));
        let after = at("2026-03-30T06:00:00Z");
        assert_eq!(told(berlin.week_of(after)), is("2026-03-30", "2026-03-29T22:00:00Z"));
    }
}
