//! Storms: many alerts of one type in a short time become one incident with a count.

use crate::alert::Alert;
use crate::alert_filter::AlertFilter;
use crate::id::IncidentId;
use crate::severity::Severity;
use crate::span::Span;
use crate::time::Timestamp;

/// When alerts are a storm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Which alerts it is about.
    pub when: AlertFilter,
    /// So many of a type open incidents of their own within the time; the next is a storm.
    pub more_than: u32,
    /// The time; a storm is over when it has been quiet for as long.
    pub within: Span,
}

/// How many alerts of a type came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// When the count began.
    pub since: Timestamp,
    /// When the last one came.
    pub last_at: Timestamp,
    /// How many.
    pub count: u32,
    /// The storm's incident, once it is one.
    pub incident: Option<IncidentId>,
}

/// What becomes of an alert that would open an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It opens one: it is no storm yet.
    Calm,
    /// It opens the storm's.
    Begins,
    /// It goes into the storm's.
    GoesOn(IncidentId),
}

impl Rule {
    /// Whether an alert may be taken for a part of a storm. A critical one never is, nor the first
    /// of its type in its account: each is looked at by itself.
    pub fn may_take(&self, alert: &Alert, is_first_in_account: bool) -> bool {
        alert.severity < Severity::Critical && !is_first_in_account && self.when.takes(alert)
    }

    /// The name of the tally: a type, by its source; samples by themselves.
    pub fn tally_key(&self, alert: &Alert) -> String {
        let realm = if alert.is_sample() { "sample/" } else { "" };
        let key = format!("{realm}{}/{}/{}", self.name, alert.source, alert.kind);
        let is_long = key.len() > 1_024;
        if is_long { format!("sha256:{}", crate::digest::Sha256::of(key)) } else { key }
    }

    /// Counts an alert that comes `now`.
    pub fn count(&self, tally: Option<&Tally>, now: Timestamp) -> (Tally, Step) {
        let is_over = |tally: &&Tally| {
            let from = if tally.incident.is_some() { tally.last_at } else { tally.since };
            now.ms_since(from) > self.within.ms
        };
        let Some(tally) = tally.filter(|tally| !is_over(tally)) else {
            let first = Tally { since: now, last_at: now, count: 1, incident: None };
            return (first, if self.more_than == 0 { Step::Begins } else { Step::Calm });
        };
        let count = tally.count.saturating_add(1);
        let step = match tally.incident {
            Some(incident) => Step::GoesOn(incident),
            None if count > self.more_than => Step::Begins,
            None => Step::Calm,
        };
        (Tally { last_at: now, count, ..tally.clone() }, step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::tests::alert;
    use proptest::prelude::*;

    fn rule(more_than: u32) -> Rule {
        let (name, when) = ("all".to_owned(), AlertFilter::default());
        Rule { name, when, more_than, within: Span::from_secs(60) }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::default().plus_ms(seconds * 1_000)
    }

    /// Plays alerts at these seconds; the storm's incident is named by the second it began.
    fn play(rule: &Rule, seconds: &[i64]) -> Vec<Step> {
        let mut tally = None;
        let mut steps = Vec::new();
        for second in seconds {
            let (mut next, step) = rule.count(tally.as_ref(), at(*second));
            if step == Step::Begins {
                next.incident = Some(IncidentId::new(at(*second), 0));
            }
            (tally, _) = (Some(next), steps.push(step));
        }
        steps
    }

    #[test]
    fn the_first_few_stand_alone_and_the_rest_are_one() {
        let storm = IncidentId::new(at(3), 0);
        let expected =
            [Step::Calm, Step::Calm, Step::Begins, Step::GoesOn(storm), Step::GoesOn(storm)];
        assert_eq!(play(&rule(2), &[1, 2, 3, 4, 62]), expected);
    }

    #[test]
    fn it_is_over_when_it_was_quiet_for_as_long() {
        assert_eq!(play(&rule(1), &[1, 2, 62])[2], Step::GoesOn(IncidentId::new(at(2), 0)));
        assert_eq!(play(&rule(1), &[1, 2, 63])[2], Step::Calm);
        assert_eq!(play(&rule(1), &[1, 61])[1], Step::Begins);
        assert_eq!(play(&rule(1), &[1, 62])[1], Step::Calm);
    }

    #[test]
    fn what_is_critical_or_new_to_its_account_is_no_part_of_it() {
        let critical = Alert { severity: Severity::Critical, ..alert() };
        assert!(rule(1).may_take(&alert(), false));
        assert!(!rule(1).may_take(&alert(), true));
        assert!(!rule(1).may_take(&critical, false));
    }

    proptest! {
        #[test]
        fn no_more_than_so_many_open_incidents_of_their_own_between_two_pauses(
            more_than in 0_u32..6, gaps in prop::collection::vec(0_i64..30, 1..60),
        ) {
            let seconds: Vec<i64> =
                gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
            let steps = play(&rule(more_than), &seconds);
            // In any minute: those of two counts at most, since a count begins with its first.
            for (index, begin) in seconds.iter().enumerate() {
                let of_minute = seconds.iter().zip(&steps).skip(index)
                    .take_while(|(second, _)| **second - begin <= 60);
                let opened = of_minute.filter(|(_, step)| !matches!(step, Step::GoesOn(_))).count();
                prop_assert!(opened <= 2 * (more_than as usize + 1), "{opened} of {steps:?}");
            }
            // Nothing goes into a storm that did not begin.
            let first_in = steps.iter().position(|step| matches!(step, Step::GoesOn(_)));
            let began = steps.iter().position(|step| *step == Step::Begins);
            prop_assert!(first_in.is_none_or(|at| began.is_some_and(|began| began < at)));
        }
    }
}
