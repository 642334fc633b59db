//! Schedules: when the clock starts a playbook. Each moment that a schedule names is a tick, and a
//! tick starts one run at most, whatever happens to nodes and clocks.

mod calendar;
mod cron;
mod except;
mod moment;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use calendar::Day;
pub use cron::{Cron, NotACron, NotAZone, Zone};
pub use except::{Exception, NotAnException};

use crate::digest::Sha256;
use crate::limits;
use crate::span::Span;
use crate::time::Timestamp;

/// Where one looks whether a schedule ticks at all: its patterns come back, so that any day does. It is the
/// first of 2026.
const ANY_DAY: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// One member of `schedules` in a playbook's header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Its name within the playbook: lower-case letters, digits and dashes.
    pub name: String,
    /// When it ticks.
    pub cron: Cron,
    /// The clock on the wall that `cron` means.
    #[serde(default)]
    pub zone: Zone,
    /// What a tick does while the run of an earlier one is open.
    #[serde(default)]
    pub overlap: Overlap,
    /// How late a tick may start its run, after the nodes were down. An older one is missed.
    #[serde(default = "catch_up")]
    pub catch_up: Span,
    /// Each run is started up to this much later, by its tick's own measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Span>,
    /// When it does not tick.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<Exception>,
    /// What its runs read as `inputs`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub inputs: Map<String, Value>,
}

/// What a tick does while the run of an earlier one is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Nothing: it is skipped.
    #[default]
    Skip,
    /// It waits for the end of that run. One tick waits; the ones after it are skipped.
    BufferOne,
    /// It starts its run beside it.
    AllowAll,
    /// It cancels that run, and starts when it has ended.
    CancelOther,
}

impl Overlap {
    /// The word in a header and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::BufferOne => "buffer_one",
            Self::AllowAll => "allow_all",
            Self::CancelOther => "cancel_other",
        }
    }
}

/// What becomes of one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It starts a run.
    Start,
    /// It cancels what is open, and waits for its end.
    Replace,
    /// It waits for what is open.
    Wait,
    /// It starts nothing: what is open goes on.
    Skip,
    /// It starts nothing: it comes too late.
    Miss,
}

fn catch_up() -> Span {
    limits::CATCH_UP
}

