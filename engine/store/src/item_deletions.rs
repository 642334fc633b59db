//! Items of evidence that have been kept for as long as they are kept, and bytes that are to go.

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::evidence::{self, Item};
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    DUE =
        "SELECT DISTINCT e.sha256 AS sha256 FROM evidence e \
         JOIN incidents i ON i.id = e.incident_id AND i.status = 'closed' \
         JOIN milestones m ON m.incident_id = i.id AND m.milestone = 'closed_at' AND m.at < $1 \
         WHERE e.deleted_at IS NULL \
         AND NOT EXISTS (SELECT 1 FROM run_items r WHERE r.sha256 = e.sha256) \
         AND NOT EXISTS (SELECT 1 FROM evidence o WHERE o.sha256 = e.sha256 AND o.deleted_at IS NULL \
         AND ((o.run_id IS NOT NULL AND o.step IS NULL AND o.captured_by = 'retention') \
         OR o.captured_at >= $1 OR EXISTS (SELECT 1 FROM holds h WHERE h.incident_id = o.incident_id) \
         OR EXISTS (SELECT 1 FROM alerts a WHERE a.incident_id = o.incident_id AND a.last_received_at >= $1) \
         OR NOT EXISTS (SELECT 1 FROM incidents oi JOIN milestones om ON om.incident_id = oi.id \
         AND om.milestone = 'closed_at' AND om.at < $1 WHERE oi.id = o.incident_id AND oi.status = 'closed'))) \
         ORDER BY e.sha256 LIMIT $2";
    KEPT =
        "SELECT (SELECT COUNT(*) FROM run_items r WHERE r.sha256 = $2) + (SELECT COUNT(*) FROM evidence o \
         WHERE o.sha256 = $2 AND o.deleted_at IS NULL \
         AND ((o.run_id IS NOT NULL AND o.step IS NULL AND o.captured_by = 'retention') \
         OR o.captured_at >= $1 OR EXISTS (SELECT 1 FROM holds h WHERE h.incident_id = o.incident_id) \
         OR EXISTS (SELECT 1 FROM alerts a WHERE a.incident_id = o.incident_id AND a.last_received_at >= $1) \
         OR NOT EXISTS (SELECT 1 FROM incidents oi JOIN milestones om ON om.incident_id = oi.id \
         AND om.milestone = 'closed_at' AND om.at < $1 WHERE oi.id = o.incident_id AND oi.status = 'closed'))) AS n";
    ROWS = "SELECT * FROM evidence WHERE sha256 = $1 AND deleted_at IS NULL ORDER BY id";
    MARK = "UPDATE evidence SET deleted_at = $2 WHERE sha256 = $1 AND deleted_at IS NULL";
    BEGIN =
        "INSERT INTO item_deletions (sha256, deleted_at) VALUES ($1, $2) \
         ON CONFLICT (sha256) DO UPDATE SET deleted_at = $2, aside_at = NULL";
    PENDING = "SELECT sha256, aside_at FROM item_deletions ORDER BY sha256";
    NEEDED =
        "SELECT (SELECT COUNT(*) FROM run_items r WHERE r.sha256 = $1) \
         + (SELECT COUNT(*) FROM evidence e WHERE e.sha256 = $1 AND e.deleted_at IS NULL) AS n";
    ASIDE = "UPDATE item_deletions SET aside_at = $2 WHERE sha256 = $1";
    END = "DELETE FROM item_deletions WHERE sha256 = $1";
}

/// Bytes that are to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Which.
    pub item: Sha256,
    /// Since when they are set aside.
    pub aside_at: Option<Timestamp>,
}

/// Items that belong to nothing but incidents that were closed before a time and are under no hold, that
/// were all there by then, and that no journal needs; at most `limit`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn due(
    conn: &mut Conn<'_>,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<Sha256>, StoreError> {
    let query = conn.query(&DUE).bind(before.micros()).bind(i64::from(limit));
    conn.all(query).await?.iter().map(|row| Row::of("evidence", row).word("sha256")).collect()
}

/// Whether something keeps an item after all.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn is_kept(
    conn: &mut Conn<'_>,
    item: Sha256,
    before: Timestamp,
) -> Result<bool, StoreError> {
    let row = conn.one(conn.query(&KEPT).bind(before.micros()).bind(item.to_string())).await?;
    Ok(Row::of("evidence", &row).int("n")? > 0)
}

/// The rows of an item that was not deleted.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn rows(conn: &mut Conn<'_>, item: Sha256) -> Result<Vec<Item>, StoreError> {
    let query = conn.query(&ROWS).bind(item.to_string());
    conn.all(query).await?.iter().map(|row| evidence::read(&Row::of("evidence", row))).collect()
}

/// Notes that an item is deleted, and that its bytes are to go.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn begin(tx: &mut Tx<'_>, item: Sha256, at: Timestamp) -> Result<(), StoreError> {
    for statement in [&MARK, &BEGIN] {
        let query = tx.query(statement).bind(item.to_string()).bind(at.micros());
        tx.run(query).await?;
    }
    Ok(())
}

/// All bytes that are to go.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn pending(conn: &mut Conn<'_>) -> Result<Vec<Pending>, StoreError> {
    let query = conn.query(&PENDING);
    let read = |row| {
        let row = Row::of("item_deletions", row);
        Ok(Pending { item: row.word("sha256")?, aside_at: row.time_opt("aside_at")? })
    };
    conn.all(query).await?.iter().map(read).collect()
}

/// Whether anything needs the bytes of an item.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn is_needed(conn: &mut Conn<'_>, item: Sha256) -> Result<bool, StoreError> {
    let row = conn.one(conn.query(&NEEDED).bind(item.to_string())).await?;
    Ok(Row::of("evidence", &row).int("n")? > 0)
}

/// Notes that bytes are set aside.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn aside(tx: &mut Tx<'_>, item: Sha256, at: Timestamp) -> Result<(), StoreError> {
    let query = tx.query(&ASIDE).bind(item.to_string()).bind(at.micros());
    tx.run(query).await.map(drop)
}

/// Notes that bytes are gone, or needed again.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn end(tx: &mut Tx<'_>, item: Sha256) -> Result<(), StoreError> {
    let query = tx.query(&END).bind(item.to_string());
    tx.run(query).await.map(drop)
}
