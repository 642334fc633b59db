//! KPIs: each with a written formula, made of milestones, and never stored as truth.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::id::IncidentId;
use crate::incident::Milestone;
use crate::time::Timestamp;

/// The milestones that one incident has reached.
pub type Milestones = BTreeMap<Milestone, Timestamp>;

/// A KPI that is a length of time between two milestones.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Definition {
    /// Its name in the API.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// How it is computed, in words.
    pub formula: &'static str,
    #[serde(skip)]
    from: Milestone,
    #[serde(skip)]
    to: &'static [Milestone],
}

/// The KPIs of time. The formulas are those of the AWS Security Incident Response Guide, table 5
/// (<https://docs.aws.amazon.com/whitepapers/latest/aws-security-incident-response-guide/metrics-summary.html>),
/// with "contained" meaning that every probe has passed.
pub const DEFINITIONS: &[Definition] = &[
    Definition {
        name: "time_to_detect",
        title: "Time to detect",
        formula: "detected_at - occurred_at",
        from: Milestone::OccurredAt,
        to: &[Milestone::DetectedAt],
    },
    Definition {
        name: "time_to_acknowledge",
        title: "Time to acknowledge",
        formula: "acknowledged_at - received_at",
        from: Milestone::ReceivedAt,
        to: &[Milestone::AcknowledgedAt],
    },
    Definition {
        name: "time_to_respond",
        title: "Time to respond",
        formula: "first of (first_automated_at, acknowledged_at, contain_requested_at) - received_at",
        from: Milestone::ReceivedAt,
        to: &[
            Milestone::FirstAutomatedAt,
            Milestone::AcknowledgedAt,
            Milestone::ContainRequestedAt,
        ],
    },
    Definition {
        name: "time_to_contain",
        title: "Time to contain",
        formula: "contained_at - received_at",
        from: Milestone::ReceivedAt,
        to: &[Milestone::ContainedAt],
    },
];

/// A KPI of one incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Value {
    /// It is known.
    Measured {
        /// Milliseconds.
        ms: i64,
    },
    /// It has not come to an end.
    Open {
        /// Milliseconds so far.
        so_far_ms: i64,
    },
    /// There is nothing to measure.
    NotApplicable {
        /// Why.
        reason: &'static str,
    },
}

impl Definition {
    /// The KPI of an incident with these milestones, `now`. An incident that `is_over` without
    /// the later milestone will never reach it.
    pub fn of(&self, milestones: &Milestones, is_over: bool, now: Timestamp) -> Value {
        let Some(from) = milestones.get(&self.from) else {
            return Value::NotApplicable { reason: "the earlier time is not known" };
        };
        match self.to.iter().filter_map(|m| milestones.get(m)).min() {
            Some(to) if to < from => {
                Value::NotApplicable { reason: "the later time lies before the earlier one" }
            }
            Some(to) => Value::Measured { ms: to.ms_since(*from) },
            None if is_over => Value::NotApplicable { reason: "it was closed without it" },
            None => Value::Open { so_far_ms: now.ms_since(*from) },
        }
    }
}

/// A KPI over many incidents.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Its name in the API.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// How it is computed, in words.
    pub formula: &'static str,
    /// Incidents that it is known of.
    pub count: usize,
    /// Their arithmetic mean, in milliseconds.
    pub mean_ms: Option<i64>,
    /// Half of them took no longer, in milliseconds.
    pub p50_ms: Option<i64>,
    /// 90 of 100 took no longer, in milliseconds.
    pub p90_ms: Option<i64>,
    /// 95 of 100 took no longer, in milliseconds.
    pub p95_ms: Option<i64>,
    /// Incidents that have not come to an end: they are in no figure above.
    pub open: usize,
    /// Incidents without anything to measure: they are in no figure above.
    pub not_applicable: usize,
    /// The incidents that it is known of, with their milliseconds.
    pub incidents: Vec<(IncidentId, i64)>,
}

