//! For how long a playbook is not started again about the same thing.

use crate::alert::Alert;
use crate::digest::Sha256;
use crate::header::Header;
use crate::id::RunId;
use crate::severity::Severity;
use crate::span::Span;
use crate::time::Timestamp;

/// Bytes of a key that stands in the database as it is.
const KEY_BYTES: usize = 512;

/// The run that a playbook was last started for because of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Last {
    /// The run.
    pub run: RunId,
    /// How bad the alert was.
    pub severity: Severity,
    /// When.
    pub started_at: Timestamp,
}

impl Last {
    /// Whether it keeps an alert from starting the playbook again. What is worse than it was is
    /// news, and what is critical is always answered.
    pub fn holds(&self, cooldown: Span, alert: &Alert, now: Timestamp) -> bool {
        alert.severity <= self.severity
            && alert.severity < Severity::Critical
            && now.ms_since(self.started_at) < cooldown.ms
    }
}

impl Header {
    /// For how long an alert that fires this playbook starts it only once about the same resource:
    /// the shortest time of the triggers that it fires, `usual` standing for those that say none.
    pub fn cooldown(&self, alert: &Alert, usual: Option<Span>) -> Option<Span> {
        let fired = self
            .triggers
            .iter()
            .filter(|trigger| trigger.matches(&alert.source, &alert.kind, alert.severity));
        let times = fired.map(|trigger| trigger.cooldown.or(usual));
        times.min_by_key(|time| time.map_or(0, |time| time.ms)).flatten().filter(|time| time.ms > 0)
    }
}

/// What an alert is about, a key for each resource. One without any has none, and is never kept
/// back; nor does a sample keep a real alert back.
pub fn keys(alert: &Alert) -> Vec<String> {
    let realm = if alert.is_sample() { "sample/" } else { "" };
    let account = alert.account.as_deref().unwrap_or("-");
    let key = |resource: &crate::alert::Resource| {
        let key = format!("{realm}{account}/{}/{}", resource.kind, resource.id);
        if key.len() > KEY_BYTES { format!("sha256:{}", Sha256::of(key)) } else { key }
    };
    alert.resources.iter().map(key).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::alert::tests::alert;

    fn header(cooldowns: [Option<&str>; 2]) -> Header {
        let trigger = |cooldown: &Option<&str>| match cooldown {
            Some(time) => json!({"source": "guardduty", "cooldown": time}),
            None => json!({"source": "guardduty"}),
        };
        let triggers: Vec<_> = cooldowns.iter().map(trigger).collect();
        Header::read(json!({"name": "p", "title": "t", "triggers": triggers})).unwrap()
    }

    #[test]
    fn the_shortest_time_of_the_triggers_that_fire_holds() {
        let hour = Some(Span::from_secs(3_600));
        let of = |said, usual| header(said).cooldown(&alert(), usual).map(|time| time.ms / 1_000);
        assert_eq!(of([Some("1h"), Some("10m")], None), Some(600));
        assert_eq!(of([Some("1h"), None], None), None);
        assert_eq!(of([Some("2h"), None], hour), Some(3_600));
        assert_eq!(of([None, None], hour), Some(3_600));
        assert_eq!(of([Some("0s"), Some("0s")], hour), None);
        let other = Alert { source: "macie".into(), ..alert() };
        assert_eq!(header([Some("1h"), Some("1h")]).cooldown(&other, hour), None);
    }

    #[test]
    fn what_is_worse_or_critical_or_late_is_answered() {
        let at = |minutes: i64| Timestamp::default().plus_ms(minutes * 60_000);
        let run = RunId::new(at(0), 1);
        let last = Last { run, severity: Severity::Medium, started_at: at(0) };
        let hour = Span::from_secs(3_600);
        let of = |severity| Alert { severity, ..alert() };
        assert!(last.holds(hour, &of(Severity::Medium), at(59)));
        assert!(last.holds(hour, &of(Severity::Low), at(59)));
        assert!(!last.holds(hour, &of(Severity::Medium), at(60)));
        assert!(!last.holds(hour, &of(Severity::High), at(1)));
        let last = Last { severity: Severity::Critical, ..last };
        assert!(!last.holds(hour, &of(Severity::Critical), at(1)));
    }

    #[test]
    fn each_resource_has_a_key_and_a_sample_another() {
        let real = keys(&alert());
        let sample = keys(&Alert { title: "[SAMPLE] x".into(), ..alert() });
        assert!(real.len() == 1 && sample.len() == 1 && real != sample);
        assert!(keys(&Alert { resources: Vec::new(), ..alert() }).is_empty());
    }
}
