//! What a person may say about an approval: for themselves, for somebody who is away, or because it
//! was handed to them. Whoever speaks for others is one person all the same.

use std::collections::BTreeSet;

use super::{Answer, Decision, Rule, answers_for};

/// Somebody who is away, and who stands in meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandIn {
    /// Who is away.
    pub person: String,
    /// Their roles.
    pub roles: Vec<String>,
    /// Who stands in.
    pub delegate: String,
}

/// An open approval that one person has handed to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOver {
    /// Who gave it away: they say nothing more.
    pub from: String,
    /// Who has it.
    pub to: String,
    /// The entries of the rules that were handed over.
    pub entries: BTreeSet<String>,
}

/// What became of a hand-over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handed {
    /// It is the other's now.
    Over(HandOver),
    /// It is the other's again, who had handed it over.
    Back,
}

/// All that what a person may say depends on.
#[derive(Clone, Copy, Debug)]
pub struct Hearing<'a> {
    /// Who must say yes.
    pub rules: &'a [Rule],
    /// The decisions that count so far.
    pub decisions: &'a [Decision],
    /// Those who ask, or wrote what asks; nobody where their yes counts.
    pub barred: &'a BTreeSet<String>,
    /// Who is away now.
    pub stand_ins: &'a [StandIn],
    /// Who has given it away.
    pub handed_over: &'a [HandOver],
}

/// What a person says it as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Voice {
    /// The entries of the rules that they answer for.
    pub counts_as: BTreeSet<String>,
    /// Those of whom they have some of these entries.
    pub on_behalf: BTreeSet<String>,
}

/// Why a person may not say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mute {
    /// Others are asked.
    NotAsked,
    /// They ask themselves, or wrote what asks.
    OwnCause,
    /// They have handed it over to this person.
    HandedOver(String),
    /// This person has decided for them.
    SpokenFor(String),
}

