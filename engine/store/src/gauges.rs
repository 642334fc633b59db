//! How much of what waits there is: read when somebody asks for metrics, from indexes that are there.

use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::Conn;

statements! {
    QUEUED = "SELECT COUNT(*) AS n, MIN(created_at) AS at FROM runs WHERE status = 'queued'";
    RUNNING = "SELECT COUNT(*) AS n FROM runs WHERE status = 'running'";
    SLEEPING = "SELECT COUNT(*) AS n FROM runs WHERE status = 'waiting' AND wake_at IS NOT NULL";
    RESTING =
        "SELECT status, COUNT(*) AS n FROM runs WHERE status IN ('parked', 'paused') GROUP BY status";
    APPROVALS = "SELECT requested_at AS at FROM approvals WHERE status = 'pending'";
    PAGES = "SELECT COUNT(*) AS n FROM pages WHERE taken_at IS NULL";
    SCHEMA = "SELECT MAX(version) AS version FROM _sqlx_migrations";
    DEAD_LETTERS = "SELECT COUNT(*) AS n FROM dead_letters WHERE replayed_at IS NULL";
}

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Runs that wait for a node.
    pub queued: i64,
    /// Since when the oldest of them does.
    pub queued_since: Option<Timestamp>,
    /// Runs that a node works on.
    pub running: i64,
    /// Runs that wait until a time, at the latest.
    pub sleeping: i64,
    /// Runs that can't go on until a person has looked at them.
    pub parked: i64,
    /// Runs that a person stopped for a while.
    pub paused: i64,
    /// Since when each open question to people waits.
    pub approvals_since: Vec<Timestamp>,
    /// Pages that nobody took.
    pub pages: i64,
    /// Payloads that could not be read, and were not replayed.
    pub dead_letters: i64,
}

/// Counts.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn read(conn: &mut Conn<'_>) -> Result<Gauges, StoreError> {
    let row = conn.one(conn.query(&QUEUED)).await?;
    let row = Row::of("runs", &row);
    let (queued, queued_since) = (row.int("n")?, row.time_opt("at")?);
    let mut gauges = Gauges { queued, queued_since, ..Gauges::default() };
    let row = conn.one(conn.query(&RUNNING)).await?;
    gauges.running = Row::of("runs", &row).int("n")?;
    let row = conn.one(conn.query(&SLEEPING)).await?;
    gauges.sleeping = Row::of("runs", &row).int("n")?;
    for row in conn.all(conn.query(&RESTING)).await? {
        let row = Row::of("runs", &row);
        match row.text("status")?.as_str() {
            "parked" => gauges.parked = row.int("n")?,
            _ => gauges.paused = row.int("n")?,
        }
    }
    let rows = conn.all(conn.query(&APPROVALS)).await?;
    let since = rows.iter().map(|row| Row::of("approvals", row).time("at"));
    gauges.approvals_since = since.collect::<Result<_, _>>()?;
    let row = conn.one(conn.query(&PAGES)).await?;
    gauges.pages = Row::of("pages", &row).int("n")?;
    let row = conn.one(conn.query(&DEAD_LETTERS)).await?;
    gauges.dead_letters = Row::of("dead_letters", &row).int("n")?;
    Ok(gauges)
}

/// The last migration that was applied to the database.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn schema(conn: &mut Conn<'_>) -> Result<i64, StoreError> {
    let row = conn.one(conn.query(&SCHEMA)).await?;
    Row::of("_sqlx_migrations", &row).int("version")
}

/// The last migration that this version knows.
pub fn known_schema() -> i64 {
    crate::open::newest()
}
