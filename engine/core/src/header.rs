//! A playbook's header: the literal constant `PLAYBOOK` at the top of its file.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::effect::Mode;
use crate::limits;
use crate::review;
use crate::schedule::Schedule;
use crate::severity::Severity;
use crate::signature::{self, Signature};
use crate::span::Span;
use crate::turn::Concurrency;

/// What the constant `PLAYBOOK` says. Members that are not listed here are errors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Its name: lower-case letters, digits and dashes.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// How much it may do by itself; the account's mode and the kill switch can only lower it.
    #[serde(default = "ask")]
    pub mode: Mode,
    /// The ASFF type of the one resource that it is about.
    #[serde(default)]
    pub subject: Option<String>,
    /// What starts it, beside people.
    #[serde(default)]
    pub triggers: Vec<Trigger>,
    /// When the clock starts it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<Schedule>,
    /// How long a run may take in all.
    #[serde(default)]
    pub timeout: Option<Span>,
    /// How many of its runs may be under way at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// What it takes, by name. When it says nothing, it takes anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Signature>,
    /// What is asked after an incident in which it ran, each to be answered with yes or no.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub review: Vec<String>,
    /// What it gives back, by name. When it says nothing, it may give anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Signature>,
}

/// A rule that turns an alert into a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// The source's name, or `*`.
    pub source: String,
    /// The alert's type, with `*` for any run of characters.
    #[serde(rename = "type", default = "any")]
    pub kind: String,
    /// Nothing milder starts a run.
    #[serde(default)]
    pub min_severity: Option<Severity>,
    /// Nothing worse starts a run: another playbook answers it.
    #[serde(default)]
    pub max_severity: Option<Severity>,
    /// For how long after a start it does not start the playbook again about the same resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Span>,
}

fn ask() -> Mode {
    Mode::Ask
}

fn is_name(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.len() <= 64 && text.chars().all(legal)
}

fn any() -> String {
    "*".to_owned()
}

