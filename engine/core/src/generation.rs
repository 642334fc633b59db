//! Generations of a run: begun again from one of its steps, or from its start with new inputs.
//!
//! A new generation has tokens of its own, so that what it does is done anew. What the one before
//! learned holds as long as nothing that it depends on is asked again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::command::{EachArgs, Verb};
use crate::journal::{ByPerson, Entry, Event, Signalled, Started};
use crate::step::StepKey;
use crate::suggest;
use crate::time::Timestamp;

/// Why a generation began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GenerationCause {
    /// A person let the run go on from one of its steps.
    Rerun,
    /// Its playbook begins again, with new inputs and an empty journal.
    ContinueAsNew,
}

/// Of a run that begins again. What the entries before it say of steps that it does not drop
/// still holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerationStarted {
    /// All that its playbook may read of the world, pinned anew.
    pub started: Started,
    /// Why.
    pub cause: GenerationCause,
    /// Who wanted it, and why, if a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<ByPerson>,
    /// Steps that are asked again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drops: Vec<StepKey>,
    /// Of a playbook that begins again: signals that nothing had waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<(Timestamp, Signalled)>,
}

/// Why a run can't be run again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAgain {
    /// There is no such step.
    #[error("the run has no step {step}{hint}")]
    NoSuchStep {
        /// What was asked for.
        step: StepKey,
        /// What may have been meant.
        hint: String,
    },
    /// Every step has what it asked for.
    #[error("no step of the run failed: say from which one it is to be run again")]
    NothingFailed,
    /// Asking again would forget a doubt.
    #[error(
        "nobody knows whether step {} took place: run it again from there if it is to be repeated, or from a step beside it",
        .0
    )]
    InDoubt(StepKey),
}

/// What the journal has of a step.
#[derive(Debug, Default)]
struct Seen {
    place: Vec<u32>,
    verb: Option<Verb>,
    failed: bool,
    is_open: bool,
    is_in_doubt: bool,
    /// Of an `each`: which items failed.
    items: Vec<usize>,
}

/// Where a step stands to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Same,
    Before,
    After,
    /// In another branch: neither knows of the other.
    Beside,
    /// It lies below the other.
    Inside,
    /// The other lies below it.
    Around,
}

struct Tree {
    steps: BTreeMap<StepKey, Seen>,
    /// Places right below which a step lies: what lies there comes one after the other.
    sequences: BTreeSet<Vec<u32>>,
}

/// The steps of an ended run that are asked again when it is run again: those that failed last in
/// their branch, or the one that a person names, and all that came after them.
///
/// # Errors
/// [`NotAgain`] says what to ask for instead.
pub fn drops(entries: &[Entry], from: Option<&StepKey>) -> Result<Vec<StepKey>, NotAgain> {
    let tree = Tree::of(entries);
    let roots = match from {
        Some(step) => tree.named(step)?,
        None => tree.failures(),
    };
    let is_after = |seen: &Seen| roots.iter().any(|root| root.takes(&tree, seen));
    let mut drops = Vec::new();
    for (key, seen) in &tree.steps {
        let is_closing = seen.place.first() == Some(&0);
        if !is_closing && !is_after(seen) && (!seen.is_open || seen.is_in_doubt) {
            continue;
        }
        if seen.is_in_doubt && !is_closing && from != Some(key) {
            return Err(NotAgain::InDoubt(key.clone()));
        }
        drops.push(key.clone());
    }
    let is_new = |key: &StepKey| key.place().first() != Some(&0);
    if drops.iter().any(is_new) { Ok(drops) } else { Err(NotAgain::NothingFailed) }
}

/// Where asking again begins.
struct Root {
    place: Vec<u32>,
    /// Whether what lies below is asked again, too.
    with_inside: bool,
}

impl Root {
    fn takes(&self, tree: &Tree, seen: &Seen) -> bool {
        match tree.relation(&seen.place, &self.place) {
            Relation::Same | Relation::After | Relation::Around => true,
            Relation::Inside => self.with_inside,
            Relation::Before | Relation::Beside => false,
        }
    }
}

impl Tree {
    fn of(entries: &[Entry]) -> Self {
        let mut steps: BTreeMap<StepKey, Seen> = BTreeMap::new();
        for event in entries.iter().map(|entry| &entry.event) {
            if let Event::GenerationStarted(generation) = event {
                match generation.cause {
                    GenerationCause::ContinueAsNew => steps.clear(),
                    GenerationCause::Rerun => {
                        generation.drops.iter().for_each(|key| drop(steps.remove(key)));
                    }
                }
            }
            let Some(key) = event.step() else { continue };
            let seen = steps.entry(key.clone()).or_default();
            if let Some(head) = event.head() {
                (seen.place, seen.verb) = (key.place(), Some(head.verb));
                if head.verb == Verb::Each {
                    seen.items = head.args.read::<EachArgs>().map(|a| a.failed).unwrap_or_default();
                }
            }
            seen.failed = matches!(event, Event::StepFailed(_));
            seen.is_open = !matches!(event, Event::StepFailed(_) | Event::StepSucceeded(_));
            seen.is_in_doubt = matches!(event, Event::StepDoubted(_));
        }
        let above = steps.values().filter_map(|seen| seen.place.split_last());
        let sequences = above.map(|(_, above)| above.to_vec()).collect();
        Self { steps, sequences }
    }

