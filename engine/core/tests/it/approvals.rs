//! Approvals against a small oracle: random sequences of decisions, withdrawals, expiries, edits,
//! disablings, delegations, hand-overs, glass that is broken, and crashes. A failure names its seed;
//! `STANCH_TEST_SEED=N` plays that one alone, `STANCH_TEST_SEQUENCES=N` so many.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use stanch_engine_core::approval::{
    Answer, ApprovalStatus, Decision, HandOver, Handed, Hearing, Rule, StandIn, tally,
};
use stanch_engine_core::time::Timestamp;
use stanch_tests::chance::Chance;

const SEQUENCES: u64 = 2_000;
const STEPS: u32 = 24;
const PEOPLE: [&str; 6] = ["ann", "bob", "cat", "dan", "eve", "fay"];
const ROLES: [&str; 3] = ["security", "owner", "admin"];

/// What a test run is played with.
struct Dice(Chance);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0.below(sides)
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.throw(of.len())]
    }
}

/// A decision, and whether it counts.
#[derive(Clone, Debug)]
struct Given {
    decision: Decision,
    counts: bool,
}

/// What the database holds.
#[derive(Debug)]
struct Stage {
    now: i64,
    roles: BTreeMap<String, Vec<String>>,
    barred: BTreeSet<String>,
    away: Vec<StandIn>,
    rules: Vec<Rule>,
    expires_at: i64,
    status: ApprovalStatus,
    given: Vec<Given>,
    handed_over: Vec<HandOver>,
    /// Counts the plans: an approval is for one of them.
    plan: u32,
    executed: BTreeSet<u32>,
    log: Vec<String>,
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

impl Stage {
    fn new(dice: &mut Dice) -> Self {
        let mut roles = BTreeMap::new();
        for person in PEOPLE {
            let mut own: Vec<String> = Vec::new();
            for _ in 0..dice.throw(3) {
                own.push(dice.one(&ROLES).to_owned());
            }
            roles.insert(person.to_owned(), own);
        }
        let entries = ["role:security", "role:owner", "ann", "bob", "tag:lost"];
        let rules = (0..=dice.throw(3)).map(|_| Rule {
            of: (0..=dice.throw(2)).map(|_| dice.one(&entries).to_owned()).collect(),
            count: u32::try_from(1 + dice.throw(2)).unwrap(),
            why: None,
        });
        let rules = rules.collect();
        let barred = (0..dice.throw(3)).map(|_| dice.one(&PEOPLE).to_owned()).collect();
        Self {
            now: 0,
            roles,
            barred,
            away: Vec::new(),
            rules,
            expires_at: 20 + i64::try_from(dice.throw(40)).unwrap(),
            status: ApprovalStatus::Pending,
            given: Vec::new(),
            handed_over: Vec::new(),
            plan: 0,
            executed: BTreeSet::new(),
            log: Vec::new(),
        }
    }

    fn counting(&self) -> Vec<Decision> {
        self.given.iter().filter(|given| given.counts).map(|given| given.decision.clone()).collect()
    }

    fn tally(&self) -> ApprovalStatus {
        tally(&self.rules, &self.counting(), at(self.expires_at), at(self.now))
    }

    /// Silence is a no once its time is over, whoever looks.
    fn expire(&mut self) {
        if self.status == ApprovalStatus::Pending && self.now >= self.expires_at {
            self.status = ApprovalStatus::Expired;
        }
    }

    fn decide(&mut self, person: &str, answer: Answer, breaks_glass: bool) {
        self.expire();
        let Some(roles) = self.roles.get(person).cloned() else { return };
        if self.status != ApprovalStatus::Pending {
            return;
        }
        let decisions = self.counting();
        let voice = match self.hearing(&decisions).voice(person, &roles, answer) {
            Ok(voice) => voice,
            Err(_) if breaks_glass => Default::default(),
            Err(_) => return,
        };
        let before = self.given.iter().position(|given| given.decision.person == person);
        if before.is_some_and(|before| self.given[before].counts && !breaks_glass) {
            return;
        }
        let (reason, from) = ("r".to_owned(), "test".to_owned());
        let decision = Decision {
            person: person.to_owned(),
            answer,
            reason,
            form: Value::Null,
            at: at(self.now),
            from,
            counts_as: Some(voice.counts_as),
            on_behalf: voice.on_behalf,
            is_break_glass: breaks_glass,
        };
        if let Some(before) = before {
            self.given.remove(before);
        }
        self.given.push(Given { decision, counts: true });
        self.status = self.tally();
    }