/// Sums up one KPI over incidents.
pub fn summarize(
    definition: &Definition,
    values: impl IntoIterator<Item = (IncidentId, Value)>,
) -> Summary {
    let mut incidents = Vec::new();
    let (mut open, mut not_applicable) = (0, 0);
    for (incident, value) in values {
        match value {
            Value::Measured { ms } => incidents.push((incident, ms)),
            Value::Open { .. } => open += 1,
            Value::NotApplicable { .. } => not_applicable += 1,
        }
    }
    let mut sorted: Vec<i64> = incidents.iter().map(|(_, ms)| *ms).collect();
    sorted.sort_unstable();
    Summary {
        name: definition.name,
        title: definition.title,
        formula: definition.formula,
        count: sorted.len(),
        mean_ms: mean(&sorted),
        p50_ms: percentile(&sorted, 50),
        p90_ms: percentile(&sorted, 90),
        p95_ms: percentile(&sorted, 95),
        open,
        not_applicable,
        incidents,
    }
}

fn mean(values: &[i64]) -> Option<i64> {
    let count = i128::try_from(values.len()).ok().filter(|count| *count > 0)?;
    let sum: i128 = values.iter().map(|ms| i128::from(*ms)).sum();
    i64::try_from(sum / count).ok()
}

/// The nearest-rank percentile: the smallest value that at least `percent` of 100 do not exceed.
fn percentile(sorted: &[i64], percent: usize) -> Option<i64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn named(name: &str) -> &'static Definition {
        DEFINITIONS.iter().find(|d| d.name == name).unwrap()
    }

    #[test]
    fn a_known_incident_by_hand() {
        let milestones = Milestones::from([
            (Milestone::OccurredAt, at(0)),
            (Milestone::DetectedAt, at(300)),
            (Milestone::ReceivedAt, at(310)),
            (Milestone::FirstAutomatedAt, at(311)),
            (Milestone::AcknowledgedAt, at(370)),
            (Milestone::ContainedAt, at(400)),
        ]);
        let ms = |name| named(name).of(&milestones, false, at(500));
        assert_eq!(ms("time_to_detect"), Value::Measured { ms: 300_000 });
        assert_eq!(ms("time_to_acknowledge"), Value::Measured { ms: 60_000 });
        assert_eq!(ms("time_to_respond"), Value::Measured { ms: 1_000 });
        assert_eq!(ms("time_to_contain"), Value::Measured { ms: 90_000 });
    }

    #[test]
    fn what_is_not_over_is_open_and_what_was_closed_without_is_not_applicable() {
        let milestones = Milestones::from([(Milestone::ReceivedAt, at(10))]);
        let contain = named("time_to_contain");
        assert_eq!(contain.of(&milestones, false, at(12)), Value::Open { so_far_ms: 2_000 });
        assert!(matches!(contain.of(&milestones, true, at(12)), Value::NotApplicable { .. }));
    }

    #[test]
    fn a_time_that_runs_backwards_is_no_figure() {
        let milestones =
            Milestones::from([(Milestone::OccurredAt, at(10)), (Milestone::DetectedAt, at(5))]);
        let value = named("time_to_detect").of(&milestones, false, at(20));
        assert!(matches!(value, Value::NotApplicable { .. }));
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let id = |n: i64| IncidentId::new(at(n), 0);
        let values = (1..=20).map(|n| (id(n), Value::Measured { ms: n * 100 }));
        let open = [(id(21), Value::Open { so_far_ms: 5 })];
        let summary = summarize(named("time_to_contain"), values.chain(open));
        assert_eq!(
            (summary.count, summary.open, summary.mean_ms, summary.p50_ms, summary.p95_ms),
            (20, 1, Some(1_050), Some(1_000), Some(1_900))
        );
    }

    #[test]
    fn nothing_measured_is_no_figure_rather_than_zero() {
        let summary = summarize(named("time_to_detect"), []);
        assert_eq!((summary.count, summary.mean_ms, summary.p50_ms), (0, None, None));
    }
}
