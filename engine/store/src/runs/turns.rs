//! Whose turn it is: what waits to be claimed, by kind, and who is admitted to a limit that runs
//! share.
//!
//! A run with a limit is admitted once, before it is first claimed, and counts until it has ended,
//! wherever it is and whatever becomes of the node that works on it.

use stanch_engine_core::id::RunId;
use stanch_engine_core::time::Timestamp;
use stanch_engine_core::turn::Waiting;

use crate::error::StoreError;
use crate::row::Row;
use crate::settings;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

/// The gates that runs wait at and that have room: how many are admitted, and how many may be. The gates
/// are found one after the other, each by the index; what waits at them is not looked at. Those that are paused
/// there do not wait.
macro_rules! room {
    () => {
        "WITH RECURSIVE gates (gate) AS (\
         SELECT MIN(f.gate) FROM runs f \
         WHERE f.gate IS NOT NULL AND f.admitted_at IS NULL AND f.finished_at IS NULL AND f.status <> 'paused' \
         UNION ALL \
         SELECT (SELECT MIN(n.gate) FROM runs n \
          WHERE n.gate > g.gate AND n.admitted_at IS NULL AND n.finished_at IS NULL AND n.status <> 'paused') \
         FROM gates g WHERE g.gate IS NOT NULL), \
         counted (gate, held, most) AS MATERIALIZED (\
         SELECT g.gate, \
         (SELECT COUNT(*) FROM runs h \
          WHERE h.gate = g.gate AND h.admitted_at IS NOT NULL AND h.finished_at IS NULL), \
         (SELECT MAX(m.gate_max) FROM runs m \
          WHERE m.gate = g.gate AND m.admitted_at IS NULL AND m.finished_at IS NULL AND m.status <> 'paused') \
         FROM gates g WHERE g.gate IS NOT NULL), \
         room (gate, held, most) AS (\
         SELECT c.gate, c.held, c.most FROM counted c WHERE c.held < c.most) "
    };
}

// Those that are admitted have the first places of their gate. Of the others, the earlier it came and the
// more urgent it is, the sooner: a level counts as so much waiting, `limits::LEVEL_MS` in microseconds.
// It is written out, since an index has to have the same text.
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
        (concat!(room!(), "SELECT CASE WHEN EXISTS (SELECT 1 FROM room) THEN 1 ELSE 0 END AS n"));
    // The first place of a gate is behind those that are admitted; each next one is behind the last.
    ADMISSIBLE =
        (concat!(
            room!(),
            ", places (gate, place, most, id) AS (\
             SELECT o.gate, o.held + 1, o.most, \
             (SELECT w.id FROM runs w \
              WHERE w.gate = o.gate AND w.admitted_at IS NULL AND w.finished_at IS NULL AND w.status <> 'paused' \
              ORDER BY w.created_at - w.level * 900000000, w.id LIMIT 1) \
             FROM room o \
             UNION ALL \
             SELECT p.gate, p.place + 1, p.most, COALESCE(\
             (SELECT w.id FROM runs w \
              WHERE w.gate = p.gate AND w.admitted_at IS NULL AND w.finished_at IS NULL AND w.status <> 'paused' \
              AND w.created_at - w.level * 900000000 = \
                (SELECT l.created_at - l.level * 900000000 FROM runs l WHERE l.id = p.id) \
              AND w.id > p.id ORDER BY w.id LIMIT 1), \
             (SELECT w.id FROM runs w \
              WHERE w.gate = p.gate AND w.admitted_at IS NULL AND w.finished_at IS NULL AND w.status <> 'paused' \
              AND w.created_at - w.level * 900000000 > \
                (SELECT l.created_at - l.level * 900000000 FROM runs l WHERE l.id = p.id) \
              ORDER BY w.created_at - w.level * 900000000, w.id LIMIT 1)) \
             FROM places p WHERE p.place < p.most AND p.id IS NOT NULL) \
             SELECT p.id AS id FROM places p \
             WHERE p.place <= (SELECT r.gate_max FROM runs r WHERE r.id = p.id AND r.status = 'queued')"
        ));
    ADMIT = {
        sqlite:
            "UPDATE runs SET admitted_at = $2 \
             WHERE admitted_at IS NULL AND finished_at IS NULL AND status = 'queued' \
             AND id IN (SELECT value FROM json_each($1))",
        postgres:
            "UPDATE runs SET admitted_at = $2 \
             WHERE admitted_at IS NULL AND finished_at IS NULL AND status = 'queued' \
             AND id = ANY (ARRAY(SELECT json_array_elements_text(CAST(CAST($1 AS TEXT) AS json))))",
    };
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
/// playbook has changed; [`admit`] is not: each run holds to the limit that it came with.
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
    let query = tx.query(&ADMISSIBLE);
    let admissible = tx.all(query).await?;
    let ids: Result<Vec<String>, _> =
        admissible.iter().map(|row| Row::of("runs", row).text("id")).collect();
    let ids = ids?;
    if ids.is_empty() {
        return Ok(0);
    }
    let query = tx.query(&ADMIT).bind(serde_json::json!(ids).to_string()).bind(now.micros());
    tx.run(query).await
}

/// Admits a run that is only to be ended.
pub(crate) async fn let_in(tx: &mut Tx<'_>, run: RunId, now: Timestamp) -> Result<(), StoreError> {
    let query = tx.query(&LET_IN).bind(run.to_string()).bind(now.micros());
    tx.run(query).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use stanch_engine_core::limits;

    use super::*;

    #[test]
    fn a_level_counts_as_in_the_order_of_claims() {
        let text = ADMISSIBLE.sqlite;
        let expected = format!("level * {}", limits::LEVEL_MS * 1_000);
        assert_eq!(text.matches("level * ").count(), text.matches(&expected).count());
        let migration = include_str!("../../../../migrations/0029_turns_by_index.sql");
        assert!(migration.contains(&expected), "{expected}");
    }
}
