//! What people's verdicts say of detectors: which types of alerts are mostly wrong, and what would
//! keep those quiet.

use serde::Serialize;

use crate::alert::Alert;
use crate::alert_filter::AlertFilter;

/// Incidents that a type must have had before anything is suggested.
const LEAST_INCIDENTS: u64 = 5;

/// The part of them that must have been false positives, in percent.
const LEAST_PERCENT: u64 = 90;

/// How the incidents with alerts of one type were judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rate {
    /// The source.
    pub source: String,
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Incidents with a verdict.
    pub incidents: u64,
    /// Those of them that were false positives.
    pub false_positives: u64,
}

impl Rate {
    /// The part of false positives, in percent, rounded down.
    pub fn percent(&self) -> u64 {
        self.false_positives.saturating_mul(100).checked_div(self.incidents).unwrap_or(0)
    }

    /// Whether it is noise, as far as can be told from so many.
    pub fn is_noise(&self) -> bool {
        self.incidents >= LEAST_INCIDENTS
            && self.false_positives.saturating_mul(100)
                >= self.incidents.saturating_mul(LEAST_PERCENT)
    }

    /// What would keep alerts quiet that are as these: of the type, and, where they all have it in
    /// common, in the account, about the resource and by the actor.
    pub fn filter(&self, alerts: &[Alert]) -> AlertFilter {
        let account = |alert: &Alert| alert.account.clone().into_iter().collect();
        let actor = |alert: &Alert| {
            let actor = alert.actor.as_ref();
            let parts = actor.map(|actor| [actor.user.clone(), actor.ip.clone()]);
            parts.into_iter().flatten().flatten().collect()
        };
        let resource = |alert: &Alert| alert.resources.iter().map(|it| it.id.clone()).collect();
        AlertFilter {
            source: Some(self.source.clone()),
            kind: Some(self.kind.clone()),
            account: common(alerts, account),
            resource: common(alerts, resource),
            actor: common(alerts, actor),
            ..AlertFilter::default()
        }
    }
}

/// The first value that every alert has. One that would stand for more than itself is none.
fn common(alerts: &[Alert], of: impl Fn(&Alert) -> Vec<String>) -> Option<String> {
    let (first, rest) = alerts.split_first()?;
    let is_plain = |value: &String| !value.contains(['*', '?']);
    of(first)
        .into_iter()
        .filter(is_plain)
        .find(|value| rest.iter().all(|it| of(it).contains(value)))
}

/// The command that keeps such alerts quiet, as a shell takes it.
pub fn command(filter: &AlertFilter, rate: &Rate) -> String {
    let parts = [
        ("--source", &filter.source),
        ("--type", &filter.kind),
        ("--account", &filter.account),
        ("--resource", &filter.resource),
        ("--actor", &filter.actor),
    ];
    let said = parts.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let said: Vec<_> = said.map(|(name, value)| format!("{name} {}", quoted(value))).collect();
    let reason =
        format!("{} of {} incidents were false positives", rate.false_positives, rate.incidents);
    format!("stanch suppressions create {} --for 30d --reason {}", said.join(" "), quoted(&reason))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::tests::alert;

    fn rate(incidents: u64, false_positives: u64) -> Rate {
        Rate {
            source: "guardduty".into(),
            kind: "Recon:EC2/Portscan".into(),
            incidents,
            false_positives,
        }
    }

    #[test]
    fn five_and_nine_of_ten_are_what_it_takes() {
        for (incidents, wrong, is_noise) in [
            (4, 4, false),
            (5, 5, true),
            (5, 4, false),
            (10, 9, true),
            (19, 17, false),
            (0, 0, false),
        ] {
            assert_eq!(rate(incidents, wrong).is_noise(), is_noise, "{wrong} of {incidents}");
        }
        assert_eq!((rate(19, 17).percent(), rate(0, 0).percent()), (89, 0));
    }

    #[test]
    fn what_all_have_in_common_narrows_it() {
        let mut other = alert();
        other.resources[0].id = "AKIA2".into();
        let filter = rate(5, 5).filter(&[alert(), alert()]);
        assert_eq!(filter.resource.as_deref(), Some("AKIA1"));
        assert_eq!(filter.account.as_deref(), Some("111122223333"));
        let filter = rate(5, 5).filter(&[alert(), other.clone()]);
        assert_eq!((filter.resource, filter.actor), (None, None));
        other.resources[0].id = "*".into();
        assert_eq!(rate(5, 5).filter(&[other]).resource, None);
    }

    #[test]
    fn the_command_is_safe_to_paste() {
        let mut it = rate(5, 5);
        it.kind = "it's; rm -rf /".into();
        let said = command(&it.filter(&[alert()]), &it);
        assert!(said.contains(r"--type 'it'\''s; rm -rf /' --account '111122223333'"), "{said}");
        assert!(said.ends_with("--reason '5 of 5 incidents were false positives'"), "{said}");
    }
}
