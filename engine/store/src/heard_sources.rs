//! When sources that must not fall silent were last heard.

use stanch_engine_core::silence::Heard;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    GET = "SELECT * FROM heard_sources WHERE source = $1";
    HEAR =
        "INSERT INTO heard_sources (source, last_at) VALUES ($1, $2) ON CONFLICT (source) DO UPDATE \
         SET last_at = excluded.last_at, alarmed_at = NULL WHERE heard_sources.last_at <= excluded.last_at";
    WAIT =
        "INSERT INTO heard_sources (source, last_at) VALUES ($1, $2) ON CONFLICT (source) DO NOTHING";
    ALARM =
        "UPDATE heard_sources SET alarmed_at = $3 WHERE source = $1 AND last_at = $2 AND alarmed_at IS NULL";
}

/// When a source was last heard; nothing when nobody ever waited for it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn get(conn: &mut Conn<'_>, source: &str) -> Result<Option<Heard>, StoreError> {
    let row = conn.maybe(conn.query(&GET).bind(source.to_owned())).await?;
    let read = |row| {
        let row = Row::of("heard_sources", &row);
        Ok(Heard { last_at: row.time("last_at")?, alarmed_at: row.time_opt("alarmed_at")? })
    };
    row.map(read).transpose()
}

/// Notes that a source said something: its silence is over.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn hear(tx: &mut Tx<'_>, source: &str, now: Timestamp) -> Result<(), StoreError> {
    let query = tx.query(&HEAR).bind(source.to_owned()).bind(now.micros());
    tx.run(query).await?;
    Ok(())
}

/// Begins to wait for a source, unless it was waited for before.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn wait_for(tx: &mut Tx<'_>, source: &str, now: Timestamp) -> Result<(), StoreError> {
    let query = tx.query(&WAIT).bind(source.to_owned()).bind(now.micros());
    tx.run(query).await?;
    Ok(())
}

/// Notes that an alert is raised about a silence; false when it was heard meanwhile, or another
/// node was first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn alarm(
    tx: &mut Tx<'_>,
    source: &str,
    heard: &Heard,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let query =
        tx.query(&ALARM).bind(source.to_owned()).bind(heard.last_at.micros()).bind(now.micros());
    Ok(tx.run(query).await? == 1)
}
