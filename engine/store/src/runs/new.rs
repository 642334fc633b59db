//! New runs.

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::{AlertId, IncidentId, NodeId, RunId};
use stanch_engine_core::journal::{Event, Started};
use stanch_engine_core::step::StepKey;
use stanch_engine_core::time::Timestamp;
use stanch_engine_core::turn::Turn;

use crate::error::StoreError;
use crate::sql::statements;
use crate::tx::Tx;

statements! {
    INSERT_MANY = {
        sqlite:
            "INSERT INTO runs (id, playbook, digest, status, incident_id, alert_id, subject, parent_id, \
             parent_step, depth, requester, node_id, epoch, lease_until, recoveries, created_at, updated_at, \
             restored_at, level, gate, gate_max) \
             SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, \
             value->>8, value->>9, value->>10, value->>11, value->>12, value->>13, 0, value->>14, value->>14, \
             value->>15, value->>16, value->>17, value->>18 \
             FROM json_each($1)",
        postgres:
            "INSERT INTO runs (id, playbook, digest, status, incident_id, alert_id, subject, parent_id, \
             parent_step, depth, requester, node_id, epoch, lease_until, recoveries, created_at, updated_at, \
             restored_at, level, gate, gate_max) \
             SELECT v->>0, v->>1, v->>2, v->>3, v->>4, v->>5, v->>6, v->>7, \
             v->>8, CAST(v->>9 AS BIGINT), v->>10, v->>11, CAST(v->>12 AS BIGINT), \
             CAST(v->>13 AS BIGINT), 0, CAST(v->>14 AS BIGINT), CAST(v->>14 AS BIGINT), \
             CAST(v->>15 AS BIGINT), CAST(v->>16 AS BIGINT), v->>17, CAST(v->>18 AS BIGINT) \
             FROM json_array_elements(CAST(CAST($1 AS TEXT) AS json)) AS v",
    };
    BEGIN = "INSERT INTO journal (run_id, seq, at, kind, body) VALUES ($1, 0, $2, 'started', $3)";
}

/// A run that does not exist yet.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// The playbook's name.
    pub playbook: String,
    /// The digest of the playbook's text.
    pub digest: Sha256,
    /// The incident that it is a part of.
    pub incident: Option<IncidentId>,
    /// The alert that started it.
    pub alert: Option<AlertId>,
    /// What it is about: a second open run of the playbook about it is a conflict.
    pub subject: Option<String>,
    /// The run and step that wait for it.
    pub parent: Option<Parent>,
    /// How deep it is nested.
    pub depth: u32,
    /// Who or what asked for it.
    pub requester: String,
    /// When it was asked for.
    pub at: Timestamp,
    /// The node that works on it from the start, and until when its lease holds. Without one it
    /// is queued.
    pub claim: Option<(NodeId, Timestamp)>,
    /// When the database was restored from a backup, if what the run is about is older: the run may
    /// have been here before, after the backup was made.
    pub restored_at: Option<Timestamp>,
    /// Its place among those that wait. One with a limit is never claimed from the start.
    pub turn: Turn,
}

/// The run and step that wait for a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepKey,
}

impl NewRun {
    /// The epoch that the run begins with.
    pub const fn epoch(&self) -> i64 {
        if self.claim.is_some() { 1 } else { 0 }
    }
}

/// Inserts a run that is queued, with the first entry of its journal.
///
/// # Errors
/// [`StoreError::Conflict`] when there is an open run of the playbook about the same thing.
pub async fn insert(tx: &mut Tx<'_>, run: &NewRun, started: &Started) -> Result<(), StoreError> {
    insert_many(tx, &[run]).await?;
    let body = Event::Started(started.clone()).body();
    let query = tx.query(&BEGIN).bind(run.id.to_string()).bind(run.at.micros()).bind(body);
    tx.run(query).await?;
    Ok(())
}

/// Inserts the rows of runs; their journals begin elsewhere in the same commit.
pub(crate) async fn insert_many(tx: &mut Tx<'_>, runs: &[&NewRun]) -> Result<(), StoreError> {
    if runs.is_empty() {
        return Ok(());
    }
    let rows = serde_json::Value::Array(runs.iter().map(|run| row(run)).collect());
    let query = tx.query(&INSERT_MANY).bind(rows.to_string());
    tx.run(query).await?;
    Ok(())
}

fn row(run: &NewRun) -> serde_json::Value {
    let status = if run.claim.is_some() { "running" } else { "queued" };
    serde_json::json!([
        run.id,
        run.playbook,
        run.digest,
        status,
        run.incident,
        run.alert,
        run.subject,
        run.parent.as_ref().map(|parent| parent.run),
        run.parent.as_ref().map(|parent| &parent.step),
        run.depth,
        run.requester,
        run.claim.map(|(node, _)| node),
        run.epoch(),
        run.claim.map(|(_, until)| until.micros()),
        run.at.micros(),
        run.restored_at.map(Timestamp::micros),
        run.turn.level,
        run.turn.gate.as_ref().map(|gate| &gate.name),
        run.turn.gate.as_ref().map(|gate| gate.max),
    ])
}
