//! Which incident an alert belongs to: alerts of the same resource and account, near in time.

use std::collections::BTreeSet;

use crate::alert::Alert;
use crate::span::Span;
use crate::time::Timestamp;

/// A string that two alerts share when they are about the same thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CorrelationKey(pub String);

/// The keys of an alert: one for each resource within its account. An alert that names no
/// resource stands alone, under its own key. A sample never shares a key with a real alert.
pub fn keys(alert: &Alert) -> BTreeSet<CorrelationKey> {
    let account = alert.account.as_deref().unwrap_or("-");
    let realm = if alert.is_sample() { "sample/" } else { "" };
    if alert.resources.is_empty() {
        return BTreeSet::from([CorrelationKey(format!("{realm}alert/{}", alert.dedup_key))]);
    }
    alert
        .resources
        .iter()
        .map(|resource| {
            CorrelationKey(format!("{realm}{account}/{}/{}", resource.kind, resource.id))
        })
        .collect()
}

/// Whether an incident whose last alert came at `last_alert_at` still takes an alert that comes
/// `now`.
pub fn within(window: Span, last_alert_at: Timestamp, now: Timestamp) -> bool {
    now.ms_since(last_alert_at) <= window.ms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::tests::alert;

    #[test]
    fn the_same_resource_in_another_account_is_another_thing() {
        let here = keys(&alert());
        let there = keys(&Alert { account: Some("999988887777".into()), ..alert() });
        assert!(here.is_disjoint(&there));
    }

    #[test]
    fn a_sample_never_joins_a_real_incident() {
        let sample = Alert { title: "[SAMPLE] a key".into(), ..alert() };
        assert!(keys(&alert()).is_disjoint(&keys(&sample)));
    }

    #[test]
    fn an_alert_without_resources_stands_alone() {
        let bare = Alert { resources: vec![], ..alert() };
        assert_eq!(keys(&bare).len(), 1);
    }

    #[test]
    fn the_window_includes_its_end() {
        let start = Timestamp::from_micros(0);
        assert!(within(Span::from_secs(60), start, start.plus_ms(60_000)));
        assert!(!within(Span::from_secs(60), start, start.plus_ms(60_001)));
    }
}
