//! A moment on the clocks of a zone, as the crate `croner` searches over it: it knows jiff 0.2
//! only.

use std::cmp::Ordering;

use croner::errors::CronError;
use croner::{CivilDate, CivilDateTime, CivilTime, CronDateTime, Resolution, Weekday};
use jiff::civil::DateTime;
use jiff::tz::AmbiguousOffset;
use jiff::{SignedDuration, ZonedDateTime};

#[derive(Clone)]
pub(super) struct Moment(pub(super) ZonedDateTime);

impl CronDateTime for Moment {
    fn to_civil(&self) -> CivilDateTime {
        let at = self.0.datetime();
        let part = |part: i8| u32::from(part.unsigned_abs());
        let (year, month, day) = (at.year().into(), part(at.month()), part(at.day()));
        let (hour, minute, second) = (part(at.hour()), part(at.minute()), part(at.second()));
        // jiff keeps every part in its range.
        CivilDateTime::new(
            CivilDate::from_parts_unchecked(year, month, day),
            CivilTime::from_parts_unchecked(hour, minute, second),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        let since_sunday = self.0.weekday().to_sunday_zero_offset();
        Weekday::from_days_from_sunday(since_sunday.unsigned_abs().into())
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let date = i16::try_from(civil.year()).map_err(|_| CronError::InvalidDate)?;
        let [month, day, hour, minute, second] =
            [civil.month(), civil.day(), civil.hour(), civil.minute(), civil.second()]
                .map(|part| i8::try_from(part).unwrap_or(i8::MAX));
        let at = DateTime::new(date, month, day, hour, minute, second, 0)
            .map_err(|_| CronError::InvalidDate)?;
        let found = self.0.time_zone().to_ambiguous_zoned_datetime(at);
        let (earlier, later) = (found.clone().earlier(), found.clone().later());
        let moment = |at: Result<ZonedDateTime, jiff::Error>| {
            at.map(Self).map_err(|_| CronError::InvalidTime)
        };
        Ok(match found.offset() {
            AmbiguousOffset::Unambiguous { .. } => Resolution::Single(moment(found.unambiguous())?),
            AmbiguousOffset::Fold { .. } => Resolution::Ambiguous(moment(earlier)?, moment(later)?),
            AmbiguousOffset::Gap { .. } => Resolution::Gap,
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add(SignedDuration::from_secs(seconds)).ok().map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.timestamp().cmp(&other.0.timestamp())
    }
}
