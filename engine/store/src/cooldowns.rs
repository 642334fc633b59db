//! When playbooks were last started because of which resource.

use stanch_engine_core::cooldown::Last;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    GET = "SELECT * FROM trigger_cooldowns WHERE playbook = $1 AND resource_key = $2";
    PUT =
        "INSERT INTO trigger_cooldowns (playbook, resource_key, run_id, severity, started_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (playbook, resource_key) DO UPDATE \
         SET run_id = excluded.run_id, severity = excluded.severity, started_at = excluded.started_at";
    TIDY = "DELETE FROM trigger_cooldowns WHERE playbook = $1 AND started_at < $2";
}

/// The last start of a playbook because of a resource.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn get(
    conn: &mut Conn<'_>,
    playbook: &str,
    key: &str,
) -> Result<Option<Last>, StoreError> {
    let query = conn.query(&GET).bind(playbook.to_owned()).bind(key.to_owned());
    let row = conn.maybe(query).await?;
    let read = |row| {
        let row = Row::of("trigger_cooldowns", &row);
        Ok(Last {
            run: row.word("run_id")?,
            severity: row.word("severity")?,
            started_at: row.time("started_at")?,
        })
    };
    row.map(read).transpose()
}

/// Notes a start, and forgets what was before a moment.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn put(
    tx: &mut Tx<'_>,
    playbook: &str,
    keys: &[String],
    last: &Last,
    forget_before: Timestamp,
) -> Result<(), StoreError> {
    let tidy = tx.query(&TIDY).bind(playbook.to_owned()).bind(forget_before.micros());
    tx.run(tidy).await?;
    for key in keys {
        let query = tx
            .query(&PUT)
            .bind(playbook.to_owned())
            .bind(key.clone())
            .bind(last.run.to_string())
            .bind(last.severity.as_str())
            .bind(last.started_at.micros());
        tx.run(query).await?;
    }
    Ok(())
}
