//! Leases: which node works on which run.
//!
//! A lease is held until a time; every taking raises the run's epoch, and every write names the
//! epoch that it believes in. A node that slept through its lease can therefore do no harm: its
//! next write touches no row. The time alone only decides when another node may take over.
//!
//! On Postgres neither who holds leases nor who takes over waits for a row that somebody else has: whoever
//! waits keeps others waiting for the rows that he has, and time goes on meanwhile.

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::{AlertId, IncidentId, NodeId, RunId};
use stanch_engine_core::json::Json;
use stanch_engine_core::run::ParkReason;
use stanch_engine_core::time::Timestamp;
use stanch_engine_core::turn::{self, Waiting};

use super::Parent;
use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

/// A run is queued again whose node is gone, and it is counted how often without a step between.
macro_rules! taken_over {
    () => {
        "UPDATE runs SET status = 'queued', node_id = NULL, lease_until = NULL, \
         recoveries = CASE WHEN recovered_seq = (SELECT MAX(seq) FROM journal WHERE run_id = runs.id) \
           THEN recoveries + 1 ELSE 1 END, \
         recovered_seq = (SELECT MAX(seq) FROM journal WHERE run_id = runs.id) "
    };
}

// What a restored backup holds rests for as long as the kill switch is thrown.
statements! {
    CLAIM_QUEUED = {
        sqlite:
            "UPDATE runs SET status = 'running', node_id = $1, epoch = epoch + 1, lease_until = $2, \
             updated_at = $3, wake_at = NULL WHERE id IN \
             (SELECT id FROM runs WHERE status = 'queued' AND playbook = $5 AND level = $6 \
              AND (gate IS NULL OR admitted_at IS NOT NULL) \
              AND (restored_at IS NULL OR NOT EXISTS (SELECT 1 FROM settings WHERE name = 'halt')) \
              ORDER BY created_at LIMIT $4) RETURNING *",
        postgres:
            "UPDATE runs SET status = 'running', node_id = $1, epoch = epoch + 1, lease_until = $2, \
             updated_at = $3, wake_at = NULL WHERE id IN \
             (SELECT id FROM runs WHERE status = 'queued' AND playbook = $5 AND level = $6 \
              AND (gate IS NULL OR admitted_at IS NOT NULL) \
              AND (restored_at IS NULL OR NOT EXISTS (SELECT 1 FROM settings WHERE name = 'halt')) \
              ORDER BY created_at LIMIT $4 \
              FOR UPDATE SKIP LOCKED) RETURNING *",
    };
    CLAIM_DUE = {
        sqlite:
            "UPDATE runs SET status = 'running', node_id = $1, epoch = epoch + 1, lease_until = $2, \
             updated_at = $3, wake_at = NULL WHERE id IN \
             (SELECT id FROM runs WHERE status = 'waiting' AND wake_at <= $3 \
              AND playbook = $5 AND level = $6 \
              AND (restored_at IS NULL OR NOT EXISTS (SELECT 1 FROM settings WHERE name = 'halt')) \
              ORDER BY wake_at LIMIT $4) \
             RETURNING *",
        postgres:
            "UPDATE runs SET status = 'running', node_id = $1, epoch = epoch + 1, lease_until = $2, \
             updated_at = $3, wake_at = NULL WHERE id IN \
             (SELECT id FROM runs WHERE status = 'waiting' AND wake_at <= $3 \
              AND playbook = $5 AND level = $6 \
              AND (restored_at IS NULL OR NOT EXISTS (SELECT 1 FROM settings WHERE name = 'halt')) \
              ORDER BY wake_at LIMIT $4 \
              FOR UPDATE SKIP LOCKED) RETURNING *",
    };
    CLAIM_ONE =
        "UPDATE runs SET status = 'running', node_id = $1, epoch = epoch + 1, lease_until = $2, \
         updated_at = $3, wake_at = NULL WHERE id = $4 AND status = 'queued' AND (gate IS NULL OR admitted_at IS NOT NULL) \
         AND (restored_at IS NULL OR NOT EXISTS (SELECT 1 FROM settings WHERE name = 'halt')) RETURNING *";
    RENEW = {
        sqlite: "UPDATE runs SET lease_until = $2 WHERE node_id = $1 AND status = 'running'",
        postgres:
            "UPDATE runs SET lease_until = $2 WHERE node_id = $1 AND status = 'running' \
             AND id = ANY (ARRAY(SELECT id FROM runs WHERE node_id = $1 AND status = 'running' \
             FOR NO KEY UPDATE SKIP LOCKED))",
    };
    HELD = "SELECT id, epoch FROM runs WHERE node_id = $1 AND status = 'running' ORDER BY id";
    PASSED_OVER =
        "SELECT COUNT(*) AS n FROM runs WHERE node_id = $1 AND status = 'running' AND lease_until < $2";
    RELEASE =
        "UPDATE runs SET status = 'queued', node_id = NULL, lease_until = NULL \
         WHERE id = $1 AND epoch = $2 AND status = 'running'";
    PARK =
        "UPDATE runs SET status = 'parked', parked_reason = $3, outcome = $4, updated_at = $5, \
         node_id = NULL, lease_until = NULL WHERE id = $1 AND epoch = $2 AND status = 'running'";
    RELEASE_NODE =
        "UPDATE runs SET status = 'queued', node_id = NULL, lease_until = NULL \
         WHERE node_id = $1 AND status = 'running'";
    TAKE_OVER = {
        sqlite:
            concat!(taken_over!(), "WHERE status = 'running' AND lease_until < $1"),
        postgres:
            concat!(taken_over!(), "WHERE status = 'running' AND lease_until < $1 \
             AND id = ANY (ARRAY(SELECT id FROM runs WHERE status = 'running' AND lease_until < $1 \
             FOR NO KEY UPDATE SKIP LOCKED))"),
    };
    TAKE_OVER_FROM =
        (concat!(taken_over!(), "WHERE node_id = $1 AND status = 'running'"));
    HAS_WORK =
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM runs WHERE status = 'queued' AND (gate IS NULL OR admitted_at IS NOT NULL) \
           AND (restored_at IS NULL OR NOT EXISTS (SELECT 1 FROM settings WHERE name = 'halt'))) \
         OR EXISTS (SELECT 1 FROM runs WHERE status = 'waiting' AND wake_at <= $1 \
           AND (restored_at IS NULL OR NOT EXISTS (SELECT 1 FROM settings WHERE name = 'halt'))) \
         THEN 1 ELSE 0 END AS n";
    NEXT_WAKE =
        "SELECT MIN(wake_at) AS at FROM runs WHERE status = 'waiting' AND wake_at IS NOT NULL \
         AND (restored_at IS NULL OR NOT EXISTS (SELECT 1 FROM settings WHERE name = 'halt'))";
}

