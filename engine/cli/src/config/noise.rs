//! `[[correlation]]`, `[[storms]]` and `silent_after`: what makes alerts one incident, and whose
//! silence is one.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use stanch_engine_core::alert_filter::AlertFilter;
use stanch_engine_core::correlation::{self, Part};
use stanch_engine_core::limits;
use stanch_engine_core::span::Span;
use stanch_engine_core::storm;

use super::{Config, ConfigError};

/// The shortest silence that may be asked for: the sources are looked at once a minute.
const SHORTEST_SILENCE: Span = Span::from_secs(60);

/// What two alerts must share to be one incident.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correlation {
    /// Its name; `resource` takes the place of the rule that holds without any.
    pub name: String,
    /// What is shared, all of it.
    pub by: BTreeSet<Part>,
    /// For how long; `incident_window` unless it is said.
    pub window: Option<Span>,
    /// Which alerts it is about; all unless it is said.
    #[serde(default)]
    pub when: AlertFilter,
}

/// What noise is kept from doing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Noise {
    /// For how long a playbook is not started again about the same resource, where its trigger does
    /// not say it.
    pub cooldown: Option<Span>,
}

/// When many alerts of a type are one incident.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storm {
    /// Its name.
    pub name: String,
    /// So many open incidents of their own.
    pub more_than: u32,
    /// Within this time.
    pub within: Span,
    /// Which alerts it is about; all unless it is said.
    #[serde(default)]
    pub when: AlertFilter,
}

impl Config {
    /// For how long after its last alert an incident takes another about the same thing.
    pub(crate) fn incident_window(&self) -> Span {
        self.incident_window.unwrap_or(Span::from_secs(24 * 60 * 60))
    }

    /// What makes alerts one incident.
    pub(crate) fn correlation_rules(&self) -> Vec<correlation::Rule> {
        let named = self.correlation.iter().map(|rule| correlation::Rule {
            name: rule.name.clone(),
            when: rule.when.clone(),
            by: rule.by.clone(),
            window: rule.window.unwrap_or(self.incident_window()),
        });
        let is_replaced = self.correlation.iter().any(|r| r.name == correlation::BY_RESOURCE);
        let usual = correlation::usual(self.incident_window());
        usual.into_iter().filter(|_| !is_replaced).chain(named).collect()
    }

    /// What makes many alerts one incident.
    pub(crate) fn storm_rules(&self) -> Vec<storm::Rule> {
        let rule = |rule: &Storm| storm::Rule {
            name: rule.name.clone(),
            when: rule.when.clone(),
            more_than: rule.more_than,
            within: rule.within,
        };
        self.storms.iter().map(rule).collect()
    }

    /// For how long sources may say nothing.
    pub(crate) fn silences(&self) -> BTreeMap<String, Span> {
        let named = self.sources.iter();
        named.filter_map(|(name, source)| Some((name.clone(), source.silent_after?))).collect()
    }

    /// # Errors
    /// [`ConfigError`] names the rule.
    pub(super) fn check_noise(&self) -> Result<(), ConfigError> {
        names("correlation", self.correlation.iter().map(|rule| rule.name.as_str()))?;
        names("storms", self.storms.iter().map(|rule| rule.name.as_str()))?;
        let wrong = |key: &str, name: &str, why: &str| {
            Err(ConfigError(format!("[[{key}]] `{name}`: {why}")))
        };
        for rule in &self.correlation {
            // Parts that all alerts of a day share would make one incident of them.
            let narrow = [Part::Resource, Part::Principal, Part::Ip, Part::Account, Part::Type];
            if !narrow.iter().any(|part| rule.by.contains(part)) {
                let why = "`by` needs one of account, resource, principal, ip and type: else everything is \
                           one incident";
                return wrong("correlation", &rule.name, why);
            }
            if rule.window.is_some_and(|window| window.ms == 0) {
                return wrong("correlation", &rule.name, "`window` must be longer than nothing");
            }
        }
        for rule in &self.storms {
            if rule.more_than == 0 || rule.within.ms == 0 {
                return wrong("storms", &rule.name, "`more_than` and `within` must be above 0");
            }
        }
        let (cooldown, most) = (self.noise.cooldown, limits::COOLDOWN);
        if let Some(cooldown) = cooldown.filter(|cooldown| *cooldown > most) {
            let why = format!("[noise] `cooldown`: {cooldown} is too long, {most} is the most");
            return Err(ConfigError(why));
        }
        for (name, after) in self.silences() {
            if after < SHORTEST_SILENCE {
                let why =
                    format!("[sources.{name}] `silent_after` must be {SHORTEST_SILENCE} or more");
                return Err(ConfigError(why));
            }
        }
        Ok(())
    }
}

