//! What was contained and still stands. It has an owner, and a time after which the owner is asked
//! what is to become of it; nothing becomes of it by itself.

use serde::{Deserialize, Serialize};

use crate::command::ItemOutcome;
use crate::id::RunId;
use crate::plan::{Plan, Purpose};
use crate::step::StepKey;
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
    /// Its number in its plan; what was made before that was written down has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<usize>,
    /// The run that took it back by itself, while the rest stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<RunId>,
}

/// A step of a run that is taken back by itself: the run that does so has it among its inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneStep {
    /// The change, or the `execute` of a plan.
    pub step: StepKey,
    /// The number of the change in its plan; a plan has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<usize>,
}

/// How much of what was contained was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Took {
    /// Nothing of it.
    Nothing,
    /// Some of it: the rest stands.
    Part,
    /// All that can be.
    All,
}

impl OneStep {
    /// Notes on the changes of a containment, which the step `verified` looked at, that `by` has taken
    /// this one back.
    pub fn taken_from(&self, verified: &StepKey, changes: &mut [Standing], by: RunId) -> Took {
        let plan = match self.item {
            Some(_) => self.step.above(),
            None => Some(&*self.step.0),
        };
        if plan.is_none() || plan != verified.above() {
            return Took::Nothing;
        }
        let Some(item) = self.item else { return Took::All };
        let Some(change) = changes.iter_mut().find(|change| change.item == Some(item)) else {
            return Took::Nothing;
        };
        change.undone_by = Some(by);
        let is_over = |change: &Standing| change.is_final || change.undone_by.is_some();
        if changes.iter().all(is_over) { Took::All } else { Took::Part }
    }
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
    let all = plan.items.iter().zip(outcomes).enumerate();
    let made = all.filter(|(_, (_, outcome))| stands(outcome));
    made.map(|(item, (change, outcome))| Standing {
        operation: change.operation.clone(),
        account: change.account.clone(),
        region: change.region.clone(),
        outcome: *outcome,
        is_final: change.inverse.is_none(),
        item: Some(item),
        undone_by: None,
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
        let items: Vec<_> = stands.iter().map(|one| one.item).collect();
        assert_eq!(items, [Some(0), Some(2), Some(4)]);
        assert!(stands[0].is_final);
        assert!(standing(&plan("recover"), &outcomes).is_empty());
        for status in ContainmentStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
    }
    #[test]
    fn one_step_takes_its_own_from_its_own_plan() {
        let standing = |item: usize, is_final: bool| Standing {
            operation: "iam:UpdateAccessKey".to_owned(),
            account: None,
            region: None,
            outcome: ItemOutcome::Effective,
            is_final,
            item: Some(item),
            undone_by: None,
        };
        let by = RunId::new(Default::default(), 7);
        let verified = StepKey::from("5.9");
        let took = |(step, item): (&str, Option<usize>), changes: &mut [Standing]| {
            OneStep { step: step.into(), item }.taken_from(&verified, changes, by)
        };
        let mut changes = [standing(0, false), standing(2, false), standing(3, true)];
        for other in [("6.2", Some(0)), ("6", None), ("5.2", Some(1)), ("1", Some(0))] {
            assert_eq!(took(other, &mut changes), Took::Nothing, "{other:?}");
        }
        assert_eq!(took(("5.2", Some(0)), &mut changes), Took::Part);
        assert_eq!(changes.each_ref().map(|one| one.undone_by), [Some(by), None, None]);
        assert_eq!(took(("5.4", Some(2)), &mut changes), Took::All, "what is FINAL stays");
        assert_eq!(took(("5", None), &mut [standing(0, false)]), Took::All);
    }
}
