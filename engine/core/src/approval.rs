//! An approval: who is asked what, and what their decisions add up to.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::incident::Verdict;
use crate::limits;
use crate::plan::Plan;
use crate::span::Span;
use crate::time::Timestamp;

/// How a playbook asks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalOptions {
    /// The plan that is approved with it; a decision binds to its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// Who may decide: `role:NAME` or the name of a person. Empty: anybody with the role responder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    /// How many different people must say yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<u32>,
    /// After how long it is a no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Span>,
    /// Who is paged while nobody answers, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalate: Vec<String>,
    /// What must be filled in with a yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Form>,
}

/// What must be filled in with a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `{"verdict": "true_positive" | "false_positive" | "benign_positive"}`.
    Verdict,
}

impl Form {
    /// Checks what was filled in. A rejection may leave the form out.
    ///
    /// # Errors
    /// In words, what is missing.
    pub fn check(self, filled_in: &Value) -> Result<(), String> {
        let Self::Verdict = self;
        let words = Verdict::ALL.map(Verdict::as_str).join(", ");
        match filled_in.get("verdict").and_then(Value::as_str) {
            Some(word) if word.parse::<Verdict>().is_ok() => Ok(()),
            Some(word) => Err(format!("`{word}` is no verdict: use one of {words}")),
            None => Err(format!("the form asks for `verdict`: one of {words}")),
        }
    }
}

impl ApprovalOptions {
    /// How many different people must say yes.
    pub fn quorum(&self) -> u32 {
        self.quorum.unwrap_or(1).clamp(1, limits::QUORUM)
    }

    /// Who may decide.
    pub fn approvers(&self) -> Vec<String> {
        if self.approvers.is_empty() {
            return vec!["role:responder".to_owned()];
        }
        self.approvers.clone()
    }

    /// After how long it is a no; half an hour unless it is said.
    pub fn expires(&self) -> Span {
        self.expires.unwrap_or(Span::from_secs(30 * 60))
    }
}

/// Whether a person with these roles is one of those that are asked.
pub fn may_decide(approvers: &[String], person: &str, roles: &[String]) -> bool {
    approvers.iter().any(|approver| match approver.strip_prefix("role:") {
        Some(role) => roles.iter().any(|r| r == role || r == "admin"),
        None => approver == person,
    })
}

/// Where an approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalStatus {
    /// It waits for people.
    Pending,
    /// Enough people said yes.
    Approved,
    /// Somebody said no.
    Rejected,
    /// Nobody said enough in time: that is a no.
    Expired,
    /// The run no longer asks.
    Withdrawn,
}

impl ApprovalStatus {
    /// Every status.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Approved, Self::Rejected, Self::Expired, Self::Withdrawn];

    /// The word in JSON, SQL and playbooks.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl std::str::FromStr for ApprovalStatus {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| text.to_owned())
    }
}

/// What a person said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Who.
    pub person: String,
    /// Yes or no.
    pub answer: Answer,
    /// Why.
    pub reason: String,
    /// What was filled in.
    pub form: Value,
    /// When.
    pub at: Timestamp,
    /// From where.
    pub from: String,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes.
    Approve,
    /// No.
    Reject,
}

impl Answer {
    /// The word in JSON and SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }
}

/// What decisions add up to at a time. One no ends it; what comes at or after `expires_at` comes
/// too late; the same person twice is one person.
pub fn tally(
    quorum: u32,
    decisions: &[Decision],
    expires_at: Timestamp,
    now: Timestamp,
) -> ApprovalStatus {
    let in_time = || decisions.iter().filter(|d| d.at < expires_at);
    if in_time().any(|d| d.answer == Answer::Reject) {
        return ApprovalStatus::Rejected;
    }
    let people: BTreeSet<&str> = in_time().map(|d| d.person.as_str()).collect();
    if people.len() >= quorum.max(1) as usize {
        return ApprovalStatus::Approved;
    }
    if now >= expires_at { ApprovalStatus::Expired } else { ApprovalStatus::Pending }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn says(person: &str, answer: Answer, at: i64) -> Decision {
        Decision {
            person: person.into(),
            answer,
            reason: "r".into(),
            form: json!({}),
            at: Timestamp::from_micros(at),
            from: "test".into(),
        }
    }

    fn tally_at(quorum: u32, decisions: &[Decision], now: i64) -> ApprovalStatus {
        tally(quorum, decisions, Timestamp::from_micros(100), Timestamp::from_micros(now))
    }

    #[test]
    fn the_same_person_twice_is_one_person() {
        let twice = [says("ann", Answer::Approve, 1), says("ann", Answer::Approve, 2)];
        assert_eq!(tally_at(2, &twice, 50), ApprovalStatus::Pending);
        let two = [says("ann", Answer::Approve, 1), says("bob", Answer::Approve, 2)];
        assert_eq!(tally_at(2, &two, 50), ApprovalStatus::Approved);
    }

    #[test]
    fn one_no_ends_it() {
        let mixed = [says("ann", Answer::Approve, 1), says("bob", Answer::Reject, 2)];
        assert_eq!(tally_at(1, &mixed, 50), ApprovalStatus::Rejected);
    }

    #[test]
    fn silence_and_lateness_are_a_no() {
        assert_eq!(tally_at(1, &[], 100), ApprovalStatus::Expired);
        assert_eq!(tally_at(1, &[says("ann", Answer::Approve, 100)], 100), ApprovalStatus::Expired);
        assert_eq!(tally_at(1, &[says("ann", Answer::Approve, 99)], 200), ApprovalStatus::Approved);
    }

    #[test]
    fn a_quorum_of_nobody_is_one_person() {
        assert_eq!(tally_at(0, &[], 1), ApprovalStatus::Pending);
        assert_eq!(ApprovalOptions { quorum: Some(0), ..Default::default() }.quorum(), 1);
    }

    #[test]
    fn people_are_asked_by_name_or_role() {
        let approvers = ["role:responder".to_owned(), "zoe".to_owned()];
        assert!(may_decide(&approvers, "ann", &["responder".to_owned()]));
        assert!(may_decide(&approvers, "zoe", &[]));
        assert!(!may_decide(&approvers, "ann", &["viewer".to_owned()]));
    }

    #[test]
    fn the_verdict_form_wants_a_verdict() {
        assert!(Form::Verdict.check(&json!({"verdict": "true_positive"})).is_ok());
        assert!(Form::Verdict.check(&json!({"verdict": "maybe"})).is_err());
        assert!(Form::Verdict.check(&json!(null)).is_err());
    }
}
