//! The rows of runs: where each stands, who holds its lease, and when it wakes.

pub(crate) mod lease;
pub(crate) mod list;
pub(crate) mod new;
pub(crate) mod turns;

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::{AlertId, IncidentId, RunId};
use stanch_engine_core::json::Json;
use stanch_engine_core::run::{ParkReason, RunStatus};
use stanch_engine_core::step::StepKey;
use stanch_engine_core::time::Timestamp;
use stanch_engine_core::turn::{Gate, Turn};

use crate::dialect::Dialect;
use crate::error::StoreError;
use crate::inbox::{self, FactKind};
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};
use crate::writer::RunCommit;

pub use lease::{
    Claimed, claim, claim_one, claim_shares, has_work, held, next_wake, park, passed_over, release,
    release_node, renew, take_over, take_over_from,
};
pub use list::{Filter, list, of_alert, of_incident, open_of_subject};
pub(crate) use new::insert_many;
pub use new::{NewRun, Parent, insert};
pub use turns::{admit, has_admissible, waiting};

statements! {
    STAND = {
        sqlite:
            "UPDATE runs SET \
             status = CASE WHEN x.status IN ('waiting', 'paused', 'parked') \
               AND EXISTS (SELECT 1 FROM inbox i WHERE i.run_id = runs.id) THEN 'queued' ELSE x.status END, \
             parked_reason = CASE WHEN x.status = 'parked' \
               AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.run_id = runs.id) THEN x.parked END, \
             wake_at = x.wake_at, outcome = x.outcome, updated_at = x.at, \
             finished_at = CASE WHEN x.status IN ('succeeded', 'failed', 'cancelled') THEN x.at END, \
             node_id = NULL, lease_until = NULL, recoveries = 0 \
             FROM (SELECT value->>0 AS run_id, value->>1 AS epoch, value->>2 AS status, \
               value->>3 AS parked, value->>4 AS wake_at, value->>5 AS outcome, value->>6 AS at \
               FROM json_each($1)) AS x \
             WHERE runs.id = x.run_id AND runs.epoch = x.epoch AND runs.status = 'running'",
        postgres:
            "UPDATE runs SET \
             status = CASE WHEN x.status IN ('waiting', 'paused', 'parked') \
               AND EXISTS (SELECT 1 FROM inbox i WHERE i.run_id = runs.id) THEN 'queued' ELSE x.status END, \
             parked_reason = CASE WHEN x.status = 'parked' \
               AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.run_id = runs.id) THEN x.parked END, \
             wake_at = x.wake_at, outcome = x.outcome, updated_at = x.at, \
             finished_at = CASE WHEN x.status IN ('succeeded', 'failed', 'cancelled') THEN x.at END, \
             node_id = NULL, lease_until = NULL, recoveries = 0 \
             FROM (SELECT v->>0 AS run_id, CAST(v->>1 AS BIGINT) AS epoch, v->>2 AS status, \
               v->>3 AS parked, CAST(v->>4 AS BIGINT) AS wake_at, v->>5 AS outcome, \
               CAST(v->>6 AS BIGINT) AS at FROM json_array_elements(CAST(CAST($1 AS TEXT) AS json)) AS v) AS x \
             WHERE runs.id = x.run_id AND runs.epoch = x.epoch AND runs.status = 'running'",
    };
    // What is looked for within a statement is as it was when that began, also where it waited for a row
    // meanwhile. Whoever puts a fact into an inbox holds the run's row, and is waited for here.
    HOLD = {
        sqlite: "SELECT id FROM runs WHERE id IN (SELECT value FROM json_each($1)) ORDER BY id",
        postgres:
            "SELECT id FROM runs \
             WHERE id = ANY (ARRAY(SELECT json_array_elements_text(CAST(CAST($1 AS TEXT) AS json)))) \
             ORDER BY id FOR NO KEY UPDATE",
    };
    // One that waits for its limit rests and goes on right here: nobody works on it who could see to it.
    WAKE =
        "UPDATE runs SET updated_at = $2, parked_reason = NULL, \
         status = CASE WHEN status = 'running' THEN 'running' \
         WHEN gate IS NOT NULL AND admitted_at IS NULL AND (CAST($3 AS TEXT) = 'pause' \
           OR (status = 'paused' AND CAST($3 AS TEXT) NOT IN ('resume', 'cancel'))) THEN 'paused' \
         ELSE 'queued' END \
         WHERE id = $1 AND status NOT IN ('succeeded', 'failed', 'cancelled')";
    GET = "SELECT * FROM runs WHERE id = $1";
    WITH_PUBLISHER =
        "SELECT r.*, v.published_by AS published_by FROM runs r \
         LEFT JOIN playbook_versions v ON v.name = r.playbook AND v.digest = r.digest WHERE r.id = $1";
    MIGRATE =
        "UPDATE runs SET digest = $3, updated_at = $4 WHERE id = $1 AND digest = $2 \
         AND node_id IS NULL AND status IN ('waiting', 'paused', 'parked')";
    SET_GENERATION = "UPDATE runs SET generation = $2, base_seq = $3 WHERE id = $1";
    REOPEN =
        "UPDATE runs SET status = 'queued', outcome = NULL, wake_at = NULL, finished_at = NULL, \
         admitted_at = NULL, updated_at = $2 WHERE id = $1 AND status IN ('succeeded', 'failed', 'cancelled')";
}

