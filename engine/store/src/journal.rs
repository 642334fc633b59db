//! The journals: append-only, `(run, seq)` once and for all, and only under the run's lease.

use std::sync::LazyLock;

use serde_json::json;
use stanch_engine_core::id::RunId;
use stanch_engine_core::journal::{Entry, Event};

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::{Sql, statements};
use crate::tx::{Bound, Conn, Tx};
use crate::writer::RunCommit;

statements! {
    LOAD = "SELECT seq, at, kind, body FROM journal WHERE run_id = $1 AND seq >= $2 ORDER BY seq LIMIT $3";
    OF_KINDS = {
        sqlite:
            "SELECT run_id, seq, at, kind, body FROM journal WHERE run_id IN \
             (SELECT id FROM runs WHERE incident_id = $1) \
             AND kind IN (SELECT value FROM json_each($2)) ORDER BY at, run_id, seq",
        postgres:
            "SELECT run_id, seq, at, kind, body FROM journal WHERE run_id IN \
             (SELECT id FROM runs WHERE incident_id = $1) \
             AND kind IN (SELECT json_array_elements_text(CAST(CAST($2 AS TEXT) AS json))) ORDER BY at, run_id, seq",
    };
    THAT_NAME =
        "SELECT seq, at, kind, body FROM journal WHERE run_id = $1 \
         AND kind IN ('step_gated', 'step_scheduled') AND body LIKE $2 ORDER BY seq LIMIT 1000";
    AGAIN =
        "SELECT seq, at, kind, body FROM journal WHERE run_id = $1 \
         AND kind = 'generation_started' ORDER BY seq";
    MARK = "SELECT COUNT(*) AS n FROM journal WHERE run_id = $1";
}

/// How many rows one statement appends at most: enough for the usual batch, and a text that is
/// small beside what it writes.
pub(crate) const ROWS_AT_ONCE: usize = 256;

/// The statements that append, by how many rows they take: 1, 2, 4, … [`ROWS_AT_ONCE`].
///
/// Values are bound and never become text that the database has to parse. That is why there is a
/// statement for every size, made once, of constants alone.
static APPENDS: LazyLock<Vec<Sql>> = LazyLock::new(|| {
    let sizes = std::iter::successors(Some(1), |rows| Some(rows * 2));
    sizes.take_while(|rows| *rows <= ROWS_AT_ONCE).map(append_of).collect()
});

/// The same, for one run that takes facts out of its inbox with it. On Postgres that is one statement, too: the
/// facts go if the rows come. SQLite deletes by a statement of its own, and has the text of [`APPENDS`] here.
static TAKINGS: LazyLock<Vec<Sql>> = LazyLock::new(|| {
    let sizes = std::iter::successors(Some(1), |rows| Some(rows * 2));
    sizes.take_while(|rows| *rows <= ROWS_AT_ONCE).map(taking_of).collect()
});

/// A row is written while its run's lease is as it is believed to be. Rows without a run fill the
/// statement up.
///
/// SQLite's values have no numbers: it looks a numbered one up by going through all of them.
fn append_of(rows: usize) -> Sql {
    Sql {
        sqlite: append_text(vec!["(?, ?, ?, ?, ?, ?)".to_owned(); rows]),
        postgres: append_text((0..rows).map(numbered).collect()),
    }
}

fn numbered(row: usize) -> String {
    let [run, seq, at, kind, body, epoch] = [1, 2, 3, 4, 5, 6].map(|n| row * 6 + n);
    format!(
        "(${run}, CAST(${seq} AS BIGINT), CAST(${at} AS BIGINT), ${kind}, ${body}, \
         CAST(${epoch} AS BIGINT))"
    )
}

fn taking_of(rows: usize) -> Sql {
    let values: Vec<String> = (0..rows).map(numbered).collect();
    let taken = rows * 6 + 1;
    let postgres = format!(
        "WITH x (run_id, seq, at, kind, body, epoch) AS (VALUES {}), \
         held AS (SELECT x.run_id, x.seq, x.at, x.kind, x.body FROM x \
         WHERE (SELECT epoch FROM runs WHERE id = x.run_id) = x.epoch), \
         gone AS (DELETE FROM inbox WHERE EXISTS (SELECT 1 FROM held) \
         AND id IN (SELECT json_array_elements_text(CAST(CAST(${taken} AS TEXT) AS json)))) \
         INSERT INTO journal (run_id, seq, at, kind, body) \
         SELECT held.run_id, held.seq, held.at, held.kind, held.body FROM held",
        values.join(", ")
    );
    Sql { postgres: postgres.leak(), ..append_of(rows) }
}

fn append_text(values: Vec<String>) -> &'static str {
    format!(
        "WITH x (run_id, seq, at, kind, body, epoch) AS (VALUES {}) \
         INSERT INTO journal (run_id, seq, at, kind, body) \
         SELECT x.run_id, x.seq, x.at, x.kind, x.body FROM x \
         WHERE (SELECT epoch FROM runs WHERE id = x.run_id) = x.epoch",
        values.join(", ")
    )
    .leak()
}

/// Appends entries of many runs at once.
///
/// # Errors
/// [`StoreError::Fenced`] when a lease was lost, [`StoreError::Conflict`] when an entry is there
/// already. Nothing may be committed then.
pub(crate) async fn append(tx: &mut Tx<'_>, commits: &[&RunCommit]) -> Result<(), StoreError> {
    for rows in rows_of(commits).chunks(ROWS_AT_ONCE) {
        if tx.run(append_rows(tx, rows)).await? != rows.len() as u64 {
            return Err(StoreError::Fenced);
        }
    }
    Ok(())
}

