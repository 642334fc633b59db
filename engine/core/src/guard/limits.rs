//! How much may be done, how soon again, and when not: limits beside what is protected.

use std::collections::BTreeSet;

use crate::effect::Effect;
use crate::span::Span;
use crate::step::StepError;
use crate::time::Timestamp;

use super::target::Targets;

/// The code of a refusal since too much was destroyed.
pub const SPENT: &str = "budget_spent";

/// The code of a refusal since the same thing was changed a moment ago.
pub const COOLING: &str = "cooling_down";

/// The code of a refusal since nothing was kept before.
pub const NO_EVIDENCE: &str = "no_evidence";

/// The code of a refusal in a window in which nothing is changed.
pub const FROZEN: &str = "frozen";

/// The limits of the configuration. Without any, nothing is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Whose they are.
    pub owner: String,
    /// How many resources may be touched at once before people are asked, in any mode.
    pub ask_above: Option<u32>,
    /// How many calls that destroy there may be in 24 hours.
    pub destroy_per_day: Option<u32>,
    /// How many calls that destroy there may be in one incident.
    pub destroy_per_incident: Option<u32>,
    /// How long a thing that another run has changed rests, unless people approve.
    pub cooldown: Option<Span>,
    /// Whether evidence must have been captured in the incident before something is destroyed.
    pub evidence_first: bool,
    /// Windows in which less is done.
    pub freezes: Vec<Freeze>,
}

/// A window in which less is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// What people call it.
    pub name: String,
    /// Why it is.
    pub reason: String,
    /// Whose rule it is.
    pub owner: String,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// In these accounts; in all when there are none.
    pub accounts: Vec<String>,
    /// Whether nothing is changed whoever approves; else people are asked.
    pub is_strict: bool,
}

/// What was done before, as far as it is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Calls that destroyed, in the last 24 hours.
    pub destroyed_in_a_day: u32,
    /// Calls that destroyed, in the incident.
    pub destroyed_in_incident: u32,
    /// Items of evidence in the incident; nothing where there is no incident.
    pub evidence: Option<u32>,
    /// What the call would touch that another run has changed, and when, the last first.
    pub changed: Vec<(String, Timestamp)>,
}

/// A call that may be too much.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What would be touched.
    pub targets: &'a Targets,
    /// How far it reaches.
    pub effect: Effect,
    /// Whether people approved it.
    pub is_approved: bool,
}

impl Limits {
    /// Whether anything is counted.
    pub fn counts(&self) -> bool {
        self.destroy_per_day.is_some()
            || self.destroy_per_incident.is_some()
            || self.cooldown.is_some()
            || self.evidence_first
    }

    /// Why people must be asked about touching so many things, or now, if they must.
    pub fn must_ask(&self, targets: &[&Targets], now: Timestamp) -> Option<String> {
        let touched = touched(targets);
        if let Some(most) = self.ask_above.filter(|most| touched > *most as usize) {
            return Some(format!(
                "it touches {touched} resources, and more than {most} are asked about in any mode by \
                 `ask_above` under [guard] in stanch.toml (ask {})",
                self.owner
            ));
        }
        let freeze = targets.iter().find_map(|targets| self.freeze(targets, now))?;
        Some(told(freeze))
    }

    /// Whether a call is refused since it would be made now.
    ///
    /// # Errors
    /// The refusal: it names the rule, whose it is, and how it is changed.
    pub fn refuses_now(&self, targets: &Targets, now: Timestamp) -> Result<(), StepError> {
        match self.freeze(targets, now).filter(|freeze| freeze.is_strict) {
            None => Ok(()),
            Some(freeze) => Err(StepError::denied(
                FROZEN,
                format!("{} is refused: {}", targets.operation, told(freeze)),
            )),
        }
    }

    fn freeze(&self, targets: &Targets, now: Timestamp) -> Option<&Freeze> {
        let is_in = |freeze: &&Freeze| {
            let here = |account: &String| freeze.accounts.contains(account);
            let is_here = freeze.accounts.is_empty() || targets.account.as_ref().is_none_or(here);
            is_here && freeze.starts_at <= now && now < freeze.ends_at
        };
        let found: Vec<&Freeze> = self.freezes.iter().filter(is_in).collect();
        found.iter().find(|freeze| freeze.is_strict).or_else(|| found.first()).copied()
    }

    /// Whether a call is refused by what was done before.
    ///
    /// # Errors
    /// The refusal: it names the rule, whose it is, and how it is changed.
    pub fn refuses(
        &self,
        call: &Asked<'_>,
        spent: &Spent,
        now: Timestamp,
    ) -> Result<(), StepError> {
        let no = |code: &str, why: &str, key: &str| {
            let Self { owner, .. } = self;
            let operation = &call.targets.operation;
            let how =
                format!("Ask {owner}, or change `{key}` under [guard] in stanch.toml and restart");
            Err(StepError::denied(code, format!("{operation} is refused: {why}. {how}")))
        };
        if call.effect == Effect::Destroy {
            let is_spent = |most: &u32, spent: u32| spent >= *most;
            if let Some(most) =
                self.destroy_per_day.filter(|m| is_spent(m, spent.destroyed_in_a_day))
            {
                let why =
                    format!("{most} calls that destroy are all that there may be in 24 hours");
                return no(SPENT, &why, "destroy_per_day");
            }
            let in_incident = spent.destroyed_in_incident;
            if let Some(most) = self.destroy_per_incident.filter(|m| is_spent(m, in_incident)) {
                let why =
                    format!("{most} calls that destroy are all that there may be in an incident");
                return no(SPENT, &why, "destroy_per_incident");
            }
            if self.evidence_first && spent.evidence.unwrap_or_default() == 0 {
                let why = "no evidence was captured before something is destroyed (`collect`, `evidence`)";
                return no(NO_EVIDENCE, why, "evidence_first");
            }
        }
        let Some(cooldown) = self.cooldown.filter(|_| !call.is_approved) else { return Ok(()) };
        let is_warm = |(_, at): &&(String, Timestamp)| now < at.plus_ms(cooldown.ms);
        match spent.changed.iter().find(is_warm) {
            None => Ok(()),
            Some((what, at)) => {
                let why = format!(
                    "another run changed `{what}` at {at:.0}, and it rests for {cooldown} unless people approve"
                );
                no(COOLING, &why, "cooldown")
            }
        }
    }
}

