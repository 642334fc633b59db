//! What was contained and still stands. It has an owner, and a time after which the owner is asked
//! what is to become of it; nothing becomes of it by itself.

use serde::{Deserialize, Serialize};

use crate::command::ItemOutcome;
use crate::plan::{Plan, Purpose};
use crate::suggest;

/// Where a containment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainmentStatus {
    /// It stands for a while.
    Open,
    /// It stands for good.
    Final,
    /// It was taken back.
    Undone,
}

impl ContainmentStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Open, Self::Final, Self::Undone];

    /// The word in JSON and SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Final => "final",
            Self::Undone => "undone",
        }
    }
}

impl std::str::FromStr for ContainmentStatus {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| suggest::none_of(text, &Self::ALL.map(Self::as_str)))
    }
}

/// One change that stands. Its parameters are in the journal of its run: there may be secrets in them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The operation.
    pub operation: String,
    /// The account that it was made in.
    pub account: Option<String>,
    /// The region that it was made in.
    pub region: Option<String>,
    /// What its probe said.
    pub outcome: ItemOutcome,
    /// Whether nothing takes it back.
    pub is_final: bool,
}

/// What a plan contained: each change that was made, also where nobody has seen that it is effective.
/// Nothing of plans that are for something else.
pub fn standing(plan: &Plan, outcomes: &[ItemOutcome]) -> Vec<Standing> {
    if plan.purpose != Purpose::Contain {
        return Vec::new();
    }
    let stands = |outcome: &ItemOutcome| match outcome {
        ItemOutcome::Effective | ItemOutcome::NotEffective | ItemOutcome::Unverified => true,
        ItemOutcome::WouldCall | ItemOutcome::Failed | ItemOutcome::NotAttempted => false,
    };
    let made = plan.items.iter().zip(outcomes).filter(|(_, outcome)| stands(outcome));
    made.map(|(change, outcome)| Standing {
        operation: change.operation.clone(),
        account: change.account.clone(),
        region: change.region.clone(),
        outcome: *outcome,
        is_final: change.inverse.is_none(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_made_stands_and_nothing_else() {
        let item = json!({"operation": "iam:UpdateAccessKey", "params": {}, "account": "1"});
        let plan = |purpose: &str| -> Plan {
            let items = vec![item.clone(); 6];
            serde_json::from_value(json!({"purpose": purpose, "items": items})).unwrap()
        };
        let outcomes = [
            ItemOutcome::Effective,
            ItemOutcome::WouldCall,
            ItemOutcome::Unverified,
            ItemOutcome::Failed,
            ItemOutcome::NotEffective,
            ItemOutcome::NotAttempted,
        ];
        let stands = standing(&plan("contain"), &outcomes);
        let said: Vec<_> = stands.iter().map(|one| one.outcome).collect();
        assert_eq!(said, [outcomes[0], outcomes[2], outcomes[4]]);
        assert!(stands[0].is_final);
        assert!(standing(&plan("recover"), &outcomes).is_empty());
        for status in ContainmentStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
    }
}