    fn withdraw(&mut self, person: &str) {
        self.expire();
        if self.status == ApprovalStatus::Pending {
            let own = |given: &&mut Given| given.decision.person == person;
            self.given.iter_mut().filter(own).for_each(|given| given.counts = false);
        }
    }

    fn hearing<'a>(&'a self, decisions: &'a [Decision]) -> Hearing<'a> {
        Hearing {
            rules: &self.rules,
            decisions,
            barred: &self.barred,
            stand_ins: &self.away,
            handed_over: &self.handed_over,
        }
    }

    fn hand_over(&mut self, from: &str, to: &str) {
        self.expire();
        let is_there = |who: &str| self.roles.contains_key(who);
        if self.status != ApprovalStatus::Pending || !is_there(from) || !is_there(to) {
            return;
        }
        let decisions = self.counting();
        match self.hearing(&decisions).hand_over(from, &self.roles[from], to) {
            Ok(Handed::Over(given)) => self.handed_over.push(given),
            Ok(Handed::Back) => self.handed_over.retain(|given| given.from != to),
            Err(_) => {}
        }
    }

    fn leave(&mut self, person: &str, delegate: &str) {
        self.away.retain(|away| away.person != person);
        let Some(roles) = self.roles.get(person).cloned().filter(|_| person != delegate) else {
            return;
        };
        let (person, delegate) = (person.to_owned(), delegate.to_owned());
        self.away.push(StandIn { person, roles, delegate });
    }

    fn disable(&mut self, person: &str) {
        self.roles.remove(person);
        self.away.retain(|away| away.person != person && away.delegate != person);
        self.handed_over.retain(|given| given.from != person && given.to != person);
        for given in &mut self.given {
            let by = &given.decision;
            let is_theirs = by.person == person || by.on_behalf.contains(person);
            given.counts &= !is_theirs || by.answer == Answer::Reject;
        }
    }

    /// Another plan is another question: what was said about the one before says nothing of it.
    fn edit(&mut self) {
        self.plan += 1;
        self.status = ApprovalStatus::Pending;
        self.expires_at = self.now + 30;
        self.given.clear();
        self.handed_over.clear();
    }

    /// A node dies: what goes on is what was written down.
    fn crash(&mut self) {
        let decisions: Vec<(Value, bool)> =
            self.given.iter().map(|given| (json!(given.decision), given.counts)).collect();
        let read = |(decision, counts)| Given {
            decision: serde_json::from_value(decision).unwrap(),
            counts,
        };
        self.given = decisions.into_iter().map(read).collect();
        self.rules = serde_json::from_value(json!(self.rules)).unwrap();
    }

    /// Carries the plan out, once, if the approval still stands.
    fn execute(&mut self) {
        if self.status == ApprovalStatus::Approved && self.tally() == ApprovalStatus::Approved {
            self.executed.insert(self.plan);
            self.check_yes();
        }
    }

    fn step(&mut self, dice: &mut Dice) {
        let (one, other) = (dice.one(&PEOPLE), dice.one(&PEOPLE));
        let what = dice.throw(24);
        self.log.push(format!("{what} {one} {other} at {}", self.now));
        match what {
            0..=9 => self.decide(one, Answer::Approve, false),
            10 => self.decide(one, Answer::Reject, false),
            11 | 12 => self.withdraw(one),
            13 | 14 => self.hand_over(one, other),
            15..=17 => self.leave(one, other),
            18 => self.disable(one),
            19 => self.edit(),
            20 => self.crash(),
            21 if dice.throw(4) == 0 => self.decide(one, Answer::Approve, true),
            22 => self.execute(),
            _ => self.now += i64::try_from(dice.throw(12)).unwrap(),
        }
        self.expire();
        self.check(what);
    }

