//! Incidents whose KPIs were computed by hand; `docs/kpis.md` shows the same table.

use std::collections::BTreeMap;

use stanch_engine_core::incident::{Milestone, Verdict};
use stanch_engine_core::kpi::{
    Absent, Clocks, DURATIONS, Facts, Handling, Known, SHARES, Summary, Tally, Totals, Value,
};
use stanch_engine_core::severity::Severity;
use stanch_engine_core::time::Timestamp;

/// A time of 2026-11-24.
pub(crate) fn at(clock: &str) -> Timestamp {
    Timestamp::parse(&format!("2026-11-24T{clock}")).unwrap()
}

pub(crate) fn known(milestones: &[(Milestone, Timestamp)]) -> Known {
    Known {
        opened_at: at("10:00:00Z"),
        is_closed: false,
        severity: Severity::High,
        account: Some("111122223333".into()),
        sources: ["guardduty".into()].into(),
        playbooks: ["iam-access-key-compromise".into()].into(),
        person: None,
        milestones: milestones.iter().copied().collect(),
        verdict: None,
        alerts: 1,
        deliveries: 1,
        evidence_attempted: 0,
        evidence_kept: 0,
        automatic_attempted: 0,
        automatic_effective: 0,
        is_escalated: false,
        reopenings: 0,
        review_score: None,
        is_signed_off: false,
        clocks: Clocks::default(),
    }
}

fn value(facts: &Facts, name: &str) -> Value {
    let place = DURATIONS.iter().position(|duration| duration.definition.name == name).unwrap();
    facts.durations[place]
}

use Milestone as M;

/// A key is stolen at 09:40, found at 09:52, received at 10:00. Mia looks at 10:04, it is
/// contained at 10:06:30, she decides at 10:09, and it is closed at 11:30.
fn stolen_key() -> Known {
    let mut known = known(&[
        (M::OccurredAt, at("09:40:00Z")),
        (M::DetectedAt, at("09:52:00Z")),
        (M::ReceivedAt, at("10:00:00Z")),
        (M::FirstAutomatedAt, at("10:00:02Z")),
        (M::AcknowledgedAt, at("10:04:00Z")),
        (M::ContainRequestedAt, at("10:04:01Z")),
        (M::ContainedAt, at("10:06:30Z")),
        (M::VerdictAt, at("10:09:00Z")),
        (M::RecoveredAt, at("11:00:00Z")),
        (M::ClosedAt, at("11:30:00Z")),
        (M::ImpactStartedAt, at("10:06:30Z")),
        (M::ImpactEndedAt, at("10:21:30Z")),
    ]);
    (known.is_closed, known.verdict) = (true, Some(Verdict::TruePositive));
    known.person = Some("mia".into());
    (known.evidence_attempted, known.evidence_kept) = (4, 3);
    // Three of four questions with yes, signed off.
    (known.review_score, known.is_signed_off) = (Some(75), true);
    known.clocks = Clocks {
        // Two questions at once count once: 10:00:30 to 10:05.
        gates: vec![
            (at("10:00:30Z"), Some(at("10:04:00Z"))),
            (at("10:02:00Z"), Some(at("10:05:00Z"))),
        ],
        // 10:00 to 10:00:20, and 10:05 to 10:06: what lies in the gates is theirs.
        calls: vec![
            (at("10:00:00Z"), Some(at("10:00:20Z"))),
            (at("10:04:30Z"), Some(at("10:06:00Z"))),
        ],
        rests: vec![(at("10:06:00Z"), Some(at("10:06:20Z")))],
        runs: vec![(at("10:00:00Z"), Some(at("10:06:30Z")))],
    };
    known
}

/// Contained by itself within 40 seconds; the detector names no first event.
fn contained_by_itself() -> Known {
    let mut known = known(&[
        (M::DetectedAt, at("09:59:30Z")),
        (M::ReceivedAt, at("10:00:00Z")),
        (M::FirstAutomatedAt, at("10:00:01Z")),
        (M::ContainRequestedAt, at("10:00:05Z")),
        (M::ContainedAt, at("10:00:40Z")),
    ]);
    (known.automatic_attempted, known.automatic_effective) = (3, 2);
    // It was closed once, and is open again.
    known.reopenings = 2;
    known
}

/// Nobody has looked at it, and the page went on to the next.
fn unattended() -> Known {
    let mut known = known(&[(M::ReceivedAt, at("10:00:00Z"))]);
    known.is_escalated = true;
    known
}

