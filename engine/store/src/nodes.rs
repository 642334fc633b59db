//! The processes that take part.

use stanch_engine_core::id::NodeId;
use stanch_engine_core::time::Timestamp;

use crate::dialect::Dialect;
use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    JOIN = "INSERT INTO nodes (id, started_at, seen_at, version) VALUES ($1, $2, $2, $3)";
    SEEN = "UPDATE nodes SET seen_at = $2 WHERE id = $1";
    LEAVE = "DELETE FROM nodes WHERE id = $1";
    FORGET = {
        sqlite: "DELETE FROM nodes WHERE seen_at < $1",
        postgres:
            "DELETE FROM nodes WHERE seen_at < $1 \
             AND id = ANY (ARRAY(SELECT id FROM nodes WHERE seen_at < $1 FOR UPDATE SKIP LOCKED))",
    };
    LIST =
        "SELECT n.id AS id, n.started_at AS started_at, n.seen_at AS seen_at, n.version AS version, \
         (SELECT COUNT(*) FROM runs r WHERE r.node_id = n.id AND r.status = 'running') AS runs \
         FROM nodes n ORDER BY n.id";
    OTHERS = "SELECT COUNT(*) AS n FROM nodes WHERE id <> $1 AND seen_at >= $2";
    CLOCK = {
        sqlite: "SELECT CAST(0 AS BIGINT) AS at",
        postgres: "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS at",
    };
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
    /// Runs that it works on.
    pub runs: i64,
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

/// A node says that it lives; false when it was forgotten meanwhile.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn seen(tx: &mut Tx<'_>, id: NodeId, now: Timestamp) -> Result<bool, StoreError> {
    let query = tx.query(&SEEN).bind(id.to_string()).bind(now.micros());
    Ok(tx.run(query).await? == 1)
}

/// How many nodes but this one have said since `since` that they live.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn others(conn: &mut Conn<'_>, id: NodeId, since: Timestamp) -> Result<i64, StoreError> {
    let query = conn.query(&OTHERS).bind(id.to_string()).bind(since.micros());
    let row = conn.one(query).await?;
    Row::of("nodes", &row).int("n")
}

/// The time that leases go by: the database's, which is one for all nodes, however their own
/// clocks stand. On SQLite there is one node, and its own time, `own`, is as good.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn clock(conn: &mut Conn<'_>, own: Timestamp) -> Result<Timestamp, StoreError> {
    if conn.dialect == Dialect::Sqlite {
        return Ok(own);
    }
    let row = conn.one(conn.query(&CLOCK)).await?;
    Row::of("nodes", &row).time("at")
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

/// Forgets the nodes that have said nothing since `before`, but for one that is saying something just now.
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
            runs: row.int("runs")?,
        })
    };
    conn.all(conn.query(&LIST)).await?.iter().map(read).collect()
}
