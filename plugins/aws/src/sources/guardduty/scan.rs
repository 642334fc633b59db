//! What Malware Protection found in an object or another resource
//! (<https://docs.aws.amazon.com/guardduty/latest/ug/monitor-with-eventbridge-s3-malware-protection.html>).

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Alert, AlertStatus, Resource};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{items, text};
use stanch_plugins_sdk::{Around, Draft, SourceError};

use super::NAME;
use crate::sources::event::Event;
use stanch_plugins_sdk::payload::arn;

/// Whether it is the result of a scan.
pub(super) fn is_result(event: &Event<'_>) -> bool {
    let kind = event.detail_type().unwrap_or_default();
    kind.starts_with("GuardDuty Malware Protection") && kind.ends_with("Scan Result")
}

pub(super) fn read(event: &Event<'_>, around: &Around) -> Result<Alert, SourceError> {
    let kind = event.detail_type().unwrap_or_default();
    let detail = event.detail;
    let outcome = text(detail, &["scanResultDetails", "scanResultStatus"])
        .or_else(|| text(detail, &["scanStatus"]))
        .ok_or_else(|| event.missing("scanResultDetails.scanResultStatus", "a text"))?;
    let threats = items(detail, &["scanResultDetails", "threats"]);
    let threats: Vec<_> = threats.iter().filter_map(|threat| text(threat, &["name"])).collect();
    let resources = resources(event);
    let about = resources.first().map_or("a resource", |resource| resource.id.as_str());
    let version = text(detail, &["s3ObjectDetails", "versionId"])
        .or_else(|| text(detail, &["s3ObjectDetails", "eTag"]))
        .or_else(|| text(detail, &["scanId"]));
    let id = match version {
        Some(version) if !resources.is_empty() => format!("scan/{about}@{version}"),
        _ => event
            .envelope("id")
            .map(str::to_owned)
            .ok_or_else(|| event.missing("scanId", "a text"))?,
    };
    let draft = Draft {
        title: Some(format!("{outcome}: {about}")),
        description: (!threats.is_empty()).then(|| threats.join(", ")),
        severity: severity(&outcome),
        account: event.account(&["accountId"], None, around),
        region: event.region(&["region"], None, around),
        occurred_at: None,
        detected_at: event.time(),
        updated_at: event.time(),
        status: if outcome == "NO_THREATS_FOUND" {
            AlertStatus::Resolved
        } else {
            AlertStatus::Active
        },
        resources,
        ..Draft::new(id, kind)
    };
    draft.alert(NAME, event.whole)
}

/// The payload has no severity: a threat is high; what could not be scanned is low.
fn severity(outcome: &str) -> Severity {
    match outcome {
        "THREATS_FOUND" => Severity::High,
        "NO_THREATS_FOUND" | "COMPLETED" => Severity::Informational,
        _ => Severity::Low,
    }
}

fn resources(event: &Event<'_>) -> Vec<Resource> {
    let detail = event.detail;
    let object = detail.get("s3ObjectDetails").unwrap_or(&Value::Null);
    if let (Some(bucket), Some(key)) = (text(object, &["bucketName"]), text(object, &["objectKey"]))
    {
        let object_arn = format!("arn:aws:s3:::{bucket}/{key}");
        let named = arn::resource(&object_arn).map(|found| Resource { arn: None, ..found });
        return named.into_iter().chain([arn::plain("AwsS3Bucket", &bucket, None)]).collect();
    }
    let scanned = text(detail, &["resourceArn"]);
    let named = scanned.as_deref().into_iter().chain(event.resources());
    named.filter_map(arn::resource).collect()
}
