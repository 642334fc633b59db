//! Which alerts a rule is about.

use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use crate::alert::Alert;
use crate::severity::Severity;

/// What an alert must be; what is not said holds for every alert. Texts are patterns in which `*`
/// stands for any characters and `?` for one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertFilter {
    /// Its source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Its region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The id, ARN or name of one of its resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The user or address of its actor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// At least so bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_severity: Option<Severity>,
    /// At most so bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_severity: Option<Severity>,
}

impl AlertFilter {
    /// Whether an alert is what it must be.
    pub fn takes(&self, alert: &Alert) -> bool {
        let fits = |pattern: &Option<String>, texts: &[Option<&str>]| {
            pattern.as_deref().is_none_or(|pattern| {
                let pattern = WildMatch::new(pattern);
                texts.iter().flatten().any(|text| pattern.matches(text))
            })
        };
        let resources: Vec<Option<&str>> = alert
            .resources
            .iter()
            .flat_map(|it| [Some(it.id.as_str()), it.arn.as_deref(), it.name.as_deref()])
            .collect();
        let actor = alert.actor.as_ref();
        let user = actor.and_then(|actor| actor.user.as_deref());
        let ip = actor.and_then(|actor| actor.ip.as_deref());
        fits(&self.source, &[Some(&alert.source)])
            && fits(&self.kind, &[Some(&alert.kind)])
            && fits(&self.title, &[Some(&alert.title)])
            && fits(&self.account, &[alert.account.as_deref()])
            && fits(&self.region, &[alert.region.as_deref()])
            && fits(&self.resource, &resources)
            && fits(&self.actor, &[user, ip])
            && self.min_severity.is_none_or(|least| alert.severity >= least)
            && self.max_severity.is_none_or(|most| alert.severity <= most)
    }

    /// Whether it says anything of what the alert is about. A pattern of nothing but stars says
    /// nothing.
    pub fn is_about_something(&self) -> bool {
        let texts = [
            &self.source,
            &self.kind,
            &self.title,
            &self.account,
            &self.region,
            &self.resource,
            &self.actor,
        ];
        texts.into_iter().flatten().any(|text| text.chars().any(|c| c != '*' && c != '?'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::tests::alert;
    use serde_json::json;

    fn filter(value: serde_json::Value) -> AlertFilter {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn all_that_is_said_must_hold() {
        for (value, takes) in [
            (json!({}), true),
            (json!({"source": "guardduty", "type": "*:IAMUser/*"}), true),
            (json!({"source": "guardduty", "type": "*:EC2/*"}), false),
            (json!({"resource": "AKIA?"}), true),
            (json!({"resource": "i-*"}), false),
            (json!({"account": "1111*", "max_severity": "medium"}), true),
            (json!({"min_severity": "high"}), false),
            (json!({"actor": "*"}), false),
        ] {
            assert_eq!(filter(value.clone()).takes(&alert()), takes, "{value}");
        }
        assert!(serde_json::from_value::<AlertFilter>(json!({"sorce": "x"})).is_err());
    }

    #[test]
    fn stars_alone_say_nothing() {
        assert!(!filter(json!({})).is_about_something());
        assert!(!filter(json!({"type": "**", "max_severity": "low"})).is_about_something());
        assert!(filter(json!({"account": "1*"})).is_about_something());
    }
}
