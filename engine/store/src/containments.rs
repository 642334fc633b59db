//! What was contained and still stands.

use stanch_engine_core::containment::{ContainmentStatus, Standing};
use stanch_engine_core::id::{ContainmentId, IncidentId, RunId};
use stanch_engine_core::json::Json;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    INSERT =
        "INSERT INTO containments (id, incident_id, run_id, step, changes, owner, status, began_at, \
         expires_at, ask_at, asked) VALUES ($1, $2, $3, $4, $5, $6, 'open', $7, $8, $8, 0)";
    GET = "SELECT * FROM containments WHERE id = $1";
    LIST =
        "SELECT * FROM containments WHERE (CAST($1 AS TEXT) IS NULL OR id < $1) \
         AND ($2 = 0 OR status = 'open') AND (CAST($3 AS TEXT) IS NULL OR incident_id = $3) \
         ORDER BY id DESC LIMIT $4";
    OPEN_BESIDE =
        "SELECT * FROM containments WHERE status = 'open' AND (run_id = $1 OR incident_id = $2) \
         ORDER BY id";
    BESIDE =
        "SELECT * FROM containments WHERE status <> 'final' AND (run_id = $1 OR incident_id = $2) \
         ORDER BY id";
    CHANGE = "UPDATE containments SET changes = $2 WHERE id = $1 AND status = 'open'";
    STAND_AGAIN_WITH =
        "UPDATE containments SET status = 'open', changes = $2, expires_at = $3, ask_at = $3, \
         ended_at = NULL, ended_by = NULL, reason = NULL, undone_by = NULL \
         WHERE id = $1 AND status <> 'final'";
    OF_OWNER = "SELECT * FROM containments WHERE owner = $1 AND status <> 'final' ORDER BY id";
    DUE =
        "SELECT * FROM containments WHERE status = 'open' AND ask_at <= $1 ORDER BY ask_at LIMIT $2";
    NEXT = "SELECT MIN(ask_at) AS at FROM containments WHERE status = 'open'";
    ASKED =
        "UPDATE containments SET ask_at = $3, asked = asked + 1 \
         WHERE id = $1 AND status = 'open' AND ask_at = $2";
    EXTEND =
        "UPDATE containments SET expires_at = $2, ask_at = $2 WHERE id = $1 AND status = 'open'";
    OWN_ALL = "UPDATE containments SET owner = $2 WHERE owner = $1 AND status <> 'final'";
    OWN = "UPDATE containments SET owner = $2 WHERE id = $1 AND status = 'open'";
    END =
        "UPDATE containments SET status = $2, ended_at = $3, ended_by = $4, reason = $5, \
         undone_by = $6 WHERE id = $1 AND status = 'open'";
    STAND_AGAIN =
        "UPDATE containments SET status = 'open', expires_at = $2, ask_at = $2, ended_at = NULL, \
         ended_by = NULL, reason = NULL, undone_by = NULL WHERE undone_by = $1";
    MOVE = "UPDATE containments SET incident_id = $2 WHERE incident_id = $1";
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Containment {
    /// Its id.
    pub id: ContainmentId,
    /// The incident that it is about.
    pub incident: Option<IncidentId>,
    /// The run that made it.
    pub run: RunId,
    /// The step of it that looked whether it holds.
    pub step: String,
    /// The changes that stand.
    pub changes: Vec<Standing>,
    /// Whose it is: a person, or `role:NAME`.
    pub owner: String,
    /// Where it stands.
    pub status: ContainmentStatus,
    /// Since when it stands.
    pub began_at: Timestamp,
    /// When its owner is asked what is to become of it.
    pub expires_at: Timestamp,
    /// When they are asked next.
    pub ask_at: Timestamp,
    /// How often they were.
    pub asked: u32,
    /// How it came to its end.
    pub end: Option<End>,
}

/// How a containment came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The run that took it back.
    pub undone_by: Option<RunId>,
}

/// Writes down what stands from now on.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(tx: &mut Tx<'_>, it: &Containment) -> Result<(), StoreError> {
    let query = tx
        .query(&INSERT)
        .bind(it.id.to_string())
        .bind(it.incident.map(|id| id.to_string()))
        .bind(it.run.to_string())
        .bind(it.step.clone())
        .bind(Json::of(&it.changes).as_str().to_owned())
        .bind(it.owner.clone())
        .bind(it.began_at.micros())
        .bind(it.expires_at.micros());
    tx.run(query).await.map(drop)
}

/// One of them.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn get(
    conn: &mut Conn<'_>,
    id: ContainmentId,
) -> Result<Option<Containment>, StoreError> {
    let row = conn.maybe(conn.query(&GET).bind(id.to_string())).await?;
    row.map(|row| read(&Row::of("containments", &row))).transpose()
}

/// All of them, the newest first: only those that are open, and those of an incident, if that is wanted.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    conn: &mut Conn<'_>,
    before: Option<ContainmentId>,
    only_open: bool,
    incident: Option<IncidentId>,
    limit: u32,
) -> Result<Vec<Containment>, StoreError> {
    let query = conn
        .query(&LIST)
        .bind(before.map(|id| id.to_string()))
        .bind(i64::from(only_open))
        .bind(incident.map(|id| id.to_string()))
        .bind(i64::from(limit));
    conn.all(query).await?.iter().map(|row| read(&Row::of("containments", row))).collect()
}

/// Those that are open, of a run or of its incident.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn open_beside(
    conn: &mut Conn<'_>,
    run: RunId,
    incident: Option<IncidentId>,
) -> Result<Vec<Containment>, StoreError> {
    let incident = incident.map(|id| id.to_string());
    let query = conn.query(&OPEN_BESIDE).bind(run.to_string()).bind(incident);
    conn.all(query).await?.iter().map(|row| read(&Row::of("containments", row))).collect()
}

