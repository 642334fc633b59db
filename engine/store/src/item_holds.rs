//! Which items are held in their bucket, since an incident that they belong to is.

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    TO_HOLD =
        "SELECT DISTINCT e.sha256 AS sha256 FROM holds h \
         JOIN evidence e ON e.incident_id = h.incident_id \
         WHERE NOT EXISTS (SELECT 1 FROM item_holds i WHERE i.sha256 = e.sha256) \
         ORDER BY e.sha256 LIMIT $1";
    TO_LET_GO =
        "SELECT i.sha256 AS sha256 FROM item_holds i \
         WHERE NOT EXISTS (SELECT 1 FROM evidence e JOIN holds h ON h.incident_id = e.incident_id \
         WHERE e.sha256 = i.sha256) ORDER BY i.sha256 LIMIT $1";
    HELD =
        "INSERT INTO item_holds (sha256, held_at) VALUES ($1, $2) ON CONFLICT (sha256) DO NOTHING";
    LET_GO = "DELETE FROM item_holds WHERE sha256 = $1";
}

/// Items of incidents that are held, and that are not held in their bucket yet; at most `limit`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn to_hold(conn: &mut Conn<'_>, limit: u32) -> Result<Vec<Sha256>, StoreError> {
    let query = conn.query(&TO_HOLD).bind(i64::from(limit));
    conn.all(query).await?.iter().map(|row| Row::of("evidence", row).word("sha256")).collect()
}

/// Items that are held in their bucket and belong to no incident any more that is held; at most
/// `limit`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn to_let_go(conn: &mut Conn<'_>, limit: u32) -> Result<Vec<Sha256>, StoreError> {
    let query = conn.query(&TO_LET_GO).bind(i64::from(limit));
    conn.all(query).await?.iter().map(|row| Row::of("item_holds", row).word("sha256")).collect()
}

/// Notes that an item is held in its bucket.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn held(tx: &mut Tx<'_>, item: Sha256, at: Timestamp) -> Result<(), StoreError> {
    let query = tx.query(&HELD).bind(item.to_string()).bind(at.micros());
    tx.run(query).await.map(drop)
}

/// Notes that an item is held no more.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn let_go(tx: &mut Tx<'_>, item: Sha256) -> Result<(), StoreError> {
    let query = tx.query(&LET_GO).bind(item.to_string());
    tx.run(query).await.map(drop)
}
