//! How far schedules are decided, and what became of their ticks.

use stanch_engine_core::id::RunId;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    OPEN =
        "INSERT INTO schedules (playbook, name, revision, decided_until) VALUES ($1, $2, 1, $3) \
         ON CONFLICT (playbook, name) DO NOTHING";
    LIST = "SELECT * FROM schedules ORDER BY playbook, name";
    GET = "SELECT * FROM schedules WHERE playbook = $1 AND name = $2";
    MOVE =
        "UPDATE schedules SET revision = revision + 1, decided_until = $4, waiting_tick = $5 \
         WHERE playbook = $1 AND name = $2 AND revision = $3";
    PAUSE =
        "UPDATE schedules SET revision = revision + 1, paused_at = $3, paused_by = $4, note = $5, \
         waiting_tick = NULL WHERE playbook = $1 AND name = $2 AND paused_at IS NULL";
    RESUME =
        "UPDATE schedules SET revision = revision + 1, paused_at = NULL, paused_by = NULL, \
         note = NULL, decided_until = $3, waiting_tick = NULL \
         WHERE playbook = $1 AND name = $2 AND paused_at IS NOT NULL";
    TICK =
        "INSERT INTO ticks (playbook, schedule, tick_at, cause, outcome, run_id, is_open, decided_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (playbook, schedule, tick_at) DO NOTHING";
    SETTLE =
        "UPDATE ticks SET is_open = 0 WHERE playbook = $1 AND schedule = $2 AND is_open = 1 \
         AND EXISTS (SELECT 1 FROM runs r WHERE r.id = ticks.run_id \
         AND r.status IN ('succeeded', 'failed', 'cancelled'))";
    OPEN_RUNS =
        "SELECT run_id FROM ticks WHERE playbook = $1 AND schedule = $2 AND is_open = 1 \
         AND EXISTS (SELECT 1 FROM runs r WHERE r.id = ticks.run_id \
         AND r.status NOT IN ('succeeded', 'failed', 'cancelled')) ORDER BY tick_at";
    FORGET =
        "DELETE FROM ticks WHERE playbook = $1 AND schedule = $2 AND tick_at < $3 AND is_open = 0";
    RECENT =
        "SELECT * FROM ticks WHERE playbook = $1 AND schedule = $2 ORDER BY tick_at DESC LIMIT $3";
}

/// Which schedule: the playbook's name, and its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScheduleKey {
    /// The playbook.
    pub playbook: String,
    /// The schedule.
    pub name: String,
}

impl std::fmt::Display for ScheduleKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.playbook, self.name)
    }
}

/// How far a schedule is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleState {
    /// Which.
    pub key: ScheduleKey,
    /// Raised by each change: who writes says which one was read.
    pub revision: i64,
    /// It is decided what became of every tick until here.
    pub decided_until: Timestamp,
    /// A tick that starts when the run of an earlier one has ended.
    pub waiting_tick: Option<Timestamp>,
    /// Who made it stand still, when and why.
    pub paused: Option<Pause>,
}

/// Who made a schedule stand still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// Why.
    pub note: String,
}

/// What became of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickOutcome {
    /// It started a run.
    Started(RunId),
    /// The run of an earlier one was open.
    Skipped,
    /// It came too late.
    Missed,
}

/// A tick that is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The moment that the schedule names.
    pub tick_at: Timestamp,
    /// `clock`, or the person who asked for it.
    pub cause: String,
    /// What became of it.
    pub outcome: TickOutcome,
    /// When that was decided.
    pub decided_at: Timestamp,
}

impl TickOutcome {
    /// The word in the database and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started(_) => "started",
            Self::Skipped => "skipped",
            Self::Missed => "missed",
        }
    }

    /// The run that it started.
    pub const fn run(self) -> Option<RunId> {
        match self {
            Self::Started(run) => Some(run),
            Self::Skipped | Self::Missed => None,
        }
    }
}

/// A schedule is known from now on; one that is known already stays as it is.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn open(
    tx: &mut Tx<'_>,
    key: &ScheduleKey,
    decided_until: Timestamp,
) -> Result<(), StoreError> {
    let query = tx
        .query(&OPEN)
        .bind(key.playbook.clone())
        .bind(key.name.clone())
        .bind(decided_until.micros());
    tx.run(query).await.map(drop)
}

/// Every schedule that was ever active.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(conn: &mut Conn<'_>) -> Result<Vec<ScheduleState>, StoreError> {
    conn.all(conn.query(&LIST)).await?.iter().map(|row| read(&Row::of("schedules", row))).collect()
}

/// One of them.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn get(
    conn: &mut Conn<'_>,
    key: &ScheduleKey,
) -> Result<Option<ScheduleState>, StoreError> {
    let query = conn.query(&GET).bind(key.playbook.clone()).bind(key.name.clone());
    let row = conn.maybe(query).await?;
    row.map(|row| read(&Row::of("schedules", &row))).transpose()
}