fn told(freeze: &Freeze) -> String {
    let Freeze { name, reason, owner, ends_at, .. } = freeze;
    format!(
        "the window `{name}` of {owner} holds until {ends_at:.0}: {reason}. Ask {owner}, or change \
         [[guard.freeze]] `{name}` in stanch.toml and restart"
    )
}

/// How many resources these are. What names none is one.
fn touched(targets: &[&Targets]) -> usize {
    let named: BTreeSet<&String> = targets.iter().flat_map(|targets| &targets.arns).collect();
    named.len() + targets.iter().filter(|targets| targets.arns.is_empty()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(arns: &[&str]) -> Targets {
        Targets {
            operation: "ec2:TerminateInstances".into(),
            account: Some("111122223333".into()),
            arns: arns.iter().map(|arn| (*arn).to_owned()).collect(),
            ..Targets::default()
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn limits() -> Limits {
        Limits {
            owner: "team sec".into(),
            ask_above: Some(2),
            destroy_per_day: Some(3),
            destroy_per_incident: Some(1),
            cooldown: Some(Span::from_secs(60)),
            evidence_first: true,
            freezes: Vec::new(),
        }
    }

    fn code(call: (Effect, bool), spent: Spent) -> Option<String> {
        let targets = targets(&["a"]);
        let call = Asked { targets: &targets, effect: call.0, is_approved: call.1 };
        let error = limits().refuses(&call, &spent, at(100)).err()?;
        for word in ["ec2:TerminateInstances", "team sec", "stanch.toml"] {
            assert!(error.message.contains(word), "{error}");
        }
        Some(error.code)
    }

    #[test]
    fn people_are_asked_about_much_at_once() {
        let (one, other, none) = (targets(&["a", "b"]), targets(&["b"]), targets(&[]));
        assert_eq!(limits().must_ask(&[&one, &other], at(0)), None);
        let why = limits().must_ask(&[&one, &other, &none], at(0)).unwrap();
        assert!(why.contains("touches 3 resources") && why.contains("team sec"), "{why}");
    }

    #[test]
    fn what_destroys_is_counted_and_wants_evidence() {
        let destroy = (Effect::Destroy, true);
        let spent = Spent { evidence: Some(1), ..Spent::default() };
        assert_eq!(code(destroy, spent.clone()), None);
        let none = Spent { evidence: Some(0), ..spent.clone() };
        assert_eq!(code(destroy, none).as_deref(), Some(NO_EVIDENCE));
        assert_eq!(code(destroy, Spent::default()).as_deref(), Some(NO_EVIDENCE));
        let day = Spent { destroyed_in_a_day: 3, ..spent.clone() };
        assert_eq!(code(destroy, day.clone()).as_deref(), Some(SPENT));
        let incident = Spent { destroyed_in_incident: 1, ..spent };
        assert_eq!(code(destroy, incident).as_deref(), Some(SPENT));
        assert_eq!(code((Effect::Change, false), day), None, "what can be undone is not counted");
    }

    #[test]
    fn a_thing_rests_unless_people_approve() {
        let warm = Spent { changed: vec![("a".into(), at(41))], ..Spent::default() };
        assert_eq!(code((Effect::Change, false), warm.clone()).as_deref(), Some(COOLING));
        assert_eq!(code((Effect::Change, true), warm), None);
        let cold = Spent { changed: vec![("a".into(), at(40))], ..Spent::default() };
        assert_eq!(code((Effect::Change, false), cold), None);
    }

    #[test]
    fn in_a_window_people_are_asked_or_nothing_is_done() {
        let freeze = |is_strict, accounts: &[&str]| Freeze {
            name: "year-end".into(),
            reason: "the books are closed".into(),
            owner: "finance".into(),
            starts_at: at(10),
            ends_at: at(20),
            accounts: accounts.iter().map(|account| (*account).to_owned()).collect(),
            is_strict,
        };
        let call = targets(&["a"]);
        let soft = Limits { freezes: vec![freeze(false, &[])], ..Limits::default() };
        assert!(soft.must_ask(&[&call], at(10)).unwrap().contains("finance"));
        assert_eq!(soft.must_ask(&[&call], at(9)), None);
        assert_eq!(soft.must_ask(&[&call], at(20)), None);
        assert_eq!(soft.refuses_now(&call, at(10)), Ok(()));
        let strict = freeze(true, &["111122223333"]);
        let strict = Limits { freezes: vec![freeze(false, &[]), strict], ..Limits::default() };
        let error = strict.refuses_now(&call, at(19)).unwrap_err();
        assert!(error.code == FROZEN && error.message.contains("year-end"), "{error}");
        let elsewhere = Targets { account: Some("444455556666".into()), ..call };
        assert_eq!(strict.refuses_now(&elsewhere, at(19)), Ok(()));
    }
}
