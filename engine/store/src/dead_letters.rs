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
        "SELECT * FROM dead_letters WHERE (CAST($1 AS TEXT) IS NULL OR id < $1) ORDER BY id DESC LIMIT $2";
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

/// Dead letters, the newest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    conn: &mut Conn<'_>,
    before: Option<DeadLetterId>,
    limit: u32,
) -> Result<Vec<DeadLetter>, StoreError> {
    let query = conn.query(&LIST).bind(before.map(|id| id.to_string())).bind(i64::from(limit));
    let read = |row| {
        let row = Row::of("dead_letters", row);
        Ok(DeadLetter {
            id: row.word("id")?,
            source: row.text("source")?,
            received_at: row.time("received_at")?,
            reason: row.text("reason")?,
            body_base64: row.text("body")?,
        })
    };
    conn.all(query).await?.iter().map(read).collect()
}
