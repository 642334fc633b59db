//! The custody chains, one for each incident.

use serde_json::Value;
use stanch_engine_core::chain::{Head, Link as _};
use stanch_engine_core::custody::{CustodyAction, Record, detail_text};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::time::Timestamp;

use crate::dialect::Dialect;
use crate::error::StoreError;
use crate::incidents;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    NEXT =
        "INSERT INTO custody_heads (incident_id, count, hash) VALUES ($1, 1, $2) \
         ON CONFLICT (incident_id) DO UPDATE SET count = custody_heads.count + 1 RETURNING count, hash";
    // On Postgres each statement waits for the way to it and back: there it says the chain's new end, too.
    APPEND = {
        sqlite:
            "INSERT INTO custody (incident_id, seq, at, hash, body, detail) VALUES ($1, $2, $3, $4, $5, $6)",
        postgres:
            "WITH head AS (UPDATE custody_heads SET hash = $4 WHERE incident_id = $1) \
             INSERT INTO custody (incident_id, seq, at, hash, body, detail) VALUES ($1, $2, $3, $4, $5, $6)",
    };
    SET_HASH = "UPDATE custody_heads SET hash = $2 WHERE incident_id = $1";
    HEAD = "SELECT count, hash FROM custody_heads WHERE incident_id = $1";
    HASH = "SELECT hash FROM custody WHERE incident_id = $1 AND seq = $2";
    ROWS = "SELECT body, detail FROM custody WHERE incident_id = $1 AND seq < $2 ORDER BY seq";
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

/// Appends that somebody decided something about an incident.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn decided(
    tx: &mut Tx<'_>,
    incident: IncidentId,
    (actor, at): (&str, Timestamp),
    detail: Value,
) -> Result<(), StoreError> {
    let (actor, action) = (actor.to_owned(), CustodyAction::Decided);
    append(tx, &NewRecord { incident, at, actor, action, item: None, detail }).await.map(drop)
}

/// Appends a record to its incident's chain.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn append(tx: &mut Tx<'_>, new: &NewRecord) -> Result<Head, StoreError> {
    // The incident's row comes before the row of its chain, as wherever both are changed.
    if matches!(new.action, CustodyAction::Captured | CustodyAction::CaptureFailed) {
        incidents::recount(tx, new.incident).await?;
    }
    let incident = new.incident.to_string();
    // Counting takes the row's lock, so that what is read is the end of the chain.
    let query = tx.query(&NEXT).bind(incident.clone()).bind(Sha256::ZERO.to_string());
    let row = tx.one(query).await?;
    let row = Row::of("custody_heads", &row);
    let head = Head { count: u64::from(row.count("count")?) - 1, hash: row.word("hash")? };
    let detail = detail_text(&new.detail, tx.chance());
    let record = Record {
        incident: new.incident,
        seq: head.count,
        at: new.at,
        actor: new.actor.clone(),
        action: new.action,
        item: new.item,
        detail_sha256: Some(Sha256::of(&detail)),
        detail: None,
        prev: head.hash,
    };
    let sealed = record.seal();
    let query = tx
        .query(&APPEND)
        .bind(incident.clone())
        .bind(i64::try_from(record.seq).unwrap_or(i64::MAX))
        .bind(new.at.micros())
        .bind(sealed.hash.to_string())
        .bind(sealed.body.clone())
        .bind(detail);
    tx.run(query).await?;
    if tx.dialect() == Dialect::Sqlite {
        let query = tx.query(&SET_HASH).bind(incident).bind(sealed.hash.to_string());
        tx.run(query).await?;
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

/// The end that an incident's chain had when it had so many records; nothing when it has fewer.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn head_at(
    conn: &mut Conn<'_>,
    incident: IncidentId,
    count: u64,
) -> Result<Option<Head>, StoreError> {
    let last = head(conn, incident).await?;
    if count == last.count || count == 0 {
        return Ok(Some(if count == 0 { Head::EMPTY } else { last }));
    }
    let seq = i64::try_from(count - 1).unwrap_or(i64::MAX);
    let row = conn.maybe(conn.query(&HASH).bind(incident.to_string()).bind(seq)).await?;
    let read = |row| Ok(Head { count, hash: Row::of("custody", &row).word("hash")? });
    row.map(read).transpose()
}

/// A record as it was sealed, and the text beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The record in JSON.
    pub body: String,
    /// The text that it has the hash of; nothing in records that have it in themselves.
    pub detail: Option<String>,
}

impl Stored {
    /// The record, and what it says of why and how; nothing when it can't be read any more.
    pub fn read(&self) -> Option<(Record, Value)> {
        let record: Record = serde_json::from_str(&self.body).ok()?;
        let beside = || serde_json::from_str(self.detail.as_deref()?).ok();
        let detail = record.detail.clone().or_else(beside).unwrap_or_default();
        Some((record, detail))
    }
}

/// The first `count` records of an incident's chain, as they were sealed.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn records(
    conn: &mut Conn<'_>,
    incident: IncidentId,
    count: u64,
) -> Result<Vec<Stored>, StoreError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let query = conn.query(&ROWS).bind(incident.to_string()).bind(count);
    let read = |row| {
        let row = Row::of("custody", row);
        Ok(Stored { body: row.text("body")?, detail: row.text_opt("detail")? })
    };
    conn.all(query).await?.iter().map(read).collect()
}
