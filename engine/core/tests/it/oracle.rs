//! Random incidents, computed a second time by what shares nothing with the first: seconds counted
//! one by one, and percentiles by their definition.

use proptest::prelude::*;
use stanch_engine_core::incident::{Milestone as M, Verdict as V};
use stanch_engine_core::kpi::{Clocks, Facts, Known, Tally, Totals, Value};
use stanch_engine_core::time::Timestamp;

use crate::golden::known;

/// All times are whole seconds from this one on.
const BEGIN: i64 = 1_764_000_000;
const SECONDS: i64 = 4_000;

fn second(number: i64) -> Timestamp {
    Timestamp::from_micros((BEGIN + number) * 1_000_000)
}

const NAMES: [M; 7] = [
    M::OccurredAt,
    M::DetectedAt,
    M::ReceivedAt,
    M::AcknowledgedAt,
    M::ContainedAt,
    M::VerdictAt,
    M::ClosedAt,
];

type Raw = (Vec<Option<i64>>, bool, Vec<(i64, i64)>, Vec<(i64, i64)>);

/// What people made of an incident: a verdict (none, true, false, benign), who reported it (a detector,
/// people, both), how often it was opened again, the score of its review, whether that is signed off.
type Said = (usize, usize, u32, Option<u32>, bool);

fn said() -> impl Strategy<Value = Said> {
    (0..4_usize, 0..3_usize, 0..3_u32, prop::option::of(0..=100_u32), any::<bool>())
}

fn tell(known: &mut Known, said: &Said) {
    let (verdict, by, reopenings, score, is_signed_off) = *said;
    let verdicts = [None, Some(V::TruePositive), Some(V::FalsePositive), Some(V::BenignPositive)];
    known.verdict = verdicts[verdict];
    let sources: [&[&str]; 3] = [&["guardduty"], &["manual"], &["guardduty", "manual"]];
    known.sources = sources[by].iter().map(|source| (*source).to_owned()).collect();
    (known.reopenings, known.review_score, known.is_signed_off) =
        (reopenings, score, is_signed_off);
}

/// Both numbers of a share, or -1 of one that is not computed here, by counting the incidents that are in it one by one.
fn plain_share(name: &str, all: &[(Raw, Said)]) -> (i64, i64) {
    let count = |is_in: &dyn Fn(&(Raw, Said)) -> bool| {
        let mut number = 0;
        for one in all {
            if is_in(one) {
                number += 1;
            }
        }
        number
    };
    let judged = |wanted: usize| move |one: &(Raw, Said)| one.1.0 == wanted;
    let (was_true, was_false) = (judged(1), judged(2));
    match name {
        "false_positive_rate" => (count(&was_false), count(&|one| one.1.0 != 0)),
        "detection_accuracy" => (count(&was_true), count(&was_true) + count(&was_false)),
        "detection_recall" => (count(&|one| was_true(one) && one.1.1 != 1), count(&was_true)),
        "investigation_quality" => {
            let scores: Vec<u32> = all.iter().filter_map(|one| one.1.3).collect();
            (
                scores.iter().map(|score| i64::from(*score)).sum(),
                100 * count(&|one| one.1.3.is_some()),
            )
        }
        "review_completion" => (count(&|one| one.0.1 && one.1.4), count(&|one| one.0.1)),
        "reopen_rate" => (count(&|one| one.1.2 > 0), count(&|one| one.0.1 || one.1.2 > 0)),
        _ => (-1, -1),
    }
}

fn raw() -> impl Strategy<Value = Raw> {
    let interval = (0..SECONDS, 0..600_i64).prop_map(|(from, length)| (from, from + length));
    let marks = prop::collection::vec(prop::option::weighted(0.8, 0..SECONDS), NAMES.len());
    let some = || prop::collection::vec(interval.clone(), 0..4);
    (marks, any::<bool>(), some(), some())
}

fn of(raw: &Raw) -> Known {
    let (marks, is_closed, gates, calls) = raw;
    let marked = NAMES.iter().zip(marks).filter_map(|(name, at)| Some((*name, second((*at)?))));
    let mut known = known(&marked.collect::<Vec<_>>());
    known.is_closed = *is_closed;
    let lasting =
        |all: &[(i64, i64)]| all.iter().map(|(a, b)| (second(*a), Some(second(*b)))).collect();
    known.clocks = Clocks {
        gates: lasting(gates),
        calls: lasting(calls),
        rests: Vec::new(),
        runs: vec![(second(0), Some(second(SECONDS)))],
    };
    known
}

/// What an incident gives to a KPI between two milestones: a length in seconds, open, or nothing.
fn plainly(raw: &Raw, from: usize, to: usize) -> Result<i64, bool> {
    let (marks, is_closed, ..) = raw;
    let received = marks[2];
    for place in [from, to] {
        let is_detectors = place < 2;
        if let (true, Some(at), Some(received)) = (is_detectors, marks[place], received)
            && at - received > 300
        {
            return Err(false);
        }
    }
    match (marks[from], marks[to]) {
        (None, _) => Err(false),
        (Some(from), Some(to)) if to >= from => Ok(to - from),
        (Some(_), Some(_)) => Err(false),
        (Some(_), None) => Err(!is_closed),
    }
}