/// Where a run stands after a commit that lets go of its lease.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Its status.
    pub status: RunStatus,
    /// Why it is parked, if it is.
    pub parked: Option<ParkReason>,
    /// When it is looked at again, if nothing else happens.
    pub wake_at: Option<Timestamp>,
    /// How it ended, if it did: `{"result": …}` or `{"error": …}`; why it is parked, if it is.
    pub outcome: Option<Json>,
    /// When.
    pub at: Timestamp,
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The playbook's name.
    pub playbook: String,
    /// The digest of the playbook's text.
    pub digest: Sha256,
    /// Where it stands.
    pub status: RunStatus,
    /// Why it is parked.
    pub parked_reason: Option<ParkReason>,
    /// The incident that it is a part of.
    pub incident: Option<IncidentId>,
    /// The alert that started it.
    pub alert: Option<AlertId>,
    /// What it is about, for "one open run per playbook and subject".
    pub subject: Option<String>,
    /// The run and step that wait for it.
    pub parent: Option<Parent>,
    /// How deep it is nested.
    pub depth: u32,
    /// How often it has begun.
    pub generation: u32,
    /// Where the part of its journal begins that still holds.
    pub base_seq: u32,
    /// Who or what asked for it.
    pub requester: String,
    /// How it ended or why it is parked.
    pub outcome: Option<Json>,
    /// When it wakes.
    pub wake_at: Option<Timestamp>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When anything changed.
    pub updated_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Its place among those that wait.
    pub turn: Turn,
    /// When it was admitted to the limit that it shares with others.
    pub admitted_at: Option<Timestamp>,
    /// When the database was restored from a backup that it may have gone on from before.
    pub restored_at: Option<Timestamp>,
}

/// Takes facts out of inboxes, and says where runs stand that let go of their lease.
pub(crate) async fn stand(tx: &mut Tx<'_>, commits: &[&RunCommit]) -> Result<(), StoreError> {
    let consumed: Vec<_> = commits.iter().flat_map(|c| c.consumed.iter().copied()).collect();
    inbox::take(tx, &consumed).await?;
    let standing: Vec<_> =
        commits.iter().filter_map(|c| Some((*c, c.standing.as_deref()?))).collect();
    if standing.is_empty() {
        return Ok(());
    }
    hold_resting(tx, &standing).await?;
    let rows = serde_json::Value::Array(standing.iter().map(|(c, s)| standing_row(c, s)).collect());
    let query = tx.query(&STAND).bind(rows.to_string());
    let touched = tx.run(query).await?;
    if touched == standing.len() as u64 { Ok(()) } else { Err(StoreError::Fenced) }
}

/// Waits for those who are putting facts into the inboxes of runs that come to rest: what is put before
/// wakes the run, and what is put after finds it at rest.
async fn hold_resting(
    tx: &mut Tx<'_>,
    standing: &[(&RunCommit, &Standing)],
) -> Result<(), StoreError> {
    let rests = |status: RunStatus| {
        matches!(status, RunStatus::Waiting | RunStatus::Paused | RunStatus::Parked)
    };
    let resting = standing.iter().filter(|(_, stands)| rests(stands.status));
    let ids: Vec<RunId> = resting.map(|(commit, _)| commit.run).collect();
    hold(tx, &ids).await
}

/// Locks the rows of runs until the commit, in one order, so that nobody who does the same waits for
/// somebody who waits for them. On SQLite nobody else writes.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn hold(tx: &mut Tx<'_>, ids: &[RunId]) -> Result<(), StoreError> {
    if ids.is_empty() || tx.dialect() == Dialect::Sqlite {
        return Ok(());
    }
    let query = tx.query(&HOLD).bind(serde_json::json!(ids).to_string());
    tx.all(query).await.map(drop)
}