/// Names stand in keys and in what people read: each once, and none of them odd.
fn names<'n>(key: &str, names: impl Iterator<Item = &'n str>) -> Result<(), ConfigError> {
    let mut seen = BTreeSet::new();
    for name in names {
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let wrong = |why: &str| Err(ConfigError(format!("[[{key}]] `{name}`: {why}")));
        if name.is_empty() || name.len() > 64 || !name.chars().all(legal) {
            return wrong("a name has letters, digits, `-` and `_`");
        }
        if !seen.insert(name) {
            return wrong("there are two of this name");
        }
    }
    let most = limits::INTAKE_RULES;
    if seen.len() > most {
        return Err(ConfigError(format!(
            "[[{key}]]: {} rules, and {most} are the most",
            seen.len()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;
    use super::*;

    #[test]
    fn rules_stand_beside_the_usual_one_or_in_its_place() {
        let text = "incident_window = \"2h\"\n[[correlation]]\nname = \"principal\"\nby = [\"account\", \"principal\"]\n\
                    when = { source = \"guardduty\" }\n";
        let rules = load(text, &[]).unwrap().correlation_rules();
        let said: Vec<_> = rules.iter().map(|rule| (rule.name.as_str(), rule.window)).collect();
        let window = Span::from_secs(7_200);
        assert_eq!(said, [("resource", window), ("principal", window)]);
        let text = "[[correlation]]\nname = \"resource\"\nby = [\"resource\"]\nwindow = \"5m\"\n";
        let rules = load(text, &[]).unwrap().correlation_rules();
        assert_eq!((rules.len(), rules[0].window), (1, Span::from_secs(300)));
    }

    #[test]
    fn what_can_not_be_is_named() {
        for (text, part) in [
            ("[[correlation]]\nname = \"a b\"\nby = [\"account\"]", "`a b`"),
            ("[[correlation]]\nname = \"x\"\nby = [\"region\"]", "one incident"),
            ("[[correlation]]\nname = \"x\"\nby = []", "one incident"),
            ("[[correlation]]\nname = \"x\"\nby = [\"colour\"]", "colour"),
            ("[[correlation]]\nname = \"x\"\nby = [\"ip\"]\nwhen = { sorce = \"x\" }", "sorce"),
            ("[[storms]]\nname = \"x\"\nmore_than = 0\nwithin = \"1m\"", "more_than"),
            ("[[storms]]\nname = \"x\"\nmore_than = 5", "within"),
            ("[sources.guardduty]\nsilent_after = \"5s\"", "silent_after"),
            ("[noise]\ncooldown = \"60d\"", "too long"),
            ("[noise]\ncool = \"60d\"", "cool"),
            ("[sources.guardduty]\nsilent_after = \"soon\"", "soon"),
        ] {
            let error = load(text, &[]).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let twice = "[[storms]]\nname = \"x\"\nmore_than = 5\nwithin = \"1m\"\n".repeat(2);
        assert!(load(&twice, &[]).unwrap_err().to_string().contains("two of this name"));
    }
}