/// What is wrong with a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// There is none.
    #[error(
        "the playbook has no header: begin it with `const PLAYBOOK = #{{ name: \"…\", title: \"…\" }};`"
    )]
    Missing,
    /// A member is missing, unknown or of another type.
    #[error("the header is wrong: {0}")]
    Malformed(String),
    /// The name is not one.
    #[error("`{0}` can't be a playbook's name: use lower-case letters, digits and dashes")]
    Name(String),
    /// Alerts give no inputs.
    #[error(
        "an alert starts it, and gives no inputs: let `{0}` be left out by a `?` behind its type"
    )]
    NeedsInput(String),
    /// A question of the review is not one.
    #[error("`review`: {0}")]
    Review(String),
    /// The limit is not one.
    #[error("`concurrency`: {0}")]
    Concurrency(String),
    /// The cooldown of a trigger is too long.
    #[error("`cooldown` of a trigger: {0} is too long, {most} is the most", most = limits::COOLDOWN)]
    Cooldown(Span),
    /// A schedule is not one.
    #[error("the schedule `{name}`: {why}")]
    Schedule {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Header {
    /// Reads the header from the value of the constant.
    ///
    /// # Errors
    /// [`HeaderError`] says which member is wrong and what would be right.
    pub fn read(value: Value) -> Result<Self, HeaderError> {
        let header: Self = serde_json::from_value(value)
            .map_err(|error| HeaderError::Malformed(error.to_string()))?;
        if !is_name(&header.name) {
            return Err(HeaderError::Name(header.name));
        }
        let is_triggered = !header.triggers.is_empty();
        let mut inputs = header.inputs.iter().flatten();
        let needed = inputs.find(|(_, kind)| is_triggered && !kind.is_optional);
        if let Some((name, _)) = needed {
            return Err(HeaderError::NeedsInput(name.clone()));
        }
        let mut cooldowns = header.triggers.iter().filter_map(|trigger| trigger.cooldown);
        if let Some(long) = cooldowns.find(|cooldown| *cooldown > limits::COOLDOWN) {
            return Err(HeaderError::Cooldown(long));
        }
        header.check_schedules()?;
        if let Some(why) = review::fault(&header.review) {
            return Err(HeaderError::Review(why));
        }
        if let Some(why) = header.concurrency.as_ref().and_then(Concurrency::fault) {
            return Err(HeaderError::Concurrency(why));
        }
        Ok(header)
    }

    fn check_schedules(&self) -> Result<(), HeaderError> {
        for (at, schedule) in self.schedules.iter().enumerate() {
            let wrong = |why: String| HeaderError::Schedule { name: schedule.name.clone(), why };
            if at >= limits::SCHEDULES {
                return Err(wrong(format!("a playbook has at most {}", limits::SCHEDULES)));
            }
            if !is_name(&schedule.name) {
                let why = "that can't be its name: use lower-case letters, digits and dashes";
                return Err(wrong(why.to_owned()));
            }
            let earlier = self.schedules.iter().take(at);
            if earlier.into_iter().any(|other| other.name == schedule.name) {
                return Err(wrong("there are two of this name".to_owned()));
            }
            if let Some(why) = schedule.fault() {
                return Err(wrong(why));
            }
            let mut inputs = schedule.inputs.clone();
            self.complete_inputs(&mut inputs).map_err(wrong)?;
        }
        Ok(())
    }

    /// The schedule of a name.
    pub fn schedule(&self, name: &str) -> Option<&Schedule> {
        self.schedules.iter().find(|schedule| schedule.name == name)
    }

    /// Completes the inputs of a run by what they leave out.
    ///
    /// # Errors
    /// In words, when they are not those that the playbook takes.
    pub fn complete_inputs(&self, inputs: &mut Map<String, Value>) -> Result<(), String> {
        match &self.inputs {
            Some(signature) => signature::complete(signature, inputs, "input"),
            None => Ok(()),
        }
    }

    /// Completes the outputs of a run by what they leave out.
    ///
    /// # Errors
    /// In words, when they are not those that the playbook promises.
    pub fn complete_outputs(&self, result: Value) -> Result<Value, String> {
        let Some(signature) = &self.outputs else { return Ok(result) };
        let Value::Object(mut outputs) = result else {
            let names: Vec<&str> = signature.keys().map(String::as_str).collect();
            return Err(format!("its last value is no map with {}", names.join(", ")));
        };
        signature::complete(signature, &mut outputs, "output")?;
        Ok(Value::Object(outputs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_least_header_asks_before_it_changes_anything() {
        let header = Header::read(json!({"name": "a-b", "title": "t"})).unwrap();
        assert_eq!(header.mode, Mode::Ask);
        assert!(header.triggers.is_empty());
    }

    #[test]
    fn a_misspelt_member_is_named() {
        let error = Header::read(json!({"name": "a", "title": "t", "trigers": []}))
            .unwrap_err()
            .to_string();
        assert!(error.contains("trigers") && error.contains("triggers"), "{error}");
    }

    #[test]
    fn a_limit_is_a_number_and_a_path_to_what_a_playbook_reads() {
        let read = |limit: Value| {
            let header = json!({"name": "a", "title": "t", "concurrency": limit});
            Header::read(header).map_err(|error| error.to_string())
        };
        read(json!({"max": 1})).unwrap();
        read(json!({"key": "alert.account", "max": 3})).unwrap();
        for (limit, words) in [
            (json!({"max": 0}), "from 1 to 1000"),
            (json!({"max": 1_001}), "from 1 to 1000"),
            (json!({"max": 1, "key": "account"}), "begins with alert, incident"),
            (json!({"max": 1, "key": "alert..id"}), "a path such as"),
            (json!({"key": "alert.account"}), "missing field `max`"),
            (json!({"max": 1, "per": "account"}), "unknown field `per`"),
        ] {
            let error = read(limit).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_schedule_gives_the_inputs_that_the_playbook_takes() {
        let read = |inputs: Value| {
            let schedule = json!({"name": "nightly", "cron": "0 3 * * *", "inputs": inputs});
            let inputs = json!({"account": "string"});
            Header::read(json!({
                "name": "a", "title": "t", "inputs": inputs, "schedules": [schedule],
            }))
        };
        read(json!({"account": "111122223333"})).unwrap();
        let error = read(json!({})).unwrap_err().to_string();
        assert!(error.contains("nightly") && error.contains("account"), "{error}");
    }

    #[test]
    fn a_schedule_that_never_ticks_is_refused() {
        let schedules = json!([{"name": "nightly", "cron": "0 2 30 2 *"}]);
        let error = Header::read(json!({"name": "a", "title": "t", "schedules": schedules}));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("`nightly`: it never ticks"), "{error}");
    }

    #[test]
    fn two_schedules_of_one_name_are_refused() {
        let schedule = json!({"name": "n", "cron": "0 3 * * *"});
        let schedules = json!([schedule.clone(), schedule]);
        let error = Header::read(json!({"name": "a", "title": "t", "schedules": schedules}));
        assert!(error.unwrap_err().to_string().contains("two of this name"));
    }

    #[test]
    fn a_name_is_a_name() {
        for name in ["", "A", "a b", "../x"] {
            let error = Header::read(json!({"name": name, "title": "t"})).unwrap_err();
            assert_eq!(error, HeaderError::Name(name.into()));
        }
    }
}
