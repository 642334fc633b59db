//! Payloads that could not be read, kept byte for byte.

use stanch_engine_core::id::DeadLetterId;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    INSERT =
        "INSERT INTO dead_letters (id, source, received_at, reason, body) VALUES ($1, $2, $3, $4, $5)";
    LIST =
        "SELECT * FROM dead_letters WHERE (CAST($1 AS TEXT) IS NULL OR id < $1) \
         AND ($2 = 0 OR replayed_at IS NULL) ORDER BY id DESC LIMIT $3";
    GET = "SELECT * FROM dead_letters WHERE id = $1";
    REPLAYED = "UPDATE dead_letters SET replayed_at = $2, replayed_by = $3 WHERE id = $1";
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its id.
    pub id: DeadLetterId,
    /// The source that it was sent to.
    pub source: String,
    /// When.
    pub received_at: Timestamp,
    /// Why it could not be read.
    pub reason: String,
    /// Its bytes, in base64.
    pub body_base64: String,
    /// When all of it was read after all, and who had it read.
    pub replayed: Option<(Timestamp, String)>,
}

/// Keeps a payload.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(tx: &mut Tx<'_>, letter: &DeadLetter) -> Result<(), StoreError> {
    let query = tx
        .query(&INSERT)
        .bind(letter.id.to_string())
        .bind(letter.source.clone())
        .bind(letter.received_at.micros())
        .bind(letter.reason.clone())
        .bind(letter.body_base64.clone());
    tx.run(query).await?;
    Ok(())
}

/// Dead letters, the newest first; all of them, or those that were never read.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    conn: &mut Conn<'_>,
    before: Option<DeadLetterId>,
    only_open: bool,
    limit: u32,
) -> Result<Vec<DeadLetter>, StoreError> {
    let query = conn
        .query(&LIST)
        .bind(before.map(|id| id.to_string()))
        .bind(i64::from(only_open))
        .bind(i64::from(limit));
    conn.all(query).await?.iter().map(|row| read(&Row::of("dead_letters", row))).collect()
}

/// One dead letter.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn get(conn: &mut Conn<'_>, id: DeadLetterId) -> Result<Option<DeadLetter>, StoreError> {
    let row = conn.maybe(conn.query(&GET).bind(id.to_string())).await?;
    row.map(|row| read(&Row::of("dead_letters", &row))).transpose()
}

/// Notes that all of it was read after all.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn replayed(
    tx: &mut Tx<'_>,
    id: DeadLetterId,
    by: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let query = tx.query(&REPLAYED).bind(id.to_string()).bind(now.micros()).bind(by.to_owned());
    tx.run(query).await?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<DeadLetter, StoreError> {
    let replayed_at = row.time_opt("replayed_at")?;
    Ok(DeadLetter {
        id: row.word("id")?,
        source: row.text("source")?,
        received_at: row.time("received_at")?,
        reason: row.text("reason")?,
        body_base64: row.text("body")?,
        replayed: replayed_at.zip(row.text_opt("replayed_by")?),
    })
}
