//! The report of an incident: what it was, what happened when, what was done and by whose word, and
//! what was learned. The same state gives the same report, byte for byte.
//!
//! [`document`] says it in words and tables; [`text`] writes those as Markdown and as HTML, and is the
//! only place where anything is escaped.

pub mod document;
pub mod text;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::approval::{Answer, ApprovalStatus};
use crate::chain::Head;
use crate::custody::CustodyAction;
use crate::digest::Sha256;
use crate::id::{ApprovalId, EvidenceId, IncidentId, RunId};
use crate::incident::{IncidentStatus, Verdict};
use crate::kpi::intervals::Intervals;
use crate::limits;
use crate::run::RunStatus;
use crate::severity::Severity;
use crate::time::Timestamp;

/// What people say of an incident when they close it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Review {
    /// Whom it hurt, and how.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impact: Option<String>,
    /// Why it could happen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_cause: Option<String>,
    /// What was learned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lessons: Vec<String>,
    /// What is to be done, and by whom.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub action_items: Vec<String>,
}

impl Review {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is wrong with it, in words.
    pub fn fault(&self) -> Option<String> {
        let texts = self.impact.iter().chain(&self.root_cause);
        let mut texts = texts.chain(&self.lessons).chain(&self.action_items);
        let most = limits::REASON_CHARS;
        if texts.any(|text| text.trim().is_empty() || text.chars().count() > most) {
            return Some(format!(
                "a text of the review is empty, or has more than {most} characters"
            ));
        }
        let most = limits::REVIEW_ITEMS;
        let is_long = self.lessons.len() > most || self.action_items.len() > most;
        is_long.then(|| format!("there are more than {most} lessons or action items"))
    }

    /// What holds when something is said anew: what is not said again stays.
    #[must_use]
    pub fn with(self, later: Self) -> Self {
        let list = |old: Vec<String>, new: Vec<String>| if new.is_empty() { old } else { new };
        Self {
            impact: later.impact.or(self.impact),
            root_cause: later.root_cause.or(self.root_cause),
            lessons: list(self.lessons, later.lessons),
            action_items: list(self.action_items, later.action_items),
        }
    }
}

/// How far two clocks have gone since the incident was received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Clocks {
    /// While no question to people was open, in milliseconds.
    pub machine_ms: i64,
    /// While people were asked, in milliseconds.
    pub waiting_ms: i64,
}

impl Clocks {
    /// How far they are at `at`, begun at `start`, with the questions that were open from and until.
    pub fn at(start: Timestamp, questions: &[(Timestamp, Timestamp)], at: Timestamp) -> Self {
        let whole_ms = at.ms_since(start).max(0);
        let cut = questions.iter().map(|(from, to)| ((*from).max(start), (*to).min(at)));
        let waiting_ms = Intervals::union(cut).ms();
        Self { machine_ms: whole_ms - waiting_ms, waiting_ms }
    }
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlertLine {
    /// When it came.
    pub received_at: Timestamp,
    /// Who sent it.
    pub source: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its title.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub resources: Vec<String>,
}

/// A part of the incident, which has a report of its own. Where that stands changes without this one,
/// whose bytes are those of the end of its chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartLine {
    /// Its id.
    pub id: IncidentId,
    /// One line.
    pub title: String,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunLine {
    /// Its id.
    pub id: RunId,
    /// Its playbook.
    pub playbook: String,
    /// The version of the playbook.
    pub digest: Sha256,
    /// Where it stands.
    pub status: RunStatus,
    /// Who started it.
    pub requester: String,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// How far the clocks were.
    #[serde(flatten)]
    pub clocks: Clocks,
    /// What kind of thing it was.
    pub kind: String,
    /// In words.
    pub text: String,
}

/// A change of the account, or what did not become one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// The operation or action.
    pub operation: String,
    /// With what.
    pub params: Value,
    /// Where.
    pub account: Option<String>,
    /// Where.
    pub region: Option<String>,
    /// What became of it.
    pub became: CustodyAction,
    /// Whether it took something back.
    pub is_undo: bool,
    /// The run and step.
    pub by: String,
    /// The approval that let it be made.
    pub approval: Option<String>,
}

