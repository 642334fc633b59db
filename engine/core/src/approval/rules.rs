//! Who must say yes: rules, each with so many distinct people, and the matching that says whether
//! they are met. A person fills one place of one rule, whatever they are asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::limits;

/// What an entry begins with that names a group.
pub(super) const ROLE: &str = "role:";

/// What an entry begins with that names a tag of the plan's resources; the tag's value is who is
/// asked. One that still stands in an approval named nobody.
pub(super) const TAG: &str = "tag:";

/// One rule: so many distinct people out of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Who fits: `role:NAME`, the name of a person, or `tag:KEY`.
    #[serde(deserialize_with = "one_or_many")]
    pub of: Vec<String>,
    /// How many of them must say yes.
    #[serde(default = "one")]
    pub count: u32,
    /// Why they are asked, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

const fn one() -> u32 {
    1
}

fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    match Value::deserialize(from)? {
        Value::String(name) => Ok(vec![name]),
        other => serde_json::from_value(other).map_err(|_| {
            let what = "`of` must be a name, `role:NAME`, `tag:KEY`, or a list of these";
            serde::de::Error::custom(what)
        }),
    }
}

/// How a playbook names who decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Approvers {
    /// By name or role; the quorum stands beside.
    Names(Vec<String>),
    /// By several rules, all of which must be met.
    Rules(Vec<Rule>),
}

impl Default for Approvers {
    fn default() -> Self {
        Self::Names(Vec::new())
    }
}

impl Approvers {
    /// Whether nobody is named.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Names(names) if names.is_empty())
    }
}

impl<'de> Deserialize<'de> for Approvers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let wrong = |why: String| serde::de::Error::custom(why);
        let items = Vec::<Value>::deserialize(from)?;
        if items.iter().all(Value::is_string) {
            let names = items.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            return Ok(Self::Names(names));
        }
        if !items.iter().all(Value::is_object) {
            return Err(wrong(
                "either names, or rules `#{ of: …, count: … }`, and not both".into(),
            ));
        }
        let rules = items.into_iter().map(Rule::deserialize).collect::<Result<Vec<_>, _>>();
        let rules = rules.map_err(|error| wrong(error.to_string()))?;
        check(&rules).map_err(wrong)?;
        Ok(Self::Rules(rules))
    }
}

/// What is wrong with rules, if anything is.
fn check(rules: &[Rule]) -> Result<(), String> {
    for rule in rules {
        if rule.of.is_empty() || rule.of.iter().any(|of| of.trim().is_empty()) {
            return Err("a rule with an empty `of` asks nobody".to_owned());
        }
        if rule.count == 0 {
            return Err("the `count` of a rule is at least 1".to_owned());
        }
    }
    let whole = in_all(rules);
    if whole > limits::QUORUM {
        return Err(format!("{whole} people are asked, and may be {}", limits::QUORUM));
    }
    Ok(())
}

/// How many people rules want.
fn in_all(rules: &[Rule]) -> u32 {
    rules.iter().fold(0, |sum: u32, rule| sum.saturating_add(rule.count))
}

/// What takes back what several questions allowed is allowed by the rules of all of them: each once,
/// with the most people that one question wanted. Where they are more people than can be asked, it
/// is the rules of the question that wanted the most.
pub fn together(asked: &[Vec<Rule>]) -> Vec<Rule> {
    let mut all: Vec<Rule> = Vec::new();
    for rules in asked {
        let mut own: Vec<Rule> = Vec::new();
        for rule in rules {
            match own.iter_mut().find(|one| one.of == rule.of) {
                Some(one) => one.count = one.count.saturating_add(rule.count),
                None => own.push(rule.clone()),
            }
        }
        for rule in own {
            match all.iter_mut().find(|one| one.of == rule.of) {
                Some(one) => one.count = one.count.max(rule.count),
                None => all.push(rule),
            }
        }
    }
    if in_all(&all) <= limits::QUORUM {
        return all;
    }
    asked.iter().max_by_key(|rules| in_all(rules)).cloned().unwrap_or_default()
}

/// The tags that rules go by.
pub fn tags(rules: &[Rule]) -> BTreeSet<&str> {
    rules.iter().flat_map(|rule| &rule.of).filter_map(|of| of.strip_prefix(TAG)).collect()
}

/// What was read of the tags of one thing that a plan touches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owned {
    /// What it is, for people: an operation, and where.
    pub what: String,
    /// The tags that were asked for, as far as there are such.
    pub tags: Vec<(String, String)>,
    /// Why they could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Rules in which each tag is replaced by whom it names: a rule becomes one for each owner that
/// there is. A tag's value is a person or, with or without `role:`, a group. What has no such tag
/// keeps the tag's name in its rule, so that nobody fits it but who is named beside.
pub fn named(rules: &[Rule], owned: &[Owned]) -> Vec<Rule> {
    let mut found: Vec<Rule> = Vec::new();
    for rule in rules {
        let Some(tag) = rule.of.iter().find_map(|of| of.strip_prefix(TAG)) else {
            found.push(rule.clone());
            continue;
        };
        let mut owners: Vec<Rule> = Vec::new();
        for one in owned.iter().flat_map(|thing| of_thing(rule, tag, thing)) {
            if !owners.iter().any(|other| other.of == one.of) {
                owners.push(one);
            }
        }
        // Where nothing is touched nobody owns it: that asks nobody, and not nothing.
        if owners.is_empty() {
            owners.push(rule.clone());
        }
        found.extend(owners);
    }
    found
}

