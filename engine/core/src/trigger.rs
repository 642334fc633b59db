//! Whether an alert starts a playbook.

use wildmatch::WildMatch;

use crate::alert::{Alert, AlertStatus};
use crate::header::{Header, Trigger};
use crate::severity::Severity;

impl Trigger {
    /// Whether an alert of this source, type and severity fires it.
    pub fn matches(&self, source: &str, kind: &str, severity: Severity) -> bool {
        WildMatch::new(&self.source).matches(source)
            && WildMatch::new(&self.kind).matches(kind)
            && self.min_severity.is_none_or(|least| severity >= least)
            && self.max_severity.is_none_or(|most| severity <= most)
    }
}

impl Header {
    /// Whether an alert starts a run: one of the triggers matches, the alert still holds, and,
    /// when it is an update, the stored version held and had not fired it already: what was over
    /// and comes back starts again. A playbook does not start itself by an alert that it raises.
    pub fn is_fired_by(&self, alert: &Alert, stored: Option<&Alert>) -> bool {
        let fires = |severity| {
            self.triggers.iter().any(|t| t.matches(&alert.source, &alert.kind, severity))
        };
        let is_its_own = alert.raised_by().is_some_and(|by| by.playbook == self.name);
        let has_fired =
            |stored: &Alert| stored.status == AlertStatus::Active && fires(stored.severity);
        alert.status == AlertStatus::Active
            && !is_its_own
            && fires(alert.severity)
            && !stored.is_some_and(has_fired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::tests::alert;
    use serde_json::json;

    fn header(kind: &str, min: &str) -> Header {
        let triggers = json!([{"source": "guardduty", "type": kind, "min_severity": min}]);
        Header::read(json!({"name": "p", "title": "t", "triggers": triggers})).unwrap()
    }

    #[test]
    fn a_star_matches_slashes_and_colons() {
        assert!(header("*:IAMUser/*", "low").is_fired_by(&alert(), None));
        assert!(!header("*:EC2/*", "low").is_fired_by(&alert(), None));
    }

    #[test]
    fn what_is_worse_may_be_left_to_another_playbook() {
        let triggers = json!([{"source": "*", "min_severity": "low", "max_severity": "medium"}]);
        let header = json!({"name": "p", "title": "t", "triggers": triggers});
        let header = Header::read(header).unwrap();
        assert!(header.is_fired_by(&alert(), None));
        let high = Alert { severity: Severity::High, ..alert() };
        assert!(!header.is_fired_by(&high, None));
    }

    #[test]
    fn an_update_fires_only_when_it_crosses_the_severity() {
        let header = header("*", "high");
        assert!(!header.is_fired_by(&alert(), None));
        let high = Alert { severity: Severity::High, ..alert() };
        let medium = Alert { severity: Severity::Medium, ..alert() };
        assert!(header.is_fired_by(&high, Some(&medium)));
        assert!(!header.is_fired_by(&high, Some(&high)));
    }

    #[test]
    fn what_was_over_and_comes_back_starts_again() {
        let over = Alert { status: AlertStatus::Resolved, ..alert() };
        assert!(header("*", "low").is_fired_by(&alert(), Some(&over)));
    }

    #[test]
    fn what_no_longer_holds_starts_nothing() {
        let over = Alert { status: AlertStatus::Suppressed, ..alert() };
        assert!(!header("*", "low").is_fired_by(&over, None));
    }
}