fn standing_row(commit: &RunCommit, standing: &Standing) -> serde_json::Value {
    serde_json::json!([
        commit.run,
        commit.epoch,
        standing.status.as_str(),
        standing.parked.map(ParkReason::as_str),
        standing.wake_at.map(Timestamp::micros),
        standing.outcome.as_ref().map(Json::as_str),
        standing.at.micros(),
    ])
}

/// Wakes a run that waits, is paused or is parked, so that it hears of a fact of this kind; false when it has
/// ended. One that waits for its limit is paused and goes on by this alone: it keeps its place in the line, and
/// nobody out.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn wake(
    tx: &mut Tx<'_>,
    run: RunId,
    kind: FactKind,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let query = tx.query(&WAKE).bind(run.to_string()).bind(at.micros()).bind(kind.as_str());
    Ok(tx.run(query).await? == 1)
}

/// Opens a run that has ended, so that it can be run again; false when it has not ended.
///
/// # Errors
/// [`StoreError::Conflict`] when another run about the same thing is open.
pub async fn reopen(tx: &mut Tx<'_>, run: RunId, at: Timestamp) -> Result<bool, StoreError> {
    let query = tx.query(&REOPEN).bind(run.to_string()).bind(at.micros());
    Ok(tx.run(query).await? == 1)
}

/// Says which generation of a run its journal has come to, and where that begins.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_generation(
    tx: &mut Tx<'_>,
    run: RunId,
    generation: u32,
    base_seq: u32,
) -> Result<(), StoreError> {
    let query = tx
        .query(&SET_GENERATION)
        .bind(run.to_string())
        .bind(i64::from(generation))
        .bind(i64::from(base_seq));
    tx.run(query).await?;
    Ok(())
}

/// One run.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn get(conn: &mut Conn<'_>, run: RunId) -> Result<Option<Run>, StoreError> {
    let row = conn.maybe(conn.query(&GET).bind(run.to_string())).await?;
    row.map(|row| read(&Row::of("runs", &row))).transpose()
}

/// One run, and who published the version of its playbook that it has.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn with_publisher(
    conn: &mut Conn<'_>,
    run: RunId,
) -> Result<Option<(Run, Option<String>)>, StoreError> {
    let row = conn.maybe(conn.query(&WITH_PUBLISHER).bind(run.to_string())).await?;
    let read = |row| {
        let row = Row::of("runs", &row);
        Ok((read(&row)?, row.text_opt("published_by")?))
    };
    row.map(read).transpose()
}

pub(crate) fn read(row: &Row<'_>) -> Result<Run, StoreError> {
    let parent = match (row.word_opt("parent_id")?, row.text_opt("parent_step")?) {
        (Some(run), Some(step)) => Some(Parent { run, step: StepKey(step.into()) }),
        _ => None,
    };
    let gate = match (row.text_opt("gate")?, row.int_opt("gate_max")?) {
        (Some(name), Some(max)) => Some(Gate { name, max: u32::try_from(max).unwrap_or(u32::MAX) }),
        _ => None,
    };
    Ok(Run {
        id: row.word("id")?,
        playbook: row.text("playbook")?,
        digest: row.word("digest")?,
        status: row.word("status")?,
        parked_reason: row.word_opt("parked_reason")?,
        incident: row.word_opt("incident_id")?,
        alert: row.word_opt("alert_id")?,
        subject: row.text_opt("subject")?,
        parent,
        depth: row.count("depth")?,
        generation: row.count("generation")?,
        base_seq: row.count("base_seq")?,
        requester: row.text("requester")?,
        outcome: row.json_opt("outcome")?,
        wake_at: row.time_opt("wake_at")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        finished_at: row.time_opt("finished_at")?,
        turn: Turn { level: row.count("level")?, gate },
        admitted_at: row.time_opt("admitted_at")?,
        restored_at: row.time_opt("restored_at")?,
    })
}

/// Gives a run that nobody works on another version of its playbook; false when somebody does, or
/// it has another version already.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn migrate(
    tx: &mut Tx<'_>,
    run: RunId,
    (from, to): (Sha256, Sha256),
    now: Timestamp,
) -> Result<bool, StoreError> {
    let query = tx
        .query(&MIGRATE)
        .bind(run.to_string())
        .bind(from.to_string())
        .bind(to.to_string())
        .bind(now.micros());
    Ok(tx.run(query).await? == 1)
}
