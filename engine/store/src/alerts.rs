//! Alerts, one row each however often they are delivered.

use stanch_engine_core::alert::{Alert, AlertStatus, AlertVersion, believed};
use stanch_engine_core::id::{AlertId, IncidentId, SuppressionId};
use stanch_engine_core::json::Json;
use stanch_engine_core::severity::Severity;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Bound, Conn, Tx};

statements! {
    FIND = "SELECT * FROM alerts WHERE dedup_key = $1";
    GET = "SELECT * FROM alerts WHERE id = $1";
    INSERT =
        "INSERT INTO alerts (id, dedup_key, incident_id, source, kind, title, severity, status, account, \
         region, is_sample, count, updated_at, received_at, last_received_at, deliveries, body, \
         suppressed_by, joined) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, 1, $15, $16, $17)";
    UPDATE =
        "UPDATE alerts SET incident_id = $2, kind = $3, title = $4, severity = $5, status = $6, \
         count = $7, updated_at = $8, last_received_at = $9, deliveries = deliveries + 1, body = $10, \
         suppressed_by = $11, joined = COALESCE($12, joined) WHERE id = $1";
    DELIVERED_AGAIN =
        "UPDATE alerts SET deliveries = deliveries + 1, last_received_at = $2 WHERE id = $1";
    LIST =
        "SELECT * FROM alerts WHERE (CAST($1 AS TEXT) IS NULL OR id < $1) \
         AND (CAST($2 AS TEXT) IS NULL OR source = $2) \
         AND (CAST($3 AS TEXT) IS NULL OR status = $3 OR ($3 = 'suppressed' AND suppressed_by IS NOT NULL)) \
         ORDER BY id DESC LIMIT $4";
    OF_INCIDENT = "SELECT * FROM alerts WHERE incident_id = $1 ORDER BY id";
    MOVE = "UPDATE alerts SET incident_id = $2, joined = $3 WHERE id = $1";
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredAlert {
    /// Its id.
    pub id: AlertId,
    /// The incident that it is a part of; none while it is kept quiet, and where it was over when it
    /// first came.
    pub incident: Option<IncidentId>,
    /// What keeps it quiet.
    pub suppressed_by: Option<SuppressionId>,
    /// Why it is in its incident; nothing when the incident began with it.
    pub joined: Option<Json>,
    /// The label that it had at its last version.
    pub severity: Severity,
    /// Which version is stored.
    pub version: AlertVersion,
    /// When it first came.
    pub received_at: Timestamp,
    /// When it last came.
    pub last_received_at: Timestamp,
    /// How often it came.
    pub deliveries: u32,
    /// The alert itself.
    pub alert: Alert,
}

/// Where an alert is put.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    /// The incident.
    pub incident: Option<IncidentId>,
    /// What keeps it quiet.
    pub suppressed_by: Option<SuppressionId>,
    /// Why it is in its incident; on an update, nothing leaves it as it was.
    pub joined: Option<Json>,
}

/// The stored alert with this key.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(conn: &mut Conn<'_>, dedup_key: &str) -> Result<Option<StoredAlert>, StoreError> {
    let row = conn.maybe(conn.query(&FIND).bind(dedup_key.to_owned())).await?;
    row.map(|row| read(&Row::of("alerts", &row))).transpose()
}

/// One alert.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn get(conn: &mut Conn<'_>, id: AlertId) -> Result<Option<StoredAlert>, StoreError> {
    let row = conn.maybe(conn.query(&GET).bind(id.to_string())).await?;
    row.map(|row| read(&Row::of("alerts", &row))).transpose()
}

/// Inserts an alert that came for the first time.
///
/// # Errors
/// [`StoreError::Conflict`] when its key is there already.
pub async fn insert(
    tx: &mut Tx<'_>,
    id: AlertId,
    place: &Place,
    alert: &Alert,
    now: Timestamp,
) -> Result<(), StoreError> {
    let query = tx
        .query(&INSERT)
        .bind(id.to_string())
        .bind(alert.dedup_key.clone())
        .bind(place.incident.map(|id| id.to_string()))
        .bind(alert.source.clone())
        .bind(alert.kind.clone())
        .bind(alert.title.clone())
        .bind(alert.severity.as_str())
        .bind(alert.status.as_str())
        .bind(alert.account.clone())
        .bind(alert.region.clone())
        .bind(i64::from(alert.is_sample()))
        .bind(alert.count.and_then(|count| i64::try_from(count).ok()))
        .bind(alert.version(now).updated_at.map(Timestamp::micros))
        .bind(now.micros())
        .bind(body(alert))
        .bind(place.suppressed_by.map(|id| id.to_string()))
        .bind(place.joined.as_ref().map(|why| why.as_str().to_owned()));
    tx.run(query).await?;
    Ok(())
}