/// Seconds that lie in one of the first and in none of the others, counted one by one.
fn counted(all: &[(i64, i64)], without: &[(i64, i64)]) -> i64 {
    let lies_in =
        |second: i64, all: &[(i64, i64)]| all.iter().any(|(a, b)| (*a..*b).contains(&second));
    let seconds = 0..SECONDS + 600;
    seconds.filter(|s| lies_in(*s, all) && !lies_in(*s, without)).map(|_| 1).sum()
}

/// The smallest of them that at least `percent` of 100 do not exceed, by trying each.
fn smallest(all: &[i64], percent: usize) -> Option<i64> {
    let enough = |candidate: &&i64| {
        let not_longer = all.iter().filter(|length| length <= candidate).count();
        not_longer * 100 >= all.len() * percent
    };
    all.iter().filter(enough).min().copied()
}

const BETWEEN: [(usize, usize, usize); 6] =
    [(0, 0, 1), (1, 1, 2), (2, 2, 3), (3, 3, 5), (5, 2, 4), (7, 2, 6)];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn both_computations_of_shares_agree(all in prop::collection::vec((raw(), said()), 0..40)) {
        let (mut exact, mut tally) = (Totals::exact(), Tally::default());
        for (raw, said) in &all {
            let mut known = of(raw);
            tell(&mut known, said);
            let facts = Facts::of(&known, second(SECONDS + 10_000));
            exact.add(&facts);
            tally.add(&facts);
        }
        let mut rough = Totals::default();
        rough.merge(&tally);
        for name in [
            "false_positive_rate", "detection_accuracy", "detection_recall", "investigation_quality",
            "review_completion", "reopen_rate",
        ] {
            let expected = plain_share(name, &all);
            for totals in [&exact, &rough] {
                let shares = totals.shares();
                let found = shares.iter().find(|share| share.definition.name == name).unwrap();
                prop_assert_eq!((found.part, found.whole), expected, "{}", name);
                prop_assert_eq!(found.value.is_some(), expected.1 > 0, "{}", name);
            }
        }
    }

    #[test]
    fn both_computations_agree(raws in prop::collection::vec(raw(), 0..40)) {
        let now = second(SECONDS + 10_000);
        let facts: Vec<Facts> = raws.iter().map(|raw| Facts::of(&of(raw), now)).collect();
        let (mut exact, mut tally) = (Totals::exact(), Tally::default());
        for facts in &facts {
            exact.add(facts);
            tally.add(facts);
        }
        let mut rough = Totals::default();
        rough.merge(&tally);
        for (place, from, to) in BETWEEN {
            let lengths: Vec<i64> = raws.iter().filter_map(|raw| plainly(raw, from, to).ok()).collect();
            let open = raws.iter().filter(|raw| plainly(raw, from, to) == Err(true)).count();
            for totals in [&exact, &rough] {
                let summary = totals.duration(place).unwrap();
                prop_assert_eq!(summary.count, i64::try_from(lengths.len()).unwrap());
                prop_assert_eq!(summary.open, i64::try_from(open).unwrap());
                let all = summary.count + summary.open + summary.not_applicable;
                prop_assert_eq!(all, i64::try_from(raws.len()).unwrap());
                let mean = lengths.iter().sum::<i64>() * 1_000;
                prop_assert_eq!(summary.mean_ms, (!lengths.is_empty()).then(|| mean / summary.count));
                let found = [(50, summary.p50_ms), (90, summary.p90_ms), (95, summary.p95_ms)];
                for (percent, found) in found {
                    let expected = smallest(&lengths, percent).map(|seconds| seconds * 1_000);
                    if totals.is_exact() {
                        prop_assert_eq!(found, expected);
                    } else {
                        prop_assert_eq!(found.is_some(), expected.is_some());
                        let (found, expected) = (found.unwrap_or(0), expected.unwrap_or(0));
                        prop_assert!((found - expected).abs() * 64 <= expected, "{} is not near {}", found, expected);
                    }
                }
            }
        }
        for (raw, facts) in raws.iter().zip(&facts) {
            let (_, _, gates, calls) = raw;
            let ms = |seconds: i64| Value::Measured(seconds * 1_000);
            if !gates.is_empty() {
                prop_assert_eq!(facts.durations[9], ms(counted(gates, &[])));
            }
            if !calls.is_empty() {
                prop_assert_eq!(facts.durations[10], ms(counted(calls, gates)));
            }
            let waits: Vec<_> = gates.iter().chain(calls).copied().collect();
            prop_assert_eq!(facts.durations[11], ms(counted(&[(0, SECONDS)], &waits)));
        }
    }
}