/// A run whose lease was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// The run.
    pub id: RunId,
    /// The epoch that every write must name from now on.
    pub epoch: i64,
    /// The playbook's name.
    pub playbook: String,
    /// The digest of the playbook's text.
    pub digest: Sha256,
    /// The incident that it is a part of.
    pub incident: Option<IncidentId>,
    /// The alert that started it.
    pub alert: Option<AlertId>,
    /// The run and step that wait for it.
    pub parent: Option<Parent>,
    /// How deep it is nested.
    pub depth: u32,
    /// Where the part of its journal begins that still holds.
    pub base_seq: u32,
    /// How often it was taken over without getting any further.
    pub recoveries: i64,
    /// When the database was restored from a backup that holds the run: what the run did after the
    /// backup is not known here.
    pub restored_at: Option<Timestamp>,
    /// How urgent it is.
    pub level: u32,
    /// Whether it shares a limit with others, which its end makes room in.
    pub is_limited: bool,
}

/// Takes the leases of at most `limit` runs that are queued or due, as it is their turn.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn claim(
    tx: &mut Tx<'_>,
    node: NodeId,
    until: Timestamp,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Claimed>, StoreError> {
    let waiting = super::waiting(tx, now).await?;
    let shares = turn::shares(&waiting, now, limit);
    let shares: Vec<(Waiting, u32)> = waiting.into_iter().zip(shares).collect();
    claim_shares(tx, node, until, now, &shares).await
}

/// Takes the leases of so many runs of each kind. Where others have taken them meanwhile, it is fewer.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn claim_shares(
    tx: &mut Tx<'_>,
    node: NodeId,
    until: Timestamp,
    now: Timestamp,
    shares: &[(Waiting, u32)],
) -> Result<Vec<Claimed>, StoreError> {
    let mut claimed = Vec::new();
    for (kind, share) in shares.iter().filter(|(_, share)| *share > 0) {
        let query = tx
            .query(if kind.is_due { &CLAIM_DUE } else { &CLAIM_QUEUED })
            .bind(node.to_string())
            .bind(until.micros())
            .bind(now.micros())
            .bind(i64::from(*share))
            .bind(kind.playbook.clone())
            .bind(i64::from(kind.level));
        for row in tx.all(query).await? {
            claimed.push(read(&Row::of("runs", &row))?);
        }
    }
    claimed.sort_by_key(|run: &Claimed| run.id);
    Ok(claimed)
}

