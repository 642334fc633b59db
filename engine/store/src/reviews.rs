//! Reviews after incidents.

use stanch_engine_core::id::IncidentId;
use stanch_engine_core::review::Answers;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    GET = "SELECT * FROM reviews WHERE incident_id = $1";
    PUT =
        "INSERT INTO reviews (incident_id, answers, score, reviewed_by, reviewed_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (incident_id) DO UPDATE SET answers = excluded.answers, \
         score = excluded.score, reviewed_by = excluded.reviewed_by, reviewed_at = excluded.reviewed_at, \
         signed_off_by = NULL, signed_off_at = NULL";
    SIGN_OFF = "UPDATE reviews SET signed_off_by = $2, signed_off_at = $3 WHERE incident_id = $1";
    VOID = "UPDATE reviews SET signed_off_by = NULL, signed_off_at = NULL WHERE incident_id = $1";
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// What was answered.
    pub answers: Answers,
    /// Of 100.
    pub score: Option<u32>,
    /// Who answered last.
    pub reviewed_by: String,
    /// When.
    pub reviewed_at: Timestamp,
    /// Who signed it off.
    pub signed_off_by: Option<String>,
    /// When.
    pub signed_off_at: Option<Timestamp>,
}

/// The review of an incident.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn get(conn: &mut Conn<'_>, id: IncidentId) -> Result<Option<Review>, StoreError> {
    let row = conn.maybe(conn.query(&GET).bind(id.to_string())).await?;
    let read = |row| {
        let row = Row::of("reviews", &row);
        Ok(Review {
            answers: row.parsed("answers")?,
            score: row.int_opt("score")?.and_then(|score| u32::try_from(score).ok()),
            reviewed_by: row.text("reviewed_by")?,
            reviewed_at: row.time("reviewed_at")?,
            signed_off_by: row.text_opt("signed_off_by")?,
            signed_off_at: row.time_opt("signed_off_at")?,
        })
    };
    row.map(read).transpose()
}

/// Puts answers in the place of those that were there. What was signed off before is not any more.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn put(
    tx: &mut Tx<'_>,
    id: IncidentId,
    (answers, score): (&Answers, Option<u32>),
    (by, at): (&str, Timestamp),
) -> Result<(), StoreError> {
    let query = tx
        .query(&PUT)
        .bind(id.to_string())
        .bind(serde_json::to_string(answers).unwrap_or_default())
        .bind(score.map(i64::from))
        .bind(by.to_owned())
        .bind(at.micros());
    tx.run(query).await.map(drop)
}

/// Notes who signs it off.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn sign_off(
    tx: &mut Tx<'_>,
    id: IncidentId,
    by: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let query = tx.query(&SIGN_OFF).bind(id.to_string()).bind(by.to_owned()).bind(at.micros());
    tx.run(query).await.map(drop)
}

/// What was signed off is not any more: the incident goes on.
///
/// # Errors
/// [`StoreError`] of the database.
pub(crate) async fn void(tx: &mut Tx<'_>, id: IncidentId) -> Result<(), StoreError> {
    let query = tx.query(&VOID).bind(id.to_string());
    tx.run(query).await.map(drop)
}