fn of_thing(rule: &Rule, tag: &str, thing: &Owned) -> Vec<Rule> {
    let values: BTreeSet<&str> =
        thing.tags.iter().filter(|(key, _)| key == tag).map(|(_, value)| value.trim()).collect();
    let with = |who: &[String], why: String| {
        let of = rule.of.iter().flat_map(|of| match of.strip_prefix(TAG) {
            Some(other) if other == tag => who.to_vec(),
            _ => vec![of.clone()],
        });
        Rule { of: of.collect(), count: rule.count, why: Some(why) }
    };
    let owners = values.iter().filter(|value| !value.is_empty()).map(|value| {
        let who = match value.starts_with(ROLE) {
            true => vec![(*value).to_owned()],
            false => vec![(*value).to_owned(), format!("{ROLE}{value}")],
        };
        with(&who, format!("{tag}={value} on what {} touches", thing.what))
    });
    let found: Vec<Rule> = owners.collect();
    if !found.is_empty() {
        return found;
    }
    let why = match &thing.error {
        Some(error) => {
            format!("the tag `{tag}` of what {} touches can't be read: {error}", thing.what)
        }
        None => format!("nothing that {} touches has the tag `{tag}`", thing.what),
    };
    vec![with(&[format!("{TAG}{tag}")], why)]
}

/// The entries of rules that a person with these roles answers for. An admin answers for every
/// group.
pub fn answers_for(rules: &[Rule], person: &str, roles: &[String]) -> BTreeSet<String> {
    let fits = |entry: &&String| match entry.strip_prefix(ROLE) {
        Some(role) => roles.iter().any(|r| r == role || r == "admin"),
        None => *entry == person,
    };
    rules.iter().flat_map(|rule| &rule.of).filter(fits).cloned().collect()
}

/// What people answer for, each once.
pub type Voices<'a> = BTreeMap<&'a str, &'a BTreeSet<String>>;

/// How many places of each rule stay empty when as many as can be are filled, each by another
/// person. All of them are zero when the rules are met.
pub fn missing(rules: &[Rule], voices: &Voices<'_>) -> Vec<u32> {
    let places = |rule| std::iter::repeat_n(rule, Rule::places(rule));
    let mut seating = Seating {
        seats: rules.iter().flat_map(places).collect(),
        voices: voices.values().copied().collect(),
        taken: BTreeMap::new(),
    };
    let (mut empty, mut seat) = (Vec::with_capacity(rules.len()), 0);
    for rule in rules {
        let mut stay_empty = 0;
        for _ in 0..rule.places() {
            stay_empty += u32::from(!seating.fill(seat, &mut BTreeSet::new()));
            seat += 1;
        }
        empty.push(stay_empty);
    }
    empty
}

impl Rule {
    fn places(&self) -> usize {
        self.count.min(limits::QUORUM) as usize
    }
}

/// Who takes which place.
struct Seating<'a> {
    seats: Vec<&'a Rule>,
    voices: Vec<&'a BTreeSet<String>>,
    /// The place of each person that has one.
    taken: BTreeMap<usize, usize>,
}

impl Seating<'_> {
    /// Finds a person for a place; whoever had it before is found another (Kuhn's algorithm).
    fn fill(&mut self, seat: usize, tried: &mut BTreeSet<usize>) -> bool {
        let Some(rule) = self.seats.get(seat).copied() else { return false };
        for (person, voice) in self.voices.clone().into_iter().enumerate() {
            let fits = rule.of.iter().any(|of| voice.contains(of));
            if !fits || !tried.insert(person) {
                continue;
            }
            let is_free = match self.taken.get(&person).copied() {
                None => true,
                Some(other) => self.fill(other, tried),
            };
            if is_free {
                self.taken.insert(person, seat);
                return true;
            }
        }
        false
    }
}

/// Why rules can't be met by the people that there are, if they can't.
pub fn out_of_reach(rules: &[Rule], people: &BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    let voices = people.iter().map(|(name, voice)| (name.as_str(), voice)).collect();
    let missing = missing(rules, &voices);
    let lacking = rules.iter().zip(&missing).filter(|(_, empty)| **empty > 0);
    let told: Vec<String> = lacking
        .map(|(rule, _)| {
            let fits = |(_, voice): &(&String, &BTreeSet<String>)| {
                rule.of.iter().any(|of| voice.contains(of))
            };
            let there: Vec<&str> =
                people.iter().filter(fits).map(|(name, _)| name.as_str()).collect();
            let there = match there.as_slice() {
                [] => "nobody".to_owned(),
                names => names.join(", "),
            };
            let why = rule.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            format!("{} of {} must say yes{why}, and {there} can", rule.count, rule.of.join(", "))
        })
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}

#[cfg(test)]
mod tests;
