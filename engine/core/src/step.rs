//! A step: one thing that a run asked for, under a key that a replay finds again.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A step's place in the run: its number among the calls of its branch, after the number of the
/// call and the branch that it lies in. `5.1.2` is the second call in branch 1 of call 5. Clones
/// share it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepKey(pub Arc<str>);

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StepKey {
    /// Its place as numbers, which sort as the steps do.
    pub fn place(&self) -> Vec<u32> {
        self.0.split('.').map(|number| number.parse().unwrap_or(0)).collect()
    }

    /// The place that it lies below: a plan's, for a change.
    pub fn above(&self) -> Option<&str> {
        self.0.rsplit_once('.').map(|(above, _)| above)
    }
}

impl From<&str> for StepKey {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// It waits for people's leave to begin.
    Pending,
    /// Its intent is journaled; it may have taken place.
    Running,
    /// It failed in a way that passes, and is tried again later.
    Retrying,
    /// Nobody knows whether it took place; a person decides.
    InDoubt,
    /// It has a result.
    Succeeded,
    /// It has an error.
    Failed,
}

/// What can happen to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepEvent {
    /// People are asked whether it may begin.
    Gated,
    /// Its intent was journaled.
    Scheduled,
    /// It is under way and has said how far it is.
    Progressed,
    /// An attempt failed and another follows.
    Retried,
    /// The intent of that other attempt was journaled.
    Attempted,
    /// Its outcome is unknown.
    Doubted,
    /// A person decided that it is to be tried again.
    Repeated,
    /// It has a result.
    Succeeded,
    /// It has an error.
    Failed,
}

impl StepStatus {
    /// The status after an event; `None` before the first. Nothing is returned when the event is
    /// not legal then.
    pub const fn next(status: Option<Self>, event: StepEvent) -> Option<Self> {
        use StepEvent as E;
        Some(match (status, event) {
            (None, E::Gated) => Self::Pending,
            (None | Some(Self::Pending), E::Scheduled) => Self::Running,
            (
                None | Some(Self::Pending | Self::Running | Self::Retrying | Self::InDoubt),
                E::Succeeded,
            ) => Self::Succeeded,
            (
                None | Some(Self::Pending | Self::Running | Self::Retrying | Self::InDoubt),
                E::Failed,
            ) => Self::Failed,
            (None | Some(Self::Running | Self::Retrying), E::Retried) => Self::Retrying,
            (Some(Self::Running | Self::Retrying), E::Progressed) => Self::Running,
            // After a pause, or after a look which found that the last attempt did not take place.
            (Some(Self::Running | Self::Retrying), E::Attempted) => Self::Running,
            (Some(Self::Running | Self::Retrying), E::Doubted) => Self::InDoubt,
            (Some(Self::InDoubt), E::Repeated) => Self::Running,
            (None, E::Progressed | E::Attempted | E::Doubted | E::Repeated)
            | (
                Some(Self::Pending),
                E::Gated | E::Progressed | E::Retried | E::Attempted | E::Doubted | E::Repeated,
            )
            | (Some(Self::Running | Self::Retrying), E::Gated | E::Scheduled | E::Repeated)
            | (
                Some(Self::InDoubt),
                E::Gated | E::Scheduled | E::Progressed | E::Retried | E::Attempted | E::Doubted,
            )
            | (Some(Self::Succeeded | Self::Failed), _) => return None,
        })
    }

    /// Whether nothing more happens to it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }

    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::InDoubt => "in_doubt",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

/// Why a step failed: what the engine may do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Too many calls: later it works.
    Throttle,
    /// A fault on the way: later it may work.
    Transient,
    /// It will never work like this.
    Permanent,
    /// It is not allowed: by AWS, by a guard rail or by a person.
    Denied,
    /// It was sent, and no answer came.
    InDoubt,
}

impl ErrorKind {
    /// Whether it passes by itself, and nothing took place.
    pub const fn passes(self) -> bool {
        matches!(self, Self::Throttle | Self::Transient)
    }
}

/// A step's error, as the journal holds it and as a playbook's `catch` sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct StepError {
    /// What may be done about it.
    pub kind: ErrorKind,
    /// A short name of the cause: AWS's error code, or one of the engine's.
    pub code: String,
    /// One line for people.
    pub message: String,
    /// The callee's id of the request, when it answered: AWS's support asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What the callee says of it beside, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

impl StepError {
    /// An error of a kind.
    pub fn new(kind: ErrorKind, code: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.to_owned(),
            message: message.into(),
            request_id: None,
            details: None,
        }
    }

    /// An error that no repetition mends.
    pub fn permanent(code: &str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Permanent, code, message)
    }

    /// A refusal.
    pub fn denied(code: &str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Denied, code, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUSES: [Option<StepStatus>; 7] = [
        None,
        Some(StepStatus::Pending),
        Some(StepStatus::Running),
        Some(StepStatus::Retrying),
        Some(StepStatus::InDoubt),
        Some(StepStatus::Succeeded),
        Some(StepStatus::Failed),
    ];
    const EVENTS: [StepEvent; 9] = [
        StepEvent::Gated,
        StepEvent::Scheduled,
        StepEvent::Progressed,
        StepEvent::Retried,
        StepEvent::Attempted,
        StepEvent::Doubted,
        StepEvent::Repeated,
        StepEvent::Succeeded,
        StepEvent::Failed,
    ];

    #[test]
    fn a_step_that_has_ended_never_changes() {
        for status in STATUSES.into_iter().flatten().filter(|s| s.is_final()) {
            for event in EVENTS {
                assert_eq!(StepStatus::next(Some(status), event), None);
            }
        }
    }

    #[test]
    fn the_number_of_legal_events_of_each_status() {
        let legal = |s: Option<StepStatus>| {
            EVENTS.iter().filter(|e| StepStatus::next(s, **e).is_some()).count()
        };
        assert_eq!(STATUSES.map(legal), [5, 3, 6, 6, 3, 0, 0]);
    }

    #[test]
    fn only_a_person_gets_a_step_out_of_doubt() {
        for event in [StepEvent::Retried, StepEvent::Attempted, StepEvent::Progressed] {
            assert_eq!(StepStatus::next(Some(StepStatus::InDoubt), event), None);
        }
    }
}
