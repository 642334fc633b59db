//! The custody chains, one for each incident.

use serde_json::Value;
use stanch_engine_core::custody::{CustodyAction, Head, Record};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::incidents;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    BEGIN_CHAIN =
        "INSERT INTO custody_heads (incident_id, count, hash) VALUES ($1, 0, $2) \
         ON CONFLICT (incident_id) DO NOTHING";
    NEXT = "UPDATE custody_heads SET count = count + 1 WHERE incident_id = $1 RETURNING count, hash";
    APPEND = "INSERT INTO custody (incident_id, seq, at, hash, body) VALUES ($1, $2, $3, $4, $5)";
    SET_HASH = "UPDATE custody_heads SET hash = $2 WHERE incident_id = $1";
    HEAD = "SELECT count, hash FROM custody_heads WHERE incident_id = $1";
    BODIES = "SELECT body FROM custody WHERE incident_id = $1 ORDER BY seq";
}

/// What is to be recorded; its place in the chain is found when it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRecord {
    /// The incident whose chain it goes into.
    pub incident: IncidentId,
    /// When.
    pub at: Timestamp,
    /// Who: a run and step, or a person.
    pub actor: String,
    /// What was done.
    pub action: CustodyAction,
    /// To what.
    pub item: Option<Sha256>,
    /// Why, and how.
    pub detail: Value,
}

/// Appends a record to its incident's chain.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn append(tx: &mut Tx<'_>, new: &NewRecord) -> Result<Head, StoreError> {
    let incident = new.incident.to_string();
    let query = tx.query(&BEGIN_CHAIN).bind(incident.clone()).bind(Sha256::ZERO.to_string());
    tx.run(query).await?;
    // Counting first takes the row's lock, so that what is read is the end of the chain.
    let query = tx.query(&NEXT).bind(incident.clone());
    let row = tx.one(query).await?;
    let row = Row::of("custody_heads", &row);
    let head = Head { count: u64::from(row.count("count")?) - 1, hash: row.word("hash")? };
    let record = Record {
        incident: new.incident,
        seq: head.count,
        at: new.at,
        actor: new.actor.clone(),
        action: new.action,
        item: new.item,
        detail: new.detail.clone(),
        prev: head.hash,
    };
    let sealed = record.seal();
    let query = tx
        .query(&APPEND)
        .bind(incident.clone())
        .bind(i64::try_from(record.seq).unwrap_or(i64::MAX))
        .bind(new.at.micros())
        .bind(sealed.hash.to_string())
        .bind(sealed.body.clone());
    tx.run(query).await?;
    let query = tx.query(&SET_HASH).bind(incident).bind(sealed.hash.to_string());
    tx.run(query).await?;
    if matches!(new.action, CustodyAction::Captured | CustodyAction::CaptureFailed) {
        incidents::recount(tx, new.incident).await?;
    }
    Ok(head.after(&sealed))
}

/// The end of an incident's chain.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn head(conn: &mut Conn<'_>, incident: IncidentId) -> Result<Head, StoreError> {
    let row = conn.maybe(conn.query(&HEAD).bind(incident.to_string())).await?;
    let read = |row| {
        let row = Row::of("custody_heads", &row);
        Ok(Head { count: u64::from(row.count("count")?), hash: row.word("hash")? })
    };
    row.map_or(Ok(Head::EMPTY), read)
}

/// The records of an incident's chain, as they were sealed.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn bodies(conn: &mut Conn<'_>, incident: IncidentId) -> Result<Vec<String>, StoreError> {
    let query = conn.query(&BODIES).bind(incident.to_string());
    conn.all(query).await?.iter().map(|row| Row::of("custody", row).text("body")).collect()
}
