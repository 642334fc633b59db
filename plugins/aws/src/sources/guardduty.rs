//! GuardDuty: a finding, the EventBridge event around it, or the answer of `GetFindings`
//! (<https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings.html>).

mod actor;
mod resource;

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Alert, AlertStatus};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::{Source, SourceError};

use super::event::{Found, unwrap};
use super::field::{at, text, time};

const NAME: &str = "guardduty";

/// What EventBridge calls an event with a finding.
const EVENT: &str = "GuardDuty Finding";

/// GuardDuty.
pub(crate) struct GuardDuty;

impl Source for GuardDuty {
    fn name(&self) -> &'static str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        unwrap(payload).is_ok_and(|found| found.iter().all(is_finding))
    }

    fn read(&self, payload: &Value) -> Result<Vec<Alert>, SourceError> {
        unwrap(payload)?.iter().map(read).collect()
    }
}

/// Whether it has what GuardDuty's findings have and others do not. GuardDuty sends other events
/// too, such as the results of scans for malware.
fn is_finding(found: &Found<'_>) -> bool {
    let Found { finding, raw, .. } = found;
    let says = |name, expected| raw.get(name).and_then(Value::as_str).map(|text| text == expected);
    let of_event = || says("source", "aws.guardduty").or_else(|| says("detail-type", EVENT));
    let of_finding = || {
        at(finding, &["service", "detectorId"]).is_some()
            || text(finding, &["service", "serviceName"]).as_deref() == Some(NAME)
    };
    let is_from_here = of_event().unwrap_or_else(of_finding);
    let is_asff = at(finding, &["productArn"]).is_some();
    is_from_here && !is_asff && at(finding, &["type"]).is_some_and(Value::is_string)
}

fn read(found: &Found<'_>) -> Result<Alert, SourceError> {
    let Found { finding, path, raw } = found;
    let missing =
        |name: &str, expected| SourceError::Member { path: format!("{path}{name}"), expected };
    let needed = |name: &str| text(finding, &[name]).ok_or_else(|| missing(name, "a text"));
    let (id, kind) = (needed("id")?, needed("type")?);
    let severity = at(finding, &["severity"]).and_then(Value::as_f64);
    let (severity, severity_score) = rank(severity.ok_or_else(|| missing("severity", "a number"))?);
    let account = text(finding, &["accountId"]).or_else(|| text(raw, &["account"]));
    let region = text(finding, &["region"]).or_else(|| text(raw, &["region"]));
    let key = |part: &Option<String>| part.clone().unwrap_or_default();
    let archived = at(finding, &["service", "archived"]) == Some(&Value::Bool(true));
    Ok(Alert {
        source: NAME.to_owned(),
        dedup_key: format!("{NAME}:{id}:{}:{}", key(&account), key(&region)),
        title: text(finding, &["title"]).unwrap_or_else(|| kind.clone()),
        description: text(finding, &["description"]),
        severity,
        severity_score,
        account,
        region,
        resources: resource::all(finding),
        actor: actor::of(finding),
        occurred_at: time(finding, &["service", "eventFirstSeen"]),
        detected_at: time(finding, &["createdAt"]),
        updated_at: time(finding, &["updatedAt"]),
        count: at(finding, &["service", "count"]).and_then(Value::as_u64),
        status: if archived { AlertStatus::Suppressed } else { AlertStatus::Active },
        url: None,
        raw: (*raw).clone(),
        id,
        kind,
    })
}

/// The label of GuardDuty's number, and the number on the scale of alerts: low below 4, medium
/// below 7, high below 9, critical from there
/// (<https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings-severity.html>). Rounding
/// does not carry a score into the next label's range.
fn rank(severity: f64) -> (Severity, u8) {
    let (label, most) = match severity {
        s if s >= 9.0 => (Severity::Critical, 100),
        s if s >= 7.0 => (Severity::High, 89),
        s if s >= 4.0 => (Severity::Medium, 69),
        s if s > 0.0 => (Severity::Low, 39),
        _ => return (Severity::Informational, 0),
    };
    let tenths = (severity * 10.0).round().max(1.0);
    let score = (1..=most).rev().find(|score| f64::from(*score) <= tenths);
    (label, score.unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_are_guarddutys_own_and_the_score_agrees_with_the_label() {
        use Severity::{Critical, High, Informational, Low, Medium};
        for (severity, expected) in [
            (0.0, (Informational, 0)),
            (0.04, (Low, 1)),
            (1.0, (Low, 10)),
            (3.9, (Low, 39)),
            (3.99, (Low, 39)),
            (4.0, (Medium, 40)),
            (6.9, (Medium, 69)),
            (7.0, (High, 70)),
            (8.9, (High, 89)),
            (8.95, (High, 89)),
            (9.0, (Critical, 90)),
            (10.0, (Critical, 100)),
            (11.0, (Critical, 100)),
            (f64::NAN, (Informational, 0)),
        ] {
            assert_eq!(rank(severity), expected, "{severity}");
            assert_eq!(Severity::of_score(expected.1), expected.0);
        }
    }
}
