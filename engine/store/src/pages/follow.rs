//! Pages whose channels are to be told how they stand now.

use stanch_engine_core::id::{IncidentId, PageId};
use stanch_engine_core::time::Timestamp;

use super::{Page, read};
use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    DUE = "SELECT * FROM pages WHERE follow_at <= $1 ORDER BY follow_at LIMIT $2";
    NEXT = "SELECT MIN(follow_at) AS at FROM pages WHERE follow_at IS NOT NULL";
    CLAIM = "UPDATE pages SET follow_at = $3 WHERE id = $1 AND follow_at = $2";
    DONE = "UPDATE pages SET follow_at = NULL, follow_tries = 0 WHERE id = $1 AND follow_at = $2";
    AGAIN =
        "UPDATE pages SET follow_at = $3, follow_tries = follow_tries + 1 \
         WHERE id = $1 AND follow_at = $2";
    OF_INCIDENT =
        "UPDATE pages SET follow_at = $2, follow_tries = 0 \
         WHERE incident_id = $1 AND taken_at IS NOT NULL";
    IF_TAKEN =
        "UPDATE pages SET follow_at = $2, follow_tries = 0 WHERE id = $1 AND taken_at IS NOT NULL";
}

/// A page to follow.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// The page.
    pub page: Page,
    /// Since when.
    pub follow_at: Timestamp,
    /// How often that was tried.
    pub tries: u32,
}

/// The pages that are to be followed by now.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn due(conn: &mut Conn<'_>, now: Timestamp, limit: u32) -> Result<Vec<Due>, StoreError> {
    let query = conn.query(&DUE).bind(now.micros()).bind(i64::from(limit));
    let read = |row| {
        let row = Row::of("pages", row);
        let (follow_at, tries) = (row.time("follow_at")?, row.count("follow_tries")?);
        Ok(Due { page: read(&row)?, follow_at, tries })
    };
    conn.all(query).await?.iter().map(read).collect()
}

/// When the next page is to be followed.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn next(conn: &mut Conn<'_>) -> Result<Option<Timestamp>, StoreError> {
    let row = conn.one(conn.query(&NEXT)).await?;
    Row::of("pages", &row).time_opt("at")
}

/// Claims a page, so that no other node follows it too; false when another was first, or the page
/// changed. A node that dies with it leaves it to others at `until`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn claim(tx: &mut Tx<'_>, due: &Due, until: Timestamp) -> Result<bool, StoreError> {
    moved(tx, &CLAIM, due.page.id, due.follow_at, until).await
}

/// Notes that every channel knows how a page stands, unless it changed since `claimed_until`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn done(
    tx: &mut Tx<'_>,
    page: PageId,
    claimed_until: Timestamp,
) -> Result<(), StoreError> {
    let query = tx.query(&DONE).bind(page.to_string()).bind(claimed_until.micros());
    tx.run(query).await.map(drop)
}

/// Has a page followed again later, unless it changed since `claimed_until`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn again(
    tx: &mut Tx<'_>,
    page: PageId,
    claimed_until: Timestamp,
    at: Timestamp,
) -> Result<(), StoreError> {
    moved(tx, &AGAIN, page, claimed_until, at).await.map(drop)
}

async fn moved(
    tx: &mut Tx<'_>,
    sql: &crate::sql::Sql,
    page: PageId,
    from: Timestamp,
    to: Timestamp,
) -> Result<bool, StoreError> {
    let query = tx.query(sql).bind(page.to_string()).bind(from.micros()).bind(to.micros());
    Ok(tx.run(query).await? == 1)
}

/// Has a page followed that was taken while it was sent.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn if_taken(tx: &mut Tx<'_>, page: PageId, now: Timestamp) -> Result<(), StoreError> {
    let query = tx.query(&IF_TAKEN).bind(page.to_string()).bind(now.micros());
    tx.run(query).await.map(drop)
}

pub(super) async fn of_incident(
    tx: &mut Tx<'_>,
    incident: IncidentId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let query = tx.query(&OF_INCIDENT).bind(incident.to_string()).bind(now.micros());
    tx.run(query).await.map(drop)
}
