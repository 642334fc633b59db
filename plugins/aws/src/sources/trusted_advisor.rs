//! Trusted Advisor: one thing that one of its checks looked at
//! (<https://docs.aws.amazon.com/awssupport/latest/user/cloudwatch-events-ta.html>).
//!
//! It has colours: red is high, yellow is medium, and green is resolved.

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Alert, AlertStatus, Resource};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{at, text, time_of_text};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError};

use super::event::Event;
use stanch_plugins_sdk::payload::arn;

const NAME: &str = "trusted_advisor";

/// Trusted Advisor.
pub(crate) struct TrustedAdvisor;

impl Source for TrustedAdvisor {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        let event = Event::of(payload);
        event.detail.get("check-name").is_some() && event.detail.get("status").is_some()
    }

    fn read(&self, payload: &Value, around: &Around) -> Vec<Result<Alert, SourceError>> {
        vec![read(&Event::of(payload), around)]
    }
}

fn read(event: &Event<'_>, around: &Around) -> Result<Alert, SourceError> {
    let detail = event.detail;
    let (check, status) = (event.needed("check-name")?, event.needed("status")?);
    let item = |name: &str| text(detail, &["check-item-detail", name]);
    let about = text(detail, &["resource_id"]);
    // The same item has the same id at every refresh.
    let id = text(detail, &["uuid"])
        .or_else(|| about.as_ref().map(|about| format!("{check}/{about}")))
        .or_else(|| event.envelope("id").map(str::to_owned))
        .ok_or_else(|| event.missing("uuid", "a text"))?;
    let (severity, state) = match status.as_str() {
        "ERROR" => (Severity::High, AlertStatus::Active),
        "WARN" => (Severity::Medium, AlertStatus::Active),
        "OK" => (Severity::Informational, AlertStatus::Resolved),
        _ => (Severity::Informational, AlertStatus::Active),
    };
    // `eu-west-1a` is a zone of `eu-west-1`.
    let of_zone = |zone: String| zone.trim_end_matches(|c: char| c.is_ascii_lowercase()).to_owned();
    let region = item("Region").or_else(|| item("Region/AZ").map(of_zone));
    let region = region.filter(|region| arn::is_region(region));
    let draft = Draft {
        title: Some(format!("{check}: {status}")),
        description: description(detail),
        severity,
        account: event.account(&[], about.as_deref(), around),
        region: region
            .or_else(|| arn::Arn::parse(about.as_deref()?)?.region())
            .or_else(|| event.region(&[], None, around)),
        resources: resources(about.as_deref(), &item),
        detected_at: item("Time Updated").and_then(|at| time_of_text(&at)).or_else(|| event.time()),
        updated_at: event.time(),
        status: state,
        ..Draft::new(id, check.clone())
    };
    draft.alert(NAME, event.whole)
}

fn description(detail: &Value) -> Option<String> {
    let items = at(detail, &["check-item-detail"])?.as_object()?.iter();
    let lines: Vec<_> =
        items.filter_map(|(name, value)| Some(format!("{name}: {}", value.as_str()?))).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The names that checks have for what they looked at.
const ITEMS: &[(&str, &str)] = &[
    ("Access Key ID", "AwsIamAccessKey"),
    ("Bucket Name", "AwsS3Bucket"),
    ("DB Instance", "AwsRdsDbInstance"),
    ("Function ARN", "AwsLambdaFunction"),
    ("Instance ID", "AwsEc2Instance"),
    ("Load Balancer Name", "AwsElbLoadBalancer"),
    ("Snapshot ID", "AwsEc2Snapshot"),
    ("Volume ID", "AwsEc2Volume"),
];

fn resources(about: Option<&str>, item: &impl Fn(&str) -> Option<String>) -> Vec<Resource> {
    let by_id = about.and_then(arn::resource);
    let by_item = ITEMS.iter().filter_map(|(name, kind)| {
        let id = item(name)?;
        Some(arn::resource(&id).unwrap_or_else(|| arn::plain(kind, &id, None)))
    });
    let user = item("User Name (IAM or Root)").or_else(|| item("User Name"));
    let user = user.filter(|name| !name.to_lowercase().contains("root"));
    let user = user.map(|name| arn::plain("AwsIamUser", &name, None));
    // `sg-1 (vpc-1)`
    let group = item("Security Group ID")
        .and_then(|group| arn::resource(group.split_whitespace().next().unwrap_or_default()));
    by_id.into_iter().chain(by_item).chain(user).chain(group).collect()
}
