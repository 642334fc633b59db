//! What one incident gives to the KPIs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::catalogue::{DURATIONS, Measure, SHARES};
use super::intervals::Intervals;
use super::{Absent, Milestones, Value};
use crate::incident::{Milestone, Verdict};
use crate::limits;
use crate::severity::Severity;
use crate::time::Timestamp;

/// An interval that may not have come to its end.
pub type Lasting = (Timestamp, Option<Timestamp>);

/// What is known of an incident, as it is written down.
#[derive(Clone, Debug)]
pub struct Known {
    /// When it began here.
    pub opened_at: Timestamp,
    /// Whether it was closed.
    pub is_closed: bool,
    /// How bad it is.
    pub severity: Severity,
    /// The account that it is in.
    pub account: Option<String>,
    /// Where its alerts came from.
    pub sources: BTreeSet<String>,
    /// The playbooks that ran.
    pub playbooks: BTreeSet<String>,
    /// Who took it.
    pub person: Option<String>,
    /// What was reached when.
    pub milestones: Milestones,
    /// What people made of it.
    pub verdict: Option<Verdict>,
    /// Its alerts.
    pub alerts: u32,
    /// How often they were delivered.
    pub deliveries: u32,
    /// Steps that were to capture evidence.
    pub evidence_attempted: u32,
    /// Those whose evidence was stored.
    pub evidence_kept: u32,
    /// Changes that were sent and that nobody approved.
    pub automatic_attempted: u32,
    /// Those whose probe passed.
    pub automatic_effective: u32,
    /// Whether a page went on to the next of its chain.
    pub is_escalated: bool,
    /// How often it was opened again after its end.
    pub reopenings: u32,
    /// The score of its review, of 100, where there is one.
    pub review_score: Option<u32>,
    /// Whether its review is signed off.
    pub is_signed_off: bool,
    /// Where the time went.
    pub clocks: Clocks,
}

/// Where the time of an incident went.
#[derive(Clone, Debug, Default)]
pub struct Clocks {
    /// While people were asked.
    pub gates: Vec<Lasting>,
    /// While calls were under way.
    pub calls: Vec<Lasting>,
    /// While runs slept or waited for a signal.
    pub rests: Vec<Lasting>,
    /// Runs, from their creation to their end.
    pub runs: Vec<Lasting>,
}

/// Who contained an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handling {
    /// It was contained before any person did something.
    Automatic,
    /// A person did something before it was contained, or it is not contained.
    Human,
    /// Neither a person nor a containment.
    Unattended,
}

impl Handling {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Automatic, Self::Human, Self::Unattended];

    /// The word in JSON and SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Human => "human",
            Self::Unattended => "unattended",
        }
    }
}

impl std::str::FromStr for Handling {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|handling| handling.as_str() == text)
            .ok_or_else(|| format!("`{text}`: it takes {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

/// What KPIs can be asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Everything.
    All,
    /// Where its alerts came from; an incident of two sources counts with both.
    Source,
    /// Its severity as it stands.
    Severity,
    /// Its account.
    Account,
    /// The playbooks that ran; an incident with two counts with both.
    Playbook,
    /// Who took it.
    Person,
    /// Who contained it.
    Handling,
}

impl Dimension {
    /// Every dimension.
    pub const ALL: [Self; 7] = [
        Self::All,
        Self::Source,
        Self::Severity,
        Self::Account,
        Self::Playbook,
        Self::Person,
        Self::Handling,
    ];

    /// The word in JSON and SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Source => "source",
            Self::Severity => "severity",
            Self::Account => "account",
            Self::Playbook => "playbook",
            Self::Person => "person",
            Self::Handling => "handling",
        }
    }
}

