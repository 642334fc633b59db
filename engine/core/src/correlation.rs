//! Which incident an alert belongs to: the one that last took an alert with which it shares a key,
//! near in time. Rules say what makes a key.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::alert::Alert;
use crate::alert_filter::AlertFilter;
use crate::digest::Sha256;
use crate::id::IncidentId;
use crate::span::Span;
use crate::time::Timestamp;

/// The rule that holds unless another of its name takes its place: the same resource in the same
/// account.
pub const BY_RESOURCE: &str = "resource";

/// Bytes of a key that stands in the database as it is; of a longer one, its hash does.
const KEY_BYTES: usize = 1_024;

/// A string that two alerts share when they are about the same thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct CorrelationKey(pub String);

/// What two alerts must share to be one incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, which is said of every alert that joined by it.
    pub name: String,
    /// Which alerts it is about.
    pub when: AlertFilter,
    /// What is shared, all of it.
    pub by: BTreeSet<Part>,
    /// For how long after its last alert an incident takes another.
    pub window: Span,
}

/// A part of an alert that others may share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The account.
    Account,
    /// The region.
    Region,
    /// The source.
    Source,
    /// The type.
    Type,
    /// What the type begins with before a colon, which is what the attacker is after: GuardDuty's
    /// `UnauthorizedAccess`, `Recon`, ….
    Tactic,
    /// One of the resources.
    Resource,
    /// The identity that was used.
    Principal,
    /// The address it came from.
    Ip,
}

/// A key of an alert, and the rule that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyed {
    /// The rule.
    pub rule: String,
    /// For how long it holds after an alert.
    pub window: Span,
}

/// What a script of a user's gives for an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The rule's name.
    pub rule: String,
    /// What the alert shares with others.
    pub keys: Vec<String>,
    /// For how long after its last alert an incident takes another.
    pub window: Span,
    /// Whether the other rules are left out.
    pub only: bool,
}

/// An incident that took an alert with one of the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    /// The key.
    pub key: CorrelationKey,
    /// The rule that made it.
    pub keyed: Keyed,
    /// The incident.
    pub incident: IncidentId,
    /// When the last alert with the key came.
    pub last_alert_at: Timestamp,
}

/// The usual rules: alerts about the same resource in the same account.
pub fn usual(window: Span) -> Vec<Rule> {
    let by = BTreeSet::from([Part::Account, Part::Resource]);
    vec![Rule { name: BY_RESOURCE.to_owned(), when: AlertFilter::default(), by, window }]
}

/// The keys of an alert. One without any stands alone, under its own key. A sample never shares a
/// key with a real alert.
pub fn keys(rules: &[Rule], given: &[Given], alert: &Alert) -> BTreeMap<CorrelationKey, Keyed> {
    let realm = if alert.is_sample() { "sample/" } else { "" };
    let mut keys = BTreeMap::new();
    for it in given {
        for text in &it.keys {
            let keyed = Keyed { rule: it.rule.clone(), window: it.window };
            keys.entry(key(format!("{realm}{}/{text}", it.rule))).or_insert(keyed);
        }
    }
    let is_alone = given.iter().any(|it| it.only);
    for rule in rules.iter().filter(|rule| !is_alone && rule.when.takes(alert)) {
        for text in texts(rule, alert) {
            let (rule, window) = (rule.name.clone(), rule.window);
            keys.entry(key(format!("{realm}{text}"))).or_insert(Keyed { rule, window });
        }
    }
    if keys.is_empty() {
        let alone = key(format!("{realm}alert/{}", alert.dedup_key));
        let window = Span::from_ms(0);
        keys.insert(alone, Keyed { rule: BY_RESOURCE.to_owned(), window });
    }
    keys
}