fn read(row: &Row<'_>) -> Result<ScheduleState, StoreError> {
    let paused = match (row.time_opt("paused_at")?, row.text_opt("paused_by")?) {
        (Some(at), Some(by)) => {
            Some(Pause { at, by, note: row.text_opt("note")?.unwrap_or_default() })
        }
        _ => None,
    };
    Ok(ScheduleState {
        key: ScheduleKey { playbook: row.text("playbook")?, name: row.text("name")? },
        revision: row.int("revision")?,
        decided_until: row.time("decided_until")?,
        waiting_tick: row.time_opt("waiting_tick")?,
        paused,
    })
}

/// Says how far a schedule is decided now; false when somebody else was first. Whoever is first
/// holds the row until the commit, so that what the ticks start belongs to one node.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn advance(tx: &mut Tx<'_>, state: &ScheduleState) -> Result<bool, StoreError> {
    let query = tx
        .query(&MOVE)
        .bind(state.key.playbook.clone())
        .bind(state.key.name.clone())
        .bind(state.revision)
        .bind(state.decided_until.micros())
        .bind(state.waiting_tick.map(Timestamp::micros));
    Ok(tx.run(query).await? == 1)
}

/// Makes a schedule stand still; false when it does. A tick that waits for the end of a run is no tick, as those
/// of the time that follows.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn pause(tx: &mut Tx<'_>, key: &ScheduleKey, pause: &Pause) -> Result<bool, StoreError> {
    let query = tx
        .query(&PAUSE)
        .bind(key.playbook.clone())
        .bind(key.name.clone())
        .bind(pause.at.micros())
        .bind(pause.by.clone())
        .bind(pause.note.clone());
    Ok(tx.run(query).await? == 1)
}

/// Lets a schedule go on from now; false when it does. Ticks of the time in between are no ticks.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn resume(
    tx: &mut Tx<'_>,
    key: &ScheduleKey,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let query =
        tx.query(&RESUME).bind(key.playbook.clone()).bind(key.name.clone()).bind(now.micros());
    Ok(tx.run(query).await? == 1)
}

/// Writes down what became of a tick; false when it is decided already.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn decide(tx: &mut Tx<'_>, key: &ScheduleKey, tick: &Tick) -> Result<bool, StoreError> {
    let run = tick.outcome.run();
    let query = tx
        .query(&TICK)
        .bind(key.playbook.clone())
        .bind(key.name.clone())
        .bind(tick.tick_at.micros())
        .bind(tick.cause.clone())
        .bind(tick.outcome.as_str())
        .bind(run.map(|run| run.to_string()))
        .bind(i64::from(run.is_some()))
        .bind(tick.decided_at.micros());
    Ok(tx.run(query).await? == 1)
}

/// The runs of its ticks that have not ended.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn open_runs(conn: &mut Conn<'_>, key: &ScheduleKey) -> Result<Vec<RunId>, StoreError> {
    let query = conn.query(&OPEN_RUNS).bind(key.playbook.clone()).bind(key.name.clone());
    let rows = conn.all(query).await?;
    rows.iter().map(|row| Row::of("ticks", row).word("run_id")).collect()
}

/// Notes which runs have ended, and forgets ticks from before a moment.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn tidy(tx: &mut Tx<'_>, key: &ScheduleKey, before: Timestamp) -> Result<(), StoreError> {
    let query = tx.query(&SETTLE).bind(key.playbook.clone()).bind(key.name.clone());
    tx.run(query).await?;
    let query = tx.query(&FORGET).bind(key.playbook.clone()).bind(key.name.clone());
    tx.run(query.bind(before.micros())).await.map(drop)
}

/// The newest ticks that are decided, the newest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn recent(
    conn: &mut Conn<'_>,
    key: &ScheduleKey,
    limit: u32,
) -> Result<Vec<Tick>, StoreError> {
    let query = conn.query(&RECENT).bind(key.playbook.clone()).bind(key.name.clone());
    let rows = conn.all(query.bind(i64::from(limit))).await?;
    rows.iter().map(|row| read_tick(&Row::of("ticks", row))).collect()
}

fn read_tick(row: &Row<'_>) -> Result<Tick, StoreError> {
    let outcome = match (row.word_opt("run_id")?, row.text("outcome")?.as_str()) {
        (Some(run), _) => TickOutcome::Started(run),
        (None, "missed") => TickOutcome::Missed,
        (None, _) => TickOutcome::Skipped,
    };
    Ok(Tick {
        tick_at: row.time("tick_at")?,
        cause: row.text("cause")?,
        outcome,
        decided_at: row.time("decided_at")?,
    })
}
