//! When customers felt an incident, as an alarm of CloudWatch or an event of AWS Health says.

use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_core::alert::{Alert, AlertStatus};
use stanch_engine_core::foreign_time::time_of_text;
use stanch_engine_core::id::{AlertId, IncidentId};
use stanch_engine_core::incident::Milestone;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::alerts::StoredAlert;
use stanch_engine_store::{StoreError, Tx, alerts, milestones};

use super::{WorkError, find, record};
use crate::runs::Person;
use crate::runtime::Runtime;

/// Sources whose alerts begin when something breaks, and are resolved when it works again.
const TELL: [&str; 6] = ["cloudwatch", "health", "alertmanager", "grafana", "pagerduty", "datadog"];

/// Marks when customers felt an incident. It may be said again, when the alarm is over.
///
/// # Errors
/// [`WorkError`] for an alert that does not tell; nothing is marked then.
pub async fn impact(
    runtime: &Runtime,
    id: IncidentId,
    alert: AlertId,
    person: Person,
) -> Result<(), WorkError> {
    let now = runtime.world().now();
    let person = Arc::new(person);
    let done = runtime.store().write(move |tx| {
        let person = person.clone();
        Box::pin(async move {
            if let Err(error) = find(tx, id).await? {
                return Ok(Err(error));
            }
            let text = match take(tx, id, alert).await? {
                Ok(text) => text,
                Err(why) => return Ok(Err(WorkError::BadRequest(why))),
            };
            let detail = json!({"decision": "impact", "reason": person.reason, "text": text});
            record(tx, id, (&person.name, now), detail).await?;
            Ok(Ok(()))
        })
    });
    done.await?
}

/// Marks the beginning, and the end when it has come. Gives what was marked in words, or why nothing was.
async fn take(
    tx: &mut Tx<'_>,
    id: IncidentId,
    alert: AlertId,
) -> Result<Result<String, String>, StoreError> {
    let Some(stored) = alerts::get(tx, alert).await? else {
        return Ok(Err(format!("there is no alert {alert}")));
    };
    let of = &stored.alert;
    if !TELL.contains(&of.source.as_str()) {
        let why = format!(
            "{alert} is from {}, which does not say when something worked again; one of {} does, or \
             mark `impact_started_at` and `impact_ended_at` by hand",
            of.source,
            TELL.join(", ")
        );
        return Ok(Err(why));
    }
    let Some(from) = start_of(&stored) else {
        let why = format!("{alert} does not say when it began: mark `impact_started_at` by hand");
        return Ok(Err(why));
    };
    let source = format!("{} {alert}", of.source);
    mark(tx, id, (Milestone::ImpactStartedAt, from), &source).await?;
    let Some(to) = end_of(of).filter(|to| *to >= from) else {
        // A later end of another alarm would not be that of this one.
        milestones::unmark(tx, id, Milestone::ImpactEndedAt).await?;
        return Ok(Ok(format!("from {from}, by {source}; it goes on")));
    };
    mark(tx, id, (Milestone::ImpactEndedAt, to), &source).await?;
    Ok(Ok(format!("from {from} to {to}, by {source}")))
}

async fn mark(
    tx: &mut Tx<'_>,
    id: IncidentId,
    (milestone, at): (Milestone, Timestamp),
    source: &str,
) -> Result<(), StoreError> {
    milestones::unmark(tx, id, milestone).await?;
    milestones::mark(tx, id, milestone, at, source).await.map(drop)
}

/// When it broke. What says that it works again has the time of that; an alarm of EventBridge says beside
/// since when it was not so, and what came twice only began when it first came.
fn start_of(stored: &StoredAlert) -> Option<Timestamp> {
    let alert = &stored.alert;
    if alert.status != AlertStatus::Resolved {
        return alert.occurred_at.or(alert.detected_at);
    }
    let raw = alert.raw.value();
    let before = raw.pointer("/detail/previousState");
    let before = before.filter(|it| it.get("value").is_some_and(|value| value == "ALARM"));
    let before = before.and_then(|it| it.get("timestamp")).and_then(Value::as_str);
    let told = alert.occurred_at.or_else(|| before.and_then(time_of_text));
    told.or_else(|| (stored.deliveries <= 2).then_some(stored.received_at))
}

/// When it worked again. AWS Health says it by itself.
fn end_of(alert: &Alert) -> Option<Timestamp> {
    let raw = alert.raw.value();
    let told = raw.pointer("/detail/endTime").and_then(Value::as_str);
    let told = told.and_then(time_of_text);
    told.or_else(|| alert.updated_at.filter(|_| alert.status == AlertStatus::Resolved))
}
