//! Alerts come in: persisted, deduplicated, correlated into an incident, and turned into runs, all
//! in one commit. Only then does the sender hear that it was taken.

pub mod replay;

mod cooling;
mod echo;
mod packed;
mod place;
mod storm;
mod taking;
mod trigger;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use serde_json::Value;
use stanch_engine_core::alert::Alert;
use stanch_engine_core::dense;
use stanch_engine_core::id::{AlertId, DeadLetterId, IncidentId, RunId, SuppressionId};
use stanch_engine_store::dead_letters::{self, DeadLetter};
use stanch_engine_store::{StoreError, pages};
use stanch_plugins_sdk::{Catalogue, Reading, Refusal};

use crate::correlators::{self, Said};
use crate::runtime::Runtime;
use crate::shared::Shared;
use crate::silence;

pub use packed::{Packed, unpack};
pub(crate) use place::about;
pub(crate) use taking::{Hand, Taking};

/// What became of an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Received {
    /// The alert.
    pub alert_id: AlertId,
    /// Its incident; none when it is kept quiet, or was over before anybody here knew of it.
    pub incident_id: Option<IncidentId>,
    /// The runs that it started, or that it was told to.
    pub run_ids: Vec<RunId>,
    /// Whether it said nothing new.
    pub duplicate: bool,
    /// What keeps it quiet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed_by: Option<SuppressionId>,
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
    let began = std::time::Instant::now();
    let received = receive_for(&runtime.shared, source, body).await?;
    runtime.shared.metrics.acknowledged(began.elapsed());
    Ok(received)
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
    let reading = match normalize_beside(catalogue, source, body).await {
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
    let received = take_from(shared, Some(source), reading.alerts).await?;
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

/// The same as [`normalize`]: on a thread of its own where scripts are asked, since each may take its
/// time with each part of a payload.
async fn normalize_beside(
    catalogue: &Catalogue,
    source: &str,
    body: &[u8],
) -> Result<Reading, String> {
    if !catalogue.has_scripts() {
        return normalize(catalogue, source, body);
    }
    let (catalogue, source, body) = (catalogue.clone(), source.to_owned(), body.to_vec());
    let read = tokio::task::spawn_blocking(move || normalize(&catalogue, &source, &body)).await;
    read.unwrap_or_else(|_| Err("Stanch failed over it, which is a fault in Stanch".to_owned()))
}

/// Reads a payload into alerts; `aws` and `auto` recognise the source.
///
/// # Errors
/// In words, when it is no JSON, would take too much memory, or there is no such source.
pub fn normalize(catalogue: &Catalogue, source: &str, body: &[u8]) -> Result<Reading, String> {
    if let Some(why) = dense::refusal(body) {
        return Err(why);
    }
    // What some editors and senders begin a file with says only that it is UTF-8.
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let lines = || stanch_plugins_sdk::payload::several(std::str::from_utf8(text).ok()?);
    let payload: Value = serde_json::from_slice(text).or_else(|error| {
        lines().ok_or_else(|| {
            let why = instead(text).map_or_else(|| error.to_string(), str::to_owned);
            format!("it is no JSON: {why}")
        })
    })?;
    let mut reading = catalogue.read(source, &payload)?;
    if reading.alerts.is_empty() && reading.refused.is_empty() {
        let reason = "it holds no alert".to_owned();
        reading.refused.push(Refusal { at: String::new(), reason });
    }
    Ok(reading)
}

/// What a body is instead of JSON, where its first bytes tell.
fn instead(body: &[u8]) -> Option<&'static str> {
    match body {
        [] => Some("it is empty"),
        [0x1f, 0x8b, ..] => Some(
            "it is packed with gzip, and is only unpacked where it is whole and `Content-Encoding` says so",
        ),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, b'{' | b'[', ..] | [b'{' | b'[', 0, ..] => {
            Some("it is UTF-16, and only UTF-8 is read")
        }
        _ => None,
    }
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
    shared.metrics.kept_unread(source);
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

/// Takes alerts that a person names: all of them or none. A suppression does not keep them quiet.
///
/// # Errors
/// [`StoreError`]: the sender must try again.
pub async fn take(runtime: &Runtime, alerts: Vec<Alert>) -> Result<Vec<Received>, StoreError> {
    commit(&runtime.shared, None, alerts, Hand::Person).await
}

/// Takes alerts that a run raises.
pub(crate) async fn take_for(
    shared: &Arc<Shared>,
    alerts: Vec<Alert>,
) -> Result<Vec<Received>, StoreError> {
    take_from(shared, None, alerts).await
}

/// Takes alerts that were read: all of one payload or none. `door` is where they were sent to.
async fn take_from(
    shared: &Arc<Shared>,
    door: Option<&str>,
    alerts: Vec<Alert>,
) -> Result<Vec<Received>, StoreError> {
    commit(shared, door, alerts, Hand::Sender).await
}

/// What scripts say of alerts, by their dedup keys. They are asked before the writer waits for
/// anything, and on a thread of their own: each may take its time with each alert, and the node has
/// others to answer meanwhile.
async fn asked(shared: &Arc<Shared>, alerts: &Arc<Vec<Alert>>) -> Vec<(String, Said)> {
    if shared.settings.correlators.is_empty() {
        return Vec::new();
    }
    let (shared, alerts) = (shared.clone(), alerts.clone());
    let ask = move || {
        let scripts = &shared.settings.correlators;
        let said = |alert: &Alert| (alert.dedup_key.clone(), correlators::say(scripts, alert));
        alerts.iter().map(said).collect::<Vec<_>>()
    };
    // What was not said here is asked when the alert is taken.
    tokio::task::spawn_blocking(ask).await.unwrap_or_default()
}

async fn commit(
    shared: &Arc<Shared>,
    door: Option<&str>,
    alerts: Vec<Alert>,
    hand: Hand,
) -> Result<Vec<Received>, StoreError> {
    let alerts = Arc::new(alerts);
    let said = asked(shared, &alerts).await;
    let about = place::about(shared, &alerts);
    let taken = Arc::new((shared.clone(), door.map(str::to_owned), alerts, said));
    let parts = taken.clone();
    let received = shared
        .store
        .write_beside(&about, move |tx| {
            let taken = taken.clone();
            Box::pin(async move {
                let (shared, door, alerts, said) = &*taken;
                let taking = Taking::begin(tx, shared, hand).await?.knowing(said.clone());
                silence::heard(tx, &taking, door.as_deref(), alerts).await?;
                let mut received = Vec::with_capacity(alerts.len());
                for alert in alerts.iter() {
                    received.push(taking.take_one(tx, alert).await?);
                }
                Ok(received)
            })
        })
        .await?;
    let sources = parts.2.iter().map(|alert| alert.source.as_str());
    shared.metrics.took_alerts(sources.zip(&received));
    Ok(received)
}

#[cfg(test)]
mod tests {
    use super::instead;

    #[test]
    fn what_is_no_json_is_named_where_its_first_bytes_tell() {
        let is = |body: &[u8], word: &str| instead(body).is_some_and(|why| why.contains(word));
        assert!(is(b"", "empty") && is(b"\x1f\x8b\x08\0", "gzip"));
        assert!(is(b"\xff\xfe{\0}\0", "UTF-16") && is(b"\0{\0}", "UTF-16"));
        assert_eq!((instead(b"nonsense"), instead(b"{\"a\":")), (None, None));
    }
}