    /// What must hold, in other words than those of the engine.
    fn check(&self, what: usize) {
        let counting = self.counting();
        // Nobody has two voices, be it their own or through others.
        let mut souls: Vec<&str> = Vec::new();
        for decision in counting.iter().filter(|d| !d.is_break_glass) {
            assert!(decision.at < at(self.expires_at), "too late: {decision:?}");
            let own = self.barred.contains(&decision.person);
            assert!(!own || decision.answer == Answer::Reject, "own cause: {decision:?}");
            let entrusted = decision.on_behalf.iter().find(|whose| self.barred.contains(*whose));
            assert!(entrusted.is_none(), "own cause by another: {decision:?}");
            souls.extend(decision.on_behalf.iter().map(String::as_str));
            souls.push(&decision.person);
        }
        let distinct: BTreeSet<&str> = souls.iter().copied().collect();
        assert_eq!(distinct.len(), souls.len(), "somebody speaks twice: {counting:?}");
        // A disabling takes back what was said, and changes no status by itself.
        if what == 18 {
            return;
        }
        let is_no = counting.iter().any(|decision| decision.answer == Answer::Reject);
        match self.status {
            ApprovalStatus::Rejected => assert!(is_no),
            ApprovalStatus::Approved | ApprovalStatus::Expired | ApprovalStatus::Withdrawn => {}
            ApprovalStatus::Pending => {
                assert!(!is_no && !self.is_enough(&counting), "it is settled: {counting:?}");
            }
        }
    }

    /// Whether what is carried out was said by enough people who may.
    fn check_yes(&self) {
        let counting = self.counting();
        assert!(counting.iter().all(|decision| decision.answer == Answer::Approve));
        assert!(self.is_enough(&counting), "not enough: {counting:?}");
        let gone = counting.iter().find(|d| !self.roles.contains_key(&d.person));
        assert!(gone.is_none(), "they were disabled: {gone:?}");
    }

    /// Tries every way to give each place to another person.
    fn is_enough(&self, counting: &[Decision]) -> bool {
        if counting.iter().any(|decision| decision.is_break_glass) {
            return true;
        }
        let places: Vec<&Rule> =
            self.rules.iter().flat_map(|rule| vec![rule; rule.count as usize]).collect();
        fits(&places, &counting.iter().collect::<Vec<_>>())
    }
}

fn fits(places: &[&Rule], people: &[&Decision]) -> bool {
    let Some((place, others)) = places.split_first() else { return true };
    people.iter().enumerate().any(|(at, person)| {
        let voice = person.counts_as.as_ref().unwrap();
        let rest: Vec<&Decision> =
            people.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, one)| *one).collect();
        place.of.iter().any(|of| voice.contains(of)) && fits(others, &rest)
    })
}

fn play(seed: u64) -> Stage {
    let mut dice = Dice(Chance::of(seed));
    let mut stage = Stage::new(&mut dice);
    for _ in 0..STEPS {
        stage.step(&mut dice);
    }
    stage
}

fn number(name: &str) -> Option<u64> {
    std::env::var_os(name)?.to_str()?.parse().ok()
}

#[test]
fn whatever_people_do_what_is_carried_out_was_agreed_to_by_enough_who_may() {
    let seeds = match number("STANCH_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..number("STANCH_TEST_SEQUENCES").unwrap_or(SEQUENCES) + 1,
    };
    let (mut approved, mut carried_out) = (0, 0);
    for seed in seeds.clone() {
        let played = std::panic::catch_unwind(|| play(seed));
        let stage = played.unwrap_or_else(|_| panic!("STANCH_TEST_SEED={seed}"));
        approved += u32::from(stage.status == ApprovalStatus::Approved);
        carried_out += stage.executed.len();
    }
    println!("{approved} approved at the end, {carried_out} plans carried out");
    // A test that approves nothing shows nothing.
    let played = usize::try_from(seeds.end - seeds.start).unwrap();
    assert!(played < 100 || carried_out > played / 50, "{carried_out} of {played}");
}
