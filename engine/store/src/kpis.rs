//! What KPIs are made of: facts of incidents, and tallies of these by day and week.

pub mod plain;
pub mod reading;

use stanch_engine_core::id::IncidentId;
use stanch_engine_core::kpi::period::Stretch;
use stanch_engine_core::kpi::{Dimension, Facts, Period, Tally};
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    LOCK = "UPDATE kpi_state SET turn = turn + 1 WHERE id = 1";
    STATE = "SELECT revision, targets FROM kpi_state WHERE id = 1";
    SET_STATE = "UPDATE kpi_state SET revision = $1, targets = $2 WHERE id = 1";
    FORGET_FACTS = "DELETE FROM kpi_facts";
    FORGET_TALLIES = "DELETE FROM kpi_tallies";
    ALL_ANEW = "UPDATE incidents SET kpi_done = 0 WHERE kpi_done <> 0";
    OPEN_ANEW = "UPDATE incidents SET kpi_version = kpi_version + 1 WHERE status <> 'closed'";
    STALE =
        "SELECT id, kpi_version, kpi_done FROM incidents WHERE kpi_version <> kpi_done ORDER BY id LIMIT $1";
    CLAIM =
        "UPDATE incidents SET kpi_done = $2 WHERE id = $1 AND kpi_version = $2 AND kpi_done <> $2";
    FACTS = "SELECT body FROM kpi_facts WHERE incident_id = $1";
    PUT_FACTS =
        "INSERT INTO kpi_facts (incident_id, opened_at, breach_at, body) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (incident_id) DO UPDATE SET opened_at = excluded.opened_at, \
         breach_at = excluded.breach_at, body = excluded.body";
    DROP_FACTS = "DELETE FROM kpi_facts WHERE incident_id = $1";
    TALLY =
        "SELECT body FROM kpi_tallies WHERE dimension = $1 AND value = $2 AND period = $3 AND start_at = $4";
    PUT_TALLY =
        "INSERT INTO kpi_tallies (dimension, value, period, start_at, incidents, body) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (dimension, value, period, start_at) \
         DO UPDATE SET incidents = excluded.incidents, body = excluded.body";
    DROP_TALLY =
        "DELETE FROM kpi_tallies WHERE dimension = $1 AND value = $2 AND period = $3 AND start_at = $4";
    TALLIES =
        "SELECT start_at, body FROM kpi_tallies WHERE dimension = $1 AND value = $2 AND period = $3 \
         AND start_at >= $4 AND start_at < $5 ORDER BY start_at";
    VALUES =
        "SELECT value, CAST(SUM(incidents) AS BIGINT) AS incidents FROM kpi_tallies \
         WHERE dimension = $1 AND period = $2 AND start_at >= $3 AND start_at < $4 GROUP BY value";
    FACTS_OF =
        "SELECT incident_id, opened_at, body FROM kpi_facts WHERE opened_at >= $1 \
         AND (opened_at < $2 OR (opened_at = $2 AND incident_id < $3)) \
         ORDER BY opened_at DESC, incident_id DESC LIMIT $4";
    MISSED =
        "SELECT incident_id, breach_at, body FROM kpi_facts WHERE breach_at <= $1 ORDER BY breach_at LIMIT $2";
    NEXT_MISSED = "SELECT MIN(breach_at) AS at FROM kpi_facts WHERE breach_at IS NOT NULL";
    WATCH =
        "UPDATE kpi_facts SET breach_at = $3 WHERE incident_id = $1 AND breach_at = $2 AND NOT EXISTS \
         (SELECT 1 FROM incidents WHERE id = $1 AND kpi_version <> kpi_done)";
}

/// An incident that changed since it was brought into the KPIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// Which.
    pub incident: IncidentId,
    /// The version of it that is to be brought in.
    pub version: i64,
    /// The version that is in; 0 when it is not in at all.
    pub done: i64,
}

