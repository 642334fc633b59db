//! Facts that are added up: one tally for each day and week and each value of a dimension.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::catalogue::{DURATIONS, SHARES};
use super::facts::Facts;
use super::histogram::size_of;
use super::{Absent, Value};

/// The sum of the facts of some incidents. What was added can be taken away again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// Incidents.
    pub(super) incidents: i64,
    /// Their alerts.
    pub(super) alerts: i64,
    /// How often these were delivered.
    pub(super) deliveries: i64,
    /// One for each of [`DURATIONS`].
    pub(super) durations: Vec<Spread>,
    /// Both numbers for each of [`SHARES`].
    pub(super) shares: Vec<(i64, i64)>,
}

/// How a length of time is spread over incidents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spread {
    /// Those that have not come to an end.
    #[serde(rename = "o")]
    pub(super) open: i64,
    /// Those without a figure, by reason.
    #[serde(rename = "a")]
    pub(super) absent: [i64; Absent::ALL.len()],
    /// The sum of those that are known, in milliseconds.
    #[serde(rename = "s")]
    pub(super) sum_ms: i64,
    /// How many of each size there are.
    #[serde(rename = "z", with = "pairs")]
    pub(super) sizes: BTreeMap<u16, i64>,
}

impl Tally {
    /// The incidents in it.
    pub fn incidents(&self) -> i64 {
        self.incidents
    }

    /// Adds the facts of an incident.
    pub fn add(&mut self, facts: &Facts) {
        self.count(facts, 1);
    }

    /// Takes the facts of an incident away that were added before.
    pub fn remove(&mut self, facts: &Facts) {
        self.count(facts, -1);
    }

    fn count(&mut self, facts: &Facts, by: i64) {
        self.durations.resize_with(DURATIONS.len(), Spread::default);
        self.shares.resize(SHARES.len(), (0, 0));
        self.incidents += by;
        self.alerts += by * i64::from(facts.alerts);
        self.deliveries += by * i64::from(facts.deliveries);
        for (spread, value) in self.durations.iter_mut().zip(&facts.durations) {
            spread.count(*value, by);
        }
        for (sum, (part, whole)) in self.shares.iter_mut().zip(&facts.shares) {
            sum.0 += by * i64::from(*part);
            sum.1 += by * i64::from(*whole);
        }
    }

    /// Adds another tally.
    pub fn merge(&mut self, other: &Self) {
        self.durations.resize_with(DURATIONS.len(), Spread::default);
        self.shares.resize(SHARES.len(), (0, 0));
        self.incidents += other.incidents;
        self.alerts += other.alerts;
        self.deliveries += other.deliveries;
        for (spread, other) in self.durations.iter_mut().zip(&other.durations) {
            spread.open += other.open;
            spread.sum_ms = spread.sum_ms.saturating_add(other.sum_ms);
            for (sum, count) in spread.absent.iter_mut().zip(other.absent) {
                *sum += count;
            }
            for (size, count) in &other.sizes {
                spread.count_size(*size, *count);
            }
        }
        for (sum, other) in self.shares.iter_mut().zip(&other.shares) {
            sum.0 += other.0;
            sum.1 += other.1;
        }
    }
}

impl Spread {
    fn count(&mut self, value: Value, by: i64) {
        match value {
            Value::Measured(ms) => {
                self.sum_ms = self.sum_ms.saturating_add(by.saturating_mul(ms));
                self.count_size(size_of(ms), by);
            }
            Value::Open { .. } => self.open += by,
            Value::Absent(absent) => {
                if let Some(count) = self.absent.get_mut(absent.place()) {
                    *count += by;
                }
            }
        }
    }

    fn count_size(&mut self, size: u16, by: i64) {
        let count = self.sizes.entry(size).or_default();
        *count += by;
        if *count == 0 {
            self.sizes.remove(&size);
        }
    }
}

mod pairs {
    //! Sizes and counts, one after the other: half as long as an object.
    use std::collections::BTreeMap;

    use serde::de::{Error as _, SeqAccess, Visitor};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        sizes: &BTreeMap<u16, i64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(sizes.iter().flat_map(|(size, count)| [i64::from(*size), *count]))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<u16, i64>, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = BTreeMap<u16, i64>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("sizes and counts in turn")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut sizes = BTreeMap::new();
                while let Some(size) = seq.next_element::<u16>()? {
                    let count = seq.next_element()?;
                    let count = count.ok_or_else(|| A::Error::custom("a size without a count"))?;
                    sizes.insert(size, count);
                }
                Ok(sizes)
            }
        }
        deserializer.deserialize_seq(Pairs)
    }
}