/// Replaces an alert by a later version of it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn update(
    tx: &mut Tx<'_>,
    id: AlertId,
    place: &Place,
    alert: &Alert,
    now: Timestamp,
) -> Result<(), StoreError> {
    let query = tx
        .query(&UPDATE)
        .bind(id.to_string())
        .bind(place.incident.map(|id| id.to_string()))
        .bind(alert.kind.clone())
        .bind(alert.title.clone())
        .bind(alert.severity.as_str())
        .bind(alert.status.as_str())
        .bind(alert.count.and_then(|count| i64::try_from(count).ok()))
        .bind(alert.version(now).updated_at.map(Timestamp::micros))
        .bind(now.micros())
        .bind(body(alert))
        .bind(place.suppressed_by.map(|id| id.to_string()))
        .bind(place.joined.as_ref().map(|why| why.as_str().to_owned()));
    tx.run(query).await?;
    Ok(())
}

/// An alert as it is kept: its payload is text already, which goes in as it is.
fn body(alert: &Alert) -> String {
    serde_json::to_string(alert).unwrap_or_else(|_| Json::null().to_string())
}

/// Counts a delivery that says nothing new.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn delivered_again(
    tx: &mut Tx<'_>,
    id: AlertId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let query = tx.query(&DELIVERED_AGAIN).bind(id.to_string()).bind(now.micros());
    tx.run(query).await?;
    Ok(())
}

/// Puts an alert into another incident, because a person says so.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn move_to(
    tx: &mut Tx<'_>,
    id: AlertId,
    incident: IncidentId,
    why: &Json,
) -> Result<(), StoreError> {
    let query = tx
        .query(&MOVE)
        .bind(id.to_string())
        .bind(incident.to_string())
        .bind(why.as_str().to_owned());
    tx.run(query).await?;
    Ok(())
}

/// Alerts, the newest first; those that are kept quiet are `suppressed` too.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    conn: &mut Conn<'_>,
    before: Option<AlertId>,
    source: Option<String>,
    status: Option<AlertStatus>,
    limit: u32,
) -> Result<Vec<StoredAlert>, StoreError> {
    let query = conn
        .query(&LIST)
        .bind(before.map(|id| id.to_string()))
        .bind(source)
        .bind(status.map(|status| status.as_str().to_owned()))
        .bind(i64::from(limit));
    rows(conn, query).await
}

/// The alerts of an incident, the oldest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_incident(
    conn: &mut Conn<'_>,
    incident: IncidentId,
) -> Result<Vec<StoredAlert>, StoreError> {
    let query = conn.query(&OF_INCIDENT).bind(incident.to_string());
    rows(conn, query).await
}

async fn rows(conn: &mut Conn<'_>, query: Bound) -> Result<Vec<StoredAlert>, StoreError> {
    conn.all(query).await?.iter().map(|row| read(&Row::of("alerts", row))).collect()
}

fn read(row: &Row<'_>) -> Result<StoredAlert, StoreError> {
    let alert: Alert = row.parsed("body")?;
    let last_received_at = row.time("last_received_at")?;
    // A row of before may have a time that is still to come.
    let updated_at = row.time_opt("updated_at")?.map(|at| believed(at, last_received_at));
    Ok(StoredAlert {
        id: row.word("id")?,
        incident: row.word_opt("incident_id")?,
        suppressed_by: row.word_opt("suppressed_by")?,
        joined: row.json_opt("joined")?,
        severity: row.word("severity")?,
        version: AlertVersion { updated_at, ..alert.version(last_received_at) },
        received_at: row.time("received_at")?,
        last_received_at,
        deliveries: row.count("deliveries")?,
        alert,
    })
}