/// One tally: of which incidents it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// The dimension.
    pub dimension: Dimension,
    /// The value.
    pub value: String,
    /// Day or week.
    pub period: Period,
    /// When that begins.
    pub start_at: Timestamp,
}

/// Waits until no other node adds up.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn lock(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    tx.run(tx.query(&LOCK)).await.map(drop)
}

/// By which formulas and targets is added up.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn state(conn: &mut Conn<'_>) -> Result<(u32, String), StoreError> {
    let row = conn.one(conn.query(&STATE)).await?;
    let row = Row::of("kpi_state", &row);
    Ok((row.count("revision")?, row.text("targets")?))
}

/// Begins to add up by other formulas, or by other targets: what was added up by other formulas is
/// thrown away, and by other targets what is open is brought in anew.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn begin(tx: &mut Tx<'_>, revision: u32, targets: &str) -> Result<(), StoreError> {
    lock(tx).await?;
    let (before, targets_before) = state(tx).await?;
    if before < revision {
        for sql in [&FORGET_FACTS, &FORGET_TALLIES, &ALL_ANEW] {
            tx.run(tx.query(sql)).await?;
        }
    } else if targets_before != targets {
        tx.run(tx.query(&OPEN_ANEW)).await?;
    }
    let query = tx.query(&SET_STATE).bind(i64::from(revision.max(before))).bind(targets.to_owned());
    tx.run(query).await.map(drop)
}

/// Incidents that changed since they were brought in, at most so many.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn stale(conn: &mut Conn<'_>, limit: u32) -> Result<Vec<Stale>, StoreError> {
    let read = |row| {
        let row = Row::of("incidents", row);
        let (version, done) = (row.int("kpi_version")?, row.int("kpi_done")?);
        Ok(Stale { incident: row.word("id")?, version, done })
    };
    conn.all(conn.query(&STALE).bind(i64::from(limit))).await?.iter().map(read).collect()
}

/// Takes it on to bring a version in; false when it has changed again, or another node was first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn claim(tx: &mut Tx<'_>, stale: &Stale) -> Result<bool, StoreError> {
    let query = tx.query(&CLAIM).bind(stale.incident.to_string()).bind(stale.version);
    Ok(tx.run(query).await? == 1)
}

/// The facts of an incident that are in.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn facts(conn: &mut Conn<'_>, id: IncidentId) -> Result<Option<Facts>, StoreError> {
    let row = conn.maybe(conn.query(&FACTS).bind(id.to_string())).await?;
    row.map(|row| Row::of("kpi_facts", &row).parsed("body")).transpose()
}

/// Puts facts in the place of those that were there.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn put_facts(
    tx: &mut Tx<'_>,
    id: IncidentId,
    facts: &Facts,
    breach_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let query = tx
        .query(&PUT_FACTS)
        .bind(id.to_string())
        .bind(facts.opened_at.micros())
        .bind(breach_at.map(Timestamp::micros))
        .bind(serde_json::to_string(facts).unwrap_or_default());
    tx.run(query).await.map(drop)
}

/// Takes facts out.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn drop_facts(tx: &mut Tx<'_>, id: IncidentId) -> Result<(), StoreError> {
    let query = tx.query(&DROP_FACTS).bind(id.to_string());
    tx.run(query).await.map(drop)
}

/// A tally; an empty one where there is none.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn tally(conn: &mut Conn<'_>, cell: &Cell) -> Result<Tally, StoreError> {
    let query = conn
        .query(&TALLY)
        .bind(cell.dimension.as_str())
        .bind(cell.value.clone())
        .bind(cell.period.as_str())
        .bind(cell.start_at.micros());
    let row = conn.maybe(query).await?;
    row.map_or_else(|| Ok(Tally::default()), |row| Row::of("kpi_tallies", &row).parsed("body"))
}

