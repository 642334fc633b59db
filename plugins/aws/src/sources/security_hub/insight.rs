//! The results of an insight that somebody sent on: counts, not findings.

use serde_json::Value;
use stanch_plugins_sdk::core::alert::Alert;
use stanch_plugins_sdk::payload::{items, text};
use stanch_plugins_sdk::{Around, Draft, SourceError};

use super::NAME;
use crate::sources::event::Event;
use stanch_plugins_sdk::payload::arn;

const EVENT: &str = "Security Hub Insight Results";

pub(super) fn is_result(event: &Event<'_>) -> bool {
    event.detail_type() == Some(EVENT) || event.detail.get("insightResults").is_some()
}

/// One alert for the insight, with the sum of its counts. Where its results are ARNs or ids, they
/// are what it is about.
pub(super) fn read(event: &Event<'_>, around: &Around) -> Result<Alert, SourceError> {
    let detail = event.detail;
    let id = event.needed("insightArn")?;
    let results = items(detail, &["insightResults"]).iter().filter_map(Value::as_object).flatten();
    let results: Vec<_> = results.filter_map(|(what, n)| Some((what, n.as_u64()?))).collect();
    let lines: Vec<_> = results.iter().map(|(what, count)| format!("{what}: {count}")).collect();
    let draft = Draft {
        title: text(detail, &["insightName"]),
        description: (!lines.is_empty()).then(|| lines.join("\n")),
        account: event.account(&[], Some(&id), around),
        region: event.region(&[], Some(&id), around),
        resources: results.iter().filter_map(|(what, _)| arn::resource(what)).collect(),
        detected_at: event.time(),
        updated_at: event.time(),
        count: results.iter().try_fold(0_u64, |sum, (_, count)| sum.checked_add(*count)),
        ..Draft::new(id.clone(), EVENT)
    };
    draft.alert(NAME, event.whole)
}
