//! Pages to people.

pub mod follow;

use stanch_engine_core::id::{IncidentId, PageId, RunId};
use stanch_engine_core::json::Json;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    RAISE =
        "INSERT INTO pages (id, dedup_key, incident_id, run_id, code, message, chain, level, deliveries, \
         raised_at, next_at, repeat_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8, $8, $9) \
         ON CONFLICT (dedup_key) DO NOTHING";
    DUE =
        "SELECT * FROM pages WHERE taken_at IS NULL AND next_at <= $1 ORDER BY next_at LIMIT $2";
    NEXT = "SELECT MIN(next_at) AS at FROM pages WHERE taken_at IS NULL AND next_at IS NOT NULL";
    CLAIM =
        "UPDATE pages SET next_at = $3 WHERE id = $1 AND next_at = $2 AND taken_at IS NULL";
    SENT =
        "UPDATE pages SET level = $2, deliveries = deliveries + 1, last_error = $3, next_at = $4 \
         WHERE id = $1 AND taken_at IS NULL";
    RETRY =
        "UPDATE pages SET last_error = $2, next_at = $3 WHERE id = $1 AND taken_at IS NULL";
    RECOUNT =
        "UPDATE incidents SET kpi_version = kpi_version + 1 \
         WHERE id = (SELECT incident_id FROM pages WHERE id = $1)";
    TAKE =
        "UPDATE pages SET taken_at = $2, taken_by = $3, follow_at = $2, follow_tries = 0 \
         WHERE id = $1 AND taken_at IS NULL";
    TAKE_OF_INCIDENT =
        "UPDATE pages SET taken_at = $2, taken_by = $3 WHERE incident_id = $1 AND taken_at IS NULL";
    MOVE = "UPDATE pages SET incident_id = $2 WHERE incident_id = $1";
    // Who took it before stays the one who took it; its channels are told how it stands.
    TAKE_BY_KEYS =
        "UPDATE pages SET taken_by = CASE WHEN taken_at IS NULL THEN $4 ELSE taken_by END, \
         taken_at = COALESCE(taken_at, $3), follow_at = $3, follow_tries = 0 \
         WHERE dedup_key IN ($1, $2)";
    TAKE_ALIKE =
        "UPDATE pages SET taken_at = $2, taken_by = $3 WHERE dedup_key LIKE $1 AND taken_at IS NULL";
    UNDELIVERED =
        "SELECT last_error FROM pages WHERE taken_at IS NULL AND last_error IS NOT NULL LIMIT 1";
    GET = "SELECT * FROM pages WHERE id = $1";
    LIST =
        "SELECT * FROM pages WHERE (CAST($1 AS TEXT) IS NULL OR id < $1) \
         AND ($2 = 0 OR taken_at IS NULL) ORDER BY id DESC LIMIT $3";
    OF_INCIDENT = "SELECT * FROM pages WHERE incident_id = $1 ORDER BY id";
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Its id.
    pub id: PageId,
    /// Equal for what is one page: it is raised once.
    pub dedup_key: String,
    /// The incident that it is about.
    pub incident: Option<IncidentId>,
    /// The run that it is about.
    pub run: Option<RunId>,
    /// The error code whose page says what to do, or `page` when a playbook asked for it.
    pub code: String,
    /// What people are told.
    pub message: String,
    /// Who is told, one after the other.
    pub chain: Vec<String>,
    /// How far up the chain it has come.
    pub level: u32,
    /// How often it went out.
    pub deliveries: u32,
    /// Why the last delivery failed.
    pub last_error: Option<String>,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// The pause until it goes out again, in milliseconds.
    pub repeat_ms: i64,
    /// When it goes out again.
    pub next_at: Option<Timestamp>,
    /// When somebody took it.
    pub taken_at: Option<Timestamp>,
    /// Who.
    pub taken_by: Option<String>,
}

/// Raises a page; it goes out at once. The same key again is the same page.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn raise(tx: &mut Tx<'_>, page: &Page) -> Result<bool, StoreError> {
    let query = tx
        .query(&RAISE)
        .bind(page.id.to_string())
        .bind(page.dedup_key.clone())
        .bind(page.incident.map(|id| id.to_string()))
        .bind(page.run.map(|id| id.to_string()))
        .bind(page.code.clone())
        .bind(page.message.clone())
        .bind(Json::of(&page.chain).as_str().to_owned())
        .bind(page.raised_at.micros())
        .bind(page.repeat_ms);
    Ok(tx.run(query).await? == 1)
}

/// Has the pages of an incident be about another.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn move_to(tx: &mut Tx<'_>, from: IncidentId, to: IncidentId) -> Result<(), StoreError> {
    let query = tx.query(&MOVE).bind(from.to_string()).bind(to.to_string());
    tx.run(query).await?;
    Ok(())
}

/// The pages that are to go out by now.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn due(conn: &mut Conn<'_>, now: Timestamp, limit: u32) -> Result<Vec<Page>, StoreError> {
    let query = conn.query(&DUE).bind(now.micros()).bind(i64::from(limit));
    conn.all(query).await?.iter().map(|row| read(&Row::of("pages", row))).collect()
}

/// When the next page goes out.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn next(conn: &mut Conn<'_>) -> Result<Option<Timestamp>, StoreError> {
    let row = conn.one(conn.query(&NEXT)).await?;
    Row::of("pages", &row).time_opt("at")
}