impl Hearing<'_> {
    /// What a person with these roles may say it as.
    ///
    /// # Errors
    /// [`Mute`] when they may not.
    pub fn voice(&self, person: &str, roles: &[String], answer: Answer) -> Result<Voice, Mute> {
        if let Some(given) = self.handed_over.iter().find(|given| given.from == person) {
            return Err(Mute::HandedOver(given.to.clone()));
        }
        if let Some(other) = self.decisions.iter().find(|d| d.on_behalf.contains(person)) {
            return Err(Mute::SpokenFor(other.person.clone()));
        }
        let own = answers_for(self.rules, person, roles);
        let mut voice = Voice { counts_as: own.clone(), on_behalf: BTreeSet::new() };
        for (whose, entries) in self.entrusted_to(person) {
            if !entries.is_subset(&own) {
                voice.on_behalf.insert(whose);
            }
            voice.counts_as.extend(entries);
        }
        if voice.counts_as.is_empty() {
            return Err(Mute::NotAsked);
        }
        if answer == Answer::Approve && self.barred.contains(person) {
            return Err(Mute::OwnCause);
        }
        Ok(voice)
    }

    /// What becomes of a hand-over.
    ///
    /// # Errors
    /// In words, why it can't be.
    pub fn hand_over(&self, from: &str, roles: &[String], to: &str) -> Result<Handed, String> {
        if self.handed_over.iter().any(|given| given.from == to && given.to == from) {
            return Ok(Handed::Back);
        }
        if let Some(other) = self.handed_over.iter().find(|given| given.to == from) {
            return Err(format!("it was handed to you: hand it back to {}", other.from));
        }
        if from == to {
            return Err("it is yours already".to_owned());
        }
        if self.barred.contains(to) {
            return Err(format!("{to} started the run or published its playbook"));
        }
        let has_spoken = |whose: &str| {
            self.decisions.iter().any(|d| d.person == whose || d.on_behalf.contains(whose))
        };
        if has_spoken(to) || self.handed_over.iter().any(|given| given.from == to) {
            return Err(format!("{to} has decided already, or has handed it over"));
        }
        if has_spoken(from) {
            return Err("you have decided already".to_owned());
        }
        if let Some(given) = self.handed_over.iter().find(|given| given.from == from) {
            return Err(format!("you have handed it to {} already", given.to));
        }
        let entries = answers_for(self.rules, from, roles);
        if entries.is_empty() || self.barred.contains(from) {
            return Err("you are not asked".to_owned());
        }
        let (from, to) = (from.to_owned(), to.to_owned());
        Ok(Handed::Over(HandOver { from, to, entries }))
    }

    /// What others have entrusted to a person, and who. What somebody has said themselves, or has
    /// somebody else say, is not said again; and who may not say yes has nobody say it.
    fn entrusted_to(&self, person: &str) -> Vec<(String, BTreeSet<String>)> {
        let is_free = |whose: &str| {
            let has_spoken = |d: &Decision| d.person == whose || d.on_behalf.contains(whose);
            whose != person
                && !self.barred.contains(whose)
                && !self.decisions.iter().any(has_spoken)
        };
        let gave_away = |whose: &str| self.handed_over.iter().any(|given| given.from == whose);
        let away = self.stand_ins.iter().filter(|away| {
            away.delegate == person && is_free(&away.person) && !gave_away(&away.person)
        });
        let away = away
            .map(|away| (away.person.clone(), answers_for(self.rules, &away.person, &away.roles)));
        let given =
            self.handed_over.iter().filter(|given| given.to == person && is_free(&given.from));
        away.chain(given.map(|given| (given.from.clone(), given.entries.clone()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn said(person: &str, on_behalf: &[&str]) -> Decision {
        Decision {
            person: person.into(),
            answer: Answer::Approve,
            reason: "r".into(),
            form: serde_json::Value::Null,
            at: Timestamp::from_micros(1),
            from: "test".into(),
            counts_as: None,
            on_behalf: names(on_behalf),
            is_break_glass: false,
        }
    }

    struct Case {
        rules: Vec<Rule>,
        decisions: Vec<Decision>,
        barred: BTreeSet<String>,
        stand_ins: Vec<StandIn>,
        handed_over: Vec<HandOver>,
    }

    impl Case {
        /// Security is asked; mia is of it, and away for lea, who is not.
        fn new() -> Self {
            let away = |person: &str, roles: &[&str], delegate: &str| StandIn {
                person: person.into(),
                roles: roles.iter().map(|role| (*role).to_owned()).collect(),
                delegate: delegate.into(),
            };
            Self {
                rules: vec![Rule { of: vec!["role:security".into()], count: 2, why: None }],
                decisions: Vec::new(),
                barred: BTreeSet::new(),
                stand_ins: vec![away("mia", &["security"], "lea"), away("lea", &[], "tom")],
                handed_over: Vec::new(),
            }
        }

        fn hearing(&self) -> Hearing<'_> {
            let Self { rules, decisions, barred, stand_ins, handed_over } = self;
            Hearing { rules, decisions, barred, stand_ins, handed_over }
        }

        fn voice(&self, person: &str, roles: &[&str]) -> Result<Voice, Mute> {
            let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
            self.hearing().voice(person, &roles, Answer::Approve)
        }

        fn hand_over(&self, from: &str, roles: &[&str], to: &str) -> Result<Handed, String> {
            let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
            self.hearing().hand_over(from, &roles, to)
        }
    }

    #[test]
    fn who_stands_in_speaks_for_one_who_is_away_and_no_further() {
        let mut case = Case::new();
        let lea = case.voice("lea", &[]).unwrap();
        assert_eq!((lea.counts_as, lea.on_behalf), (names(&["role:security"]), names(&["mia"])));
        assert_eq!(case.voice("tom", &[]), Err(Mute::NotAsked), "it is not handed on");
        let own = case.voice("lea", &["security"]).unwrap();
        assert_eq!(own.on_behalf, names(&[]), "she is asked herself");

        case.decisions = vec![said("lea", &["mia"])];
        assert_eq!(case.voice("mia", &["security"]), Err(Mute::SpokenFor("lea".into())));
        case.decisions = vec![said("mia", &[])];
        assert_eq!(case.voice("lea", &[]), Err(Mute::NotAsked), "mia has said it herself");
        case.stand_ins[0].delegate = "tom".into();
        case.decisions = vec![said("lea", &["mia"])];
        assert_eq!(case.voice("tom", &[]), Err(Mute::NotAsked), "lea has said it for mia");
    }

    #[test]
    fn who_may_not_say_yes_has_nobody_say_it() {
        let mut case = Case::new();
        case.barred = names(&["mia"]);
        assert_eq!(case.voice("lea", &[]), Err(Mute::NotAsked));
        assert_eq!(case.voice("mia", &["security"]), Err(Mute::OwnCause));
        case.barred = names(&["lea"]);
        assert_eq!(case.voice("lea", &[]), Err(Mute::OwnCause));
    }

    #[test]
    fn what_is_handed_over_is_gone() {
        let mut case = Case::new();
        let entries = names(&["role:security"]);
        let given = HandOver { from: "mia".into(), to: "tom".into(), entries: entries.clone() };
        case.handed_over = vec![given];
        assert_eq!(case.voice("mia", &["security"]), Err(Mute::HandedOver("tom".into())));
        assert_eq!(case.voice("lea", &[]), Err(Mute::NotAsked), "mia has none left");
        let tom = case.voice("tom", &[]).unwrap();
        assert_eq!((tom.counts_as, tom.on_behalf), (entries, names(&["mia"])));
        assert_eq!(case.hand_over("tom", &[], "mia"), Ok(Handed::Back));
        let error = case.hand_over("tom", &["security"], "zoe").unwrap_err();
        assert!(error.contains("hand it back to mia"), "{error}");
    }

    #[test]
    fn only_what_is_ones_own_and_unsaid_is_handed_over() {
        let mut case = Case::new();
        assert!(case.hand_over("mia", &["security"], "zoe").is_ok());
        for (from, to, says) in [("mia", "mia", "yours already"), ("leo", "zoe", "not asked")] {
            let roles: &[&str] = if from == "mia" { &["security"] } else { &[] };
            let error = case.hand_over(from, roles, to).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        case.barred = names(&["zoe"]);
        assert!(case.hand_over("mia", &["security"], "zoe").unwrap_err().contains("started"));
        case.decisions = vec![said("mia", &[])];
        assert!(
            case.hand_over("mia", &["security"], "tom").unwrap_err().contains("you have decided")
        );
        assert!(
            case.hand_over("sam", &["security"], "mia").unwrap_err().contains("mia has decided")
        );
    }
}
