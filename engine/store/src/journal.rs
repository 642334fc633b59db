//! The journals: append-only, `(run, seq)` once and for all, and only under the run's lease.

use serde_json::json;
use stanch_engine_core::id::RunId;
use stanch_engine_core::journal::{Entry, Event};
use stanch_engine_core::json::write_string;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};
use crate::writer::RunCommit;

statements! {
    APPEND_ONE =
        "INSERT INTO journal (run_id, seq, at, kind, body) \
         SELECT $1, $2, $3, $4, $5 WHERE (SELECT epoch FROM runs WHERE id = $1) = $6";
    APPEND_MANY = {
        sqlite:
            "INSERT INTO journal (run_id, seq, at, kind, body) \
             SELECT x.run_id, x.seq, x.at, x.kind, x.body FROM \
             (SELECT value->>0 AS run_id, value->>1 AS seq, value->>2 AS at, value->>3 AS kind, \
              value->>4 AS body, value->>5 AS epoch FROM json_each($1)) AS x \
             WHERE (SELECT epoch FROM runs WHERE id = x.run_id) = x.epoch",
        postgres:
            "INSERT INTO journal (run_id, seq, at, kind, body) \
             SELECT x.run_id, x.seq, x.at, x.kind, x.body FROM \
             (SELECT v->>0 AS run_id, CAST(v->>1 AS BIGINT) AS seq, CAST(v->>2 AS BIGINT) AS at, \
              v->>3 AS kind, v->>4 AS body, CAST(v->>5 AS BIGINT) AS epoch \
              FROM json_array_elements(CAST(CAST($1 AS TEXT) AS json)) AS v) AS x \
             WHERE (SELECT epoch FROM runs WHERE id = x.run_id) = x.epoch",
    };
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
    MARK = "SELECT COUNT(*) AS n FROM journal WHERE run_id = $1";
}

/// Appends entries of many runs at once.
///
/// # Errors
/// [`StoreError::Fenced`] when a lease was lost, [`StoreError::Conflict`] when an entry is there
/// already. Nothing may be committed then.
pub(crate) async fn append(tx: &mut Tx<'_>, commits: &[&RunCommit]) -> Result<(), StoreError> {
    let rows: u64 = commits.iter().map(|commit| commit.entries.len() as u64).sum();
    let written = match commits {
        [commit] if rows == 1 => match commit.entries.as_slice() {
            [entry] => append_one(tx, commit, entry).await?,
            _ => 0,
        },
        _ if rows == 0 => 0,
        _ => {
            let text = rows_as_json(commits);
            let query = tx.query(&APPEND_MANY).bind(text);
            tx.run(query).await?
        }
    };
    if written == rows { Ok(()) } else { Err(StoreError::Fenced) }
}

async fn append_one(tx: &mut Tx<'_>, commit: &RunCommit, entry: &Entry) -> Result<u64, StoreError> {
    let query = tx
        .query(&APPEND_ONE)
        .bind(commit.run.to_string())
        .bind(i64::from(entry.seq))
        .bind(entry.at.micros())
        .bind(entry.event.kind())
        .bind(entry.event.body())
        .bind(commit.epoch);
    tx.run(query).await
}

fn rows_as_json(commits: &[&RunCommit]) -> String {
    use std::fmt::Write as _;
    let mut out = String::from("[");
    for commit in commits {
        for entry in &commit.entries {
            if out.len() > 1 {
                out.push(',');
            }
            let _ = write!(out, "[\"{}\",{},{},\"", commit.run, entry.seq, entry.at.micros());
            let _ = write!(out, "{}\",", entry.event.kind());
            write_string(&entry.event.body(), &mut out);
            let _ = write!(out, ",{}]", commit.epoch);
        }
    }
    out.push(']');
    out
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

/// How many entries a run has.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn length(conn: &mut Conn<'_>, run: RunId) -> Result<u32, StoreError> {
    let row = conn.one(conn.query(&MARK).bind(run.to_string())).await?;
    Row::of("journal", &row).count("n")
}
