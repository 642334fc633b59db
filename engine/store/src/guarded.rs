//! Changes that were let go, as far as the configuration counts them.

use stanch_engine_core::effect::Effect;
use stanch_engine_core::guard::limits::Spent;
use stanch_engine_core::id::{IncidentId, RunId};
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::settings;
use crate::sql::statements;
use crate::tx::{Bound, Tx};

statements! {
    INSERT =
        "INSERT INTO guarded_calls (call_key, run_id, incident_id, effect, at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (call_key) DO NOTHING";
    INSERT_RESOURCE =
        "INSERT INTO guarded_resources (resource, call_key, run_id, at) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (resource, call_key) DO NOTHING";
    IS_THERE = "SELECT call_key FROM guarded_calls WHERE call_key = $1";
    IN_A_DAY =
        "SELECT COUNT(*) AS n FROM guarded_calls WHERE effect = 'destroy' AND at > $1";
    IN_INCIDENT =
        "SELECT COUNT(*) AS n FROM guarded_calls WHERE effect = 'destroy' AND incident_id = $1";
    EVIDENCE = "SELECT COUNT(*) AS n FROM evidence WHERE incident_id = $1";
    LAST =
        "SELECT MAX(at) AS at FROM guarded_resources WHERE resource = $1 AND run_id <> $2";
}

/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// What two nodes that count at once wait for.
const COUNTING: &str = "guarded_calls";

/// A change that is about to be sent.
#[derive(Clone, Debug)]
pub struct Guarded {
    /// The same for every attempt of a step.
    pub key: String,
    /// The run.
    pub run: RunId,
    /// Its incident.
    pub incident: Option<IncidentId>,
    /// How far it reaches.
    pub effect: Effect,
    /// What it touches.
    pub resources: Vec<String>,
    /// When.
    pub at: Timestamp,
}

/// What was done before a call, or nothing when it is counted already: another attempt of it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn spent(tx: &mut Tx<'_>, call: &Guarded) -> Result<Option<Spent>, StoreError> {
    settings::set(tx, COUNTING, &call.at.micros().to_string()).await?;
    let query = tx.query(&IS_THERE).bind(call.key.clone());
    if tx.maybe(query).await?.is_some() {
        return Ok(None);
    }
    let since = call.at.plus_ms(-DAY_MS).micros();
    let in_a_day = tx.query(&IN_A_DAY).bind(since);
    let mut spent = Spent { destroyed_in_a_day: number(tx, in_a_day).await?, ..Spent::default() };
    if let Some(incident) = call.incident {
        let in_incident = tx.query(&IN_INCIDENT).bind(incident.to_string());
        spent.destroyed_in_incident = number(tx, in_incident).await?;
        let evidence = tx.query(&EVIDENCE).bind(incident.to_string());
        spent.evidence = Some(number(tx, evidence).await?);
    }
    for resource in &call.resources {
        let query = tx.query(&LAST).bind(resource.clone()).bind(call.run.to_string());
        let Some(row) = tx.maybe(query).await? else { continue };
        if let Some(at) = Row::of("guarded_resources", &row).time_opt("at")? {
            spent.changed.push((resource.clone(), at));
        }
    }
    Ok(Some(spent))
}

/// Counts a call, once.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn count(tx: &mut Tx<'_>, call: &Guarded) -> Result<(), StoreError> {
    let query = tx
        .query(&INSERT)
        .bind(call.key.clone())
        .bind(call.run.to_string())
        .bind(call.incident.map(|id| id.to_string()))
        .bind(call.effect.as_str())
        .bind(call.at.micros());
    tx.run(query).await?;
    for resource in &call.resources {
        let query = tx
            .query(&INSERT_RESOURCE)
            .bind(resource.clone())
            .bind(call.key.clone())
            .bind(call.run.to_string())
            .bind(call.at.micros());
        tx.run(query).await?;
    }
    Ok(())
}

async fn number(tx: &mut Tx<'_>, query: Bound) -> Result<u32, StoreError> {
    let row = tx.one(query).await?;
    Row::of("guarded_calls", &row).count("n")
}
