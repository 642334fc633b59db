//! A plan: changes with their probes and inverses, as data that is shown, hashed, approved,
//! carried out and undone as what it is.

mod before;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use before::Before;

use crate::digest::Sha256;
use crate::incident::Milestone;
use crate::json::Json;
use crate::probe::search;
use crate::span::Span;

/// One changing call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The operation, as policies write it: `iam:UpdateAccessKey`.
    pub operation: String,
    /// Its parameters.
    pub params: Value,
    /// The account that it acts in.
    #[serde(default)]
    pub account: Option<String>,
    /// The region that it acts in.
    #[serde(default)]
    pub region: Option<String>,
    /// The document that it runs, where it runs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<DocumentPin>,
    /// How its effect is seen. Without one it is UNVERIFIED.
    #[serde(default)]
    pub probe: Option<Probe>,
    /// The change that undoes it. Without one it is FINAL.
    #[serde(default)]
    pub inverse: Option<Box<Change>>,
    /// The state before it, as it was read while the plan was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
    /// Of an inverse: the parameters that only the answer of the change gives, each by an
    /// expression over that answer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub given: BTreeMap<String, String>,
    /// Whether its probe must pass before the next change of the plan is made. What comes after
    /// may change the same thing, so that it is not looked at again.
    #[serde(default, skip_serializing_if = "is_no")]
    pub settles: bool,
    /// What people should know of it before they approve it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A document as it stood when the plan was made: approving its name is not approving what it
/// does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentPin {
    /// Its name or ARN.
    pub name: String,
    /// Its version, never a word such as `$DEFAULT`.
    pub version: String,
    /// The hash of its text, by its owner's reckoning.
    pub hash: String,
    /// How that is made.
    pub hash_type: String,
}

/// One look at whether a change is effective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The reading operation.
    pub operation: String,
    /// Its parameters.
    pub params: Value,
    /// A JMESPath expression over its answer (<https://jmespath.org/specification.html>).
    pub expression: String,
    /// The account that it looks at.
    #[serde(default)]
    pub account: Option<String>,
    /// The region that it looks at.
    #[serde(default)]
    pub region: Option<String>,
    /// Codes of errors that are an answer, `{"error": {"code": …}}`: something is not there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
    /// The value that passes: `true`, or, of an undo, `false`. Nothing else does.
    #[serde(default = "yes")]
    pub passes_on: bool,
    /// For how long it is tried again before the change counts as not effective.
    #[serde(default = "two_minutes")]
    pub within: Span,
    /// The pause between two tries.
    #[serde(default = "five_seconds")]
    pub every: Span,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_no(value: &bool) -> bool {
    !value
}

fn two_minutes() -> Span {
    Span::from_secs(120)
}

fn five_seconds() -> Span {
    Span::from_secs(5)
}

/// What a plan is for. It decides which milestone is marked when every probe has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To stop the bleeding.
    #[default]
    Contain,
    /// To keep evidence.
    Preserve,
    /// To remove the cause.
    Eradicate,
    /// To bring business back.
    Recover,
    /// To take back what another run did.
    Undo,
    /// To tell others what came of it.
    Inform,
}

impl Purpose {
    /// The milestone that is reached when every probe of such a plan has passed.
    pub const fn milestone(self) -> Option<Milestone> {
        match self {
            Self::Contain => Some(Milestone::ContainedAt),
            Self::Eradicate => Some(Milestone::EradicatedAt),
            Self::Recover => Some(Milestone::RecoveredAt),
            Self::Preserve | Self::Undo | Self::Inform => None,
        }
    }
}

/// Changes that are approved and carried out together, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What it is for.
    #[serde(default)]
    pub purpose: Purpose,
    /// The changes.
    pub items: Vec<Change>,
}

/// Why a change can't be taken for granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mark {
    /// Nothing will show whether it was effective.
    Unverified,
    /// Nothing will undo it.
    Final,
}

impl Plan {
    /// The SHA-256 of the plan's canonical JSON: a decision binds to it.
    pub fn digest(&self) -> Sha256 {
        Sha256::of(Json::of(self).as_str())
    }
}

impl Change {
    /// What people must know about it before they approve it.
    pub fn marks(&self) -> Vec<Mark> {
        let unverified = self.probe.is_none().then_some(Mark::Unverified);
        let last = self.inverse.is_none().then_some(Mark::Final);
        unverified.into_iter().chain(last).collect()
    }