/// A question to people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    /// Its id.
    pub id: ApprovalId,
    /// What was asked.
    pub title: String,
    /// Where it stands.
    pub status: ApprovalStatus,
    /// Who was asked.
    pub approvers: Vec<String>,
    /// How many had to say yes.
    pub quorum: u32,
    /// The digest of the plan that was asked about.
    pub plan_sha256: Option<Sha256>,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// When it was settled.
    pub decided_at: Option<Timestamp>,
    /// What people said.
    pub answers: Vec<Given>,
}

/// What one person said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Given {
    /// Who.
    pub person: String,
    /// Yes or no.
    pub answer: Answer,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// From where.
    pub from: String,
    /// Since when it does not count.
    pub revoked_at: Option<Timestamp>,
}

/// An item of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EvidenceLine {
    /// Its id.
    pub id: EvidenceId,
    /// What people call it.
    pub label: String,
    /// Its hash.
    pub sha256: Sha256,
    /// Its size.
    pub bytes: i64,
    /// When it was captured.
    pub captured_at: Timestamp,
    /// By what.
    pub captured_by: String,
    /// When retention deleted it, if it did.
    pub deleted_at: Option<Timestamp>,
}

/// A KPI of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KpiLine {
    /// Its name.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// How long it took, in milliseconds, where that is known.
    pub ms: Option<i64>,
    /// Why it is not known.
    pub why_not: Option<&'static str>,
    /// How long it may take.
    pub target_ms: Option<i64>,
}

impl KpiLine {
    /// Whether the target was kept, where there is one and the time is known.
    pub fn is_kept(&self) -> Option<bool> {
        Some(self.ms? <= self.target_ms?)
    }
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The incident.
    pub incident: IncidentId,
    /// One line.
    pub title: String,
    /// Where it stands.
    pub status: IncidentStatus,
    /// How bad it is.
    pub severity: Severity,
    /// The account.
    pub account: Option<String>,
    /// Whether it is made of a detector's samples.
    pub is_sample: bool,
    /// When it was received.
    pub received_at: Timestamp,
    /// When it was contained, if it is.
    pub contained_at: Option<Timestamp>,
    /// When it was closed, if it is.
    pub closed_at: Option<Timestamp>,
    /// Who took it first.
    pub acknowledged_by: Option<String>,
    /// What it was.
    pub verdict: Option<Verdict>,
    /// Why.
    pub verdict_reason: Option<String>,
    /// What it is a part of.
    pub part_of: Option<IncidentId>,
    /// Its parts.
    pub parts: Vec<PartLine>,
    /// How far the clocks were at the last thing that happened.
    pub clocks: Clocks,
    /// What people said when they closed it.
    pub review: Review,
    /// Its alerts.
    pub alerts: Vec<AlertLine>,
    /// Its runs.
    pub runs: Vec<RunLine>,
    /// What happened, by time.
    pub timeline: Vec<Moment>,
    /// What was done and undone, and what was not.
    pub changes: Vec<Change>,
    /// What people were asked.
    pub approvals: Vec<Question>,
    /// What was kept.
    pub evidence: Vec<EvidenceLine>,
    /// How long things took.
    pub kpis: Vec<KpiLine>,
    /// The end of the custody chain.
    pub chain: Head,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_together_are_the_time_that_passed() {
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        let questions = [(at(10), at(20)), (at(15), at(30)), (at(100), at(i64::MAX / 2_000_000))];
        for (now, machine_s, waiting_s) in [(5, 5, 0), (20, 10, 10), (50, 30, 20), (110, 80, 30)] {
            let clocks = Clocks::at(at(0), &questions, at(now));
            let expected = Clocks { machine_ms: machine_s * 1_000, waiting_ms: waiting_s * 1_000 };
            assert_eq!(clocks, expected, "at {now}");
        }
        assert_eq!(Clocks::at(at(9), &questions, at(5)), Clocks::default());
    }

    #[test]
    fn what_is_not_said_again_stays() {
        let first = Review {
            impact: Some("none".into()),
            lessons: vec!["rotate".into()],
            ..Review::default()
        };
        let later =
            Review { root_cause: Some("a key in a repository".into()), ..Review::default() };
        let both = first.with(later);
        assert_eq!((both.impact.as_deref(), both.lessons.len()), (Some("none"), 1));
        assert!(both.root_cause.is_some() && both.fault().is_none());
        let empty = Review { lessons: vec![" ".into()], ..Review::default() };
        assert!(empty.fault().is_some());
    }
}
