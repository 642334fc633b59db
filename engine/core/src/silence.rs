//! Sources that say nothing: silence looks like peace, and may be a broken wire.

use serde_json::json;

use crate::alert::{Alert, AlertStatus, Resource};
use crate::json::Json;
use crate::severity::Severity;
use crate::span::Span;
use crate::time::Timestamp;

/// The source of alerts that Stanch raises about itself, as triggers name it.
pub const SOURCE: &str = "stanch";

/// When a source was last heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// When it last said something; else when it was first waited for.
    pub last_at: Timestamp,
    /// When an alert was raised about its silence, which goes on.
    pub alarmed_at: Option<Timestamp>,
}

impl Heard {
    /// When its silence is long enough for an alert; nothing when there is one already.
    pub fn due_at(&self, after: Span) -> Option<Timestamp> {
        self.alarmed_at.is_none().then(|| self.last_at.plus_ms(after.ms))
    }
}

/// The alert about a silence. When the source is heard again, the same alert is resolved.
pub fn alert(
    source: &str,
    heard: &Heard,
    after: Span,
    status: AlertStatus,
    now: Timestamp,
) -> Alert {
    let id = format!("silent/{source}/{}", heard.last_at.micros());
    let resource = Resource {
        kind: "StanchSource".to_owned(),
        id: source.to_owned(),
        arn: None,
        name: None,
        tags: Default::default(),
    };
    let title = match status {
        AlertStatus::Active => format!("{source} has said nothing for {after}"),
        AlertStatus::Resolved | AlertStatus::Suppressed => format!("{source} is heard again"),
    };
    let raw = json!({"source": source, "last_at": heard.last_at, "silent_after": after});
    let raw = Json::canonical(&raw);
    Alert {
        source: SOURCE.to_owned(),
        dedup_key: format!("{SOURCE}:{id}::"),
        id,
        kind: format!("SilentSource/{source}"),
        title,
        description: Some(format!(
            "The last alert of {source} came at {}. Look at its sender, its rule and its queue: what it \
             found since may be on nobody's list.",
            heard.last_at
        )),
        severity: Severity::High,
        severity_score: Severity::High.least_score(),
        account: None,
        region: None,
        resources: vec![resource],
        actor: None,
        occurred_at: Some(heard.last_at),
        detected_at: Some(now),
        updated_at: Some(now),
        count: None,
        status,
        url: None,
        raw,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_due_once_a_silence() {
        let start = Timestamp::from_micros(5_000_000);
        let mut heard = Heard { last_at: start, alarmed_at: None };
        let due = heard.due_at(Span::from_secs(60)).unwrap();
        assert_eq!(due, start.plus_ms(60_000));
        heard.alarmed_at = Some(due);
        assert_eq!(heard.due_at(Span::from_secs(60)), None);
    }

    #[test]
    fn the_end_of_a_silence_is_an_update_of_its_alert() {
        let heard = Heard { last_at: Timestamp::from_micros(5), alarmed_at: None };
        let at = |status, now| alert("guardduty", &heard, Span::from_secs(60), status, now);
        let begun = at(AlertStatus::Active, Timestamp::from_micros(10));
        let over = at(AlertStatus::Resolved, Timestamp::from_micros(20));
        assert_eq!(begun.dedup_key, over.dedup_key);
        let then = Timestamp::from_micros(20);
        assert!(over.is_newer_than(&begun.version(then), then));
        let next = Heard { last_at: Timestamp::from_micros(20), alarmed_at: None };
        let next = alert(
            "guardduty",
            &next,
            Span::from_secs(60),
            AlertStatus::Active,
            at(AlertStatus::Active, Timestamp::from_micros(30)).updated_at.unwrap(),
        );
        assert_ne!(next.dedup_key, begun.dedup_key);
    }
}
