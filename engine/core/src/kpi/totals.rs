//! Figures over many incidents: of their facts, exactly, or of tallies.

use std::collections::BTreeMap;

use serde::Serialize;

use super::catalogue::{DURATIONS, Definition, SHARES};
use super::facts::Facts;
use super::histogram::middle_of;
use super::tally::Tally;
use super::{Absent, Value};

/// What is added up for an answer.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    tally: Tally,
    /// The lengths themselves, for each of [`DURATIONS`], as long as only facts were added.
    exact: Option<Vec<Vec<i64>>>,
}

/// A KPI of time over many incidents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// What it is.
    #[serde(flatten)]
    pub definition: Definition,
    /// Incidents that it is known of.
    pub count: i64,
    /// Their arithmetic mean, in milliseconds. It is always exact.
    pub mean_ms: Option<i64>,
    /// Half of them took no longer, in milliseconds.
    pub p50_ms: Option<i64>,
    /// 90 of 100 took no longer, in milliseconds.
    pub p90_ms: Option<i64>,
    /// 95 of 100 took no longer, in milliseconds.
    pub p95_ms: Option<i64>,
    /// Incidents that have not come to an end: they are censored, and in no figure above.
    pub open: i64,
    /// Incidents without a figure: they are in none above.
    pub not_applicable: i64,
    /// Why they have none: how many for each reason.
    pub reasons: BTreeMap<&'static str, i64>,
}

/// A KPI that is a part of a whole, over many incidents.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShareSummary {
    /// What it is.
    #[serde(flatten)]
    pub definition: Definition,
    /// The part.
    pub part: i64,
    /// The whole.
    pub whole: i64,
    /// The part of the whole, from 0 to 1; nothing where the whole is nothing.
    pub value: Option<f64>,
}

impl Totals {
    /// What can be added to by facts, and then is exact.
    pub fn exact() -> Self {
        Self { tally: Tally::default(), exact: Some(vec![Vec::new(); DURATIONS.len()]) }
    }

    /// Adds an incident.
    pub fn add(&mut self, facts: &Facts) {
        self.tally.add(facts);
        if let Some(exact) = &mut self.exact {
            for (lengths, value) in exact.iter_mut().zip(&facts.durations) {
                if let Value::Measured(ms) = value {
                    lengths.push(*ms);
                }
            }
        }
    }

    /// Adds what was added up before. Percentiles are to within 1.6 % from then on.
    pub fn merge(&mut self, tally: &Tally) {
        self.exact = None;
        self.tally.merge(tally);
    }

    /// Whether percentiles are exact.
    pub fn is_exact(&self) -> bool {
        self.exact.is_some()
    }

    /// The incidents.
    pub fn incidents(&self) -> i64 {
        self.tally.incidents
    }

    /// Their alerts, and how often these were delivered.
    pub fn alerts(&self) -> (i64, i64) {
        (self.tally.alerts, self.tally.deliveries)
    }

    /// The KPIs of time.
    pub fn durations(&self) -> Vec<Summary> {
        (0..DURATIONS.len()).filter_map(|place| self.duration(place)).collect()
    }

    /// One KPI of time, by its place in [`DURATIONS`].
    pub fn duration(&self, place: usize) -> Option<Summary> {
        let definition = DURATIONS.get(place)?.definition;
        let nothing = super::tally::Spread::default();
        let spread = self.tally.durations.get(place).unwrap_or(&nothing);
        let count: i64 = spread.sizes.values().sum();
        let lengths = self.exact.as_ref().and_then(|exact| exact.get(place)).map(|lengths| {
            let mut sorted = lengths.clone();
            sorted.sort_unstable();
            sorted
        });
        let percentile = |percent| {
            let rank = rank(count, percent)?;
            match &lengths {
                Some(sorted) => sorted.get(usize::try_from(rank - 1).ok()?).copied(),
                None => at_rank(&spread.sizes, rank),
            }
        };
        let reasons = Absent::ALL.iter().zip(spread.absent).filter(|(_, count)| *count != 0);
        Some(Summary {
            definition,
            count,
            mean_ms: (count > 0).then(|| spread.sum_ms / count),
            p50_ms: percentile(50),
            p90_ms: percentile(90),
            p95_ms: percentile(95),
            open: spread.open,
            not_applicable: spread.absent.iter().sum(),
            reasons: reasons.map(|(absent, count)| (absent.as_str(), count)).collect(),
        })
    }

    /// Of how many incidents a KPI of time is known and no longer than a target.
    pub fn within(&self, place: usize, target_ms: i64) -> i64 {
        if let Some(lengths) = self.exact.as_ref().and_then(|exact| exact.get(place)) {
            let within = lengths.iter().filter(|ms| **ms <= target_ms).count();
            return i64::try_from(within).unwrap_or(i64::MAX);
        }
        let sizes = self.tally.durations.get(place).map(|spread| &spread.sizes);
        let within = |(size, _): &(&u16, &i64)| middle_of(**size) <= target_ms;
        sizes.map_or(0, |sizes| sizes.iter().take_while(within).map(|(_, count)| count).sum())
    }

    /// The KPIs that are parts of a whole.
    pub fn shares(&self) -> Vec<ShareSummary> {
        let sums = self.tally.shares.iter().copied().chain(std::iter::repeat((0, 0)));
        SHARES
            .iter()
            .zip(sums)
            .map(|(share, (part, whole))| summary(share.definition, part, whole))
            .collect()
    }
}

/// A part of a whole.
#[expect(clippy::cast_precision_loss, reason = "no count comes near 2^52")]
pub fn summary(definition: Definition, part: i64, whole: i64) -> ShareSummary {
    let value = (whole > 0).then(|| part as f64 / whole as f64);
    ShareSummary { definition, part, whole, value }
}

/// The nearest rank: of so many, in order, the number of the first that at least `percent` of 100
/// do not exceed.
fn rank(count: i64, percent: i64) -> Option<i64> {
    (count > 0).then(|| (count * percent + 99) / 100)
}

fn at_rank(sizes: &BTreeMap<u16, i64>, rank: i64) -> Option<i64> {
    let mut seen = 0;
    let reached = |(_, count): &(&u16, &i64)| {
        seen += **count;
        seen >= rank
    };
    sizes.iter().find(reached).map(|(size, _)| middle_of(*size))
}
