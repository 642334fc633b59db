//! GuardDuty: a finding, bare or in EventBridge's event, in either spelling
//! (<https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings.html>), and the result of
//! a scan for malware.

mod actor;
mod resource;
mod scan;

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Alert, AlertStatus};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{at, member, number, text, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError};

use super::event::Event;

const NAME: &str = "guardduty";

/// What EventBridge calls an event with a finding.
const EVENT: &str = "GuardDuty Finding";

/// GuardDuty.
pub(crate) struct GuardDuty;

impl Source for GuardDuty {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        let event = Event::of(payload);
        is_finding(&event) || scan::is_result(&event)
    }

    fn read(&self, payload: &Value, around: &Around) -> Vec<Result<Alert, SourceError>> {
        let event = Event::of(payload);
        vec![if scan::is_result(&event) {
            scan::read(&event, around)
        } else {
            read(&event, around)
        }]
    }
}

/// Whether it has what GuardDuty's findings have and others do not. GuardDuty sends other events
/// too, such as the state of its coverage.
fn is_finding(event: &Event<'_>) -> bool {
    let finding = event.detail;
    let of_event = || match event.detail_type() {
        Some(kind) => Some(kind == EVENT),
        None => event.is_from("aws.guardduty"),
    };
    let of_finding = || {
        at(finding, &["service", "detectorId"]).is_some()
            || text(finding, &["service", "serviceName"]).as_deref() == Some(NAME)
            || (has_type_of_findings(finding)
                && at(finding, &["resource", "resourceType"]).is_some())
    };
    let is_from_here = of_event().unwrap_or_else(of_finding);
    let is_asff = member(finding, "productArn").is_some();
    is_from_here && !is_asff && member(finding, "type").is_some_and(Value::is_string)
}

/// `ThreatPurpose:ResourceTypeAffected/ThreatFamilyName`
/// (<https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_finding-format.html>).
fn has_type_of_findings(finding: &Value) -> bool {
    let kind = text(finding, &["type"]).unwrap_or_default();
    let parts =
        kind.split_once(':').and_then(|(purpose, rest)| Some((purpose, rest.split_once('/')?)));
    parts.is_some_and(|(purpose, (resource, family))| {
        !family.is_empty()
            && [purpose, resource].iter().all(|part| {
                !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
            })
    })
}

fn read(event: &Event<'_>, around: &Around) -> Result<Alert, SourceError> {
    let finding = event.detail;
    let (id, kind) = (event.needed("id")?, event.needed("type")?);
    let severity = number(finding, &["severity"]);
    let (severity, score) = rank(severity.ok_or_else(|| event.missing("severity", "a number"))?);
    let arn = text(finding, &["arn"]);
    let archived = at(finding, &["service", "archived"]) == Some(&Value::Bool(true));
    let moment = |path: &[&str]| at(finding, path).and_then(time);
    let draft = Draft {
        title: text(finding, &["title"]),
        description: text(finding, &["description"]),
        severity,
        severity_score: Some(score),
        account: event.account(&["accountId"], arn.as_deref(), around),
        region: event.region(&["region"], arn.as_deref(), around),
        resources: resource::all(finding),
        actor: actor::of(finding),
        occurred_at: moment(&["service", "eventFirstSeen"]),
        detected_at: moment(&["createdAt"]),
        updated_at: moment(&["updatedAt"]),
        count: at(finding, &["service", "count"]).and_then(Value::as_u64),
        status: if archived { AlertStatus::Suppressed } else { AlertStatus::Active },
        ..Draft::new(id, kind)
    };
    draft.alert(NAME, event.whole)
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
