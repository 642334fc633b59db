//! An alert: one inbound signal in one form, whoever sent it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json::Json;
use crate::limits;
use crate::severity::Severity;
use crate::suggest;
use crate::time::Timestamp;

/// What a source makes of a payload. A field that the payload does not give is `None` (JSON null).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// The name of the source that read it: `guardduty`, `security_hub`, ….
    pub source: String,
    /// The detector's own id of it.
    pub id: String,
    /// Equal for every delivery and every update of one alert.
    pub dedup_key: String,
    /// The detector's type, such as `UnauthorizedAccess:IAMUser/MaliciousIPCaller`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One line for people.
    pub title: String,
    /// More lines for people.
    pub description: Option<String>,
    /// The label.
    pub severity: Severity,
    /// 0 to 100.
    pub severity_score: u8,
    /// The AWS account, 12 digits.
    pub account: Option<String>,
    /// The AWS region.
    pub region: Option<String>,
    /// What it is about.
    pub resources: Vec<Resource>,
    /// Who did it.
    pub actor: Option<Actor>,
    /// The first malicious event.
    pub occurred_at: Option<Timestamp>,
    /// When the detector made it.
    pub detected_at: Option<Timestamp>,
    /// When the detector last changed it.
    pub updated_at: Option<Timestamp>,
    /// How often the detector saw it.
    pub count: Option<u64>,
    /// Whether it still holds.
    pub status: AlertStatus,
    /// Where to look at it.
    pub url: Option<String>,
    /// The payload as it came, as canonical text: its tree would weigh many times as much, for as long
    /// as the alert waits for its commit.
    pub raw: Json,
}

/// The members of an alert, as playbooks read them.
pub const ALERT_MEMBERS: &[&str] = &[
    "account",
    "actor",
    "count",
    "dedup_key",
    "description",
    "detected_at",
    "id",
    "occurred_at",
    "raw",
    "region",
    "resources",
    "severity",
    "severity_score",
    "source",
    "status",
    "title",
    "type",
    "updated_at",
    "url",
];

/// A thing in an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Resource {
    /// The ASFF name of its type, such as `AwsIamAccessKey`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id within the account and region.
    pub id: String,
    /// Its ARN.
    pub arn: Option<String>,
    /// The name that people gave it.
    pub name: Option<String>,
    /// Its tags.
    pub tags: std::collections::BTreeMap<String, String>,
}

/// Who did what the alert is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The address it came from.
    pub ip: Option<String>,
    /// The identity that was used.
    pub user: Option<String>,
    /// The program that was used, in its own words.
    pub user_agent: Option<String>,
}

/// Whether what the alert says still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// It holds.
    Active,
    /// The detector says that it is over.
    Resolved,
    /// Somebody told the detector to be quiet about it.
    Suppressed,
}

impl AlertStatus {
    /// The word in JSON and SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Resolved => "resolved",
            Self::Suppressed => "suppressed",
        }
    }
}

impl std::str::FromStr for AlertStatus {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Active, Self::Resolved, Self::Suppressed];
        let none = || suggest::none_of(text, &all.map(Self::as_str));
        all.into_iter().find(|status| status.as_str() == text).ok_or_else(none)
    }
}

impl Alert {
    /// Whether it is a detector's sample. A sample never changes AWS and enters no KPI.
    ///
    /// GuardDuty marks its samples twice, in the title and in the finding
    /// (<https://docs.aws.amazon.com/guardduty/latest/ug/sample_findings.html>); Security Hub's
    /// format and Macie have a member for it.
    pub fn is_sample(&self) -> bool {
        if self.title.trim_start().starts_with("[SAMPLE]") {
            return true;
        }
        // Hardly a payload has the word, and none is marked without it.
        if !["sample", "Sample"].iter().any(|word| self.raw.as_str().contains(word)) {
            return false;
        }
        let raw = self.raw.value();
        let detail = raw.get("detail");
        let of_event = detail.and_then(|detail| detail.get("findings")?.get(0));
        [Some(&raw), detail, of_event].into_iter().flatten().any(is_marked_sample)
    }