    /// The change that undoes this one, after AWS gave it this answer. Its probe is the inverse's
    /// own; else the state must be as it was before; else this change's probe must be `false`.
    /// Nothing is returned for a FINAL change, and for one whose answer lacks what its inverse
    /// needs.
    pub fn undo(&self, answer: &Value) -> Option<Change> {
        let inverse = self.inverse.as_deref()?;
        let mut params = inverse.params.clone();
        for (name, expression) in &inverse.given {
            let value = search(expression, answer).ok().filter(|value| !value.is_null())?;
            params.as_object_mut()?.insert(name.clone(), value);
        }
        let account = inverse.account.clone().or_else(|| self.account.clone());
        let region = inverse.region.clone().or_else(|| self.region.clone());
        let as_before = self.before.as_ref().map(|before| Probe {
            account: account.clone(),
            region: region.clone(),
            ..before.probe(self.probe.as_ref())
        });
        let gone = self.probe.clone().map(|probe| Probe { passes_on: !probe.passes_on, ..probe });
        let again = Change { inverse: None, probe: None, before: None, ..self.clone() };
        Some(Change {
            params,
            account,
            region,
            probe: inverse.probe.clone().or(as_before).or(gone),
            inverse: Some(Box::new(Change { probe: self.probe.clone(), ..again })),
            given: BTreeMap::new(),
            ..inverse.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change() -> Change {
        serde_json::from_value(json!({
            "operation": "iam:UpdateAccessKey",
            "params": {"AccessKeyId": "AKIA1", "Status": "Inactive"},
            "account": "111122223333",
            "probe": {"operation": "iam:ListAccessKeys", "params": {}, "expression": "x"},
            "inverse": {"operation": "iam:UpdateAccessKey", "params": {"Status": "Active"}},
        }))
        .unwrap()
    }

    #[test]
    fn any_change_of_a_plan_is_another_digest() {
        let plan = |status: &str| {
            let mut change = change();
            change.params["Status"] = json!(status);
            Plan { purpose: Purpose::Contain, items: vec![change] }.digest()
        };
        assert_ne!(plan("Inactive"), plan("Active"));
        assert_eq!(plan("Active"), plan("Active"));
    }

    #[test]
    fn the_digest_does_not_depend_on_how_the_plan_was_written() {
        let plan = Plan { purpose: Purpose::Contain, items: vec![change()] };
        let again: Plan =
            serde_json::from_str(&serde_json::to_string_pretty(&plan).unwrap()).unwrap();
        assert_eq!(plan.digest(), again.digest());
    }

    #[test]
    fn an_undo_is_probed_by_the_containments_probe_turned_round() {
        let undo = change().undo(&json!({})).unwrap();
        assert!(!undo.probe.unwrap().passes_on);
        assert_eq!(undo.account.as_deref(), Some("111122223333"));
        assert!(undo.inverse.unwrap().probe.unwrap().passes_on);
    }

    #[test]
    fn what_lacks_a_probe_or_an_inverse_is_marked() {
        assert!(change().marks().is_empty());
        let bare = Change { probe: None, inverse: None, ..change() };
        assert_eq!(bare.marks(), [Mark::Unverified, Mark::Final]);
        assert_eq!(bare.undo(&json!({})), None);
    }

    #[test]
    fn an_inverse_takes_what_only_the_answer_gives() {
        let change: Change = serde_json::from_value(json!({
            "operation": "ec2:CreateSecurityGroup", "params": {"GroupName": "g"},
            "inverse": {"operation": "ec2:DeleteSecurityGroup", "params": {},
                "given": {"GroupId": "GroupId"}},
        }))
        .unwrap();
        let undo = change.undo(&json!({"GroupId": "sg-1"})).unwrap();
        assert_eq!((&undo.params, undo.given.len()), (&json!({"GroupId": "sg-1"}), 0));
        assert_eq!(change.undo(&json!({"GroupId": null})), None);
    }

    #[test]
    fn an_undo_is_probed_by_the_state_before_where_that_is_known() {
        let mut change = change();
        change.before = Some(serde_json::from_value(json!({
            "operation": "iam:ListAccessKeys", "params": {}, "expression": "S", "state": "Active",
        })).unwrap());
        let undo = change.undo(&json!({})).unwrap();
        let probe = undo.probe.unwrap();
        assert_eq!((&*probe.expression, probe.passes_on), ("(S) == `\"Active\"`", true));
        assert_eq!(probe.account.as_deref(), Some("111122223333"));
    }

    #[test]
    fn a_plan_that_says_nothing_of_the_new_keeps_its_digest() {
        let text = Json::of(&Plan { purpose: Purpose::Contain, items: vec![change()] });
        for word in ["before", "given", "settles", "notes", "errors"] {
            assert!(!text.as_str().contains(word), "{word}");
        }
    }
}
