//! Cron expressions and the zones that they are read in.

use std::sync::Arc;

use croner::parser::{CronParser, Seconds, Year};
use serde::{Deserialize, Serialize};

use super::moment::Moment;
use crate::suggest;
use crate::time::Timestamp;

/// A cron expression: five fields (minute, hour, day, month, weekday), or six with the second
/// before them. Where day and weekday are both given, either is enough, as in cron(5).
#[derive(Clone, Debug)]
pub struct Cron {
    text: String,
    pattern: Arc<croner::Cron>,
}

/// A text that is no cron expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no cron expression: {why}")]
pub struct NotACron {
    text: String,
    why: String,
}

impl Cron {
    /// Reads an expression. Weekdays are names: by number, Monday is 1 in cron(5) and 2 in Quartz.
    ///
    /// # Errors
    /// [`NotACron`] says what would be right.
    pub fn parse(text: &str) -> Result<Self, NotACron> {
        let not = |why: String| NotACron { text: text.chars().take(120).collect(), why };
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        if !(5..=6).contains(&fields.len()) {
            let why = "write `MINUTE HOUR DAY MONTH WEEKDAY`, or with `SECOND` before them";
            return Err(not(why.to_owned()));
        }
        if fields.last().is_some_and(|weekdays| numbers_a_weekday(weekdays)) {
            let why = "write weekdays as MON, TUE, WED, THU, FRI, SAT, SUN: their numbers are not \
                       the same everywhere";
            return Err(not(why.to_owned()));
        }
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed);
        let pattern = parser.build().parse(text).map_err(|error| not(error.to_string()))?;
        Ok(Self { text: fields.join(" "), pattern: Arc::new(pattern) })
    }

    /// The first moment after another that it names on the clocks of a zone.
    pub(super) fn next_after(&self, moment: Timestamp, zone: &Zone) -> Option<Timestamp> {
        let from = zone.at(moment)?;
        let next = self.pattern.find_next_occurrence(&from, false).ok()?;
        Some(Timestamp::from_micros(next.0.timestamp().as_microsecond()))
    }

    /// Whether it has a field for seconds.
    pub(super) fn has_seconds(&self) -> bool {
        self.text.split(' ').count() > 5
    }

    /// Whether it names every moment of each minute of which it names any.
    pub(super) fn fills_minutes(&self) -> bool {
        self.names_every(0)
    }

    /// Whether it names every moment of each day of which it names any.
    pub(super) fn fills_days(&self) -> bool {
        self.names_every(2)
    }

    /// Whether the field for seconds, if there is one, and so many behind it leave nothing out.
    fn names_every(&self, behind_seconds: usize) -> bool {
        let count = behind_seconds + usize::from(self.has_seconds());
        self.text.split(' ').take(count).all(|field| matches!(field, "*" | "*/1"))
    }

    /// Whether it names the minute in which a moment lies, on the clocks of a zone.
    pub fn covers(&self, moment: Timestamp, zone: &Zone) -> bool {
        let minute = moment.micros().div_euclid(60_000_000) * 60_000_000;
        self.names(Timestamp::from_micros(minute), zone)
    }

    /// Whether it names a moment on the clocks of a zone.
    pub(super) fn names(&self, moment: Timestamp, zone: &Zone) -> bool {
        let at = zone.at(moment);
        at.is_some_and(|at| self.pattern.is_time_matching(&at).unwrap_or(false))
    }
}

/// Whether a field names a weekday by its number. Steps (`/2`) and places in a month (`#2`) are
/// numbers of another kind.
fn numbers_a_weekday(field: &str) -> bool {
    let days = field.split([',', '-']).filter_map(|part| part.split(['/', '#']).next());
    days.into_iter().any(|day| day.contains(|c: char| c.is_ascii_digit()))
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Cron {}

impl std::fmt::Display for Cron {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Cron {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Cron {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A time zone by its name in the IANA database, of which a copy comes with the binary, so that
/// every node agrees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(pub(super) jiff::tz::TimeZone);

/// A name that is no zone's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone `{name}`{hint}; write one such as Europe/Berlin or UTC")]
pub struct NotAZone {
    name: String,
    hint: String,
}

impl Zone {
    /// The zone of a name.
    ///
    /// # Errors
    /// [`NotAZone`], with the name that was probably meant.
    pub fn parse(name: &str) -> Result<Self, NotAZone> {
        let database = jiff::tz::TimeZoneDatabase::bundled();
        database.get(name).map(Self).map_err(|_| {
            let names: Vec<String> = database.available().map(|name| name.to_string()).collect();
            let hint = suggest::hint(name, names.iter().map(String::as_str));
            NotAZone { name: name.chars().take(80).collect(), hint }
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The last second of the day in which a moment lies.
    pub(super) fn end_of_day(&self, moment: Timestamp) -> Timestamp {
        let end = self.at(moment).and_then(|at| at.0.end_of_day().ok());
        end.map_or(moment, |end| Timestamp::from_micros(end.timestamp().as_second() * 1_000_000))
    }

    pub(super) fn at(&self, moment: Timestamp) -> Option<Moment> {
        let moment = jiff::Timestamp::from_microsecond(moment.micros()).ok()?;
        Some(Moment(moment.to_zoned_datetime(self.0.clone())))
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(jiff::tz::TimeZone::UTC)
    }
}

impl Serialize for Zone {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekdays_are_names() {
        for good in
            ["0 0 3 * * MON-FRI", "0 3 * * sun", "0 3 * * MON#2", "0 3 * * */2", "0 0 * * *"]
        {
            Cron::parse(good).unwrap();
        }
        for number in ["0 0 3 * * 1", "0 3 * * 1-5", "0 3 * * MON,7", "0 3 * * 5#2", "0 3 * * 2/2"]
        {
            let error = Cron::parse(number).unwrap_err().to_string();
            assert!(error.contains("MON, TUE"), "{number}: {error}");
        }
    }

    #[test]
    fn what_is_no_expression_says_why() {
        for bad in ["", "daily", "* * * *", "* * * * * * 2027", "61 * * * *", "0 3 * FOO *"] {
            let error = Cron::parse(bad).unwrap_err().to_string();
            assert!(error.contains("is no cron expression: "), "{error}");
        }
    }

    #[test]
    fn a_zone_is_one_of_iana() {
        let error = Zone::parse("Europe/Berln").unwrap_err().to_string();
        assert!(error.contains("Europe/Berlin"), "{error}");
        assert_eq!(Zone::parse("asia/kolkata").unwrap().name(), "Asia/Kolkata");
    }

    #[test]
    fn a_moment_that_never_comes_is_none() {
        let never = Cron::parse("0 0 30 2 *").unwrap();
        let now = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        assert_eq!(never.next_after(now, &Zone::default()), None);
    }
}
