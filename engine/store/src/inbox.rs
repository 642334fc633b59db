//! Facts on their way into runs. Whoever knows a fact puts it here and wakes the run; only the
//! holder of the run's lease takes it out, in the same commit that journals it.

use serde::{Deserialize, Serialize};
use stanch_engine_core::id::{InboxId, RunId};
use stanch_engine_core::json::Json;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::runs;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    // Whoever puts has changed the run's row before, so two of them come one after the other.
    PUT =
        "INSERT INTO inbox (id, run_id, at, kind, body, seq) \
         SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS TEXT), \
         CAST($5 AS TEXT), COALESCE(MAX(seq), 0) + 1 FROM inbox WHERE run_id = $2";
    OF_RUN = "SELECT id, run_id, at, kind, body FROM inbox WHERE run_id = $1 ORDER BY seq, id";
    OF_NODE =
        "SELECT i.id AS id, i.run_id AS run_id, i.at AS at, i.kind AS kind, i.body AS body \
         FROM inbox i JOIN runs r ON r.id = i.run_id \
         WHERE r.node_id = $1 AND r.status = 'running' ORDER BY i.run_id, i.seq, i.id";
    TAKE = {
        sqlite: "DELETE FROM inbox WHERE id IN (SELECT value FROM json_each($1))",
        postgres: "DELETE FROM inbox WHERE id IN (SELECT json_array_elements_text(CAST(CAST($1 AS TEXT) AS json)))",
    };
}

/// A fact.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Its id.
    pub id: InboxId,
    /// The run that it is for.
    pub run: RunId,
    /// When it came.
    pub at: Timestamp,
    /// What it is.
    pub kind: FactKind,
    /// More of it.
    pub body: Json,
}

/// What a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    /// An approval that the run waits for was decided.
    Decided,
    /// A child run ended.
    ChildEnded,
    /// A person wants it to end.
    Cancel,
    /// A person wants it to stop for a while.
    Pause,
    /// A person wants it to go on.
    Resume,
    /// A person says what became of a step in doubt.
    Retry,
    /// Something happened that the run may want to know.
    Signal,
    /// A person wants a run that has ended to be run again.
    Rerun,
}

impl FactKind {
    const ALL: [Self; 8] = [
        Self::Decided,
        Self::ChildEnded,
        Self::Cancel,
        Self::Pause,
        Self::Resume,
        Self::Retry,
        Self::Signal,
        Self::Rerun,
    ];

    /// The word in SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::ChildEnded => "child_ended",
            Self::Cancel => "cancel",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Signal => "signal",
            Self::Rerun => "rerun",
        }
    }
}

impl std::str::FromStr for FactKind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|k| k.as_str() == text).ok_or_else(|| text.to_owned())
    }
}

/// Puts a fact into a run's inbox and wakes the run. A run that has ended takes nothing.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn put(tx: &mut Tx<'_>, fact: &Fact) -> Result<(), StoreError> {
    if !runs::wake(tx, fact.run, fact.kind, fact.at).await? {
        return Ok(());
    }
    if fact.kind == FactKind::Cancel {
        runs::turns::let_in(tx, fact.run, fact.at).await?;
    }
    insert(tx, fact).await
}

/// Puts a fact into the inbox of a run that has ended, and opens the run again; false when it has
/// not ended.
///
/// # Errors
/// [`StoreError::Conflict`] when another run about the same thing is open.
pub async fn put_reopening(tx: &mut Tx<'_>, fact: &Fact) -> Result<bool, StoreError> {
    if !runs::reopen(tx, fact.run, fact.at).await? {
        return Ok(false);
    }
    insert(tx, fact).await?;
    Ok(true)
}

async fn insert(tx: &mut Tx<'_>, fact: &Fact) -> Result<(), StoreError> {
    let query = tx
        .query(&PUT)
        .bind(fact.id.to_string())
        .bind(fact.run.to_string())
        .bind(fact.at.micros())
        .bind(fact.kind.as_str())
        .bind(fact.body.as_str().to_owned());
    tx.run(query).await?;
    Ok(())
}

/// The facts in a run's inbox, in the order in which they came.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_run(conn: &mut Conn<'_>, run: RunId) -> Result<Vec<Fact>, StoreError> {
    let query = conn.query(&OF_RUN).bind(run.to_string());
    conn.all(query).await?.iter().map(|row| fact(&Row::of("inbox", row))).collect()
}

/// The facts in the inboxes of the runs that a node works on, in the order in which they came.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_node(
    conn: &mut Conn<'_>,
    node: stanch_engine_core::id::NodeId,
) -> Result<Vec<Fact>, StoreError> {
    let query = conn.query(&OF_NODE).bind(node.to_string());
    conn.all(query).await?.iter().map(|row| fact(&Row::of("inbox", row))).collect()
}

fn fact(row: &Row<'_>) -> Result<Fact, StoreError> {
    Ok(Fact {
        id: row.word("id")?,
        run: row.word("run_id")?,
        at: row.time("at")?,
        kind: row.word("kind")?,
        body: row.json("body")?,
    })
}

/// Takes facts out: they are journaled in the same commit.
pub(crate) async fn take(tx: &mut Tx<'_>, ids: &[InboxId]) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids = serde_json::to_string(ids).unwrap_or_default();
    let query = tx.query(&TAKE).bind(ids);
    tx.run(query).await?;
    Ok(())
}
