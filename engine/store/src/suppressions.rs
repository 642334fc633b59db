//! What people want to hear nothing of for a while.

use stanch_engine_core::id::SuppressionId;
use stanch_engine_core::json::Json;
use stanch_engine_core::suppression::Suppression;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    INSERT =
        "INSERT INTO suppressions (id, kind, filter, reason, created_by, created_at, starts_at, expires_at, \
         count) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)";
    OPEN =
        "SELECT * FROM suppressions WHERE expires_at > $1 AND ended_at IS NULL ORDER BY id LIMIT $2";
    GET = "SELECT * FROM suppressions WHERE id = $1";
    LIST =
        "SELECT * FROM suppressions WHERE (CAST($1 AS TEXT) IS NULL OR id < $1) \
         AND ($2 = 0 OR (expires_at > $3 AND ended_at IS NULL)) ORDER BY id DESC LIMIT $4";
    END =
        "UPDATE suppressions SET ended_at = $2, ended_by = $3 \
         WHERE id = $1 AND ended_at IS NULL AND expires_at > $2";
    COUNT = "UPDATE suppressions SET count = count + 1, last_at = $2 WHERE id = $1";
}

/// Inserts one.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(tx: &mut Tx<'_>, it: &Suppression) -> Result<(), StoreError> {
    let query = tx
        .query(&INSERT)
        .bind(it.id.to_string())
        .bind(it.kind.as_str())
        .bind(Json::of(&it.filter).as_str().to_owned())
        .bind(it.reason.clone())
        .bind(it.created_by.clone())
        .bind(it.created_at.micros())
        .bind(it.starts_at.micros())
        .bind(it.expires_at.micros());
    tx.run(query).await?;
    Ok(())
}

/// Those that hold now or are still to begin, the oldest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn open(
    conn: &mut Conn<'_>,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Suppression>, StoreError> {
    let query = conn.query(&OPEN).bind(now.micros()).bind(i64::from(limit));
    conn.all(query).await?.iter().map(|row| read(&Row::of("suppressions", row))).collect()
}

/// One of them.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn get(
    conn: &mut Conn<'_>,
    id: SuppressionId,
) -> Result<Option<Suppression>, StoreError> {
    let row = conn.maybe(conn.query(&GET).bind(id.to_string())).await?;
    row.map(|row| read(&Row::of("suppressions", &row))).transpose()
}

/// Suppressions, the newest first; with `only_open`, those that hold now or are still to begin.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    conn: &mut Conn<'_>,
    before: Option<SuppressionId>,
    only_open: bool,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Suppression>, StoreError> {
    let query = conn
        .query(&LIST)
        .bind(before.map(|id| id.to_string()))
        .bind(i64::from(only_open))
        .bind(now.micros())
        .bind(i64::from(limit));
    conn.all(query).await?.iter().map(|row| read(&Row::of("suppressions", row))).collect()
}

/// Ends one; false when it is over or not there.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn end(
    tx: &mut Tx<'_>,
    id: SuppressionId,
    by: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let query = tx.query(&END).bind(id.to_string()).bind(now.micros()).bind(by.to_owned());
    Ok(tx.run(query).await? == 1)
}

/// Counts a delivery that it kept quiet.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn count(tx: &mut Tx<'_>, id: SuppressionId, now: Timestamp) -> Result<(), StoreError> {
    let query = tx.query(&COUNT).bind(id.to_string()).bind(now.micros());
    tx.run(query).await?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Suppression, StoreError> {
    let ended_at = row.time_opt("ended_at")?;
    Ok(Suppression {
        id: row.word("id")?,
        kind: row.word("kind")?,
        filter: row.parsed("filter")?,
        reason: row.text("reason")?,
        created_by: row.text("created_by")?,
        created_at: row.time("created_at")?,
        starts_at: row.time("starts_at")?,
        expires_at: row.time("expires_at")?,
        ended: ended_at.zip(row.text_opt("ended_by")?),
        count: row.count("count")?.into(),
        last_at: row.time_opt("last_at")?,
    })
}