/// Takes the lease of one run, if it is queued.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn claim_one(
    tx: &mut Tx<'_>,
    run: RunId,
    node: NodeId,
    until: Timestamp,
    now: Timestamp,
) -> Result<Option<Claimed>, StoreError> {
    let query = tx
        .query(&CLAIM_ONE)
        .bind(node.to_string())
        .bind(until.micros())
        .bind(now.micros())
        .bind(run.to_string());
    let row = tx.maybe(query).await?;
    row.map(|row| read(&Row::of("runs", &row))).transpose()
}

fn read(row: &Row<'_>) -> Result<Claimed, StoreError> {
    let run = super::read(row)?;
    Ok(Claimed {
        id: run.id,
        epoch: row.int("epoch")?,
        playbook: run.playbook,
        digest: run.digest,
        incident: run.incident,
        alert: run.alert,
        parent: run.parent,
        depth: run.depth,
        base_seq: run.base_seq,
        recoveries: row.int("recoveries")?,
        restored_at: row.time_opt("restored_at")?,
        level: row.count("level")?,
        is_limited: row.text_opt("gate")?.is_some(),
    })
}

/// Holds all of a node's leases for longer, but for runs whose row somebody else has just now: see
/// [`passed_over`].
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn renew(tx: &mut Tx<'_>, node: NodeId, until: Timestamp) -> Result<(), StoreError> {
    let query = tx.query(&RENEW).bind(node.to_string()).bind(until.micros());
    tx.run(query).await?;
    Ok(())
}

/// How many leases of a node end before `before`, since their rows were passed over when it held them last.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn passed_over(
    conn: &mut Conn<'_>,
    node: NodeId,
    before: Timestamp,
) -> Result<i64, StoreError> {
    let query = conn.query(&PASSED_OVER).bind(node.to_string()).bind(before.micros());
    let row = conn.one(query).await?;
    Row::of("runs", &row).int("n")
}

/// The leases that a node has: of which runs, and their epochs.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn held(conn: &mut Conn<'_>, node: NodeId) -> Result<Vec<(RunId, i64)>, StoreError> {
    let query = conn.query(&HELD).bind(node.to_string());
    conn.all(query).await?.iter().map(|row| lease(&Row::of("runs", row))).collect()
}

fn lease(row: &Row<'_>) -> Result<(RunId, i64), StoreError> {
    Ok((row.word("id")?, row.int("epoch")?))
}

/// Lets go of a run in order: it is queued again.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn release(tx: &mut Tx<'_>, run: RunId, epoch: i64) -> Result<(), StoreError> {
    let query = tx.query(&RELEASE).bind(run.to_string()).bind(epoch);
    tx.run(query).await?;
    Ok(())
}

/// Parks a run without a word in its journal, for the case that this can't be read; false when
/// the lease was lost.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn park(
    tx: &mut Tx<'_>,
    run: RunId,
    epoch: i64,
    reason: ParkReason,
    outcome: &Json,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let query = tx
        .query(&PARK)
        .bind(run.to_string())
        .bind(epoch)
        .bind(reason.as_str())
        .bind(outcome.as_str().to_owned())
        .bind(at.micros());
    Ok(tx.run(query).await? == 1)
}

/// Lets go of everything that a node works on, in order.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn release_node(tx: &mut Tx<'_>, node: NodeId) -> Result<(), StoreError> {
    let query = tx.query(&RELEASE_NODE).bind(node.to_string());
    tx.run(query).await?;
    Ok(())
}

/// Queues the runs whose lease ended before `before`: their node is dead or asleep. Runs whose row somebody
/// has just now are left for the next time.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take_over(tx: &mut Tx<'_>, before: Timestamp) -> Result<u64, StoreError> {
    let query = tx.query(&TAKE_OVER).bind(before.micros());
    tx.run(query).await
}

/// Queues the runs of a node that is known to be dead, whether or not its leases have lapsed.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take_over_from(tx: &mut Tx<'_>, dead: NodeId) -> Result<u64, StoreError> {
    let query = tx.query(&TAKE_OVER_FROM).bind(dead.to_string());
    tx.run(query).await
}

/// Whether any run is queued or due.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn has_work(conn: &mut Conn<'_>, now: Timestamp) -> Result<bool, StoreError> {
    let row = conn.one(conn.query(&HAS_WORK).bind(now.micros())).await?;
    Row::of("runs", &row).int("n").map(|n| n == 1)
}

/// When the next waiting run wakes.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn next_wake(conn: &mut Conn<'_>) -> Result<Option<Timestamp>, StoreError> {
    let row = conn.one(conn.query(&NEXT_WAKE)).await?;
    Row::of("runs", &row).time_opt("at")
}
