//! ECR: how the scan of an image ended
//! (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>). It is as bad as
//! the worst that was found.

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Alert, AlertStatus, Resource};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{at, items, severity_of_word, text};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError};

use super::event::Event;
use stanch_plugins_sdk::payload::arn;

const NAME: &str = "ecr";

/// ECR's scans of images.
pub(crate) struct Ecr;

impl Source for Ecr {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        let detail = Event::of(payload).detail;
        detail.get("scan-status").is_some() && detail.get("repository-name").is_some()
    }

    fn read(&self, payload: &Value, around: &Around) -> Vec<Result<Alert, SourceError>> {
        vec![read(&Event::of(payload), around)]
    }
}

fn read(event: &Event<'_>, around: &Around) -> Result<Alert, SourceError> {
    let detail = event.detail;
    let (repository, status) = (event.needed("repository-name")?, event.needed("scan-status")?);
    let digest = text(detail, &["image-digest"]);
    let counts = at(detail, &["finding-severity-counts"]).and_then(Value::as_object);
    let counts: Vec<_> = counts
        .into_iter()
        .flatten()
        .filter_map(|(word, count)| Some((word, count.as_u64().filter(|count| *count > 0)?)))
        .collect();
    let worst = counts.iter().filter_map(|(word, _)| severity_of_word(word)).max();
    let failed = status.contains("FAIL");
    let lines: Vec<_> = counts.iter().map(|(word, count)| format!("{word}: {count}")).collect();
    let own = arn::own_part(&repository);
    let of = event.resources().next().filter(|name| arn::Arn::parse(name).is_some());
    let draft = Draft {
        title: Some(format!("the scan of {own} is {status}")),
        description: (!lines.is_empty()).then(|| lines.join(", ")),
        severity: worst.unwrap_or(if failed { Severity::Low } else { Severity::Informational }),
        account: event.account(&[], of, around),
        region: event.region(&[], of, around),
        resources: resources(detail, own, digest.as_deref(), of),
        detected_at: event.time(),
        updated_at: event.time(),
        status: if counts.is_empty() && !failed {
            AlertStatus::Resolved
        } else {
            AlertStatus::Active
        },
        ..Draft::new(
            format!("{own}@{}", digest.as_deref().unwrap_or("unknown")),
            event.detail_type().unwrap_or("ECR Image Scan"),
        )
    };
    draft.alert(NAME, event.whole)
}

fn resources(
    detail: &Value,
    repository: &str,
    digest: Option<&str>,
    arn: Option<&str>,
) -> Vec<Resource> {
    let tag =
        items(detail, &["image-tags"]).first().and_then(Value::as_str).filter(|t| !t.is_empty());
    let image = digest.map(|digest| Resource {
        name: tag.map(|tag| format!("{repository}:{tag}")),
        ..arn::plain("AwsEcrContainerImage", digest, None)
    });
    let arn = arn.filter(|arn| arn.ends_with(&format!("repository/{repository}")));
    image.into_iter().chain([arn::plain("AwsEcrRepository", repository, arn)]).collect()
}