    fn named(&self, step: &StepKey) -> Result<Vec<Root>, NotAgain> {
        let place = step.place();
        if !self.steps.values().any(|seen| seen.place.starts_with(&place)) {
            let keys = self.steps.keys().map(|key| &*key.0);
            let hint = suggest::slip(&step.0, keys);
            let hint = hint.map_or_else(String::new, |key| format!(" (did you mean {key}?)"));
            return Err(NotAgain::NoSuchStep { step: step.clone(), hint });
        }
        Ok(vec![Root { place, with_inside: true }])
    }

    /// The branch that a step lies in, as the length of its place, which the number of its call in
    /// that branch follows.
    fn branch(&self, place: &[u32]) -> usize {
        let (mut is_sequence, mut branch) = (true, 0);
        for end in 1..place.len() {
            match is_sequence {
                true => is_sequence = self.is_sequence(place, end),
                false => (is_sequence, branch) = (true, end),
            }
        }
        branch
    }

    /// Whether what lies below the first numbers of a place comes one after the other.
    fn is_sequence(&self, place: &[u32], length: usize) -> bool {
        place.get(..length).is_some_and(|above| self.sequences.contains(above))
    }

    fn relation(&self, a: &[u32], b: &[u32]) -> Relation {
        let mut is_sequence = true;
        for at in 0.. {
            match (a.get(at), b.get(at)) {
                (None, None) => return Relation::Same,
                (None, Some(_)) => return Relation::Around,
                (Some(_), None) => return Relation::Inside,
                (Some(x), Some(y)) if x == y => {
                    is_sequence = !is_sequence || self.is_sequence(a, at + 1);
                }
                (Some(x), Some(y)) => {
                    return match (is_sequence, x < y) {
                        (false, _) => Relation::Beside,
                        (true, true) => Relation::Before,
                        (true, false) => Relation::After,
                    };
                }
            }
        }
        Relation::Same
    }

    /// Steps that failed and that nothing followed in their branch, and items of an `each` that
    /// failed otherwise.
    fn failures(&self) -> Vec<Root> {
        let mut by_call: BTreeMap<Vec<u32>, &Seen> = BTreeMap::new();
        for seen in self.steps.values().filter(|seen| seen.failed) {
            let branch = self.branch(&seen.place);
            let call = seen.place.get(branch);
            let follows = |other: &&Seen| {
                other.place.get(..branch) == seen.place.get(..branch)
                    && other.place.get(branch) > call
            };
            if self.steps.values().any(|other| follows(&other)) {
                continue;
            }
            let call = seen.place.get(..=branch).unwrap_or_default().to_vec();
            let first = by_call.entry(call).or_insert(seen);
            if seen.place < first.place {
                *first = seen;
            }
        }
        let failed = by_call.into_values().map(|seen| self.first_to_repeat(seen));
        let mut roots: Vec<Root> = failed.map(|place| Root { place, with_inside: true }).collect();
        for each in self.steps.values().filter(|seen| seen.verb == Some(Verb::Each)) {
            for item in &each.items {
                let mut place = each.place.clone();
                place.push(u32::try_from(*item).unwrap_or(u32::MAX));
                if !roots.iter().any(|root| root.place.starts_with(&place)) {
                    roots.push(Root { place, with_inside: true });
                }
            }
            roots.push(Root { place: each.place.clone(), with_inside: false });
        }
        roots
    }

