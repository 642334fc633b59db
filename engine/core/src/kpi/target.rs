//! Targets: how long something may take, by severity.

use std::collections::BTreeMap;

use super::Value;
use super::catalogue::DURATIONS;
use super::facts::Facts;
use crate::severity::Severity;
use crate::span::Span;
use crate::time::Timestamp;

/// Targets by severity and name of KPI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets(pub BTreeMap<Severity, BTreeMap<String, Span>>);

/// A target that an incident has, and when it is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The KPI.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// How long it may take.
    pub target: Span,
    /// From when on it is missed.
    pub at: Timestamp,
}

impl Targets {
    /// The target of a KPI at a severity.
    pub fn of(&self, severity: Severity, name: &str) -> Option<Span> {
        self.0.get(&severity)?.get(name).copied()
    }

    /// What an incident still has to reach, and until when; the nearest first.
    pub fn due(&self, facts: &Facts) -> Vec<Due> {
        let open = DURATIONS.iter().zip(&facts.durations).filter_map(|(duration, value)| {
            let Value::Open { since } = *value else { return None };
            let definition = &duration.definition;
            let target = self.of(facts.severity, definition.name)?;
            let at = Timestamp::from_micros(since).plus_ms(target.ms);
            Some(Due { name: definition.name, title: definition.title, target, at })
        });
        let mut due: Vec<_> = open.collect();
        due.sort_by_key(|due| due.at);
        due
    }
}
