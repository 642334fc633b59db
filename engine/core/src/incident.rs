//! An incident: the thing that is being responded to, and its milestones.

use serde::{Deserialize, Serialize};

use crate::suggest;
use crate::time::Timestamp;

/// Where an incident stands. It is derived from its milestones, see [`status_of`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentStatus {
    /// Something is to be done.
    Open,
    /// Every probe of a containment passed.
    Contained,
    /// Its work is over and signed off.
    Closed,
}

impl IncidentStatus {
    /// Every status, in the order of the life cycle.
    pub const ALL: [Self; 3] = [Self::Open, Self::Contained, Self::Closed];

    /// The word in JSON and SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Contained => "contained",
            Self::Closed => "closed",
        }
    }

    /// The next status, or nothing when the event is not legal now.
    pub const fn next(self, event: IncidentEvent) -> Option<Self> {
        use IncidentEvent as E;
        Some(match (self, event) {
            (Self::Open | Self::Contained, E::Contained) => Self::Contained,
            (Self::Open | Self::Contained, E::Undone | E::SeenAgain) => Self::Open,
            (Self::Open | Self::Contained, E::Closed) => Self::Closed,
            (Self::Closed, E::SeenAgain | E::Reopened) => Self::Open,
            (Self::Closed, E::Contained | E::Undone | E::Closed)
            | (Self::Open | Self::Contained, E::Reopened) => return None,
        })
    }
}

impl std::str::FromStr for IncidentStatus {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|s| s.as_str() == text);
        found.ok_or_else(|| suggest::none_of(text, Self::ALL.map(Self::as_str)))
    }
}

/// What can happen to an incident's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentEvent {
    /// Every probe of a containment passed.
    Contained,
    /// A containment was undone.
    Undone,
    /// The detector saw it again, after containment or after the end.
    SeenAgain,
    /// A person ended it.
    Closed,
    /// A person took it up again.
    Reopened,
}

/// A timestamp of an incident that KPIs are made of. Each is marked once, the first time; that of
/// containment is taken back when the incident is open again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Milestone {
    /// The first malicious event.
    OccurredAt,
    /// The detector made the finding.
    DetectedAt,
    /// It was persisted here.
    ReceivedAt,
    /// The first automated response action.
    FirstAutomatedAt,
    /// The first action of a person.
    AcknowledgedAt,
    /// True or false positive was decided.
    VerdictAt,
    /// The first containing call was about to be sent.
    ContainRequestedAt,
    /// Every probe of a containment passed.
    ContainedAt,
    /// The cause is gone.
    EradicatedAt,
    /// Business is as before.
    RecoveredAt,
    /// It was closed.
    ClosedAt,
    /// Customers began to feel it.
    ImpactStartedAt,
    /// Customers stopped feeling it.
    ImpactEndedAt,
}

impl Milestone {
    /// Every milestone, in the usual order.
    pub const ALL: [Self; 13] = [
        Self::OccurredAt,
        Self::DetectedAt,
        Self::ReceivedAt,
        Self::FirstAutomatedAt,
        Self::AcknowledgedAt,
        Self::VerdictAt,
        Self::ContainRequestedAt,
        Self::ContainedAt,
        Self::EradicatedAt,
        Self::RecoveredAt,
        Self::ClosedAt,
        Self::ImpactStartedAt,
        Self::ImpactEndedAt,
    ];

    /// The word in JSON and SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OccurredAt => "occurred_at",
            Self::DetectedAt => "detected_at",
            Self::ReceivedAt => "received_at",
            Self::FirstAutomatedAt => "first_automated_at",
            Self::AcknowledgedAt => "acknowledged_at",
            Self::VerdictAt => "verdict_at",
            Self::ContainRequestedAt => "contain_requested_at",
            Self::ContainedAt => "contained_at",
            Self::EradicatedAt => "eradicated_at",
            Self::RecoveredAt => "recovered_at",
            Self::ClosedAt => "closed_at",
            Self::ImpactStartedAt => "impact_started_at",
            Self::ImpactEndedAt => "impact_ended_at",
        }
    }

    /// Whether a playbook or a person may mark it. `contained_at` is the engine's alone: it is
    /// marked when every probe of a containment has passed, and by nothing else.
    pub const fn may_be_marked_by_hand(self) -> bool {
        matches!(
            self,
            Self::OccurredAt
                | Self::EradicatedAt
                | Self::RecoveredAt
                | Self::ImpactStartedAt
                | Self::ImpactEndedAt
        )
    }
}

impl std::fmt::Display for Milestone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Milestone {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bare = |m: &Self| m.as_str() == text || m.as_str().strip_suffix("_at") == Some(text);
        Self::ALL.into_iter().find(bare).ok_or_else(|| text.to_owned())
    }
}

/// A milestone that was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marked {
    /// Which.
    pub milestone: Milestone,
    /// When.
    pub at: Timestamp,
    /// Where the time comes from: an alert, a run, a person.
    pub source: String,
}

/// What people made of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was what the alert said.
    TruePositive,
    /// It was not.
    FalsePositive,
    /// It was, and it was meant to happen.
    BenignPositive,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 3] = [Self::TruePositive, Self::FalsePositive, Self::BenignPositive];

    /// The word in JSON, SQL and playbooks.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TruePositive => "true_positive",
            Self::FalsePositive => "false_positive",
            Self::BenignPositive => "benign_positive",
        }
    }
}

impl std::str::FromStr for Verdict {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|v| v.as_str() == text).ok_or_else(|| text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_incident_is_never_contained_again_without_being_reopened() {
        assert_eq!(IncidentStatus::Closed.next(IncidentEvent::Contained), None);
        assert_eq!(
            IncidentStatus::Closed.next(IncidentEvent::SeenAgain),
            Some(IncidentStatus::Open)
        );
    }

    #[test]
    fn every_pair_of_status_and_event_is_decided_once() {
        use IncidentEvent::*;
        let legal = |status: IncidentStatus| {
            [Contained, Undone, SeenAgain, Closed, Reopened]
                .into_iter()
                .filter(|event| status.next(*event).is_some())
                .count()
        };
        assert_eq!(IncidentStatus::ALL.map(legal), [4, 4, 2]);
    }

    #[test]
    fn only_the_engine_marks_contained() {
        assert!(!Milestone::ContainedAt.may_be_marked_by_hand());
        assert_eq!("contained".parse::<Milestone>(), Ok(Milestone::ContainedAt));
        assert_eq!("contained_at".parse::<Milestone>(), Ok(Milestone::ContainedAt));
    }
}
