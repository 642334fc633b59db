//! Approvals that one person answered for everybody, and what was said of it afterwards.

use stanch_engine_core::id::{ApprovalId, IncidentId};
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    INSERT =
        "INSERT INTO broken_glass (approval_id, incident_id, title, person, reason, at) \
         VALUES ($1, $2, $3, $4, $5, $6)";
    GET = "SELECT * FROM broken_glass WHERE approval_id = $1";
    LIST =
        "SELECT * FROM broken_glass WHERE (CAST($1 AS TEXT) IS NULL OR approval_id < $1) \
         AND ($2 = 0 OR reviewed_at IS NULL) ORDER BY approval_id DESC LIMIT $3";
    OPEN_OF_INCIDENT =
        "SELECT * FROM broken_glass WHERE incident_id = $1 AND reviewed_at IS NULL ORDER BY approval_id";
    REVIEW =
        "UPDATE broken_glass SET reviewed_at = $2, reviewed_by = $3, review = $4 \
         WHERE approval_id = $1 AND reviewed_at IS NULL AND person <> $3";
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenGlass {
    /// The approval.
    pub approval: ApprovalId,
    /// Its incident.
    pub incident: Option<IncidentId>,
    /// What was asked.
    pub title: String,
    /// Who answered for everybody.
    pub person: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// What somebody else said of it, when, and who.
    pub review: Option<Review>,
}

/// What somebody else said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What.
    pub text: String,
}

/// Writes down that glass was broken.
///
/// # Errors
/// [`StoreError::Conflict`] when it was broken before.
pub async fn insert(tx: &mut Tx<'_>, it: &BrokenGlass) -> Result<(), StoreError> {
    let query = tx
        .query(&INSERT)
        .bind(it.approval.to_string())
        .bind(it.incident.map(|id| id.to_string()))
        .bind(it.title.clone())
        .bind(it.person.clone())
        .bind(it.reason.clone())
        .bind(it.at.micros());
    tx.run(query).await?;
    Ok(())
}

/// What was done about one approval.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn get(conn: &mut Conn<'_>, id: ApprovalId) -> Result<Option<BrokenGlass>, StoreError> {
    let row = conn.maybe(conn.query(&GET).bind(id.to_string())).await?;
    row.map(|row| read(&Row::of("broken_glass", &row))).transpose()
}

/// All of them, the newest first; only those that nobody has reviewed, if that is wanted.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    conn: &mut Conn<'_>,
    before: Option<ApprovalId>,
    is_open: bool,
    limit: u32,
) -> Result<Vec<BrokenGlass>, StoreError> {
    let query = conn
        .query(&LIST)
        .bind(before.map(|id| id.to_string()))
        .bind(i64::from(is_open))
        .bind(i64::from(limit));
    conn.all(query).await?.iter().map(|row| read(&Row::of("broken_glass", row))).collect()
}

/// Those of an incident that nobody has reviewed.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn open_of(
    conn: &mut Conn<'_>,
    incident: IncidentId,
) -> Result<Vec<BrokenGlass>, StoreError> {
    let query = conn.query(&OPEN_OF_INCIDENT).bind(incident.to_string());
    conn.all(query).await?.iter().map(|row| read(&Row::of("broken_glass", row))).collect()
}

/// Somebody else has looked at it; false when it was them, or somebody has before.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn review(tx: &mut Tx<'_>, id: ApprovalId, review: &Review) -> Result<bool, StoreError> {
    let query = tx
        .query(&REVIEW)
        .bind(id.to_string())
        .bind(review.at.micros())
        .bind(review.by.clone())
        .bind(review.text.clone());
    Ok(tx.run(query).await? == 1)
}

fn read(row: &Row<'_>) -> Result<BrokenGlass, StoreError> {
    let review = match row.time_opt("reviewed_at")? {
        Some(at) => Some(Review { at, by: row.text("reviewed_by")?, text: row.text("review")? }),
        None => None,
    };
    Ok(BrokenGlass {
        approval: row.word("approval_id")?,
        incident: row.word_opt("incident_id")?,
        title: row.text("title")?,
        person: row.text("person")?,
        reason: row.text("reason")?,
        at: row.time("at")?,
        review,
    })
}
