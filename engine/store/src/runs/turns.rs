//! Whose turn it is: what waits to be claimed, by kind, and who is admitted to a limit that runs
//! share.
//!
//! A run with a limit is admitted once, before it is first claimed, and counts until it has ended,
//! wherever it is and whatever becomes of the node that works on it.

use stanch_engine_core::id::RunId;
use stanch_engine_core::limits;
use stanch_engine_core::time::Timestamp;
use stanch_engine_core::turn::Waiting;

use crate::error::StoreError;
use crate::row::Row;
use crate::settings;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    WAITING =
        "SELECT playbook, level, CAST(0 AS BIGINT) AS is_due, COUNT(*) AS n, MIN(updated_at) AS since \
         FROM runs WHERE status = 'queued' AND (gate IS NULL OR admitted_at IS NOT NULL) \
         AND (restored_at IS NULL OR NOT EXISTS (SELECT 1 FROM settings WHERE name = 'halt')) \
         GROUP BY playbook, level \
         UNION ALL \
         SELECT playbook, level, CAST(1 AS BIGINT) AS is_due, COUNT(*) AS n, MIN(wake_at) AS since \
         FROM (SELECT playbook, level, wake_at FROM runs WHERE status = 'waiting' AND wake_at <= $1 \
           AND (restored_at IS NULL OR NOT EXISTS (SELECT 1 FROM settings WHERE name = 'halt')) \
           ORDER BY wake_at LIMIT $2) AS due \
         GROUP BY playbook, level \
         ORDER BY is_due, since, playbook";
    HAS_ADMISSIBLE =
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM \
         (SELECT MAX(gate_max) AS most, COUNT(admitted_at) AS held, COUNT(*) AS n FROM runs \
          WHERE gate IS NOT NULL AND finished_at IS NULL GROUP BY gate) AS gates \
         WHERE held < most AND held < n) THEN 1 ELSE 0 END AS n";
    // Those that are admitted have the first places. Of the others, the earlier it came and the more
    // urgent it is, the sooner: a level counts as so much waiting.
    ADMIT =
        "UPDATE runs SET admitted_at = $1 WHERE id IN (SELECT id FROM \
         (SELECT id, status, admitted_at, gate_max, ROW_NUMBER() OVER (PARTITION BY gate \
           ORDER BY CASE WHEN admitted_at IS NULL THEN 1 ELSE 0 END, created_at - level * $2, id) AS place \
          FROM runs WHERE gate IS NOT NULL AND finished_at IS NULL) AS gated \
         WHERE admitted_at IS NULL AND status = 'queued' AND place <= gate_max)";
    LET_IN =
        "UPDATE runs SET admitted_at = $2 WHERE id = $1 AND gate IS NOT NULL AND admitted_at IS NULL";
}

/// The setting that whoever admits writes first, so that nodes admit one after the other.
const ADMITTING: &str = "admitting";

/// Due runs that are looked at, at most: those that are due the longest.
const DUE: i64 = 2_048;

/// What could be claimed, by kind, the oldest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn waiting(conn: &mut Conn<'_>, now: Timestamp) -> Result<Vec<Waiting>, StoreError> {
    let query = conn.query(&WAITING).bind(now.micros()).bind(DUE);
    let read = |row| {
        let row = Row::of("runs", row);
        Ok(Waiting {
            playbook: row.text("playbook")?,
            level: row.count("level")?,
            is_due: row.flag("is_due")?,
            count: row.count("n")?,
            since: row.time("since")?,
        })
    };
    conn.all(query).await?.iter().map(read).collect()
}

/// Whether a run waits for its limit, and the limit has room. It may be wrong where the limit of a
/// playbook has changed; [`admit`] is not.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn has_admissible(conn: &mut Conn<'_>) -> Result<bool, StoreError> {
    let row = conn.one(conn.query(&HAS_ADMISSIBLE)).await?;
    Row::of("runs", &row).int("n").map(|n| n == 1)
}

/// Admits the runs that their limits have room for, and gives their number.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn admit(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    settings::set(tx, ADMITTING, &now.micros().to_string()).await?;
    let query = tx.query(&ADMIT).bind(now.micros()).bind(limits::LEVEL_MS * 1_000);
    tx.run(query).await
}

/// Admits a run that is only to be ended.
pub(crate) async fn let_in(tx: &mut Tx<'_>, run: RunId, now: Timestamp) -> Result<(), StoreError> {
    let query = tx.query(&LET_IN).bind(run.to_string()).bind(now.micros());
    tx.run(query).await?;
    Ok(())
}