/// Appends what one run appends, of [`ROWS_AT_ONCE`] at most, and takes out of its inbox what it took in: by one
/// statement on Postgres, where it is a transaction by itself.
///
/// # Errors
/// As [`append`].
pub(crate) async fn append_alone(tx: &mut Tx<'_>, commit: &RunCommit) -> Result<(), StoreError> {
    if commit.consumed.is_empty() {
        return append(tx, &[commit]).await;
    }
    let rows = rows_of(&[commit]);
    let taken = serde_json::to_string(&commit.consumed).unwrap_or_default();
    let query = bind_rows(tx, TAKINGS.as_slice(), taking_of, &rows).bind(taken);
    if tx.run(query).await? == rows.len() as u64 { Ok(()) } else { Err(StoreError::Fenced) }
}

fn rows_of<'a>(commits: &[&'a RunCommit]) -> Vec<(&'a RunCommit, &'a Entry)> {
    commits.iter().flat_map(|c| c.entries.iter().map(|entry| (*c, entry))).collect()
}

fn append_rows(conn: &Conn<'_>, rows: &[(&RunCommit, &Entry)]) -> Bound {
    bind_rows(conn, APPENDS.as_slice(), append_of, rows)
}

/// The statement of the right size, with its rows.
fn bind_rows(
    conn: &Conn<'_>,
    sized: &[Sql],
    of: fn(usize) -> Sql,
    rows: &[(&RunCommit, &Entry)],
) -> Bound {
    let size = rows.len().next_power_of_two();
    let place = usize::try_from(size.trailing_zeros()).unwrap_or_default();
    let sql = sized.get(place).copied().unwrap_or_else(|| of(size));
    let mut query = conn.query(&sql);
    for (commit, entry) in rows {
        query = query
            .bind(commit.run.to_string())
            .bind(i64::from(entry.seq))
            .bind(entry.at.micros())
            .bind(entry.event.kind())
            .bind(entry.event.body())
            .bind(commit.epoch);
    }
    for _ in rows.len()..size {
        query = query.bind("").bind(0_i64).bind(0_i64).bind("").bind("").bind(0_i64);
    }
    query
}

/// A run's entries from `from` on, at most `limit` of them.
///
/// # Errors
/// [`StoreError::Inconsistent`] when a row is no entry.
pub async fn load(
    conn: &mut Conn<'_>,
    run: RunId,
    from: u32,
    limit: u32,
) -> Result<Vec<Entry>, StoreError> {
    let query =
        conn.query(&LOAD).bind(run.to_string()).bind(i64::from(from)).bind(i64::from(limit));
    conn.all(query).await?.iter().map(|row| entry(&Row::of("journal", row))).collect()
}

fn entry(row: &Row<'_>) -> Result<Entry, StoreError> {
    let (kind, body) = (row.text("kind")?, row.text("body")?);
    let event = Event::read(&kind, &body).map_err(|error| StoreError::Inconsistent {
        table: "journal",
        column: "body",
        what: error.to_string(),
    })?;
    Ok(Entry { seq: row.count("seq")?, at: row.time("at")?, event })
}

/// The entries of an incident's runs that are of one of the kinds, by time.
///
/// # Errors
/// [`StoreError::Inconsistent`] when a row is no entry.
pub async fn of_incident(
    conn: &mut Conn<'_>,
    incident: stanch_engine_core::id::IncidentId,
    kinds: &[&str],
) -> Result<Vec<(RunId, Entry)>, StoreError> {
    let query = conn.query(&OF_KINDS).bind(incident.to_string()).bind(json!(kinds).to_string());
    let rows = conn.all(query).await?;
    let read = |row| {
        let row = Row::of("journal", row);
        Ok((row.word("run_id")?, entry(&row)?))
    };
    rows.iter().map(read).collect()
}

/// The intents of a run that name a call, such as `UpdateAccessKey`, somewhere; a thousand at most.
///
/// # Errors
/// [`StoreError::Inconsistent`] when a row is no entry.
pub async fn that_name(
    conn: &mut Conn<'_>,
    run: RunId,
    call: &str,
) -> Result<Vec<Entry>, StoreError> {
    // Some calls are written with the date of their API behind them.
    let name = call.trim_end_matches(|c: char| c.is_ascii_digit() || c == 'v' || c == '_');
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let query = conn.query(&THAT_NAME).bind(run.to_string()).bind(format!("%:{name}%"));
    conn.all(query).await?.iter().map(|row| entry(&Row::of("journal", row))).collect()
}

/// Those who ran a run again, in this order.
///
/// # Errors
/// [`StoreError::Inconsistent`] when a row is no entry.
pub async fn rerun_by(conn: &mut Conn<'_>, run: RunId) -> Result<Vec<String>, StoreError> {
    let query = conn.query(&AGAIN).bind(run.to_string());
    let mut people = Vec::new();
    for row in &conn.all(query).await? {
        if let Event::GenerationStarted(generation) = entry(&Row::of("journal", row))?.event {
            people.extend(generation.by.map(|by| by.by));
        }
    }
    Ok(people)
}

/// How many entries a run has.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn length(conn: &mut Conn<'_>, run: RunId) -> Result<u32, StoreError> {
    let row = conn.one(conn.query(&MARK).bind(run.to_string())).await?;
    Row::of("journal", &row).count("n")
}

/// The statements that are made of others, for the test that prepares every one.
#[cfg(test)]
pub(crate) fn sized() -> Vec<Sql> {
    APPENDS.iter().chain(TAKINGS.iter()).copied().collect()
}
