//! KPIs: each with a written formula, made of what happened, and never stored as truth.
//!
//! An incident gives [`Facts`]; facts are added up in a [`Tally`] for each day and week, so that a
//! question about a million incidents reads some hundred rows; a question about few reads the
//! facts themselves, and its percentiles are exact. `docs/kpis.md` is the same for people.
//!
//! Start reading at [`catalogue`], then [`facts`].

pub mod catalogue;
pub mod facts;
pub mod histogram;
pub mod intervals;
pub mod period;
pub mod tally;
pub mod target;
pub mod totals;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use catalogue::{DURATIONS, Definition, Duration, SHARES, Share, definitions, duration};
pub use facts::{Clocks, Dimension, Facts, Handling, Known};
pub use period::Period;
pub use tally::Tally;
pub use target::Targets;
pub use totals::{ShareSummary, Summary, Totals};

use crate::incident::Milestone;
use crate::time::Timestamp;

/// The number of what is computed and how. It changes with every formula and with the order of the
/// catalogue; what was added up under another number is thrown away and computed anew.
pub const REVISION: u32 = 2;

/// The milestones that one incident has reached.
pub type Milestones = BTreeMap<Milestone, Timestamp>;

/// A length of time of one incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// It is known: milliseconds, never negative.
    Measured(i64),
    /// It has not come to an end.
    Open {
        /// When it began, in microseconds.
        since: i64,
    },
    /// There is no figure.
    Absent(Absent),
}

/// Why there is no figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absent {
    /// The time that it begins with is not known.
    NotBegun,
    /// The later time lies before the earlier one.
    Backwards,
    /// A time lies in the future of the clock that it was written down by.
    Future,
    /// The incident was closed without it.
    ClosedWithout,
    /// There was nothing to measure.
    Nothing,
}

impl Absent {
    /// Every reason.
    pub const ALL: [Self; 5] =
        [Self::NotBegun, Self::Backwards, Self::Future, Self::ClosedWithout, Self::Nothing];

    /// Its place in [`Absent::ALL`].
    pub(crate) const fn place(self) -> usize {
        match self {
            Self::NotBegun => 0,
            Self::Backwards => 1,
            Self::Future => 2,
            Self::ClosedWithout => 3,
            Self::Nothing => 4,
        }
    }

    /// In words.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotBegun => "the earlier time is not known",
            Self::Backwards => "the later time lies before the earlier one",
            Self::Future => "a time lies in the future: a clock is wrong",
            Self::ClosedWithout => "it was closed without it",
            Self::Nothing => "there was nothing to measure",
        }
    }

    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotBegun => "not_begun",
            Self::Backwards => "backwards",
            Self::Future => "future",
            Self::ClosedWithout => "closed_without",
            Self::Nothing => "nothing",
        }
    }
}

/// A length of time of one incident, as people and programs read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Shown {
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
    /// There is no figure.
    NotApplicable {
        /// Why.
        reason: &'static str,
    },
}

impl Value {
    /// The value as it stands `now`.
    pub fn shown(self, now: Timestamp) -> Shown {
        match self {
            Self::Measured(ms) => Shown::Measured { ms },
            Self::Open { since } => {
                Shown::Open { so_far_ms: now.ms_since(Timestamp::from_micros(since)).max(0) }
            }
            Self::Absent(absent) => Shown::NotApplicable { reason: absent.reason() },
        }
    }
}
