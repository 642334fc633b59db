//! Whom is told how an incident stands, and when next.

use stanch_engine_core::id::IncidentId;
use stanch_engine_core::json::Json;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    SET =
        "INSERT INTO updates (incident_id, template, recipients, every_ms, said, sent, tries, next_at, \
         set_by, set_at) VALUES ($1, $2, $3, $4, $5, 0, 0, $7, $6, $7) \
         ON CONFLICT (incident_id, template) DO UPDATE SET recipients = excluded.recipients, \
         every_ms = excluded.every_ms, said = excluded.said, tries = 0, last_error = NULL, \
         next_at = excluded.next_at, set_by = excluded.set_by, set_at = excluded.set_at";
    OF_INCIDENT = "SELECT * FROM updates WHERE incident_id = $1 ORDER BY template";
    DUE = "SELECT * FROM updates WHERE next_at <= $1 ORDER BY next_at LIMIT $2";
    NEXT = "SELECT MIN(next_at) AS at FROM updates WHERE next_at IS NOT NULL";
    CLAIM =
        "UPDATE updates SET next_at = $4 WHERE incident_id = $1 AND template = $2 AND next_at = $3";
    SENT =
        "UPDATE updates SET sent = sent + 1, tries = 0, last_error = NULL, last_at = $4, next_at = $5 \
         WHERE incident_id = $1 AND template = $2 AND next_at = $3";
    FAILED =
        "UPDATE updates SET tries = tries + 1, last_error = $4, next_at = $5 \
         WHERE incident_id = $1 AND template = $2 AND next_at = $3";
    HASTEN =
        "UPDATE updates SET next_at = $2 WHERE incident_id = $1 AND next_at IS NOT NULL";
    STOP =
        "UPDATE updates SET next_at = NULL WHERE incident_id = $1 AND next_at IS NOT NULL \
         AND (CAST($2 AS TEXT) IS NULL OR template = $2)";
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// The incident.
    pub incident: IncidentId,
    /// The name of the template.
    pub template: String,
    /// Who is told: `role:NAME`, `oncall:NAME` or a person.
    pub recipients: Vec<String>,
    /// The pause between two, in milliseconds.
    pub every_ms: i64,
    /// What people said last.
    pub said: String,
    /// How many were sent.
    pub sent: u32,
    /// How often the next one was tried.
    pub tries: u32,
    /// Why that failed.
    pub last_error: Option<String>,
    /// When the last one was sent.
    pub last_at: Option<Timestamp>,
    /// When the next one is; nothing when there is none.
    pub next_at: Option<Timestamp>,
    /// Who wants it so.
    pub set_by: String,
    /// Since when.
    pub set_at: Timestamp,
}

/// Has people told from now on; as it is said now, where they were told before.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set(tx: &mut Tx<'_>, it: &Update) -> Result<(), StoreError> {
    let query = tx
        .query(&SET)
        .bind(it.incident.to_string())
        .bind(it.template.clone())
        .bind(Json::of(&it.recipients).as_str().to_owned())
        .bind(it.every_ms)
        .bind(it.said.clone())
        .bind(it.set_by.clone())
        .bind(it.set_at.micros());
    tx.run(query).await.map(drop)
}

/// All of an incident, by template.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_incident(
    conn: &mut Conn<'_>,
    incident: IncidentId,
) -> Result<Vec<Update>, StoreError> {
    let query = conn.query(&OF_INCIDENT).bind(incident.to_string());
    conn.all(query).await?.iter().map(|row| read(&Row::of("updates", row))).collect()
}

/// Those that are to be sent by now.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn due(
    conn: &mut Conn<'_>,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Update>, StoreError> {
    let query = conn.query(&DUE).bind(now.micros()).bind(i64::from(limit));
    conn.all(query).await?.iter().map(|row| read(&Row::of("updates", row))).collect()
}

/// When the next one is to be sent.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn next(conn: &mut Conn<'_>) -> Result<Option<Timestamp>, StoreError> {
    let row = conn.one(conn.query(&NEXT)).await?;
    Row::of("updates", &row).time_opt("at")
}

/// Claims one that is to be sent, so that no other node sends it, too; false when another was first. A
/// node that dies with it leaves it to others at `until`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn claim(tx: &mut Tx<'_>, it: &Update, until: Timestamp) -> Result<bool, StoreError> {
    let query = tx
        .query(&CLAIM)
        .bind(it.incident.to_string())
        .bind(it.template.clone())
        .bind(it.next_at.map(Timestamp::micros))
        .bind(until.micros());
    Ok(tx.run(query).await? == 1)
}

/// Notes that one was sent that was claimed until then, and when the next one is; nothing is noted when
/// people changed it meanwhile.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn sent(
    tx: &mut Tx<'_>,
    (it, claimed_until): (&Update, Timestamp),
    now: Timestamp,
    next_at: Option<Timestamp>,
) -> Result<bool, StoreError> {
    let query = tx
        .query(&SENT)
        .bind(it.incident.to_string())
        .bind(it.template.clone())
        .bind(claimed_until.micros())
        .bind(now.micros())
        .bind(next_at.map(Timestamp::micros));
    Ok(tx.run(query).await? == 1)
}

/// The same of one that was not sent, with why.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn failed(
    tx: &mut Tx<'_>,
    (it, claimed_until): (&Update, Timestamp),
    error: &str,
    next_at: Option<Timestamp>,
) -> Result<bool, StoreError> {
    let query = tx
        .query(&FAILED)
        .bind(it.incident.to_string())
        .bind(it.template.clone())
        .bind(claimed_until.micros())
        .bind(error.to_owned())
        .bind(next_at.map(Timestamp::micros));
    Ok(tx.run(query).await? == 1)
}

/// Has the next ones of an incident sent now.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn hasten(
    tx: &mut Tx<'_>,
    incident: IncidentId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let query = tx.query(&HASTEN).bind(incident.to_string()).bind(now.micros());
    tx.run(query).await.map(drop)
}

/// No more are sent, by this template or by any; false when there were none.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn stop(
    tx: &mut Tx<'_>,
    incident: IncidentId,
    template: Option<&str>,
) -> Result<bool, StoreError> {
    let query = tx.query(&STOP).bind(incident.to_string()).bind(template.map(str::to_owned));
    Ok(tx.run(query).await? > 0)
}

fn read(row: &Row<'_>) -> Result<Update, StoreError> {
    Ok(Update {
        incident: row.word("incident_id")?,
        template: row.text("template")?,
        recipients: row.parsed("recipients")?,
        every_ms: row.int("every_ms")?,
        said: row.text("said")?,
        sent: row.count("sent")?,
        tries: row.count("tries")?,
        last_error: row.text_opt("last_error")?,
        last_at: row.time_opt("last_at")?,
        next_at: row.time_opt("next_at")?,
        set_by: row.text("set_by")?,
        set_at: row.time("set_at")?,
    })
}
