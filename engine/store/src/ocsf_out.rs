//! How far events were told in OCSF, and by which node.

use stanch_engine_core::id::{IncidentId, NodeId};
use stanch_engine_core::time::Timestamp;

use crate::custody::Stored;
use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    BEGIN =
        "INSERT INTO ocsf_sinks (name, node, until_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING";
    FROM_NOW =
        "INSERT INTO ocsf_cursors (sink, incident_id, seq) \
         SELECT CAST($1 AS TEXT), incident_id, count FROM custody_heads WHERE count > 0";
    HOLD =
        "UPDATE ocsf_sinks SET node = $2, until_at = $3 WHERE name = $1 AND (node = $2 OR until_at < $4)";
    BEHIND =
        "SELECT h.incident_id AS incident_id, COALESCE(c.seq, 0) AS seq FROM custody_heads h \
         LEFT JOIN ocsf_cursors c ON c.sink = $1 AND c.incident_id = h.incident_id \
         WHERE h.count > COALESCE(c.seq, 0) ORDER BY h.incident_id LIMIT $2";
    ADVANCE =
        "INSERT INTO ocsf_cursors (sink, incident_id, seq) VALUES ($1, $2, $3) \
         ON CONFLICT (sink, incident_id) DO UPDATE SET seq = excluded.seq \
         WHERE ocsf_cursors.seq < excluded.seq";
    RECORDS = "SELECT body, detail FROM custody WHERE incident_id = $1 AND seq >= $2 ORDER BY seq LIMIT $3";
}

/// Takes a sink for a node until a moment; false when another node has it. A sink that is new is
/// told what happens from now on.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn hold(
    tx: &mut Tx<'_>,
    sink: &str,
    node: NodeId,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let begin = tx.query(&BEGIN).bind(sink.to_owned()).bind(node.to_string()).bind(until.micros());
    if tx.run(begin).await? == 1 {
        let from_now = tx.query(&FROM_NOW).bind(sink.to_owned());
        tx.run(from_now).await?;
        return Ok(true);
    }
    let query = tx
        .query(&HOLD)
        .bind(sink.to_owned())
        .bind(node.to_string())
        .bind(until.micros())
        .bind(now.micros());
    Ok(tx.run(query).await? == 1)
}

/// Incidents of which a sink has not been told all, and from which record on.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn behind(
    conn: &mut Conn<'_>,
    sink: &str,
    limit: u32,
) -> Result<Vec<(IncidentId, u32)>, StoreError> {
    let query = conn.query(&BEHIND).bind(sink.to_owned()).bind(i64::from(limit));
    let read = |row| {
        let row = Row::of("ocsf_cursors", row);
        Ok((row.word("incident_id")?, row.count("seq")?))
    };
    conn.all(query).await?.iter().map(read).collect()
}

/// The records of an incident's chain from one on, as they were sealed.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn records(
    conn: &mut Conn<'_>,
    incident: IncidentId,
    from: u32,
    limit: u32,
) -> Result<Vec<Stored>, StoreError> {
    let query = conn
        .query(&RECORDS)
        .bind(incident.to_string())
        .bind(i64::from(from))
        .bind(i64::from(limit));
    let read = |row| {
        let row = Row::of("custody", row);
        Ok(Stored { body: row.text("body")?, detail: row.text_opt("detail")? })
    };
    conn.all(query).await?.iter().map(read).collect()
}

/// Notes that a sink was told of an incident up to a record, which is the first that it was not.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn advance(
    tx: &mut Tx<'_>,
    sink: &str,
    incident: IncidentId,
    seq: u32,
) -> Result<(), StoreError> {
    let query =
        tx.query(&ADVANCE).bind(sink.to_owned()).bind(incident.to_string()).bind(i64::from(seq));
    tx.run(query).await.map(drop)
}
