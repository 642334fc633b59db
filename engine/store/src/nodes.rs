//! The processes that take part.

use stanch_engine_core::id::NodeId;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    JOIN = "INSERT INTO nodes (id, started_at, seen_at, version) VALUES ($1, $2, $2, $3)";
    SEEN = "UPDATE nodes SET seen_at = $2 WHERE id = $1";
    LEAVE = "DELETE FROM nodes WHERE id = $1";
    FORGET = "DELETE FROM nodes WHERE seen_at < $1";
    LIST = "SELECT * FROM nodes ORDER BY id";
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its id: another one each time that it starts.
    pub id: NodeId,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last said that it lives.
    pub seen_at: Timestamp,
    /// Its version.
    pub version: String,
}

/// A node takes part from now on.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn join(
    tx: &mut Tx<'_>,
    id: NodeId,
    version: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let query = tx.query(&JOIN).bind(id.to_string()).bind(now.micros()).bind(version.to_owned());
    tx.run(query).await?;
    Ok(())
}

/// A node says that it lives.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn seen(tx: &mut Tx<'_>, id: NodeId, now: Timestamp) -> Result<(), StoreError> {
    let query = tx.query(&SEEN).bind(id.to_string()).bind(now.micros());
    tx.run(query).await?;
    Ok(())
}

/// A node goes in order.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn leave(tx: &mut Tx<'_>, id: NodeId) -> Result<(), StoreError> {
    let query = tx.query(&LEAVE).bind(id.to_string());
    tx.run(query).await?;
    Ok(())
}

/// Forgets the nodes that have said nothing since `before`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn forget(tx: &mut Tx<'_>, before: Timestamp) -> Result<(), StoreError> {
    let query = tx.query(&FORGET).bind(before.micros());
    tx.run(query).await?;
    Ok(())
}

/// Every node.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(conn: &mut Conn<'_>) -> Result<Vec<Node>, StoreError> {
    let read = |row| {
        let row = Row::of("nodes", row);
        Ok(Node {
            id: row.word("id")?,
            started_at: row.time("started_at")?,
            seen_at: row.time("seen_at")?,
            version: row.text("version")?,
        })
    };
    conn.all(conn.query(&LIST)).await?.iter().map(read).collect()
}