/// What a rule makes of an alert: a text for each resource, or one; none when the alert lacks one
/// of the parts, since two that both lack it share nothing.
fn texts(rule: &Rule, alert: &Alert) -> Vec<String> {
    let is_usual = rule.by == BTreeSet::from([Part::Account, Part::Resource]);
    if is_usual {
        let account = alert.account.as_deref().unwrap_or("-");
        let head = if rule.name == BY_RESOURCE { String::new() } else { format!("{}/", rule.name) };
        let text = |r: &crate::alert::Resource| format!("{head}{account}/{}/{}", r.kind, r.id);
        return alert.resources.iter().map(text).collect();
    }
    let mut texts = vec![format!("rule/{}", rule.name)];
    for part in &rule.by {
        let values = part.of(alert);
        let join = |text: &String| {
            let text = text.clone();
            values.iter().map(move |value| format!("{text}/{value}")).collect::<Vec<_>>()
        };
        texts = texts.iter().flat_map(join).collect();
    }
    texts
}

impl Part {
    fn of(self, alert: &Alert) -> Vec<String> {
        let actor = alert.actor.as_ref();
        let one = match self {
            Self::Account => alert.account.clone(),
            Self::Region => alert.region.clone(),
            Self::Source => Some(alert.source.clone()),
            Self::Type => Some(alert.kind.clone()),
            Self::Tactic => alert.kind.split_once(':').map(|(tactic, _)| tactic.to_owned()),
            Self::Principal => actor.and_then(|actor| actor.user.clone()),
            Self::Ip => actor.and_then(|actor| actor.ip.clone()),
            Self::Resource => {
                return alert.resources.iter().map(|r| format!("{}/{}", r.kind, r.id)).collect();
            }
        };
        one.into_iter().collect()
    }
}

fn key(text: String) -> CorrelationKey {
    let is_long = text.len() > KEY_BYTES;
    CorrelationKey(if is_long { format!("sha256:{}", Sha256::of(text)) } else { text })
}

/// Whether an incident whose last alert came at `last_alert_at` still takes an alert that comes
/// `now`.
pub fn within(window: Span, last_alert_at: Timestamp, now: Timestamp) -> bool {
    now.ms_since(last_alert_at) <= window.ms
}