/// Puts a tally in the place of the one that was there.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn put_tally(tx: &mut Tx<'_>, cell: &Cell, tally: &Tally) -> Result<(), StoreError> {
    let sql = if tally.incidents() == 0 { &DROP_TALLY } else { &PUT_TALLY };
    let mut query = tx
        .query(sql)
        .bind(cell.dimension.as_str())
        .bind(cell.value.clone())
        .bind(cell.period.as_str())
        .bind(cell.start_at.micros());
    if tally.incidents() != 0 {
        let body = serde_json::to_string(tally).unwrap_or_default();
        query = query.bind(tally.incidents()).bind(body);
    }
    tx.run(query).await.map(drop)
}

/// The tallies of a stretch, by their beginning.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn tallies(
    conn: &mut Conn<'_>,
    dimension: Dimension,
    value: &str,
    stretch: Stretch,
) -> Result<Vec<(Timestamp, Tally)>, StoreError> {
    let query = conn
        .query(&TALLIES)
        .bind(dimension.as_str())
        .bind(value.to_owned())
        .bind(stretch.period.as_str())
        .bind(stretch.from.micros())
        .bind(stretch.to.micros());
    let read = |row| {
        let row = Row::of("kpi_tallies", row);
        Ok((row.time("start_at")?, row.parsed("body")?))
    };
    conn.all(query).await?.iter().map(read).collect()
}

/// The values of a dimension within a stretch, with their incidents.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn values(
    conn: &mut Conn<'_>,
    dimension: Dimension,
    stretch: Stretch,
) -> Result<Vec<(String, i64)>, StoreError> {
    let query = conn
        .query(&VALUES)
        .bind(dimension.as_str())
        .bind(stretch.period.as_str())
        .bind(stretch.from.micros())
        .bind(stretch.to.micros());
    let read = |row| {
        let row = Row::of("kpi_tallies", row);
        Ok((row.text("value")?, row.int("incidents")?))
    };
    conn.all(query).await?.iter().map(read).collect()
}

/// The facts of the incidents that began since `since` and before `before`, or at the same time
/// and with a smaller id; the newest first, at most so many.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn facts_of(
    conn: &mut Conn<'_>,
    since: Timestamp,
    before: (Timestamp, &str),
    limit: u32,
) -> Result<Vec<(IncidentId, Facts)>, StoreError> {
    let query = conn
        .query(&FACTS_OF)
        .bind(since.micros())
        .bind(before.0.micros())
        .bind(before.1.to_owned())
        .bind(i64::from(limit));
    let read = |row| {
        let row = Row::of("kpi_facts", row);
        Ok((row.word("incident_id")?, row.parsed("body")?))
    };
    conn.all(query).await?.iter().map(read).collect()
}

/// Incidents of which a target was missed by `now`, with the time and their facts.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn missed(
    conn: &mut Conn<'_>,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(IncidentId, Timestamp, Facts)>, StoreError> {
    let query = conn.query(&MISSED).bind(now.micros()).bind(i64::from(limit));
    let read = |row| {
        let row = Row::of("kpi_facts", row);
        Ok((row.word("incident_id")?, row.time("breach_at")?, row.parsed("body")?))
    };
    conn.all(query).await?.iter().map(read).collect()
}

/// When the next target is missed.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn next_missed(conn: &mut Conn<'_>) -> Result<Option<Timestamp>, StoreError> {
    let row = conn.one(conn.query(&NEXT_MISSED)).await?;
    Row::of("kpi_facts", &row).time_opt("at")
}

/// Notes when the next target of an incident is missed; false when it changed meanwhile.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn watch(
    tx: &mut Tx<'_>,
    id: IncidentId,
    before: Timestamp,
    next: Option<Timestamp>,
) -> Result<bool, StoreError> {
    let query = tx
        .query(&WATCH)
        .bind(id.to_string())
        .bind(before.micros())
        .bind(next.map(Timestamp::micros));
    Ok(tx.run(query).await? == 1)
}
