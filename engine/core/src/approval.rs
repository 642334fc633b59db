//! An approval: who is asked what, and what their decisions add up to.

mod fields;
mod form;
mod rules;
mod voice;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use fields::{Control, Field};
pub use form::{Form, Kind, Schema};
pub use rules::{
    Approvers, Owned, Rule, Voices, answers_for, missing, named, out_of_reach, tags, together,
};
pub use voice::{HandOver, Handed, Hearing, Mute, StandIn, Voice};

use crate::limits;
use crate::plan::Plan;
use crate::span::Span;
use crate::suggest;
use crate::time::Timestamp;

/// How a playbook asks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalOptions {
    /// The plan that is approved with it; a decision binds to its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// Who may decide, by name, role or rules. Empty: anybody with the role responder.
    #[serde(default, skip_serializing_if = "Approvers::is_empty")]
    pub approvers: Approvers,
    /// How many different people must say yes, where no rules say it.
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

impl ApprovalOptions {
    /// Who must say yes.
    pub fn rules(&self) -> Vec<Rule> {
        match &self.approvers {
            Approvers::Rules(rules) => rules.clone(),
            Approvers::Names(names) => {
                let anybody = || vec!["role:responder".to_owned()];
                let of = if names.is_empty() { anybody() } else { names.clone() };
                let count = self.quorum.unwrap_or(1).clamp(1, limits::QUORUM);
                vec![Rule { of, count, why: None }]
            }
        }
    }

    /// What can't be asked so, in words.
    ///
    /// # Errors
    /// When the quorum is out of bounds, or stands beside rules; when there is no plan whose
    /// resources could have tags.
    pub fn check(&self) -> Result<(), String> {
        let is_ruled = matches!(self.approvers, Approvers::Rules(_));
        match self.quorum {
            Some(_) if is_ruled => {
                return Err("each rule has its own `count`: leave `quorum` out".to_owned());
            }
            Some(quorum) if quorum == 0 || quorum > limits::QUORUM => {
                return Err(format!("a quorum is between 1 and {}", limits::QUORUM));
            }
            _ => {}
        }
        let rules = self.rules();
        let is_tag = |of: &&String| of.starts_with(rules::TAG);
        if rules.iter().any(|rule| rule.of.iter().filter(is_tag).count() > 1) {
            return Err("a rule goes by one tag: give each its own".to_owned());
        }
        match tags(&rules).first() {
            Some(tag) if self.plan.is_none() => Err(format!(
                "`tag:{tag}` asks whom a tag of the plan's resources names: give the approval its `plan`"
            )),
            _ => Ok(()),
        }
    }

    /// After how long it is a no; half an hour unless it is said.
    pub fn expires(&self) -> Span {
        self.expires.unwrap_or(Span::from_secs(30 * 60))
    }
}

/// Everybody that rules name, each once.
pub fn asked(rules: &[Rule]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for of in rules.iter().flat_map(|rule| &rule.of) {
        if !names.contains(of) {
            names.push(of.clone());
        }
    }
    names
}

