//! Alerts come in: persisted, deduplicated, correlated into an incident, and turned into runs, all
//! in one commit. Only then does the sender hear that it was taken.

pub mod replay;
mod trigger;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use serde_json::{Value, json};
use stanch_engine_core::alert::Alert;
use stanch_engine_core::correlation::{self, CorrelationKey};
use stanch_engine_core::custody::CustodyAction;
use stanch_engine_core::id::{AlertId, DeadLetterId, IncidentId, RunId};
use stanch_engine_core::incident::{IncidentEvent, IncidentStatus, Milestone};
use stanch_engine_core::json::Json;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::alerts::{self, StoredAlert};
use stanch_engine_store::custody::{self, NewRecord};
use stanch_engine_store::dead_letters::{self, DeadLetter};
use stanch_engine_store::incidents::{self, Correlation, Incident};
use stanch_engine_store::{StoreError, Tx, milestones, pages, payloads, runs};
use stanch_plugins_sdk::{Catalogue, Reading, Refusal};

use crate::projection;
use crate::runtime::Runtime;
use crate::shared::Shared;

/// What became of an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Received {
    /// The alert.
    pub alert_id: AlertId,
    /// Its incident.
    pub incident_id: IncidentId,
    /// The runs that it started, or that it was told to.
    pub run_ids: Vec<RunId>,
    /// Whether it said nothing new.
    pub duplicate: bool,
}

