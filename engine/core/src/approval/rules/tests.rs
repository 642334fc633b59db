//! Rules, tags, and the matching beside every way that there is to seat people.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn rule(of: &[&str], count: u32) -> Rule {
    Rule { of: of.iter().map(|of| (*of).to_owned()).collect(), count, why: None }
}

fn people(voices: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
    let voice = |entries: &[&str]| entries.iter().map(|entry| (*entry).to_owned()).collect();
    voices.iter().map(|(name, entries)| ((*name).to_owned(), voice(entries))).collect()
}

fn met(rules: &[Rule], people: &BTreeMap<String, BTreeSet<String>>) -> bool {
    let voices = people.iter().map(|(name, voice)| (name.as_str(), voice)).collect();
    missing(rules, &voices).iter().all(|empty| *empty == 0)
}

#[test]
fn a_person_fills_one_place_whatever_they_are_asked_for() {
    let rules = [rule(&["role:security"], 1), rule(&["lea"], 1)];
    let both = people(&[("lea", &["role:security", "lea"])]);
    assert!(!met(&rules, &both), "one person is not two");
    let two = people(&[("lea", &["role:security", "lea"]), ("mia", &["role:security"])]);
    assert!(met(&rules, &two), "lea is moved to the place that only she can take");
}

#[test]
fn rules_and_names_are_read_and_nothing_between() {
    let read = |value: Value| serde_json::from_value::<Approvers>(value);
    assert_eq!(read(json!(["a"])).unwrap(), Approvers::Names(vec!["a".into()]));
    let rules = read(json!([{"of": "tag:owner"}, {"of": ["a", "b"], "count": 2}])).unwrap();
    assert_eq!(rules, Approvers::Rules(vec![rule(&["tag:owner"], 1), rule(&["a", "b"], 2)]));
    assert_eq!(read(serde_json::to_value(&rules).unwrap()).unwrap(), rules);
    for (wrong, says) in [
        (json!(["a", {"of": "b"}]), "not both"),
        (json!([{"of": "b", "cuont": 1}]), "cuont"),
        (json!([{"of": []}]), "nobody"),
        (json!([{"of": 7}]), "`of` must be"),
        (json!([{"of": "a", "count": 0}]), "at least 1"),
        (json!([{"of": "a", "count": 11}, {"of": "b", "count": 10}]), "may be 20"),
        (json!(vec![json!({"of": "a"}); 21]), "21 people are asked, and may be 20"),
    ] {
        let error = read(wrong.clone()).unwrap_err().to_string();
        assert!(error.contains(says), "{wrong}: {error}");
    }
}

#[test]
fn a_tag_asks_each_owner_that_it_names_and_what_has_none_asks_nobody() {
    let rules = [rule(&["role:security"], 2), rule(&["tag:owner"], 1)];
    let thing = |what: &str, owner: &[&str]| Owned {
        what: what.into(),
        tags: owner.iter().map(|owner| ("owner".into(), (*owner).into())).collect(),
        error: None,
    };
    let owned = [thing("a:A", &["ann"]), thing("b:B", &["role:shop"]), thing("c:C", &["ann"])];
    let named_ = named(&rules, &owned);
    let of: Vec<_> = named_.iter().map(|rule| rule.of.join(" ")).collect();
    assert_eq!(of, ["role:security", "ann role:ann", "role:shop"]);
    assert_eq!(named_[1].why.as_deref(), Some("owner=ann on what a:A touches"));

    let twice = [rule(&["ann", "role:ann"], 1), rule(&["tag:owner"], 1)];
    assert_eq!(named(&twice, &owned[..1]).len(), 2, "two rules are two people");
    assert_eq!(named(&rules, &[]), rules, "an empty plan asks no fewer");
    let bare = named(&[rule(&["tag:owner", "role:lead"], 1)], &[thing("d:D", &[])]);
    assert_eq!(bare[0].of, ["tag:owner", "role:lead"]);
    let lead = answers_for(&bare, "leo", &["lead".to_owned()]);
    assert_eq!(lead, BTreeSet::from(["role:lead".to_owned()]));
    let alone = named(&[rule(&["tag:owner"], 1)], &[thing("d:D", &[])]);
    let why = out_of_reach(&alone, &people(&[("mia", &[])])).unwrap();
    assert!(why.contains("nothing that d:D touches has the tag `owner`"), "{why}");
    assert!(answers_for(&alone, "mia", &["admin".to_owned()]).is_empty(), "a tag is no group");
}

#[test]
fn several_questions_want_together_what_each_of_them_wanted() {
    let (two, one, zoe) = (rule(&["role:soc"], 2), rule(&["role:soc"], 1), rule(&["zoe"], 1));
    let asked = [vec![two.clone()], vec![one.clone()], vec![zoe.clone()]];
    assert_eq!(together(&asked), [two.clone(), zoe]);
    assert_eq!(together(&[vec![one.clone(), one]]), [two]);
    let many: Vec<_> = (0..20).map(|n| vec![rule(&[format!("team-{n}").as_str()], 1)]).collect();
    let most = vec![rule(&["role:lead"], 2)];
    assert_eq!(together(&[many, vec![most.clone()]].concat()), most, "more than can be asked");
    assert!(together(&[]).is_empty());
}

#[test]
fn what_can_not_be_reached_is_told_with_who_there_is() {
    let rules = [rule(&["role:security"], 2)];
    let why = out_of_reach(&rules, &people(&[("mia", &["role:security"]), ("leo", &[])]));
    assert_eq!(why.as_deref(), Some("2 of role:security must say yes, and mia can"));
    let enough = people(&[("mia", &["role:security"]), ("leo", &["role:security"])]);
    assert_eq!(out_of_reach(&rules, &enough), None);
}

/// Tries every way to seat people.
fn by_trying(seats: &[&Rule], left: &[&BTreeSet<String>]) -> bool {
    let Some((seat, others)) = seats.split_first() else { return true };
    (0..left.len()).any(|at| {
        let fits = seat.of.iter().any(|of| left[at].contains(of));
        let rest: Vec<_> =
            left.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, v)| *v).collect();
        fits && by_trying(others, &rest)
    })
}

fn entry() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "role:r", "role:s", "role:t"]).prop_map(str::to_owned)
}

proptest! {
    #[test]
    fn the_matching_finds_a_seating_where_there_is_one(
        rules in prop::collection::vec((prop::collection::vec(entry(), 1..3), 1..3_u32), 1..4),
        voices in prop::collection::vec(prop::collection::btree_set(entry(), 0..4), 0..6),
    ) {
        let rules: Vec<Rule> =
            rules.into_iter().map(|(of, count)| Rule { of, count, why: None }).collect();
        let people: BTreeMap<String, BTreeSet<String>> =
            voices.into_iter().enumerate().map(|(n, voice)| (format!("p{n}"), voice)).collect();
        let seats: Vec<&Rule> =
            rules.iter().flat_map(|rule| std::iter::repeat_n(rule, rule.count as usize)).collect();
        let all: Vec<&BTreeSet<String>> = people.values().collect();
        prop_assert_eq!(met(&rules, &people), by_trying(&seats, &all));
        prop_assert_eq!(out_of_reach(&rules, &people).is_none(), by_trying(&seats, &all));
    }
}
