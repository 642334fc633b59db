//! Alerts that people want to hear nothing of for a while: they are stored and counted, and start
//! nothing.

use serde::{Deserialize, Serialize};

use crate::alert::Alert;
use crate::alert_filter::AlertFilter;
use crate::id::SuppressionId;
use crate::limits;
use crate::severity::Severity;
use crate::time::Timestamp;

/// Why alerts are suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuppressionKind {
    /// They say nothing that is worth an answer.
    Noise,
    /// Somebody works on what they are about, from one time to another.
    Maintenance,
}

impl SuppressionKind {
    /// The word in JSON and SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Noise => "noise",
            Self::Maintenance => "maintenance",
        }
    }
}

impl std::str::FromStr for SuppressionKind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Noise, Self::Maintenance];
        all.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| text.to_owned())
    }
}

/// What is suppressed, from when to when, by whom and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// Its id.
    pub id: SuppressionId,
    /// Why in a word.
    pub kind: SuppressionKind,
    /// Which alerts.
    pub filter: AlertFilter,
    /// Why.
    pub reason: String,
    /// Who wants it so.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it holds.
    pub starts_at: Timestamp,
    /// Until when; there is none without an end.
    pub expires_at: Timestamp,
    /// When somebody ended it before, and who.
    pub ended: Option<(Timestamp, String)>,
    /// How many deliveries it kept quiet.
    pub count: u64,
    /// When the last of them came.
    pub last_at: Option<Timestamp>,
}

/// Where a suppression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SuppressionStatus {
    /// It is still to begin.
    Planned,
    /// It holds.
    Active,
    /// Its time is over.
    Expired,
    /// Somebody ended it.
    Ended,
}

impl Suppression {
    /// Where it stands at a time. It holds from its start on and no longer at its end.
    pub fn status(&self, now: Timestamp) -> SuppressionStatus {
        match &self.ended {
            Some(_) => SuppressionStatus::Ended,
            None if now >= self.expires_at => SuppressionStatus::Expired,
            None if now < self.starts_at => SuppressionStatus::Planned,
            None => SuppressionStatus::Active,
        }
    }

    /// Whether it keeps an alert quiet that comes `now`. A critical one gets through unless the
    /// filter names that severity.
    pub fn holds(&self, alert: &Alert, now: Timestamp) -> bool {
        let most = self.filter.max_severity.unwrap_or(Severity::High);
        self.status(now) == SuppressionStatus::Active
            && alert.severity <= most
            && self.filter.takes(alert)
    }

    /// Whether it can be.
    ///
    /// # Errors
    /// In words, what is missing or wrong.
    pub fn check(&self) -> Result<(), String> {
        let most = limits::SUPPRESSION;
        if !self.filter.is_about_something() {
            return Err(
                "it would keep every alert quiet: say at least the source, type, title, account, \
                        region, resource or actor"
                    .to_owned(),
            );
        }
        if self.reason.trim().is_empty() {
            return Err("`reason` is empty: who meets it in a month has to know why".to_owned());
        }
        if self.expires_at <= self.starts_at || self.expires_at <= self.created_at {
            return Err("it would be over before it began: `expires_at` is too early".to_owned());
        }
        if self.expires_at.ms_since(self.starts_at) > most.ms {
            let days = most.ms / 86_400_000;
            return Err(format!(
                "it would hold for longer than {days} days, the most: make it again then"
            ));
        }
        Ok(())
    }
}

/// The suppression that keeps an alert quiet, if any does: the oldest, so that one is counted.
/// `was` is how bad the alert was when it was last taken into an incident: what has become worse
/// than that is news.
pub fn of<'s>(
    all: &'s [Suppression],
    alert: &Alert,
    was: Option<Severity>,
    now: Timestamp,
) -> Option<&'s Suppression> {
    if was.is_some_and(|was| alert.severity > was) {
        return None;
    }
    all.iter().filter(|it| it.holds(alert, now)).min_by_key(|it| it.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::tests::alert;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::default().plus_ms(seconds * 1_000)
    }

    fn suppression(from: i64, to: i64) -> Suppression {
        Suppression {
            id: SuppressionId::new(at(0), 1),
            kind: SuppressionKind::Noise,
            filter: AlertFilter { source: Some("guardduty".to_owned()), ..Default::default() },
            reason: "the scanner of our own".to_owned(),
            created_by: "mia".to_owned(),
            created_at: at(0),
            starts_at: at(from),
            expires_at: at(to),
            ended: None,
            count: 0,
            last_at: None,
        }
    }

    #[test]
    fn a_critical_alert_gets_through_unless_it_is_named() {
        let critical = Alert { severity: Severity::Critical, ..alert() };
        let mut it = suppression(0, 100);
        assert!(it.holds(&alert(), at(50)) && !it.holds(&critical, at(50)));
        it.filter.max_severity = Some(Severity::Critical);
        assert!(it.holds(&critical, at(50)));
    }

    #[test]
    fn what_became_worse_is_news() {
        let all = [suppression(0, 100)];
        assert!(of(&all, &alert(), None, at(1)).is_some());
        assert!(of(&all, &alert(), Some(alert().severity), at(1)).is_some());
        assert!(of(&all, &alert(), Some(Severity::Low), at(1)).is_none());
    }

    #[test]
    fn what_can_not_be_is_said() {
        let good = suppression(0, 100);
        assert_eq!(good.check(), Ok(()));
        let all = Suppression { filter: AlertFilter::default(), ..good.clone() };
        assert!(all.check().unwrap_err().contains("every alert"));
        let mute = Suppression { reason: " ".to_owned(), ..good.clone() };
        assert!(mute.check().unwrap_err().contains("reason"));
        assert!(suppression(50, 50).check().unwrap_err().contains("too early"));
        let long = Suppression { expires_at: at(limits::SUPPRESSION.ms / 1_000 + 1), ..good };
        assert!(long.check().unwrap_err().contains("longer"));
    }

    proptest! {
        #[test]
        fn it_holds_from_its_start_to_its_end_and_never_once_it_was_ended(
            from in 0_i64..100, length in 1_i64..100, now in 0_i64..300, ended in any::<bool>(),
        ) {
            let mut it = suppression(from, from + length);
            it.ended = ended.then(|| (at(0), "mia".to_owned()));
            let holds = it.holds(&alert(), at(now));
            prop_assert_eq!(holds, !ended && now >= from && now < from + length);
            prop_assert_eq!(holds, it.status(at(now)) == SuppressionStatus::Active);
        }
    }
}