/// Why a payload was not taken as an alert.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The path names no source.
    #[error("there is no source `{source_name}`; there are: {}", .known.join(", "))]
    UnknownSource {
        /// What the path names.
        source_name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// It can't be read. It was kept as a dead letter.
    #[error("the payload can't be read: {reason}; it was kept as {letter}")]
    Unreadable {
        /// Why.
        reason: String,
        /// Where it was kept.
        letter: DeadLetterId,
    },
    /// It could not be kept: the sender must try again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes a payload that was sent to a source; `aws` recognises the envelope by itself.
///
/// # Errors
/// [`IntakeError`] says whether to send it again.
pub async fn receive(
    runtime: &Runtime,
    source: &str,
    body: &[u8],
) -> Result<Vec<Received>, IntakeError> {
    receive_for(&runtime.shared, source, body).await
}

/// The same, for a loop of the node.
pub(crate) async fn receive_for(
    shared: &Arc<Shared>,
    source: &str,
    body: &[u8],
) -> Result<Vec<Received>, IntakeError> {
    let catalogue = &shared.catalogue;
    if !catalogue.takes(source) {
        let known = catalogue.door_names();
        return Err(IntakeError::UnknownSource { source_name: source.to_owned(), known });
    }
    let reading = match normalize(catalogue, source, body) {
        Ok(reading) => reading,
        Err(reason) => return Err(keep_unread(shared, source, body, reason).await?),
    };
    if !reading.refused.is_empty() {
        let reason = reasons(&reading.refused);
        let unread = keep_unread(shared, source, body, reason).await?;
        if reading.alerts.is_empty() {
            return Err(unread);
        }
        tracing::warn!(%source, %unread, "a part of a payload was kept unread; the rest is taken");
    }
    let received = take_for(shared, reading.alerts).await?;
    shared.nudge();
    Ok(received)
}

/// Reads a payload into alerts, all of it, as what a run is started with.
///
/// # Errors
/// In words, why it can't be read.
pub fn read(runtime: &Runtime, source: &str, body: &[u8]) -> Result<Vec<Alert>, String> {
    let reading = normalize(runtime.catalogue(), source, body)?;
    if reading.refused.is_empty() { Ok(reading.alerts) } else { Err(reasons(&reading.refused)) }
}

/// Reads a payload into alerts; `aws` and `auto` recognise the source.
///
/// # Errors
/// In words, when it is no JSON or there is no such source.
pub fn normalize(catalogue: &Catalogue, source: &str, body: &[u8]) -> Result<Reading, String> {
    let payload: Value =
        serde_json::from_slice(body).map_err(|error| format!("it is no JSON: {error}"))?;
    let mut reading = catalogue.read(source, &payload)?;
    if reading.alerts.is_empty() && reading.refused.is_empty() {
        let reason = "it holds no alert".to_owned();
        reading.refused.push(Refusal { at: String::new(), reason });
    }
    Ok(reading)
}

/// The reasons in one text; the first of them stand for many.
pub fn reasons(refused: &[Refusal]) -> String {
    let first: Vec<_> = refused.iter().take(5).map(ToString::to_string).collect();
    let more = refused.len().saturating_sub(first.len());
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{more}", first.join("; "))
}

async fn keep_unread(
    shared: &Shared,
    source: &str,
    body: &[u8],
    reason: String,
) -> Result<IntakeError, StoreError> {
    let letter = Arc::new(DeadLetter {
        id: shared.world.id(DeadLetterId::new),
        source: source.to_owned(),
        received_at: shared.world.now(),
        reason: reason.clone(),
        body_base64: BASE64.encode(body),
        replayed: None,
    });
    let (id, kept) = (letter.id, letter);
    shared
        .store
        .write(move |tx| {
            let letter = kept.clone();
            Box::pin(async move { dead_letters::insert(tx, &letter).await })
        })
        .await?;
    Ok(IntakeError::Unreadable { reason, letter: id })
}

/// A sender says that it sends no more: people are paged, since silence looks like peace.
///
/// # Errors
/// [`StoreError`]: the sender must try again.
pub async fn ended(runtime: &Runtime, source: &str, what: &str) -> Result<(), StoreError> {
    let shared = &runtime.shared;
    let key = format!("source-ended/{source}/{what}/{}", shared.world.now().millis() / 60_000);
    let message = format!("the source {source} falls silent: {what}");
    let page = shared.page(key, vec!["role:responder".to_owned()], "source_ended", message);
    let page = Arc::new(page);
    shared
        .store
        .write(move |tx| {
            let page = page.clone();
            Box::pin(async move { pages::raise(tx, &page).await.map(drop) })
        })
        .await?;
    runtime.nudge();
    Ok(())
}

/// Takes alerts that were read: all of one payload or none.
///
/// # Errors
/// [`StoreError`]: the sender must try again.
pub async fn take(runtime: &Runtime, alerts: Vec<Alert>) -> Result<Vec<Received>, StoreError> {
    take_for(&runtime.shared, alerts).await
}

/// The same, for whoever is not outside.
pub(crate) async fn take_for(
    shared: &Arc<Shared>,
    alerts: Vec<Alert>,
) -> Result<Vec<Received>, StoreError> {
    let (taker, alerts) = (shared.clone(), Arc::new(alerts));
    shared
        .store
        .write(move |tx| {
            let (shared, alerts) = (taker.clone(), alerts.clone());
            Box::pin(async move {
                let mut received = Vec::with_capacity(alerts.len());
                for alert in alerts.iter() {
                    received.push(take_one(tx, &shared, alert).await?);
                }
                Ok(received)
            })
        })
        .await
}

async fn take_one(tx: &mut Tx<'_>, shared: &Shared, alert: &Alert) -> Result<Received, StoreError> {
    let now = shared.world.now();
    let stored = alerts::find(tx, &alert.dedup_key).await?;
    if let Some(stored) = &stored
        && !alert.is_newer_than(&stored.version)
    {
        alerts::delivered_again(tx, stored.id, now).await?;
        let run_ids = runs::of_alert(tx, stored.id).await?;
        let (alert_id, incident_id) = (stored.id, stored.incident);
        return Ok(Received { alert_id, incident_id, run_ids, duplicate: true });
    }
    let incident = incident_of(tx, shared, alert, stored.as_ref(), now).await?;
    let alert_id = match &stored {
        Some(stored) => {
            alerts::update(tx, stored.id, incident.id, alert, now).await?;
            stored.id
        }
        None => {
            let id = shared.world.id(AlertId::new);
            alerts::insert(tx, id, incident.id, alert, now).await?;
            id
        }
    };
    record(tx, alert, alert_id, incident.id, now).await?;
    seen_again(tx, shared, alert, &incident).await?;
    let earlier = stored.as_ref().map(|stored| &stored.alert);
    let cause = format!("trigger {}", alert.source);
    let about = trigger::About { alert, alert_id, incident: &incident };
    let run_ids = trigger::fire(tx, shared, &about, earlier, &cause).await?;
    Ok(Received { alert_id, incident_id: incident.id, run_ids, duplicate: false })
}

/// The incident that takes the alert: the one that it was in, one about the same thing, or a new
/// one.
async fn incident_of(
    tx: &mut Tx<'_>,
    shared: &Shared,
    alert: &Alert,
    stored: Option<&StoredAlert>,
    now: Timestamp,
) -> Result<Incident, StoreError> {
    let mut known: BTreeMap<CorrelationKey, Option<Correlation>> = BTreeMap::new();
    for key in correlation::keys(alert) {
        let found = incidents::correlated(tx, &key).await?;
        known.insert(key, found);
    }
    let window = shared.settings.incident_window;
    let near = known.values().flatten();
    let near = near.filter(|c| correlation::within(window, c.last_alert_at, now));
    let joined = stored.map(|s| s.incident).or_else(|| near.map(|c| c.incident).min());
    let existing = match joined {
        Some(id) => incidents::get(tx, id).await?,
        None => None,
    };
    let incident = match existing {
        Some(incident) => {
            incidents::seen(tx, incident.id, alert.severity.max(incident.severity), now).await?;
            incident
        }
        None => open(tx, shared, alert, now).await?,
    };
    for (key, found) in &known {
        incidents::correlate(tx, key, found.is_some(), incident.id, now).await?;
    }
    Ok(incident)
}

async fn open(
    tx: &mut Tx<'_>,
    shared: &Shared,
    alert: &Alert,
    now: Timestamp,
) -> Result<Incident, StoreError> {
    let incident = Incident {
        id: shared.world.id(IncidentId::new),
        title: alert.title.clone(),
        status: IncidentStatus::Open,
        severity: alert.severity,
        account: alert.account.clone(),
        is_sample: alert.is_sample(),
        phase: None,
        verdict: None,
        verdict_reason: None,
        acknowledged_by: None,
        opened_at: now,
        last_alert_at: now,
    };
    incidents::insert(tx, &incident).await?;
    let source = &alert.source;
    for (milestone, at) in [
        (Milestone::OccurredAt, alert.occurred_at),
        (Milestone::DetectedAt, alert.detected_at),
        (Milestone::ReceivedAt, Some(now)),
    ] {
        if let Some(at) = at {
            milestones::mark(tx, incident.id, milestone, at, source).await?;
        }
    }
    Ok(incident)
}

/// The payload, as it came, is the first piece of evidence.
async fn record(
    tx: &mut Tx<'_>,
    alert: &Alert,
    id: AlertId,
    incident: IncidentId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let hash = payloads::put(tx, &Json::canonical(&alert.raw)).await?;
    let detail =
        json!({"alert": id, "source": alert.source, "type": alert.kind, "title": alert.title});
    let record = NewRecord {
        incident,
        at: now,
        actor: alert.raised_by().map_or_else(
            || format!("webhook {}", alert.source),
            |by| format!("{} step {}", by.run, by.step),
        ),
        action: CustodyAction::Received,
        item: Some(hash),
        detail,
    };
    custody::append(tx, &record).await.map(drop)
}

/// What is seen after it was contained, or after the end, is not over: the incident is opened
/// again, and people hear of it.
async fn seen_again(
    tx: &mut Tx<'_>,
    shared: &Shared,
    alert: &Alert,
    incident: &Incident,
) -> Result<(), StoreError> {
    let marked = milestones::of_incident(tx, incident.id).await?;
    let contained = marked.iter().find(|m| m.milestone == Milestone::ContainedAt).map(|m| m.at);
    let since_contained = alert.last_seen_at() > contained;
    let is_again = match incident.status {
        IncidentStatus::Closed => true,
        IncidentStatus::Contained => contained.is_some() && since_contained,
        IncidentStatus::Open => false,
    };
    if !is_again {
        return Ok(());
    }
    projection::happen(tx, incident.id, IncidentEvent::SeenAgain).await?;
    let was = incident.status.as_str();
    let message = format!("{} was {was}, and is seen again: {}", incident.id, alert.title);
    let stamp = alert.last_seen_at().unwrap_or_default();
    let key = format!("{}/seen-again/{stamp}", incident.id);
    let mut page = shared.page(key, vec!["role:responder".to_owned()], "seen_again", message);
    page.incident = Some(incident.id);
    pages::raise(tx, &page).await.map(drop)
}