/// The incident that takes an alert that comes `now`: the oldest of those that are near enough, so
/// that what began first goes on.
pub fn join(near: &[Near], now: Timestamp) -> Option<&Near> {
    let is_near = |it: &&Near| within(it.keyed.window, it.last_alert_at, now);
    near.iter().filter(is_near).min_by(|a, b| (a.incident, &a.key).cmp(&(b.incident, &b.key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Actor;
    use crate::alert::tests::alert;
    use proptest::prelude::*;

    fn day() -> Span {
        Span::from_secs(86_400)
    }

    fn rule(name: &str, by: &[Part]) -> Rule {
        let (name, by) = (name.to_owned(), by.iter().copied().collect());
        Rule { name, when: AlertFilter::default(), by, window: day() }
    }

    fn names(rules: &[Rule], alert: &Alert) -> BTreeSet<CorrelationKey> {
        keys(rules, &[], alert).into_keys().collect()
    }

    #[test]
    fn the_same_resource_in_another_account_is_another_thing() {
        let rules = usual(day());
        let there = Alert { account: Some("999988887777".into()), ..alert() };
        assert!(names(&rules, &alert()).is_disjoint(&names(&rules, &there)));
        let usual_key = CorrelationKey("111122223333/AwsIamAccessKey/AKIA1".to_owned());
        assert_eq!(names(&rules, &alert()), BTreeSet::from([usual_key]));
    }

    #[test]
    fn a_sample_never_joins_a_real_incident() {
        let sample = Alert { title: "[SAMPLE] a key".into(), ..alert() };
        let rules = [usual(day()), vec![rule("account", &[Part::Account])]].concat();
        assert!(names(&rules, &alert()).is_disjoint(&names(&rules, &sample)));
    }

    #[test]
    fn an_alert_without_resources_stands_alone() {
        let bare = Alert { resources: vec![], ..alert() };
        let other = Alert { dedup_key: "another".into(), ..bare.clone() };
        let rules = usual(day());
        assert_eq!(keys(&rules, &[], &bare).len(), 1);
        assert!(names(&rules, &bare).is_disjoint(&names(&rules, &other)));
    }

    #[test]
    fn a_rule_joins_what_shares_all_of_its_parts() {
        let rules = [rule("principal", &[Part::Account, Part::Principal, Part::Tactic])];
        let by = |user: &str, kind: &str| {
            let actor = Actor { ip: None, user: Some(user.to_owned()), user_agent: None };
            let it = Alert { actor: Some(actor), kind: kind.into(), resources: vec![], ..alert() };
            names(&rules, &it)
        };
        assert_eq!(by("mia", "Recon:IAMUser/A"), by("mia", "Recon:S3/B"));
        assert!(by("mia", "Recon:IAMUser/A").is_disjoint(&by("mia", "Impact:S3/B")));
        assert!(by("mia", "Recon:IAMUser/A").is_disjoint(&by("tom", "Recon:IAMUser/A")));
        let nobody = Alert { resources: vec![], actor: None, ..alert() };
        let another = Alert { dedup_key: "another".into(), ..nobody.clone() };
        assert!(names(&rules, &nobody).is_disjoint(&names(&rules, &another)));
    }

    #[test]
    fn what_a_script_gives_stands_beside_the_rules_or_alone() {
        let given =
            |only| Given { rule: "script s".into(), keys: vec!["x".into()], window: day(), only };
        let beside = keys(&usual(day()), &[given(false)], &alert());
        assert_eq!(beside.len(), 2);
        let alone = keys(&usual(day()), &[given(true)], &alert());
        let only: Vec<_> = alone.into_keys().map(|key| key.0).collect();
        assert_eq!(only, ["script s/x"]);
        let sample = Alert { title: "[SAMPLE] a key".into(), ..alert() };
        let key = keys(&[], &[given(true)], &sample).into_keys().next().unwrap();
        assert_eq!(key.0, "sample/script s/x");
    }

    #[test]
    fn the_window_includes_its_end() {
        let start = Timestamp::from_micros(0);
        assert!(within(Span::from_secs(60), start, start.plus_ms(60_000)));
        assert!(!within(Span::from_secs(60), start, start.plus_ms(60_001)));
    }

    #[test]
    fn a_long_key_fits_the_index() {
        let mut long = alert();
        long.resources[0].id = "x".repeat(2_000);
        assert!(names(&usual(day()), &long).iter().all(|key| key.0.len() <= KEY_BYTES));
    }

    fn any_near() -> impl Strategy<Value = Near> {
        (0_u128..6, 0_i64..200, 1_i64..100, "[a-c]").prop_map(|(id, at, window, key)| Near {
            key: CorrelationKey(key.clone()),
            keyed: Keyed { rule: key, window: Span::from_secs(window) },
            incident: IncidentId::new(Timestamp::default(), id),
            last_alert_at: Timestamp::default().plus_ms(at * 1_000),
        })
    }

    proptest! {
        #[test]
        fn what_takes_an_alert_is_near_and_the_oldest_and_in_whatever_order_it_is_found(
            near in prop::collection::vec(any_near(), 0..8),
        ) {
            let now = Timestamp::default().plus_ms(200_000);
            let is_near = |it: &Near| within(it.keyed.window, it.last_alert_at, now);
            let found = join(&near, now);
            let oldest = near.iter().filter(|it| is_near(it)).map(|it| it.incident).min();
            prop_assert_eq!(found.map(|it| it.incident), oldest);
            let turned: Vec<_> = near.iter().rev().cloned().collect();
            let again = join(&turned, now);
            prop_assert_eq!(again.map(|it| (&it.key, it.incident)), found.map(|it| (&it.key, it.incident)));
        }
    }
}