/// The detector's clock is an hour ahead; a person entered a recovery before it began.
fn clock_trouble() -> Known {
    let mut known = known(&[
        (M::OccurredAt, at("10:40:00Z")),
        (M::DetectedAt, at("11:00:00Z")),
        (M::ReceivedAt, at("10:00:00Z")),
        (M::AcknowledgedAt, at("10:01:00Z")),
        (M::RecoveredAt, at("09:00:00Z")),
    ]);
    (known.is_closed, known.verdict) = (true, Some(Verdict::FalsePositive));
    known.review_score = Some(100);
    known
}

/// A person has opened it, whom another told in times of other zones: 12:40+03:00 is 09:40 UTC. The
/// detectors missed it.
fn another_zone() -> Known {
    let mut known = known(&[
        (M::OccurredAt, at("12:40:00+03:00")),
        (M::DetectedAt, at("04:52:00-05:00")),
        (M::ReceivedAt, at("10:00:00Z")),
    ]);
    known.sources = ["manual".into()].into();
    known.verdict = Some(Verdict::TruePositive);
    known
}

fn now() -> Timestamp {
    at("12:00:00Z")
}

fn all() -> Vec<Facts> {
    [stolen_key(), contained_by_itself(), unattended(), clock_trouble(), another_zone()]
        .iter()
        .map(|known| Facts::of(known, now()))
        .collect()
}

#[test]
fn every_kpi_of_one_incident_by_hand() {
    let facts = Facts::of(&stolen_key(), now());
    let minutes = |minutes: i64, seconds: i64| Value::Measured((minutes * 60 + seconds) * 1_000);
    for (name, expected) in [
        ("time_to_detect", minutes(12, 0)),
        ("time_to_notify", minutes(8, 0)),
        ("time_to_acknowledge", minutes(4, 0)),
        ("time_to_investigate", minutes(5, 0)),
        ("time_to_respond", minutes(0, 2)),
        ("time_to_contain", minutes(6, 30)),
        ("time_to_recover", minutes(60, 0)),
        ("time_to_resolve", minutes(90, 0)),
        ("customer_impact", minutes(15, 0)),
        ("approval_wait", minutes(4, 30)),
        ("aws_wait", minutes(1, 20)),
        ("machine_time", minutes(0, 20)),
    ] {
        assert_eq!(value(&facts, name), expected, "{name}");
    }
    assert_eq!(facts.durations.len(), 12, "each is computed here by hand");
    assert_eq!(facts.handling, Handling::Human);
}

#[test]
fn what_makes_no_sense_has_no_figure_and_says_why() {
    let facts = Facts::of(&clock_trouble(), now());
    let absent = |name: &str, why| assert_eq!(value(&facts, name), Value::Absent(why), "{name}");
    absent("time_to_detect", Absent::Future);
    absent("time_to_notify", Absent::Future);
    absent("time_to_recover", Absent::Backwards);
    absent("time_to_contain", Absent::ClosedWithout);
    absent("customer_impact", Absent::NotBegun);
    absent("machine_time", Absent::Nothing);
    assert_eq!(value(&facts, "time_to_acknowledge"), Value::Measured(60_000));

    let late = known(&[(M::ReceivedAt, at("10:00:00Z")), (M::ContainedAt, at("13:00:00Z"))]);
    let facts = Facts::of(&late, now());
    assert_eq!(value(&facts, "time_to_contain"), Value::Absent(Absent::Future));

    let facts = Facts::of(&another_zone(), now());
    assert_eq!(
        value(&facts, "time_to_detect"),
        Value::Measured(12 * 60_000),
        "zones are no trouble"
    );

    let mut running = unattended();
    running.clocks.runs = vec![(at("10:00:00Z"), None)];
    let since = at("10:00:00Z").micros();
    assert_eq!(value(&Facts::of(&running, now()), "machine_time"), Value::Open { since });
}

