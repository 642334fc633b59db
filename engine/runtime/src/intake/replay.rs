//! What was stored is taken once more, because a person says so: a dead letter that can be read
//! by now, or an alert whose playbook was missing or wrong.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use stanch_engine_core::alert::Alert;
use stanch_engine_core::id::{AlertId, DeadLetterId};
use stanch_engine_core::limits;
use stanch_engine_store::alerts::{self, Place, StoredAlert};
use stanch_engine_store::dead_letters::{self, DeadLetter};
use stanch_engine_store::{StoreError, Tx};

use super::packed::{is_packed, unpack};
use super::taking::record;
use super::{Hand, Received, Taking, about, normalize, reasons, trigger};
use crate::runtime::Runtime;
use crate::shared::Shared;

/// What came of a dead letter.
#[derive(Clone, Debug, Serialize)]
pub struct Replayed {
    /// Its alerts. Those that were taken when it first came are duplicates.
    pub alerts: Vec<Received>,
    /// What can still not be read; the letter stays open then.
    pub refused: Vec<String>,
}

/// Why nothing was taken.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(String),
    /// It can still not be read.
    #[error("it can still not be read: {0}")]
    Unreadable(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads a dead letter again, by the sources of today, and takes what can be read of it.
///
/// # Errors
/// [`ReplayError`] says why not; the letter is kept as it is.
pub async fn letter(
    runtime: &Runtime,
    id: DeadLetterId,
    by: &str,
) -> Result<Replayed, ReplayError> {
    let found = runtime.store().read(|conn| Box::pin(dead_letters::get(conn, id))).await?;
    let letter = found.ok_or_else(|| ReplayError::NotFound(format!("dead letter {id}")))?;
    let reading = read(runtime, &letter).map_err(ReplayError::Unreadable)?;
    if reading.alerts.is_empty() {
        return Err(ReplayError::Unreadable(reasons(&reading.refused)));
    }
    let is_whole = reading.refused.is_empty();
    let refused = reading.refused.iter().map(ToString::to_string).collect();
    let about = about(&runtime.shared, &reading.alerts);
    let (shared, taken) = (runtime.shared.clone(), Arc::new((reading.alerts, by.to_owned())));
    let alerts = runtime
        .store()
        .write_beside(&about, move |tx| {
            let (shared, taken) = (shared.clone(), taken.clone());
            Box::pin(async move {
                let (alerts, by) = &*taken;
                let taking = Taking::begin(tx, &shared, Hand::Letter).await?.asked_by(by);
                let mut received = Vec::with_capacity(alerts.len());
                for alert in alerts {
                    received.push(taking.take_one(tx, alert).await?);
                }
                if is_whole {
                    dead_letters::replayed(tx, id, by, shared.world.now()).await?;
                }
                Ok(received)
            })
        })
        .await?;
    runtime.nudge();
    Ok(Replayed { alerts, refused })
}

fn read(runtime: &Runtime, letter: &DeadLetter) -> Result<stanch_plugins_sdk::Reading, String> {
    let bytes = BASE64.decode(&letter.body_base64);
    let bytes = bytes.map_err(|error| format!("its bytes were kept wrongly: {error}"))?;
    // Its sender had not said that it was packed, or it came when nobody could unpack it.
    let bytes = match is_packed(&bytes) {
        true => unpack(&bytes, limits::REQUEST_BYTES).map_err(|error| error.to_string())?,
        false => bytes,
    };
    normalize(runtime.catalogue(), &letter.source, &bytes)
}

/// Takes a stored alert as if it came for the first time: it is read again by the sources of
/// today, and fires what it would fire now. An open run about the same thing is told of it and no
/// second one is started.
///
/// # Errors
/// [`ReplayError`] says why not.
pub async fn alert(runtime: &Runtime, id: AlertId, by: &str) -> Result<Received, ReplayError> {
    let found = runtime.store().read(|conn| Box::pin(alerts::get(conn, id))).await?;
    let stored = found.ok_or_else(|| ReplayError::NotFound(format!("alert {id}")))?;
    let alert = read_again(runtime, &stored);
    let about = about(&runtime.shared, std::slice::from_ref(&alert));
    let again = Arc::new((alert, format!("replay by {by}")));
    let shared = runtime.shared.clone();
    let received = runtime
        .store()
        .write_beside(&about, move |tx| {
            let (shared, again) = (shared.clone(), again.clone());
            Box::pin(async move { take_again(tx, &shared, id, &again.0, &again.1).await })
        })
        .await?;
    runtime.nudge();
    Ok(received)
}

/// The alert as today's source reads it; as it stands where that gives another alert, or none.
fn read_again(runtime: &Runtime, stored: &StoredAlert) -> Alert {
    let raw = stored.alert.raw.as_str().as_bytes();
    let reading = normalize(runtime.catalogue(), &stored.alert.source, raw);
    let alerts = reading.map(|reading| reading.alerts).unwrap_or_default();
    let same = alerts.into_iter().find(|alert| alert.dedup_key == stored.alert.dedup_key);
    same.unwrap_or_else(|| stored.alert.clone())
}

async fn take_again(
    tx: &mut Tx<'_>,
    shared: &Shared,
    id: AlertId,
    alert: &Alert,
    cause: &str,
) -> Result<Received, StoreError> {
    let taking = Taking::begin(tx, shared, Hand::Person).await?;
    let stored = alerts::get(tx, id).await?;
    let found = taking.incident_of(tx, alert, stored.as_ref()).await?;
    let (incident, now) = (&found.incident, taking.now);
    let is_same = |stored: &StoredAlert| stored.alert == *alert && stored.incident.is_some();
    if !stored.as_ref().is_some_and(is_same) {
        let joined = found.joined.clone();
        let place = Place { incident: Some(incident.id), suppressed_by: None, joined };
        alerts::update(tx, id, &place, alert, now).await?;
        record(tx, &taking, alert, id, incident.id).await?;
    }
    let about = trigger::About { alert, alert_id: id, incident };
    let run_ids = trigger::fire(tx, shared, &about, None, cause).await?;
    let (incident_id, suppressed_by) = (Some(incident.id), None);
    Ok(Received { alert_id: id, incident_id, run_ids, duplicate: false, suppressed_by })
}