/// Whether a person with these roles is one of those that are asked.
pub fn may_decide(approvers: &[String], person: &str, roles: &[String]) -> bool {
    let anybody = Rule { of: approvers.to_vec(), count: 1, why: None };
    !answers_for(&[anybody], person, roles).is_empty()
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
        Self::ALL
            .into_iter()
            .find(|s| s.as_str() == text)
            .ok_or_else(|| suggest::none_of(text, &Self::ALL.map(Self::as_str)))
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
    /// The entries of the rules that they answered for then; without it, they were asked by the one
    /// rule that there was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts_as: Option<BTreeSet<String>>,
    /// Those of whom they had some of these entries.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub on_behalf: BTreeSet<String>,
    /// Whether they answered for everybody.
    #[serde(default, skip_serializing_if = "is_no")]
    pub is_break_glass: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_no(value: &bool) -> bool {
    !value
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
/// too late; the same person twice is one person, and fills one place of one rule.
pub fn tally(
    rules: &[Rule],
    decisions: &[Decision],
    expires_at: Timestamp,
    now: Timestamp,
) -> ApprovalStatus {
    let in_time = || decisions.iter().filter(|d| d.at < expires_at);
    if in_time().any(|d| d.answer == Answer::Reject) {
        return ApprovalStatus::Rejected;
    }
    let is_met = !rules.is_empty() && lacking(rules, in_time()).is_empty();
    if is_met || in_time().any(|d| d.is_break_glass) {
        return ApprovalStatus::Approved;
    }
    if now >= expires_at { ApprovalStatus::Expired } else { ApprovalStatus::Pending }
}

/// Which yeses are still missing: the rules that are not met, with how many each lacks. A rule
/// asks for one person at least.
pub fn lacking<'a>(rules: &[Rule], yeses: impl Iterator<Item = &'a Decision>) -> Vec<Rule> {
    let at_least_one = |rule: &Rule| Rule { count: rule.count.max(1), ..rule.clone() };
    let rules: Vec<Rule> = rules.iter().map(at_least_one).collect();
    let everything: BTreeSet<String> = asked(&rules).into_iter().collect();
    let voice = |d: &'a Decision| (d.person.as_str(), d.counts_as.as_ref());
    let voices: BTreeMap<&str, Option<&BTreeSet<String>>> = yeses.map(voice).collect();
    let voices = voices.into_iter().map(|(who, voice)| (who, voice.unwrap_or(&everything)));
    let missing = missing(&rules, &voices.collect());
    let lacks = rules.into_iter().zip(missing).filter(|(_, count)| *count > 0);
    lacks.map(|(rule, count)| Rule { count, ..rule }).collect()
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
            counts_as: None,
            on_behalf: BTreeSet::new(),
            is_break_glass: false,
        }
    }

    fn tally_at(quorum: u32, decisions: &[Decision], now: i64) -> ApprovalStatus {
        let rules = [Rule { of: vec!["role:responder".into()], count: quorum, why: None }];
        tally(&rules, decisions, Timestamp::from_micros(100), Timestamp::from_micros(now))
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
        let (end, now) = (Timestamp::from_micros(100), Timestamp::from_micros(1));
        let yes = [says("ann", Answer::Approve, 1)];
        assert_eq!(tally(&[], &yes, end, now), ApprovalStatus::Pending, "no rule is no yes");
        let none = ApprovalOptions { quorum: Some(0), ..Default::default() };
        assert_eq!(none.rules()[0].count, 1);
        assert!(none.check().unwrap_err().contains("between 1 and 20"));
    }

    #[test]
    fn people_are_asked_by_name_or_role() {
        let approvers = ["role:responder".to_owned(), "zoe".to_owned()];
        assert!(may_decide(&approvers, "ann", &["responder".to_owned()]));
        assert!(may_decide(&approvers, "zoe", &[]));
        assert!(!may_decide(&approvers, "ann", &["viewer".to_owned()]));
    }

    #[test]
    fn who_breaks_the_glass_is_enough_and_a_no_is_a_no_all_the_same() {
        let glass = Decision { is_break_glass: true, ..says("ann", Answer::Approve, 1) };
        assert_eq!(tally_at(3, std::slice::from_ref(&glass), 50), ApprovalStatus::Approved);
        let no = [glass, says("bob", Answer::Reject, 1)];
        assert_eq!(tally_at(3, &no, 50), ApprovalStatus::Rejected);
    }

    #[test]
    fn a_quorum_does_not_stand_beside_rules_and_tags_need_a_plan() {
        let read = |value| serde_json::from_value::<ApprovalOptions>(value).unwrap().check();
        let both = read(json!({"approvers": [{"of": "a"}], "quorum": 2})).unwrap_err();
        assert!(both.contains("leave `quorum` out"), "{both}");
        let tag = read(json!({"approvers": ["tag:owner"]})).unwrap_err();
        assert!(tag.contains("give the approval its `plan`"), "{tag}");
        let plan = json!({"items": []});
        assert_eq!(read(json!({"approvers": ["tag:owner"], "plan": plan})), Ok(()));
        let two = read(json!({"approvers": ["tag:owner", "tag:team"], "plan": plan})).unwrap_err();
        assert!(two.contains("one tag"), "{two}");
    }

    #[test]
    fn each_rule_wants_its_own_people() {
        let rules = [
            Rule { of: vec!["role:security".into()], count: 1, why: None },
            Rule { of: vec!["ann".into()], count: 1, why: None },
        ];
        let as_ = |person: &str, entries: &[&str]| Decision {
            counts_as: Some(entries.iter().map(|e| (*e).to_owned()).collect()),
            ..says(person, Answer::Approve, 1)
        };
        let (end, now) = (Timestamp::from_micros(100), Timestamp::from_micros(50));
        let ann = as_("ann", &["ann", "role:security"]);
        assert_eq!(tally(&rules, std::slice::from_ref(&ann), end, now), ApprovalStatus::Pending);
        let both = [ann, as_("bob", &["role:security"])];
        assert_eq!(tally(&rules, &both, end, now), ApprovalStatus::Approved);
        let lacks = lacking(&rules, both[1..].iter());
        assert_eq!((lacks.len(), &lacks[0].of[0]), (1, &"ann".to_owned()));
    }
}