impl std::str::FromStr for Dimension {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|dimension| dimension.as_str() == text)
            .ok_or_else(|| format!("`{text}`: it takes {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

/// What one incident gives to every KPI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// When it began here: the day and week that it counts in.
    pub opened_at: Timestamp,
    /// How bad it is.
    pub severity: Severity,
    /// The account that it is in.
    pub account: Option<String>,
    /// Where its alerts came from.
    pub sources: BTreeSet<String>,
    /// The playbooks that ran.
    pub playbooks: BTreeSet<String>,
    /// Who took it.
    pub person: Option<String>,
    /// Who contained it.
    pub handling: Handling,
    /// Its alerts.
    pub alerts: u32,
    /// How often they were delivered.
    pub deliveries: u32,
    /// A value for each of [`DURATIONS`].
    pub durations: Vec<Value>,
    /// Both numbers for each of [`SHARES`].
    pub shares: Vec<(u32, u32)>,
}

impl Facts {
    /// The facts of an incident, as it stands `now`.
    pub fn of(known: &Known, now: Timestamp) -> Self {
        let durations = DURATIONS.iter().map(|duration| match duration.measure {
            Measure::Between(from, to) => between(known, now, from, to),
            Measure::ApprovalWait => known.clocks.approval_wait(),
            Measure::AwsWait => known.clocks.aws_wait(),
            Measure::MachineTime => known.clocks.machine_time(),
        });
        Self {
            opened_at: known.opened_at,
            severity: known.severity,
            account: known.account.clone(),
            sources: known.sources.clone(),
            playbooks: known.playbooks.clone(),
            person: known.person.clone(),
            handling: handling(&known.milestones),
            alerts: known.alerts,
            deliveries: known.deliveries,
            durations: durations.collect(),
            shares: SHARES.iter().map(|share| (share.parts)(known)).collect(),
        }
    }

    /// What it counts with: each dimension and its value.
    pub fn dimensions(&self) -> Vec<(Dimension, &str)> {
        let mut all = vec![
            (Dimension::All, ""),
            (Dimension::Severity, self.severity.as_str()),
            (Dimension::Handling, self.handling.as_str()),
        ];
        all.extend(self.account.as_deref().map(|account| (Dimension::Account, account)));
        all.extend(self.person.as_deref().map(|person| (Dimension::Person, person)));
        all.extend(self.sources.iter().map(|source| (Dimension::Source, source.as_str())));
        all.extend(self.playbooks.iter().map(|name| (Dimension::Playbook, name.as_str())));
        all
    }
}

fn handling(milestones: &Milestones) -> Handling {
    let at = |milestone| milestones.get(&milestone);
    match (at(Milestone::ContainedAt), at(Milestone::AcknowledgedAt)) {
        (Some(contained), Some(acknowledged)) if acknowledged <= contained => Handling::Human,
        (Some(_), _) => Handling::Automatic,
        (None, Some(_)) => Handling::Human,
        (None, None) => Handling::Unattended,
    }
}

/// The length of time from a milestone to the first of others. What can't be true is no figure.
fn between(known: &Known, now: Timestamp, from: Milestone, to: &[Milestone]) -> Value {
    let Some(begin) = known.milestones.get(&from).copied() else {
        return Value::Absent(Absent::NotBegun);
    };
    let reached = to.iter().filter_map(|to| Some((*to, *known.milestones.get(to)?)));
    let end = reached.min_by_key(|(_, at)| *at);
    let is_future = |milestone, at: Timestamp| {
        at > clock_of(known, now, milestone).plus_ms(limits::CLOCK_SKEW_MS)
    };
    if is_future(from, begin) || end.is_some_and(|(milestone, at)| is_future(milestone, at)) {
        return Value::Absent(Absent::Future);
    }
    match end {
        Some((_, end)) if end < begin => Value::Absent(Absent::Backwards),
        Some((_, end)) => Value::Measured(end.ms_since(begin)),
        None if known.is_closed => Value::Absent(Absent::ClosedWithout),
        None => Value::Open { since: begin.micros() },
    }
}

/// What a milestone can't be later than: what a detector saw was received after it.
fn clock_of(known: &Known, now: Timestamp, milestone: Milestone) -> Timestamp {
    match milestone {
        Milestone::OccurredAt | Milestone::DetectedAt => {
            known.milestones.get(&Milestone::ReceivedAt).copied().unwrap_or(now)
        }
        _ => now,
    }
}

impl Clocks {
    fn approval_wait(&self) -> Value {
        measured(&self.gates, |gates| gates)
    }

    fn aws_wait(&self) -> Value {
        if let Some(value) = self.unknown_yet() {
            return value;
        }
        let gates = closed(&self.gates);
        measured(&self.calls, |calls| calls.without(&gates))
    }

    fn machine_time(&self) -> Value {
        if let Some(value) = self.unknown_yet() {
            return value;
        }
        let waits = self.gates.iter().chain(&self.calls).chain(&self.rests);
        let waits = Intervals::union(waits.filter_map(|(from, to)| Some((*from, (*to)?))));
        measured(&self.runs, |runs| runs.without(&waits))
    }

    /// While a run goes on, or where none went, nothing of its clocks is told.
    fn unknown_yet(&self) -> Option<Value> {
        let first = self.runs.iter().map(|(from, _)| *from).min();
        let Some(first) = first else { return Some(Value::Absent(Absent::Nothing)) };
        let is_open = self.runs.iter().any(|(_, to)| to.is_none());
        is_open.then_some(Value::Open { since: first.micros() })
    }
}

fn closed(all: &[Lasting]) -> Intervals {
    Intervals::union(all.iter().filter_map(|(from, to)| Some((*from, (*to)?))))
}

fn measured(all: &[Lasting], part: impl FnOnce(Intervals) -> Intervals) -> Value {
    let open = all.iter().filter(|(_, to)| to.is_none()).map(|(from, _)| from.micros()).min();
    if let Some(since) = open {
        return Value::Open { since };
    }
    if all.iter().any(|(from, to)| to.is_some_and(|to| to < *from)) {
        return Value::Absent(Absent::Backwards);
    }
    if all.is_empty() {
        return Value::Absent(Absent::Nothing);
    }
    Value::Measured(part(closed(all)).ms())
}
