//! Bytes in the evidence store that the journals of runs need: results that are too large for a journal,
//! and journals that were archived.

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::RunId;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    NEED = "INSERT INTO run_items (sha256, run_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    JOURNALED = {
        sqlite:
            "SELECT DISTINCT run_id, substr(body, instr(body, '\"$stored\":\"') + 11, 64) AS sha256 \
             FROM journal WHERE kind = 'step_succeeded' AND body LIKE '%\"$stored\":\"%'",
        postgres:
            "SELECT DISTINCT run_id, substr(body, strpos(body, '\"$stored\":\"') + 11, 64) AS sha256 \
             FROM journal WHERE kind = 'step_succeeded' AND body LIKE '%\"$stored\":\"%'",
    };
}

/// Notes that a run needs an item, also if that was noted before.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn need(tx: &mut Tx<'_>, item: Sha256, run: RunId) -> Result<(), StoreError> {
    let query = tx.query(&NEED).bind(item.to_string()).bind(run.to_string());
    tx.run(query).await.map(drop)
}

/// The items that results in journals name, with their runs. It reads every journal: it is for what was
/// written down before such items were noted.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn journaled(conn: &mut Conn<'_>) -> Result<Vec<(Sha256, RunId)>, StoreError> {
    let query = conn.query(&JOURNALED);
    let read = |row| {
        let row = Row::of("journal", row);
        Ok((row.word("sha256")?, row.word("run_id")?))
    };
    conn.all(query).await?.iter().map(read).collect()
}