/// name, count, mean, p50, p90, p95, open, not applicable; of the five incidents.
type Row = (&'static str, i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>, i64, i64);

const GOLDEN: &[Row] = &[
    ("time_to_detect", 2, Some(720_000), Some(720_000), Some(720_000), Some(720_000), 0, 3),
    ("time_to_notify", 3, Some(330_000), Some(480_000), Some(480_000), Some(480_000), 0, 2),
    ("time_to_acknowledge", 2, Some(150_000), Some(60_000), Some(240_000), Some(240_000), 3, 0),
    ("time_to_investigate", 1, Some(300_000), Some(300_000), Some(300_000), Some(300_000), 0, 4),
    ("time_to_respond", 3, Some(21_000), Some(2_000), Some(60_000), Some(60_000), 2, 0),
    ("time_to_contain", 2, Some(215_000), Some(40_000), Some(390_000), Some(390_000), 2, 1),
    (
        "time_to_recover",
        1,
        Some(3_600_000),
        Some(3_600_000),
        Some(3_600_000),
        Some(3_600_000),
        3,
        1,
    ),
    (
        "time_to_resolve",
        1,
        Some(5_400_000),
        Some(5_400_000),
        Some(5_400_000),
        Some(5_400_000),
        3,
        1,
    ),
    ("customer_impact", 1, Some(900_000), Some(900_000), Some(900_000), Some(900_000), 0, 4),
    ("approval_wait", 1, Some(270_000), Some(270_000), Some(270_000), Some(270_000), 0, 4),
    ("aws_wait", 1, Some(80_000), Some(80_000), Some(80_000), Some(80_000), 0, 4),
    ("machine_time", 1, Some(20_000), Some(20_000), Some(20_000), Some(20_000), 0, 4),
];

fn row(summary: &Summary) -> Row {
    let Summary {
        definition, count, mean_ms, p50_ms, p90_ms, p95_ms, open, not_applicable, ..
    } = summary.clone();
    (definition.name, count, mean_ms, p50_ms, p90_ms, p95_ms, open, not_applicable)
}

#[test]
fn the_golden_table_by_hand() {
    let mut totals = Totals::exact();
    all().iter().for_each(|facts| totals.add(facts));
    let found: Vec<Row> = totals.durations().iter().map(row).collect();
    assert_eq!(found, GOLDEN);
    let shares: BTreeMap<_, _> = totals
        .shares()
        .into_iter()
        .map(|share| (share.definition.name, (share.part, share.whole, share.value)))
        .collect();
    let expected = BTreeMap::from([
        ("false_positive_rate", (1, 3, Some(1.0 / 3.0))),
        ("detection_accuracy", (2, 3, Some(2.0 / 3.0))),
        ("detection_recall", (1, 2, Some(0.5))),
        ("investigation_completion", (3, 5, Some(0.6))),
        ("evidence_preservation", (3, 4, Some(0.75))),
        ("investigation_quality", (175, 200, Some(0.875))),
        ("review_completion", (1, 2, Some(0.5))),
        ("automated_remediation", (2, 3, Some(2.0 / 3.0))),
        ("escalation_frequency", (1, 5, Some(0.2))),
        ("reopen_rate", (1, 3, Some(1.0 / 3.0))),
    ]);
    assert_eq!(shares, expected);
    assert_eq!(SHARES.len(), expected.len());
    let page = include_str!("../../../../docs/kpis.md");
    for (name, (part, whole, _)) in expected {
        let line = format!("| `{name}` | {part} | {whole} |");
        assert!(page.contains(&line), "docs/kpis.md has no line\n{line}");
    }
}

#[test]
fn the_documents_show_the_golden_table() {
    let page = include_str!("../../../../docs/kpis.md");
    for (name, count, mean, p50, p90, p95, open, absent) in GOLDEN {
        let seconds = |ms: &Option<i64>| (ms.unwrap() / 1_000).to_string();
        let (mean, p50) = (seconds(mean), seconds(p50));
        let (p90, p95) = (seconds(p90), seconds(p95));
        let line =
            format!("| `{name}` | {count} | {mean} | {p50} | {p90} | {p95} | {open} | {absent} |");
        assert!(page.contains(&line), "docs/kpis.md has no line\n{line}");
    }
}

#[test]
fn the_documents_define_what_is_computed_word_by_word() {
    let page = include_str!("../../../../docs/kpis.md");
    for definition in stanch_engine_core::kpi::definitions() {
        let line = format!(
            "| {} | `{}` | {} | {} | {} |",
            definition.title, definition.name, definition.unit, definition.formula, definition.note
        );
        assert!(page.contains(&line), "docs/kpis.md has no line\n{line}");
    }
}

#[test]
fn nothing_is_no_figure_rather_than_zero() {
    let totals = Totals::exact();
    let contain = totals.duration(5).unwrap();
    assert_eq!((contain.count, contain.mean_ms, contain.p50_ms), (0, None, None));
    assert!(totals.shares().iter().all(|share| share.value.is_none()));
}

#[test]
fn what_was_added_can_be_taken_away() {
    let facts = all();
    let mut tally = Tally::default();
    facts.iter().for_each(|facts| tally.add(facts));
    let text = serde_json::to_string(&tally).unwrap();
    assert_eq!(serde_json::from_str::<Tally>(&text).unwrap(), tally);
    let first = facts.first().unwrap();
    let mut rest = Tally::default();
    facts.iter().skip(1).for_each(|facts| rest.add(facts));
    tally.remove(first);
    assert_eq!(tally, rest);
}
