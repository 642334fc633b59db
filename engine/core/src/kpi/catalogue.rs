//! Which KPIs there are, and their formulas in words.

use serde::Serialize;

use super::facts::Known;
use crate::incident::{Milestone as M, Verdict};

/// A KPI, as it is served and documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Definition {
    /// Its name in the API.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it tells about.
    pub group: Group,
    /// `ms`, or `ratio` from 0 to 1, or `count`.
    pub unit: &'static str,
    /// How it is computed, in words.
    pub formula: &'static str,
    /// When there is no figure, and what else to know.
    pub note: &'static str,
}

/// What a KPI tells about, by the headings of SEC04.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// How soon and how rightly things are seen.
    Detection,
    /// How they are looked into.
    Investigation,
    /// What is done about them.
    Response,
    /// Where the time goes.
    Clocks,
}

/// A KPI that is a length of time of each incident.
#[derive(Clone, Copy, Debug)]
pub struct Duration {
    /// What is said of it.
    pub definition: Definition,
    pub(super) measure: Measure,
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(super) enum Measure {
    /// From a milestone to the first of others.
    Between(M, &'static [M]),
    /// While people were asked.
    ApprovalWait,
    /// While calls were under way.
    AwsWait,
    /// While runs worked and waited for nothing.
    MachineTime,
}

/// A KPI that is a part of a whole, over all incidents.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// What is said of it.
    pub definition: Definition,
    pub(super) parts: fn(&Known) -> (u32, u32),
}

const fn lasts(
    name: &'static str,
    title: &'static str,
    group: Group,
    (formula, note): (&'static str, &'static str),
    measure: Measure,
) -> Duration {
    Duration { definition: Definition { name, title, group, unit: "ms", formula, note }, measure }
}

const OPEN: &str =
    "While the later time is not there it is open; closed without it, it has no figure.";

/// The KPIs of time. The formulas are those of the AWS Security Incident Response Guide, table 5
/// (<https://docs.aws.amazon.com/whitepapers/latest/aws-security-incident-response-guide/metrics-summary.html>),
/// with "contained" meaning that every probe has passed.
pub const DURATIONS: &[Duration] = &[
    lasts(
        "time_to_detect",
        "Time to detect",
        Group::Detection,
        (
            "detected_at - occurred_at",
            "Both by the detector's clock. It has no figure when the detector gives no first event, or its \
             times lie in the future of ours by more than five minutes.",
        ),
        Measure::Between(M::OccurredAt, &[M::DetectedAt]),
    ),
    lasts(
        "time_to_notify",
        "Time to notify",
        Group::Detection,
        ("received_at - detected_at", "How long the finding was on its way to us."),
        Measure::Between(M::DetectedAt, &[M::ReceivedAt]),
    ),
    lasts(
        "time_to_acknowledge",
        "Time to acknowledge",
        Group::Investigation,
        ("acknowledged_at - received_at", OPEN),
        Measure::Between(M::ReceivedAt, &[M::AcknowledgedAt]),
    ),
    lasts(
        "time_to_investigate",
        "Time to investigate",
        Group::Investigation,
        ("verdict_at - acknowledged_at", OPEN),
        Measure::Between(M::AcknowledgedAt, &[M::VerdictAt]),
    ),
    lasts(
        "time_to_respond",
        "Time to respond",
        Group::Response,
        (
            "first of (first_automated_at, acknowledged_at, contain_requested_at) - received_at",
            OPEN,
        ),
        Measure::Between(
            M::ReceivedAt,
            &[M::FirstAutomatedAt, M::AcknowledgedAt, M::ContainRequestedAt],
        ),
    ),
    lasts(
        "time_to_contain",
        "Time to contain",
        Group::Response,
        (
            "contained_at - received_at",
            "Contained is when every probe of a containment passed. It is taken back when the incident is \
             seen again or the containment is undone.",
        ),
        Measure::Between(M::ReceivedAt, &[M::ContainedAt]),
    ),
    lasts(
        "time_to_recover",
        "Time to recover",
        Group::Response,
        ("recovered_at - received_at", OPEN),
        Measure::Between(M::ReceivedAt, &[M::RecoveredAt]),
    ),
    lasts(
        "time_to_resolve",
        "Time to resolve",
        Group::Response,
        ("closed_at - received_at", OPEN),
        Measure::Between(M::ReceivedAt, &[M::ClosedAt]),
    ),
    lasts(
        "customer_impact",
        "Customer impact",
        Group::Response,
        ("impact_ended_at - impact_started_at", "It has no figure when no impact was noted."),
        Measure::Between(M::ImpactStartedAt, &[M::ImpactEndedAt]),
    ),
    lasts(
        "approval_wait",
        "Waiting for approval",
        Group::Clocks,
        (
            "length of the union of the intervals [requested, decided] of the incident's approvals",
            "Two questions that are open at the same time count once.",
        ),
        Measure::ApprovalWait,
    ),
    lasts(
        "aws_wait",
        "Waiting for AWS",
        Group::Clocks,
        (
            "length of the union of the intervals [sent, answered] of the calls of the incident's runs, \
             without the approval wait",
            "Known when every run of the incident has ended.",
        ),
        Measure::AwsWait,
    ),
    lasts(
        "machine_time",
        "Machine time",
        Group::Clocks,
        (
            "length of the union of the runs, without approval wait, AWS wait, sleeps and waits for signals",
            "Known when every run of the incident has ended.",
        ),
        Measure::MachineTime,
    ),
];

const fn part(
    name: &'static str,
    title: &'static str,
    group: Group,
    (formula, note): (&'static str, &'static str),
    parts: fn(&Known) -> (u32, u32),
) -> Share {
    Share { definition: Definition { name, title, group, unit: "ratio", formula, note }, parts }
}

/// The source of what people open by hand.
const MANUAL: &str = "manual";

/// The KPIs that are parts of a whole. Both numbers are summed up over the incidents before they
/// are divided.
pub const SHARES: &[Share] = &[
    part(
        "false_positive_rate",
        "False positives",
        Group::Detection,
        (
            "incidents with the verdict false_positive / incidents with a verdict",
            "No figure without a verdict.",
        ),
        |known| {
            let is_false = known.verdict == Some(Verdict::FalsePositive);
            (is_false.into(), known.verdict.is_some().into())
        },
    ),
    part(
        "detection_accuracy",
        "Detection accuracy",
        Group::Detection,
        (
            "true positives / (true positives + false positives)",
            "The precision of the detectors. What they missed is in `detection_recall`.",
        ),
        |known| {
            let is_true = known.verdict == Some(Verdict::TruePositive);
            let is_false = known.verdict == Some(Verdict::FalsePositive);
            (is_true.into(), (is_true || is_false).into())
        },
    ),
    part(
        "detection_recall",
        "Detection recall",
        Group::Detection,
        (
            "true positives that a detector sent / true positives",
            "One that only people opened (source `manual`) is one that the detectors missed. What nobody \
             found is in no figure.",
        ),
        |known| {
            let is_true = known.verdict == Some(Verdict::TruePositive);
            let is_missed = known.sources.iter().all(|source| source == MANUAL);
            ((is_true && !is_missed).into(), is_true.into())
        },
    ),
    part(
        "investigation_completion",
        "Investigations completed",
        Group::Investigation,
        ("incidents with a verdict / incidents", "Open incidents count as not completed yet."),
        |known| (known.verdict.is_some().into(), 1),
    ),
    part(
        "evidence_preservation",
        "Evidence preserved",
        Group::Investigation,
        (
            "steps whose evidence was stored under its hash / steps that were to capture evidence",
            "A step that failed and succeeded later counts as stored.",
        ),
        |known| (known.evidence_kept, known.evidence_attempted),
    ),
    part(
        "investigation_quality",
        "Quality of investigations",
        Group::Investigation,
        (
            "score of the review's checklist / 100",
            "Each reviewed incident counts the same, from 0 to 100: the questions answered with yes of those \
             that apply or are open. What nobody reviewed is not among them.",
        ),
        |known| {
            (known.review_score.unwrap_or(0), if known.review_score.is_some() { 100 } else { 0 })
        },
    ),
    part(
        "review_completion",
        "Reviews signed off",
        Group::Investigation,
        (
            "closed incidents whose review is signed off / closed incidents",
            "A review is signed off by another person than answered it, and not any more when the incident is \
             opened again.",
        ),
        |known| ((known.is_closed && known.is_signed_off).into(), known.is_closed.into()),
    ),
    part(
        "automated_remediation",
        "Automatic changes that hold",
        Group::Response,
        (
            "changes of plans that nobody approved whose probe passed / such changes that were sent",
            "What people approved, what was only observed and what takes changes back is not among them.",
        ),
        |known| (known.automatic_effective, known.automatic_attempted),
    ),
    part(
        "escalation_frequency",
        "Escalations",
        Group::Response,
        (
            "incidents with a page that went on to the next of its chain / incidents",
            "Each incident counts once.",
        ),
        |known| (known.is_escalated.into(), 1),
    ),
    part(
        "reopen_rate",
        "Opened again",
        Group::Response,
        (
            "incidents that were opened again after their end / incidents that were ever closed",
            "By a person, or by an alert that was seen again. Each incident counts once.",
        ),
        |known| {
            let is_again = known.reopenings > 0;
            (is_again.into(), (is_again || known.is_closed).into())
        },
    ),
];

/// Alerts, which are counted and not measured.
pub const ALERT_VOLUME: Definition = Definition {
    name: "alert_volume",
    title: "Alerts",
    group: Group::Detection,
    unit: "count",
    formula: "alerts of the incidents that began in the window, and how often they were delivered",
    note: "By source with `by=source`. What was suppressed is in no incident.",
};

/// The coverage of what is critical, which a sweep finds.
pub const COVERAGE: Definition = Definition {
    name: "coverage",
    title: "Coverage of critical assets",
    group: Group::Detection,
    unit: "ratio",
    formula: "critical assets that a detector covers / critical assets, for each detector",
    note: "From the result of the last run of the playbook `coverage` or `logging-baseline` that succeeded. No figure without one.",
};

/// Every definition, in the order in which they are shown.
pub fn definitions() -> Vec<Definition> {
    let shares = SHARES.iter().map(|share| share.definition);
    let all = DURATIONS.iter().map(|duration| duration.definition).chain(shares);
    all.chain([ALERT_VOLUME, COVERAGE]).collect()
}

/// The KPI of time of this name, and its place in [`DURATIONS`].
pub fn duration(name: &str) -> Option<(usize, &'static Duration)> {
    DURATIONS.iter().enumerate().find(|(_, duration)| duration.definition.name == name)
}