/// The same, with those that were taken back.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn beside(
    conn: &mut Conn<'_>,
    run: RunId,
    incident: Option<IncidentId>,
) -> Result<Vec<Containment>, StoreError> {
    let incident = incident.map(|id| id.to_string());
    let query = conn.query(&BESIDE).bind(run.to_string()).bind(incident);
    conn.all(query).await?.iter().map(|row| read(&Row::of("containments", row))).collect()
}

/// Those of an owner that stand for a while, or may again.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_owner(conn: &mut Conn<'_>, owner: &str) -> Result<Vec<Containment>, StoreError> {
    let query = conn.query(&OF_OWNER).bind(owner.to_owned());
    conn.all(query).await?.iter().map(|row| read(&Row::of("containments", row))).collect()
}

/// Those whose owners are to be asked by now.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn due(
    conn: &mut Conn<'_>,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Containment>, StoreError> {
    let query = conn.query(&DUE).bind(now.micros()).bind(i64::from(limit));
    conn.all(query).await?.iter().map(|row| read(&Row::of("containments", row))).collect()
}

/// When the next owner is to be asked.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn next(conn: &mut Conn<'_>) -> Result<Option<Timestamp>, StoreError> {
    let row = conn.one(conn.query(&NEXT)).await?;
    Row::of("containments", &row).time_opt("at")
}

/// Notes that the owner is asked now, and is again at `again_at`; false when another node was first, or
/// something became of it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn asked(
    tx: &mut Tx<'_>,
    it: &Containment,
    again_at: Timestamp,
) -> Result<bool, StoreError> {
    let query =
        tx.query(&ASKED).bind(it.id.to_string()).bind(it.ask_at.micros()).bind(again_at.micros());
    Ok(tx.run(query).await? == 1)
}

/// It stands longer; false when it is not open.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn extend(
    tx: &mut Tx<'_>,
    id: ContainmentId,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let query = tx.query(&EXTEND).bind(id.to_string()).bind(until.micros());
    Ok(tx.run(query).await? == 1)
}

/// It is another's; false when it is not open.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn own(tx: &mut Tx<'_>, id: ContainmentId, owner: &str) -> Result<bool, StoreError> {
    let query = tx.query(&OWN).bind(id.to_string()).bind(owner.to_owned());
    Ok(tx.run(query).await? == 1)
}

/// All of an owner that stand for a while, or may again, are another's.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn own_all(tx: &mut Tx<'_>, from: &str, to: &str) -> Result<(), StoreError> {
    let query = tx.query(&OWN_ALL).bind(from.to_owned()).bind(to.to_owned());
    tx.run(query).await.map(drop)
}

/// It is no longer open; false when it was not.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn end(
    tx: &mut Tx<'_>,
    id: ContainmentId,
    status: ContainmentStatus,
    end: &End,
) -> Result<bool, StoreError> {
    let query = tx
        .query(&END)
        .bind(id.to_string())
        .bind(status.as_str())
        .bind(end.at.micros())
        .bind(end.by.clone())
        .bind(end.reason.clone())
        .bind(end.undone_by.map(|run| run.to_string()));
    Ok(tx.run(query).await? == 1)
}

/// What a run took back stands again: that was taken back, too.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn stand_again(
    tx: &mut Tx<'_>,
    undone_by: RunId,
    until: Timestamp,
) -> Result<(), StoreError> {
    let query = tx.query(&STAND_AGAIN).bind(undone_by.to_string()).bind(until.micros());
    tx.run(query).await.map(drop)
}

/// What is to be known of the changes of one that is open has changed.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn change(
    tx: &mut Tx<'_>,
    id: ContainmentId,
    changes: &[Standing],
) -> Result<(), StoreError> {
    let text = Json::of(&changes).as_str().to_owned();
    let query = tx.query(&CHANGE).bind(id.to_string()).bind(text);
    tx.run(query).await.map(drop)
}

/// It stands again, with these changes, unless it was made final.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn stand_again_with(
    tx: &mut Tx<'_>,
    id: ContainmentId,
    changes: &[Standing],
    until: Timestamp,
) -> Result<(), StoreError> {
    let text = Json::of(&changes).as_str().to_owned();
    let query = tx.query(&STAND_AGAIN_WITH).bind(id.to_string()).bind(text).bind(until.micros());
    tx.run(query).await.map(drop)
}

/// Has those of an incident be about another.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn move_to(tx: &mut Tx<'_>, from: IncidentId, to: IncidentId) -> Result<(), StoreError> {
    let query = tx.query(&MOVE).bind(from.to_string()).bind(to.to_string());
    tx.run(query).await.map(drop)
}

fn read(row: &Row<'_>) -> Result<Containment, StoreError> {
    let end = match row.time_opt("ended_at")? {
        None => None,
        Some(at) => Some(End {
            at,
            by: row.text("ended_by")?,
            reason: row.text("reason")?,
            undone_by: row.word_opt("undone_by")?,
        }),
    };
    Ok(Containment {
        id: row.word("id")?,
        incident: row.word_opt("incident_id")?,
        run: row.word("run_id")?,
        step: row.text("step")?,
        changes: row.parsed("changes")?,
        owner: row.text("owner")?,
        status: row.word("status")?,
        began_at: row.time("began_at")?,
        expires_at: row.time("expires_at")?,
        ask_at: row.time("ask_at")?,
        asked: row.count("asked")?,
        end,
    })
}