    /// A plan that is not effective is looked at again, and not only judged again.
    fn first_to_repeat(&self, failed: &Seen) -> Vec<u32> {
        let above = failed.place.split_last().map(|(_, above)| above);
        let is_probe = |seen: &&Seen| {
            seen.verb == Some(Verb::Probe)
                && seen.place.split_last().map(|(_, above)| above) == above
        };
        let probes = self.steps.values().filter(is_probe).map(|seen| &seen.place);
        let probe = probes.min().filter(|_| failed.verb == Some(Verb::Verify));
        probe.unwrap_or(&failed.place).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Position;
    use crate::journal::{Head, StepDoubted, StepFailed, StepScheduled, StepSucceeded};
    use crate::json::Json;
    use crate::step::StepError;
    use serde_json::json;

    /// A journal of steps: `+5` succeeded, `-5` failed, `?5` is in doubt, `~5` waits.
    fn journal(steps: &[&str]) -> Vec<Entry> {
        let event = |step: &str| {
            let (mark, rest) = step.split_at(1);
            let (key, verb) = rest.split_once(' ').unwrap_or((rest, "action"));
            let args = match verb {
                "each" => json!({"failed": [1], "not_started": 0, "total": 3}),
                _ => json!({}),
            };
            let verb = verb.parse().unwrap();
            let head = Some(Head { verb, args: Json::of(&args), position: Position::default() });
            let (key, error) = (StepKey::from(key), StepError::permanent("x", "x"));
            let waits = StepScheduled {
                key: key.clone(),
                head: head.clone(),
                token: None,
                waits_for: None,
                wake_at: None,
            };
            match mark {
                "+" => vec![Event::StepSucceeded(StepSucceeded {
                    key,
                    head,
                    result: Json::null(),
                    call: None,
                })],
                "-" => vec![Event::StepFailed(StepFailed { key, head, error, call: None })],
                "?" => vec![
                    Event::StepScheduled(waits),
                    Event::StepDoubted(StepDoubted { key, error }),
                ],
                _ => vec![Event::StepScheduled(waits)],
            }
        };
        let events = steps.iter().flat_map(|step| event(step));
        let numbered = events.zip(1..);
        numbered.map(|(event, seq)| Entry { seq, at: Default::default(), event }).collect()
    }

    fn dropped(steps: &[&str], from: Option<&str>) -> Result<Vec<String>, NotAgain> {
        let drops = drops(&journal(steps), from.map(StepKey::from).as_ref())?;
        Ok(drops.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_failed_and_what_came_after_it_is_asked_again() {
        assert_eq!(dropped(&["+1", "+2", "-3"], None).unwrap(), ["3"]);
        assert_eq!(dropped(&["+1", "+2", "-3", "+4"], Some("2")).unwrap(), ["2", "3", "4"]);
        assert_eq!(
            dropped(&["+1", "-2", "+3"], None),
            Err(NotAgain::NothingFailed),
            "it was caught"
        );
    }

    #[test]
    fn branches_know_nothing_of_each_other() {
        let steps = ["+1", "+2.0.1", "-2.0.2", "+2.1.1", "+2.1.2", "+3"];
        assert_eq!(dropped(&steps, Some("2.0.2")).unwrap(), ["2.0.2", "3"]);
        assert_eq!(dropped(&steps, None).unwrap(), ["2.0.2", "3"]);
        assert_eq!(dropped(&steps, Some("2.1")).unwrap(), ["2.1.1", "2.1.2", "3"]);
        assert_eq!(dropped(&steps, Some("2")).unwrap().len(), 5);
    }

    #[test]
    fn items_that_failed_are_run_again_from_where_they_failed_or_from_their_start() {
        let by_step = ["+1.0.1", "+1.1.1", "-1.1.2", "+1.2.1", "+1 each", "+2"];
        assert_eq!(dropped(&by_step, None).unwrap(), ["1", "1.1.2", "2"]);
        let by_itself = ["+1.0.1", "+1.1.1", "+1.1.2", "+1.2.1", "+1 each", "+2"];
        assert_eq!(dropped(&by_itself, None).unwrap(), ["1", "1.1.1", "1.1.2", "2"]);
    }

    #[test]
    fn a_plan_goes_on_at_the_change_that_failed_and_is_looked_at_again() {
        let failed = ["+1 approval", "+2.1 execute", "+2.2 change", "-2.3 change", "+2.4 verify"];
        assert_eq!(dropped(&failed, None).unwrap(), ["2.3", "2.4"]);
        let idle = ["+1 approval", "+2.1 execute", "+2.2 change", "+2.3 probe", "-2.4 verify"];
        assert_eq!(dropped(&idle, None).unwrap(), ["2.3", "2.4"]);
    }

    #[test]
    fn nested_branches_are_told_from_sequences() {
        let steps = ["+1.0.1.0.1", "-1.0.1.1.1", "+1.0.2", "+1.1.1.0.1"];
        assert_eq!(dropped(&steps, Some("1.0.1.1.1")).unwrap(), ["1.0.1.1.1", "1.0.2"]);
    }

    #[test]
    fn what_waited_is_asked_again_and_so_is_what_was_deferred() {
        assert_eq!(
            dropped(&["+1", "~2 sleep", "+0 closing", "+0.1.1"], None).unwrap(),
            ["0", "0.1.1", "2"]
        );
    }

    #[test]
    fn a_doubt_is_not_forgotten() {
        let steps = ["-1.0.1", "?1.1.1", "-2"];
        assert_eq!(dropped(&steps, None).unwrap(), ["1.0.1", "2"], "it stays in doubt");
        assert_eq!(dropped(&["+1", "?2"], Some("1")), Err(NotAgain::InDoubt("2".into())));
        assert_eq!(dropped(&["+1", "?2"], Some("2")).unwrap(), ["2"]);
    }

    #[test]
    fn a_step_that_is_not_there_is_named() {
        let error = dropped(&["+1.0.1", "-2"], Some("1.0.2")).unwrap_err().to_string();
        assert!(error.contains("no step 1.0.2 (did you mean 1.0.1?)"), "{error}");
    }
}