    /// Whether a delivery with the same key says more than the one that is stored: a later
    /// update, a higher count, another status, or that it is worse. Many senders give no time of an
    /// update; what is known to be older is no news. A time that is ahead of its receipt is only held
    /// against another that is: else it would be later than all that is ever to come.
    pub fn is_newer_than(&self, stored: &AlertVersion, now: Timestamp) -> bool {
        let is_as_late = self.updated_at == stored.said_at;
        let may_be_later = is_as_late || self.updated_at.is_none();
        let believed = self.updated_at.map(|at| believed(at, now));
        let are_ahead = believed != self.updated_at && stored.updated_at != stored.said_at;
        let is_later = match are_ahead {
            true => self.updated_at > stored.said_at,
            false => believed > stored.updated_at,
        };
        (is_later && !is_as_late)
            || self.count > stored.count
            || (is_as_late && self.status != stored.status)
            || (may_be_later && self.severity > stored.severity)
    }

    /// The part of it that tells one delivery from the next, as it came at a time.
    pub fn version(&self, received_at: Timestamp) -> AlertVersion {
        AlertVersion {
            updated_at: self.updated_at.map(|at| believed(at, received_at)),
            said_at: self.updated_at,
            count: self.count,
            status: self.status,
            severity: self.severity,
        }
    }

    /// The last time that the detector saw it happen, as far as the payload tells.
    pub fn last_seen_at(&self) -> Option<Timestamp> {
        self.updated_at.or(self.detected_at).or(self.occurred_at)
    }
}

/// When a change was that a sender dates: at the receipt, where its date is further ahead of that than
/// a clock may be.
pub fn believed(said_at: Timestamp, received_at: Timestamp) -> Timestamp {
    let most = received_at.plus_ms(limits::CLOCK_SKEW_MS);
    if said_at > most { received_at } else { said_at }
}

/// Whether a finding says of itself that it is a sample, in one of the ways that there are.
fn is_marked_sample(finding: &Value) -> bool {
    let either =
        |value: &Value, names: [&str; 2]| names.iter().find_map(|name| value.get(name).cloned());
    let yes = Some(Value::Bool(true));
    let info = either(finding, ["service", "Service"])
        .and_then(|service| either(&service, ["additionalInfo", "AdditionalInfo"]));
    let in_text = |info: &Value| {
        let text = either(info, ["value", "Value"])?;
        let value: Value = serde_json::from_str(text.as_str()?).ok()?;
        value.get("sample").cloned()
    };
    either(finding, ["sample", "Sample"]) == yes
        || info
            .as_ref()
            .is_some_and(|info| either(info, ["sample", "Sample"]) == yes || in_text(info) == yes)
        || finding
            .get("ProductFields")
            .and_then(|fields| fields.get("aws/guardduty/service/additionalInfo/sample"))
            .is_some_and(|sample| sample == "true")
}

