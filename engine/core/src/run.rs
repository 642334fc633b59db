//! A run: one playbook at work, and the one table of its status changes.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::digest::Sha256;
use crate::id::RunId;
use crate::step::StepKey;
use crate::suggest;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It waits for a node.
    Queued,
    /// A node holds its lease and works on it.
    Running,
    /// It waits for a time, a person or another run. It costs a row.
    Waiting,
    /// A person stopped it for a while.
    Paused,
    /// It can't go on until a person has looked at it.
    Parked,
    /// It ended as its playbook meant it to.
    Succeeded,
    /// It ended with an error.
    Failed,
    /// A person ended it.
    Cancelled,
}

/// What can happen to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunEvent {
    /// A node took its lease.
    Claimed,
    /// All that it does is wait.
    Suspended,
    /// What it waited for came, or a person did something to it.
    Woken,
    /// Its node let go of it, in order or by dying.
    Released,
    /// A person stopped it for a while.
    Paused,
    /// It can't go on by itself.
    Parked,
    /// It ended as its playbook meant it to.
    Succeeded,
    /// It ended with an error.
    Failed,
    /// A person ended it.
    Cancelled,
    /// A person wants it to be run again.
    Reopened,
}

impl RunStatus {
    /// Every status, in the order of the life cycle.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Running,
        Self::Waiting,
        Self::Paused,
        Self::Parked,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The status after an event, or nothing when the event is not legal now. Whatever changes a
    /// run's journal happens while it is `running`, under its lease: a person's wish is put into
    /// its inbox and wakes it.
    pub const fn next(self, event: RunEvent) -> Option<Self> {
        use RunEvent as E;
        Some(match (self, event) {
            (Self::Queued | Self::Waiting, E::Claimed) => Self::Running,
            (Self::Waiting | Self::Paused | Self::Parked, E::Woken) => Self::Queued,
            (Self::Queued, E::Woken) => Self::Queued,
            (Self::Running, E::Woken) => Self::Running,
            (Self::Running, E::Released) => Self::Queued,
            (Self::Running, E::Suspended) => Self::Waiting,
            (Self::Running, E::Paused) => Self::Paused,
            (Self::Running, E::Parked) => Self::Parked,
            (Self::Running, E::Succeeded) => Self::Succeeded,
            (Self::Running, E::Failed) => Self::Failed,
            (Self::Running, E::Cancelled) => Self::Cancelled,
            (Self::Succeeded | Self::Failed | Self::Cancelled, E::Reopened) => Self::Queued,
            (Self::Running | Self::Paused | Self::Parked, E::Claimed)
            | (
                Self::Queued | Self::Waiting | Self::Paused | Self::Parked,
                E::Released
                | E::Suspended
                | E::Paused
                | E::Parked
                | E::Succeeded
                | E::Failed
                | E::Cancelled
                | E::Reopened,
            )
            | (Self::Running, E::Reopened)
            | (Self::Succeeded | Self::Failed | Self::Cancelled, _) => return None,
        })
    }

    /// Whether nothing more happens to it, unless a person has it run again.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// The word in JSON, SQL and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Parked => "parked",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::fmt::Display for RunStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for RunStatus {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|s| s.as_str() == text);
        found.ok_or_else(|| suggest::none_of(text, Self::ALL.map(Self::as_str)))
    }
}

/// Why a run is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParkReason {
    /// Its replay asked for other steps than its journal holds.
    Diverged,
    /// It brought its node down too often.
    Poison,
    /// It hit a limit.
    Limit,
    /// A step's outcome is unknown.
    InDoubt,
}

impl ParkReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Diverged, Self::Poison, Self::Limit, Self::InDoubt];

    /// The word in JSON and SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Diverged => "diverged",
            Self::Poison => "poison",
            Self::Limit => "limit",
            Self::InDoubt => "in_doubt",
        }
    }
}

impl std::str::FromStr for ParkReason {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| text.to_owned())
    }
}

/// The idempotency token of a step: a UUIDv8 (RFC 9562 section 5.8) of the run, its generation
/// and the step's path, never of the attempt. SSM wants 36 characters, which a UUID is.
pub fn step_token(run: RunId, generation: u32, key: &StepKey) -> Uuid {
    let hash =
        Sha256::of_parts(&[&run.bits().to_be_bytes(), &generation.to_be_bytes(), key.0.as_bytes()]);
    let mut first = [0; 16];
    first.copy_from_slice(hash.bytes().split_at(16).0);
    uuid::Builder::from_custom_bytes(first).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    const EVENTS: [RunEvent; 10] = [
        RunEvent::Claimed,
        RunEvent::Suspended,
        RunEvent::Woken,
        RunEvent::Released,
        RunEvent::Paused,
        RunEvent::Parked,
        RunEvent::Succeeded,
        RunEvent::Failed,
        RunEvent::Cancelled,
        RunEvent::Reopened,
    ];

    #[test]
    fn a_finished_run_changes_only_where_a_person_has_it_run_again() {
        for status in RunStatus::ALL.into_iter().filter(|s| s.is_final()) {
            let legal: Vec<_> = EVENTS.iter().filter(|e| status.next(**e).is_some()).collect();
            assert_eq!(legal, [&RunEvent::Reopened]);
        }
    }

    #[test]
    fn only_a_running_run_ends() {
        for status in RunStatus::ALL {
            for event in [RunEvent::Succeeded, RunEvent::Failed, RunEvent::Cancelled] {
                assert_eq!(status.next(event).is_some(), status == RunStatus::Running);
            }
        }
    }

    #[test]
    fn the_number_of_legal_events_of_each_status() {
        let legal = |s: RunStatus| EVENTS.iter().filter(|e| s.next(**e).is_some()).count();
        assert_eq!(RunStatus::ALL.map(legal), [2, 8, 2, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn a_token_depends_on_run_generation_and_path_alone() {
        let run = RunId::new(Timestamp::from_micros(1_000), 5);
        let token = |generation, key| step_token(run, generation, &StepKey::from(key));
        assert_eq!(token(1, "3.1"), token(1, "3.1"));
        assert_ne!(token(1, "3.1"), token(2, "3.1"));
        assert_ne!(token(1, "3.1"), token(1, "3.11"));
        assert_eq!(token(1, "3").get_version_num(), 8);
        assert_eq!(token(1, "3").to_string().len(), 36);
    }
}
