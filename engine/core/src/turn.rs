//! Whose turn it is when more runs wait than there are places: the more urgent first, playbooks by
//! turns, and nobody for ever.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Sha256;
use crate::limits;
use crate::severity::Severity;
use crate::time::Timestamp;

/// What a playbook's header says of how many of its runs may be under way at the same time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Concurrency {
    /// Where in what a playbook reads the value stands that runs are told apart by, such as
    /// `alert.account`. Without one the limit is for all runs of the playbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// So many with the same value.
    pub max: u32,
}

/// A limit that a run shares with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// What those have in common that share it.
    pub name: String,
    /// So many of them may be under way.
    pub max: u32,
}

/// A run's place among those that wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// How urgent it is; 0 for what the clock starts.
    pub level: u32,
    /// The limit that it shares with others.
    pub gate: Option<Gate>,
}

/// The roots that a key may begin with.
const ROOTS: [&str; 5] = ["alert", "incident", "inputs", "config", "schedule"];

impl Concurrency {
    /// What is wrong with it, if anything is.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.max == 0 || self.max > limits::CONCURRENT_RUNS {
            return Some(format!("`max` is from 1 to {}", limits::CONCURRENT_RUNS));
        }
        let key = self.key.as_ref()?;
        let root = key.split('.').next().unwrap_or_default();
        let is_path = key.split('.').all(|part| !part.is_empty());
        (!is_path || !ROOTS.contains(&root)).then(|| {
            format!("`key` is a path such as `alert.account`, and begins with {}", ROOTS.join(", "))
        })
    }

    /// The limit of a run of a playbook, by what it reads.
    pub fn gate(&self, playbook: &str, scope: &Value) -> Gate {
        let name = match &self.key {
            None => playbook.to_owned(),
            Some(key) => {
                let found = key.split('.').try_fold(scope, |at, part| at.get(part));
                let found = found.unwrap_or(&Value::Null).to_string();
                match found.len() > limits::GATE_BYTES {
                    true => format!("{playbook}/{}", Sha256::of(&found)),
                    false => format!("{playbook}/{found}"),
                }
            }
        };
        Gate { name, max: self.max }
    }
}

/// How urgent a run is that is about something so bad.
pub const fn level_of(severity: Severity) -> u32 {
    match severity {
        Severity::Informational => 0,
        Severity::Low => 1,
        Severity::Medium => 2,
        Severity::High => 3,
        Severity::Critical => 4,
    }
}

/// Runs that wait and are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Their playbook.
    pub playbook: String,
    /// How urgent they are.
    pub level: u32,
    /// Whether they slept and are due; the others are queued.
    pub is_due: bool,
    /// How many.
    pub count: u32,
    /// Since when the first of them waits.
    pub since: Timestamp,
}

impl Waiting {
    /// How urgent they have become by waiting.
    fn level_at(&self, now: Timestamp) -> i64 {
        let waited_ms = now.micros().saturating_sub(self.since.micros()) / 1_000;
        i64::from(self.level) + waited_ms.max(0) / limits::LEVEL_MS
    }
}

/// How many of each get one of `places`: the most urgent all that they want, and those that are
/// equally urgent one after the other, by turns.
pub fn shares(waiting: &[Waiting], now: Timestamp, places: u32) -> Vec<u32> {
    let mut given = vec![0; waiting.len()];
    let mut levels: Vec<i64> = waiting.iter().map(|group| group.level_at(now)).collect();
    levels.sort_unstable();
    levels.dedup();
    let mut left = places;
    for level in levels.into_iter().rev() {
        loop {
            let before = left;
            for (group, given) in waiting.iter().zip(&mut given) {
                if left > 0 && *given < group.count && group.level_at(now) == level {
                    *given += 1;
                    left -= 1;
                }
            }
            if left == before {
                break;
            }
        }
    }
    given
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn group(playbook: &str, level: u32, count: u32, since_ms: i64) -> Waiting {
        let since = Timestamp::from_micros(since_ms * 1_000);
        Waiting { playbook: playbook.to_owned(), level, is_due: false, count, since }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_micros(ms * 1_000)
    }

    #[test]
    fn the_more_urgent_come_first_and_get_all_that_they_want() {
        let waiting = [group("sweep", 0, 1_000, 0), group("contain", 4, 3, 50)];
        assert_eq!(shares(&waiting, at(100), 2), [0, 2]);
        assert_eq!(shares(&waiting, at(100), 5), [2, 3]);
    }

    #[test]
    fn playbooks_of_the_same_urgency_take_turns() {
        let waiting = [group("a", 2, 10_000, 0), group("b", 2, 1, 90), group("c", 2, 7, 80)];
        assert_eq!(shares(&waiting, at(100), 9), [4, 1, 4]);
        assert_eq!(shares(&waiting, at(100), 2), [1, 1, 0]);
        assert_eq!(shares(&waiting, at(100), 0), [0, 0, 0]);
    }

    #[test]
    fn whoever_waits_for_long_has_his_turn_whatever_else_comes() {
        let fresh = |now: i64| group("contain", 4, 100, now);
        let sweep = group("sweep", 0, 5, 0);
        let soon = 4 * limits::LEVEL_MS - 1;
        assert_eq!(shares(&[fresh(soon), sweep.clone()], at(soon), 10), [10, 0]);
        let late = 5 * limits::LEVEL_MS;
        assert_eq!(shares(&[fresh(late), sweep], at(late), 10), [5, 5]);
    }

    #[test]
    fn runs_share_a_limit_that_have_the_same_value() {
        let per_account = Concurrency { key: Some("alert.account".to_owned()), max: 1 };
        let of = |scope: Value| per_account.gate("contain", &scope);
        let one = of(json!({"alert": {"account": "1"}}));
        assert_eq!(one, Gate { name: "contain/\"1\"".to_owned(), max: 1 });
        assert_eq!(one, of(json!({"alert": {"account": "1", "region": "x"}})));
        assert_ne!(one, of(json!({"alert": {"account": "2"}})));
        assert_eq!(of(json!({})), of(json!({"alert": null})), "what has none shares one, too");
        let whole = Concurrency { key: None, max: 3 };
        assert_eq!(whole.gate("sweep", &json!({})), Gate { name: "sweep".to_owned(), max: 3 });
    }
}
