//! What a database is told that was restored from a backup: it does not know what happened after the
//! backup was made, and whoever still works from what came later must not write to it.

use serde_json::json;
use stanch_engine_core::audit::{Asked, Ended};
use stanch_engine_core::custody::CustodyAction;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::limits;
use stanch_engine_core::time::Timestamp;

use crate::audit;
use crate::custody::{self, NewRecord};
use crate::error::StoreError;
use crate::row::Row;
use crate::settings;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    MARK_RUNS =
        "UPDATE runs SET epoch = epoch + $1, restored_at = $2, \
         status = CASE WHEN status = 'running' THEN 'queued' ELSE status END, \
         node_id = NULL, lease_until = NULL";
    FORGET_NODES = "DELETE FROM nodes";
    UNFINISHED =
        "SELECT COUNT(*) AS n FROM runs WHERE status NOT IN ('succeeded', 'failed', 'cancelled')";
    OPEN_INCIDENTS = "SELECT id FROM incidents WHERE status <> 'closed' ORDER BY id";
    KNOWN_UNTIL =
        "SELECT MAX(at) AS at FROM (SELECT MAX(updated_at) AS at FROM runs \
         UNION ALL SELECT MAX(last_received_at) AS at FROM alerts) AS known";
    SEEN = "SELECT MAX(seen_at) AS at FROM nodes";
}

/// The setting that says when the database was restored, in microseconds.
const RESTORED: &str = "restored_at";

/// What a restored database was found to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    /// Runs that had not ended: they rest until the kill switch is taken back.
    pub unfinished: i64,
    /// Incidents that are not closed.
    pub open_incidents: usize,
    /// The last moment of which it knows anything.
    pub known_until: Option<Timestamp>,
}

/// Marks a database as restored: the kill switch is thrown with a note, every run is out of reach of
/// whoever held it after the backup, what a run changes is looked for before it is changed, and the
/// custody chain of every open incident says that it goes on from a backup. A second time does no
/// harm.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn mark(tx: &mut Tx<'_>, now: Timestamp, by: &str) -> Result<Marked, StoreError> {
    let query = tx.query(&KNOWN_UNTIL);
    let known_until = Row::of("runs", &tx.one(query).await?).time_opt("at")?;
    let query = tx.query(&UNFINISHED);
    let unfinished = Row::of("runs", &tx.one(query).await?).int("n")?;
    let query = tx.query(&OPEN_INCIDENTS);
    let id = |row| Row::of("incidents", row).word("id");
    let incidents: Vec<IncidentId> =
        tx.all(query).await?.iter().map(id).collect::<Result<_, _>>()?;
    let query = tx.query(&MARK_RUNS).bind(limits::EPOCHS_PER_RESTORE).bind(now.micros());
    tx.run(query).await?;
    let query = tx.query(&FORGET_NODES);
    tx.run(query).await?;
    for incident in &incidents {
        let new = NewRecord {
            incident: *incident,
            at: now,
            actor: by.to_owned(),
            action: CustodyAction::Restored,
            item: None,
            detail: json!({"known_until": known_until}),
        };
        custody::append(tx, &new).await?;
    }
    let asked = Asked {
        at: now,
        actor: Some(by.to_owned()),
        token: None,
        verb: "installation.restore".to_owned(),
        object: None,
        from: "this machine".to_owned(),
        reason: None,
        detail: json!({"known_until": known_until}),
    };
    audit::append(tx, &asked, &Ended::DONE).await?;
    let halt = json!({"by": by, "reason": note(known_until), "at": now});
    settings::set(tx, settings::HALT, &halt.to_string()).await?;
    settings::set(tx, RESTORED, &now.micros().to_string()).await?;
    Ok(Marked { unfinished, open_incidents: incidents.len(), known_until })
}

fn note(known_until: Option<Timestamp>) -> String {
    let until =
        known_until.map_or_else(|| "nothing".to_owned(), |at| format!("nothing after {at}"));
    format!(
        "restored from a backup, which knows {until}: look at what was changed since, then \
         `stanch unhalt`; each change of a run that the backup holds is looked for before it is made"
    )
}

/// When the database was last restored from a backup, if it ever was.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn restored_at(conn: &mut Conn<'_>) -> Result<Option<Timestamp>, StoreError> {
    let Some(value) = settings::get(conn, RESTORED).await? else { return Ok(None) };
    let wrong = |_| StoreError::Inconsistent {
        table: "settings",
        column: "value",
        what: format!("`{value}`, which is no time"),
    };
    value.parse().map(|at| Some(Timestamp::from_micros(at))).map_err(wrong)
}

/// When a node last said of itself that it works on this database.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn nodes_seen_at(conn: &mut Conn<'_>) -> Result<Option<Timestamp>, StoreError> {
    let row = conn.one(conn.query(&SEEN)).await?;
    Row::of("nodes", &row).time_opt("at")
}
