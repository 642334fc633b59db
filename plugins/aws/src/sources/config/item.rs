//! A resource that changed.

use std::collections::BTreeMap;

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Alert, Resource};
use stanch_plugins_sdk::payload::{at, scalar, text, time};
use stanch_plugins_sdk::{Draft, SourceError};

use super::{NAME, Told, resource};

/// Each change is an alert of its own: the next one may be the one that matters.
pub(super) fn read(message: &Value, told: &Told<'_>) -> Result<Alert, SourceError> {
    let item = ["configurationItem", "configurationItemSummary"]
        .iter()
        .find_map(|name| at(message, &[name]));
    let item = match item {
        // An old form lists the only one.
        Some(Value::Array(items)) => items.first(),
        item => item,
    };
    let item = item.ok_or_else(|| told.event.missing("configurationItem", "an object"))?;
    let needed = |name: &str| {
        let path = format!("configurationItem.{name}");
        text(item, &[name]).ok_or_else(|| told.event.missing(&path, "a text"))
    };
    let (kind, id) = (needed("resourceType")?, needed("resourceId")?);
    let captured = at(item, &["configurationItemCaptureTime"]).and_then(time);
    let notified = ["notificationCreationTime", "NotificationCreateTime"];
    let notified = notified.iter().find_map(|name| at(message, &[name]).and_then(time));
    let version = scalar(item, &["configurationStateId"])
        .filter(|version| version != "0")
        .or_else(|| text(item, &["configurationStateID"]))
        .or_else(|| captured.map(|at| at.to_string()))
        .unwrap_or_default();
    let change = text(message, &["configurationItemDiff", "changeType"])
        .or_else(|| text(item, &["changeType"]))
        .or_else(|| text(item, &["configurationItemStatus"]));
    let arn = text(item, &["ARN"]).or_else(|| text(item, &["arn"]));
    let rule = told.rule.and_then(|rule| text(rule, &["configRuleName"]));
    let about = rule.map(|rule| format!("for the rule {rule}"));
    let draft = Draft {
        title: Some(format!("{kind} {id}: {}", change.as_deref().unwrap_or("changed"))),
        description: changed(message).or(about),
        account: told.account(item, arn.as_deref()),
        region: told.region(item, arn.as_deref()),
        resources: vec![Resource {
            arn: arn.filter(|arn| arn.starts_with("arn:")),
            name: text(item, &["resourceName"]),
            tags: tags(item),
            ..resource(&kind, &id)
        }],
        occurred_at: captured,
        detected_at: notified,
        updated_at: captured,
        ..Draft::new(
            format!("{kind}/{id}/{version}"),
            format!("Config Configuration Item Change/{kind}"),
        )
    };
    draft.alert(NAME, told.event.whole)
}

fn changed(message: &Value) -> Option<String> {
    let changes = at(message, &["configurationItemDiff", "changedProperties"])?.as_object()?;
    let names: Vec<_> = changes.keys().take(50).cloned().collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn tags(item: &Value) -> BTreeMap<String, String> {
    let tags = at(item, &["tags"]).and_then(Value::as_object).into_iter().flatten();
    tags.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}
