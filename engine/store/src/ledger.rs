//! What the evidence key has signed over all incidents, and where it was laid down outside.

use stanch_engine_core::chain::Head;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::ledger::{Anchored, Checkpoint, Entry, Signed};
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    BEGIN =
        "INSERT INTO ledger_head (id, count, hash) VALUES (1, 0, $1) ON CONFLICT (id) DO NOTHING";
    HEAD = "SELECT count, hash FROM ledger_head WHERE id = 1";
    ADVANCE =
        "UPDATE ledger_head SET count = $1, hash = $2 WHERE id = 1 AND count = $3 AND hash = $4";
    APPEND =
        "INSERT INTO ledger (seq, kind, at, incident_id, count, statement, signature) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)";
    HANDOVERS = "SELECT * FROM ledger WHERE kind = 'handover' ORDER BY seq";
    OF_INCIDENT =
        "SELECT * FROM ledger WHERE incident_id = $1 AND count <= $2 AND anchored_at <= $3 \
         ORDER BY count, seq";
    LAST = "SELECT MAX(count) AS n FROM ledger WHERE incident_id = $1 AND anchored_at IS NOT NULL";
    WAITING =
        "SELECT * FROM ledger WHERE anchored_at IS NULL AND refused IS NULL ORDER BY seq LIMIT $1";
    ANCHORED = "UPDATE ledger SET anchored_at = $2, anchored_in = $3 WHERE seq = $1 AND anchored_at IS NULL";
    REFUSED = "UPDATE ledger SET refused = $2 WHERE seq = $1";
    CHANGED =
        "SELECT incident_id, count, hash FROM custody_heads WHERE count <> checkpointed \
         ORDER BY incident_id LIMIT $1";
    CHECKPOINTED =
        "UPDATE custody_heads SET checkpointed = $2 \
         WHERE incident_id = $1 AND count >= $2 AND checkpointed <> $2";
}

/// An entry, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its place in the ledger.
    pub seq: u64,
    /// The incident that it is about.
    pub incident: Option<IncidentId>,
    /// How many records the incident's chain had.
    pub count: Option<u64>,
    /// The entry, as it is laid down.
    pub signed: Signed,
}

/// The end of the ledger.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn head(conn: &mut Conn<'_>) -> Result<Head, StoreError> {
    let row = conn.maybe(conn.query(&HEAD)).await?;
    let read = |row| {
        let row = Row::of("ledger_head", &row);
        Ok(Head { count: u64::from(row.count("count")?), hash: row.word("hash")? })
    };
    row.map_or(Ok(Head::EMPTY), read)
}

/// Appends entries that were signed for the ledger as it was `before`; false, and nothing is done, when
/// it has grown since.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn append(
    tx: &mut Tx<'_>,
    before: Head,
    entries: &[(Entry, Signed)],
) -> Result<bool, StoreError> {
    let Some((last, _)) = entries.last() else { return Ok(true) };
    let place = |seq: u64| i64::try_from(seq).unwrap_or(i64::MAX);
    let query = tx.query(&BEGIN).bind(Sha256::ZERO.to_string());
    tx.run(query).await?;
    let after = last.head();
    let query = tx
        .query(&ADVANCE)
        .bind(place(after.count))
        .bind(after.hash.to_string())
        .bind(place(before.count))
        .bind(before.hash.to_string());
    if tx.run(query).await? != 1 {
        return Ok(false);
    }
    for (entry, signed) in entries {
        let kind = if entry.checkpoint.is_some() { "checkpoint" } else { "handover" };
        let checkpoint = entry.checkpoint.as_ref();
        let query = tx
            .query(&APPEND)
            .bind(place(entry.seq))
            .bind(kind)
            .bind(entry.at.micros())
            .bind(checkpoint.map(|it| it.incident.to_string()))
            .bind(checkpoint.map(|it| place(it.chain.count)))
            .bind(signed.statement.clone())
            .bind(signed.signature.clone());
        tx.run(query).await?;
    }
    Ok(true)
}

/// Incidents whose chains have grown since the ledger signed them, with their ends.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn changed(conn: &mut Conn<'_>, limit: u32) -> Result<Vec<Checkpoint>, StoreError> {
    let query = conn.query(&CHANGED).bind(i64::from(limit));
    let read = |row| {
        let row = Row::of("custody_heads", row);
        let chain = Head { count: u64::from(row.count("count")?), hash: row.word("hash")? };
        Ok(Checkpoint { incident: row.word("incident_id")?, chain })
    };
    conn.all(query).await?.iter().map(read).collect()
}

/// Notes that the ledger signs this end.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn checkpointed(tx: &mut Tx<'_>, end: &Checkpoint) -> Result<(), StoreError> {
    let count = i64::try_from(end.chain.count).unwrap_or(i64::MAX);
    let query = tx.query(&CHECKPOINTED).bind(end.incident.to_string()).bind(count);
    tx.run(query).await.map(drop)
}

/// Every handing over to another key, in order.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn handovers(conn: &mut Conn<'_>) -> Result<Vec<Kept>, StoreError> {
    conn.all(conn.query(&HANDOVERS)).await?.iter().map(read).collect()
}

/// The ends of an incident's chain up to so many records that were laid down until a time.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_incident(
    conn: &mut Conn<'_>,
    incident: IncidentId,
    count: u64,
    until: Timestamp,
) -> Result<Vec<Kept>, StoreError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let query = conn.query(&OF_INCIDENT).bind(incident.to_string()).bind(count);
    conn.all(query.bind(until.micros())).await?.iter().map(read).collect()
}

/// The most records of an incident's chain that were laid down, as far as is known here; 0 for none.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn last(conn: &mut Conn<'_>, incident: IncidentId) -> Result<u64, StoreError> {
    let row = conn.one(conn.query(&LAST).bind(incident.to_string())).await?;
    let last = Row::of("ledger", &row).int_opt("n")?;
    Ok(last.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}

/// Entries that are still to be laid down outside, the oldest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn waiting(conn: &mut Conn<'_>, limit: u32) -> Result<Vec<Kept>, StoreError> {
    conn.all(conn.query(&WAITING).bind(i64::from(limit))).await?.iter().map(read).collect()
}

/// Notes where an entry was laid down.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn anchored(
    tx: &mut Tx<'_>,
    seq: u64,
    at: Timestamp,
    place: &str,
) -> Result<(), StoreError> {
    let query = tx.query(&ANCHORED).bind(i64::try_from(seq).unwrap_or(i64::MAX));
    let query = query.bind(at.micros()).bind(place.to_owned());
    tx.run(query).await.map(drop)
}

/// Notes that an entry can't be laid down, since something else stands in its place.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn refused(tx: &mut Tx<'_>, seq: u64, why: &str) -> Result<(), StoreError> {
    let query = tx.query(&REFUSED).bind(i64::try_from(seq).unwrap_or(i64::MAX));
    tx.run(query.bind(why.to_owned())).await.map(drop)
}

fn read(row: &sqlx::any::AnyRow) -> Result<Kept, StoreError> {
    let row = Row::of("ledger", row);
    let anchored = match (row.time_opt("anchored_at")?, row.text_opt("anchored_in")?) {
        (Some(at), Some(place)) => Some(Anchored { at, place }),
        _ => None,
    };
    Ok(Kept {
        seq: u64::from(row.count("seq")?),
        incident: row.word_opt("incident_id")?,
        count: row.int_opt("count")?.and_then(|count| u64::try_from(count).ok()),
        signed: Signed {
            statement: row.text("statement")?,
            signature: row.text("signature")?,
            anchored,
        },
    })
}