/// Claims a page that is to go out, so that no other node sends it too; false when another was
/// first. A node that dies with it sends it not: it goes out again at `until`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn claim(tx: &mut Tx<'_>, page: &Page, until: Timestamp) -> Result<bool, StoreError> {
    let query = tx
        .query(&CLAIM)
        .bind(page.id.to_string())
        .bind(page.next_at.map(Timestamp::micros))
        .bind(until.micros());
    Ok(tx.run(query).await? == 1)
}

/// One page.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn get(conn: &mut Conn<'_>, id: PageId) -> Result<Option<Page>, StoreError> {
    let row = conn.maybe(conn.query(&GET).bind(id.to_string())).await?;
    row.map(|row| read(&Row::of("pages", &row))).transpose()
}

/// Why the last delivery of a page that is out failed, if one did.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn undelivered(conn: &mut Conn<'_>) -> Result<Option<String>, StoreError> {
    let row = conn.maybe(conn.query(&UNDELIVERED)).await?;
    row.map(|row| Row::of("pages", &row).text("last_error")).transpose()
}

/// Notes that a page went out, and when it does again.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn sent(
    tx: &mut Tx<'_>,
    id: PageId,
    level: u32,
    error: Option<String>,
    next_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let query = tx
        .query(&SENT)
        .bind(id.to_string())
        .bind(i64::from(level))
        .bind(error)
        .bind(next_at.map(Timestamp::micros));
    tx.run(query).await?;
    // The second delivery goes to the next of the chain.
    if level == 2 {
        let query = tx.query(&RECOUNT).bind(id.to_string());
        tx.run(query).await?;
    }
    Ok(())
}

/// Has a page go out again soon, since it reached nobody.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn retry(
    tx: &mut Tx<'_>,
    id: PageId,
    error: &str,
    next_at: Timestamp,
) -> Result<(), StoreError> {
    let query = tx.query(&RETRY).bind(id.to_string()).bind(error.to_owned()).bind(next_at.micros());
    tx.run(query).await.map(drop)
}

/// Takes a page; false when it was taken before or does not exist.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take(
    tx: &mut Tx<'_>,
    id: PageId,
    person: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let query = tx.query(&TAKE).bind(id.to_string()).bind(now.micros()).bind(person.to_owned());
    Ok(tx.run(query).await? == 1)
}

/// Takes every page of an incident.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take_of_incident(
    tx: &mut Tx<'_>,
    incident: IncidentId,
    person: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let query = tx
        .query(&TAKE_OF_INCIDENT)
        .bind(incident.to_string())
        .bind(now.micros())
        .bind(person.to_owned());
    tx.run(query).await?;
    follow::of_incident(tx, incident, now).await
}

/// Takes the page with a key, if it is out.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take_by_key(
    tx: &mut Tx<'_>,
    key: &str,
    person: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    take_by_keys(tx, [key, key], person, now).await
}

/// Takes the pages with two keys, if they are out.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take_by_keys(
    tx: &mut Tx<'_>,
    [one, other]: [&str; 2],
    person: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let query = tx
        .query(&TAKE_BY_KEYS)
        .bind(one.to_owned())
        .bind(other.to_owned())
        .bind(now.micros())
        .bind(person.to_owned());
    tx.run(query).await.map(drop)
}

/// Pages whose keys begin so are over.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take_by_prefix(
    tx: &mut Tx<'_>,
    prefix: &str,
    person: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let like = format!("{prefix}%");
    let query = tx.query(&TAKE_ALIKE).bind(like).bind(now.micros()).bind(person.to_owned());
    tx.run(query).await.map(drop)
}

/// Pages, the newest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    conn: &mut Conn<'_>,
    before: Option<PageId>,
    only_open: bool,
    limit: u32,
) -> Result<Vec<Page>, StoreError> {
    let query = conn
        .query(&LIST)
        .bind(before.map(|id| id.to_string()))
        .bind(i64::from(only_open))
        .bind(i64::from(limit));
    conn.all(query).await?.iter().map(|row| read(&Row::of("pages", row))).collect()
}

/// The pages of an incident, the oldest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_incident(
    conn: &mut Conn<'_>,
    incident: IncidentId,
) -> Result<Vec<Page>, StoreError> {
    let query = conn.query(&OF_INCIDENT).bind(incident.to_string());
    conn.all(query).await?.iter().map(|row| read(&Row::of("pages", row))).collect()
}

fn read(row: &Row<'_>) -> Result<Page, StoreError> {
    Ok(Page {
        id: row.word("id")?,
        dedup_key: row.text("dedup_key")?,
        incident: row.word_opt("incident_id")?,
        run: row.word_opt("run_id")?,
        code: row.text("code")?,
        message: row.text("message")?,
        chain: row.parsed("chain")?,
        level: row.count("level")?,
        deliveries: row.count("deliveries")?,
        last_error: row.text_opt("last_error")?,
        raised_at: row.time("raised_at")?,
        repeat_ms: row.int("repeat_ms")?,
        next_at: row.time_opt("next_at")?,
        taken_at: row.time_opt("taken_at")?,
        taken_by: row.text_opt("taken_by")?,
    })
}