/// What tells an update of an alert from a redelivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertVersion {
    /// When the detector last changed it, as far as that is believed.
    pub updated_at: Option<Timestamp>,
    /// The same, as the detector says it.
    pub said_at: Option<Timestamp>,
    /// How often the detector saw it.
    pub count: Option<u64>,
    /// Whether it holds.
    pub status: AlertStatus,
    /// How bad it is.
    pub severity: Severity,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn its_members_are_all_named() {
        let written = serde_json::to_value(alert()).unwrap();
        let mut members: Vec<_> = written.as_object().unwrap().keys().cloned().collect();
        members.sort();
        assert_eq!(members, ALERT_MEMBERS);
    }

    pub(crate) fn alert() -> Alert {
        Alert {
            source: "guardduty".into(),
            id: "f1".into(),
            dedup_key: "guardduty:f1:111122223333:us-east-1".into(),
            kind: "UnauthorizedAccess:IAMUser/MaliciousIPCaller".into(),
            title: "A key was used from a malicious address".into(),
            description: None,
            severity: Severity::Medium,
            severity_score: 50,
            account: Some("111122223333".into()),
            region: Some("us-east-1".into()),
            resources: vec![Resource {
                kind: "AwsIamAccessKey".into(),
                id: "AKIA1".into(),
                arn: None,
                name: None,
                tags: Default::default(),
            }],
            actor: None,
            occurred_at: None,
            detected_at: None,
            updated_at: Some(Timestamp::from_micros(10)),
            count: Some(1),
            status: AlertStatus::Active,
            url: None,
            raw: Json::of(&json!({})),
        }
    }

    #[test]
    fn a_redelivery_is_not_newer_and_an_update_is() {
        let now = Timestamp::from_micros(20);
        let stored = alert().version(now);
        assert!(!alert().is_newer_than(&stored, now));
        let later = Alert { updated_at: Some(Timestamp::from_micros(11)), ..alert() };
        assert!(later.is_newer_than(&stored, now));
        let again = Alert { count: Some(2), ..alert() };
        assert!(again.is_newer_than(&stored, now));
        let late_delivery_of_an_old_version =
            Alert { updated_at: Some(Timestamp::from_micros(9)), ..alert() };
        assert!(!late_delivery_of_an_old_version.is_newer_than(&stored, now));
    }

    #[test]
    fn a_time_that_is_far_ahead_makes_nothing_old_that_comes_after_it() {
        let at = |ms: i64| Timestamp::from_micros(0).plus_ms(ms);
        let of = |ms: i64| Alert { updated_at: Some(at(ms)), ..alert() };
        let year = 365 * 86_400_000;
        let skewed = limits::CLOCK_SKEW_MS;
        for (stored, came, next, comes, is_newer) in [
            (year, 1_000, 2_000, 2_000, true),
            // The same once more, however late; and what was before it.
            (year, 1_000, year, 9_000, false),
            (year, 1_000, 900, 2_000, false),
            // A sender whose clock is wrong all the time.
            (year, 1_000, year + 1, 2_000, true),
            (year, 1_000, year - 1, 2_000, false),
            (900, 1_000, year, 2_000, true),
            // A clock may be a little ahead.
            (skewed, 0, skewed - 1, 1_000, false),
            (skewed + 1, 0, 1, 1_000, true),
        ] {
            let said = (stored, came, next, comes);
            let version = of(stored).version(at(came));
            assert_eq!(of(next).is_newer_than(&version, at(comes)), is_newer, "{said:?}");
        }
    }

    #[test]
    fn what_is_worse_is_news_unless_it_is_known_to_be_older() {
        let of = |severity, updated_at: Option<i64>| Alert {
            severity,
            updated_at: updated_at.map(Timestamp::from_micros),
            ..alert()
        };
        let (low, critical) = (Severity::Low, Severity::Critical);
        for (stored, now, is_newer) in [
            (of(low, None), of(critical, None), true),
            (of(low, Some(10)), of(critical, Some(10)), true),
            (of(low, Some(10)), of(critical, None), true),
            (of(low, Some(10)), of(critical, Some(9)), false),
            (of(critical, None), of(low, None), false),
        ] {
            let came = Timestamp::from_micros(20);
            assert_eq!(now.is_newer_than(&stored.version(came), came), is_newer, "{now:?}");
        }
    }

    #[test]
    fn samples_are_known_by_title_and_by_mark() {
        assert!(!alert().is_sample());
        assert!(Alert { title: "[SAMPLE] x".into(), ..alert() }.is_sample());
        let marked = json!({"detail": {"service": {"additionalInfo": {"sample": true}}}});
        assert!(Alert { raw: Json::of(&marked), ..alert() }.is_sample());
        let pascal = json!({"Service": {"AdditionalInfo": {"Sample": true}}});
        assert!(Alert { raw: Json::of(&pascal), ..alert() }.is_sample());
        for raw in [
            json!({"Service": {"AdditionalInfo": {"Type": "default", "Value": "{\"sample\":true}"}}}),
            json!({"detail": {"sample": true}}),
            json!({"detail": {"findings": [{"Sample": true}]}}),
            json!({"ProductFields": {"aws/guardduty/service/additionalInfo/sample": "true"}}),
        ] {
            assert!(Alert { raw: Json::of(&raw), ..alert() }.is_sample(), "{raw}");
        }
        for raw in
            [json!({"sample": "no"}), json!({"service": {"additionalInfo": {"value": "{}"}}})]
        {
            assert!(!Alert { raw: Json::of(&raw), ..alert() }.is_sample(), "{raw}");
        }
    }
}