impl Schedule {
    /// The first tick after a moment; none when the schedule never ticks again.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let mut tick = self.cron.next_after(moment, &self.zone)?;
        for _ in 0..limits::EXCEPTIONS_IN_A_ROW {
            let left_out = self.except.iter().filter_map(|it| it.holds_until(tick, &self.zone));
            let Some(until) = left_out.max() else { return Some(tick) };
            if until.ms_since(moment) > limits::EXCEPTIONS_LAST.ms {
                return None;
            }
            tick = self.cron.next_after(until, &self.zone)?;
        }
        None
    }

    /// Why it can't be one, though each of its members is right.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.cron.next_after(ANY_DAY, &self.zone).is_none() {
            return Some(format!("it never ticks: `{}` names no day that there is", self.cron));
        }
        let never = "it never ticks: `except` leaves out whatever `cron` names";
        self.next_after(ANY_DAY).is_none().then(|| never.to_owned())
    }

    /// When the run of a tick is started: the tick, and a part of the jitter that is always the
    /// same for the same tick, so that every node agrees on it.
    pub fn start_at(&self, playbook: &str, tick: Timestamp) -> Timestamp {
        let most_ms = self.jitter.map_or(0, |jitter| jitter.ms);
        if most_ms <= 0 {
            return tick;
        }
        let parts = [playbook.as_bytes(), self.name.as_bytes(), &tick.micros().to_be_bytes()];
        let mut drawn = [0; 8];
        drawn.copy_from_slice(Sha256::of_parts(&parts).bytes().split_at(8).0);
        let share = u64::from_be_bytes(drawn) % most_ms.unsigned_abs();
        tick.plus_ms(i64::try_from(share).unwrap_or(0))
    }

    /// What becomes of a tick at `now`, when so many runs of earlier ticks are open, and perhaps
    /// one waits for their end.
    pub fn due(&self, start_at: Timestamp, now: Timestamp, open: usize, waits: bool) -> Due {
        if now.ms_since(start_at) > self.catch_up.ms {
            return Due::Miss;
        }
        match self.overlap {
            _ if open == 0 && !waits => Due::Start,
            Overlap::AllowAll => Due::Start,
            Overlap::Skip => Due::Skip,
            Overlap::BufferOne if waits => Due::Skip,
            Overlap::BufferOne => Due::Wait,
            Overlap::CancelOther => Due::Replace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schedule(more: Value) -> Schedule {
        let mut whole = json!({"name": "nightly", "cron": "0 30 2 * * *"});
        for (name, value) in more.as_object().unwrap() {
            whole[name] = value.clone();
        }
        serde_json::from_value(whole).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn ticks(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
        let next = |tick: &Timestamp| schedule.next_after(*tick);
        let first = schedule.next_after(at(after));
        std::iter::successors(first, next).take(count).map(|t| t.to_string()).collect()
    }

    #[test]
    fn the_wall_clock_rules_through_both_changes_of_the_hour() {
        let berlin = schedule(json!({"zone": "Europe/Berlin"}));
        // 02:30 does not exist on 2026-03-29: the first moment after the gap takes its place.
        assert_eq!(
            ticks(&berlin, "2026-03-27T12:00:00Z", 3),
            ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
        );
        // It comes twice on 2026-10-25: it ticks once.
        assert_eq!(
            ticks(&berlin, "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        );
        // What ticks all the time goes by the time that passes.
        let often = schedule(json!({"zone": "Europe/Berlin", "cron": "0 */30 * * * *"}));
        assert_eq!(
            ticks(&often, "2026-10-25T00:00:00Z", 5).last().unwrap(),
            "2026-10-25T02:30:00Z"
        );
        assert_eq!(
            ticks(&often, "2026-03-29T00:00:00Z", 5).last().unwrap(),
            "2026-03-29T02:30:00Z"
        );
    }

    #[test]
    fn exceptions_are_days_in_its_zone_and_patterns() {
        let except = json!(["2026-12-25", "* * * * * SAT,SUN"]);
        let office = schedule(json!({"zone": "America/New_York", "except": except}));
        assert_eq!(
            ticks(&office, "2026-12-24T12:00:00Z", 2),
            ["2026-12-28T07:30:00Z", "2026-12-29T07:30:00Z"],
        );
        // Without seconds, it is about whole minutes.
        let often = schedule(json!({"cron": "*/20 * * * * *", "except": ["* * * * MON"]}));
        assert_eq!(
            ticks(&often, "2026-11-29T23:59:30Z", 2),
            ["2026-11-29T23:59:40Z", "2026-12-01T00:00:00Z"],
        );
        let never = schedule(json!({"except": ["* * * * * *"]}));
        assert_eq!(never.next_after(at("2026-01-01T00:00:00Z")), None);
    }

    #[test]
    fn what_ticks_each_second_gets_over_a_weekend() {
        for weekend in ["* * * * SAT,SUN", "* * * * * SAT,SUN", "*/1 * * * * SAT,SUN"] {
            let office = schedule(json!({"cron": "* * * * * *", "except": [weekend]}));
            assert_eq!(
                ticks(&office, "2026-11-27T23:59:58Z", 3),
                ["2026-11-27T23:59:59Z", "2026-11-30T00:00:00Z", "2026-11-30T00:00:01Z"],
                "{weekend}"
            );
        }
        // The day has 23 hours there.
        let except = json!(["2026-03-29", "* 0-1 30 MAR *"]);
        let berlin = json!({"cron": "* * * * * *", "zone": "Europe/Berlin", "except": except});
        assert_eq!(
            ticks(&schedule(berlin), "2026-03-28T22:59:58Z", 2),
            ["2026-03-28T22:59:59Z", "2026-03-30T00:00:00Z"],
        );
    }

    #[test]
    fn what_never_ticks_is_no_schedule() {
        let fault =
            |cron: &str, except: Value| schedule(json!({"cron": cron, "except": except})).fault();
        assert_eq!(fault("0 2 29 2 *", json!([])), None);
        assert_eq!(fault("* * * * * *", json!(["* * * * MON-SAT", "* 1-23 * * *"])), None);
        let never = fault("0 2 30 2 *", json!([])).unwrap();
        assert!(never.contains("`0 2 30 2 *` names no day"), "{never}");
        for except in [json!(["* * * * *"]), json!(["* * * * SAT,SUN", "* * * * MON-FRI"])] {
            let never = fault("0 */5 * * * *", except).unwrap();
            assert!(never.contains("`except` leaves out"), "{never}");
        }
    }

    #[test]
    fn jitter_is_the_same_for_the_same_tick_and_within_its_bounds() {
        let spread = schedule(json!({"jitter": "10m"}));
        let tick = at("2026-11-25T02:30:00Z");
        let starts: std::collections::BTreeSet<i64> = (0..50)
            .map(|day| {
                let tick = tick.plus_ms(day * 86_400_000);
                let start = spread.start_at("sweep", tick);
                assert_eq!(start, spread.start_at("sweep", tick));
                start.ms_since(tick)
            })
            .collect();
        assert!(
            starts.len() > 40 && starts.iter().all(|ms| (0..600_000).contains(ms)),
            "{starts:?}"
        );
    }

    #[test]
    fn what_becomes_of_a_tick() {
        let now = at("2026-11-25T02:30:01Z");
        let start = at("2026-11-25T02:30:00Z");
        let due = |overlap: &str, open, waits| {
            schedule(json!({"overlap": overlap})).due(start, now, open, waits)
        };
        for overlap in ["skip", "buffer_one", "allow_all", "cancel_other"] {
            assert_eq!(due(overlap, 0, false), Due::Start);
        }
        assert_eq!(due("skip", 1, false), Due::Skip);
        assert_eq!(due("buffer_one", 1, false), Due::Wait);
        assert_eq!(due("buffer_one", 1, true), Due::Skip);
        assert_eq!(due("allow_all", 7, false), Due::Start);
        assert_eq!(due("cancel_other", 1, true), Due::Replace);
        let late = schedule(json!({"catch_up": "1m"}));
        assert_eq!(late.due(start, start.plus_ms(60_001), 0, false), Due::Miss);
        assert_eq!(late.due(start, start.plus_ms(60_000), 0, false), Due::Start);
    }
}
