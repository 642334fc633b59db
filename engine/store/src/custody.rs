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
            "INSERT INTO custody (incident_id, seq, at, hash, body, detail) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (incident_id, seq) DO NOTHING",
        postgres:
            "WITH head AS (UPDATE custody_heads SET hash = $4 WHERE incident_id = $1) \
             INSERT INTO custody (incident_id, seq, at, hash, body, detail) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (incident_id, seq) DO NOTHING",
    };
    SET_HASH = "UPDATE custody_heads SET hash = $2 WHERE incident_id = $1";
    HEAD = "SELECT count, hash FROM custody_heads WHERE incident_id = $1";
    HASH = "SELECT hash FROM custody WHERE incident_id = $1 AND seq = $2";
    ENDS =
        "SELECT h.count AS count, h.hash AS hash, c.seq AS seq, c.body AS body FROM incidents i \
         LEFT JOIN custody_heads h ON h.incident_id = i.id \
         LEFT JOIN custody c ON c.incident_id = i.id \
         AND c.seq = (SELECT MAX(seq) FROM custody WHERE incident_id = i.id) WHERE i.id = $1";
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
/// [`StoreError::ChainEnd`] when a record is there already in the place that is next; else of the
/// database.
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
    // Whoever else appends waits for the row of the chain's end: nobody was first.
    if tx.run(query).await? == 0 {
        let Head { count, .. } = head;
        return Err(StoreError::ChainEnd(format!(
            "nothing can be added to the custody chain of {incident}: by its row of `custody_heads` it has \
             {count} records, and record {count} is there; somebody changed it past Stanch"
        )));
    }
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

/// The end of an incident's chain as it is written down, and its last record. They agree, unless somebody
/// was at the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// What `custody_heads` has, whether or not it can be the end of a chain: the count and the hash.
    said: Option<(i64, String)>,
    /// The place of the last record, and its hash.
    last: Option<(i64, Sha256)>,
}

impl Ends {
    /// The end by the records that are there.
    pub fn found(&self) -> Head {
        let head =
            |(seq, hash): &(i64, Sha256)| Head { count: seq.unsigned_abs() + 1, hash: *hash };
        self.last.as_ref().map_or(Head::EMPTY, head)
    }

    /// What is wrong with the end that is written down, and where; nothing when it is right.
    pub fn fault(&self) -> Option<String> {
        let last = match &self.last {
            Some((seq, _)) => format!("record {seq} is the last that is there"),
            None => "no record is there".to_owned(),
        };
        let Head { count, hash } = self.found();
        match &self.said {
            None if count == 0 => None,
            None => Some(format!("its row of `custody_heads` is missing, and {last}")),
            Some((said, _)) if u64::try_from(*said) != Ok(count) => {
                Some(format!("its row of `custody_heads` says {said} records, and {last}"))
            }
            Some((_, said)) if count > 0 && *said != hash.to_string() => Some(format!(
                "its row of `custody_heads` has another hash than its last record, {}",
                count - 1
            )),
            Some(_) => None,
        }
    }
}

/// Both ends of an incident's chain.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn ends(conn: &mut Conn<'_>, incident: IncidentId) -> Result<Ends, StoreError> {
    let row = conn.maybe(conn.query(&ENDS).bind(incident.to_string())).await?;
    let Some(row) = row else { return Ok(Ends::default()) };
    let (head, last) = (Row::of("custody_heads", &row), Row::of("custody", &row));
    let said = head.int_opt("count")?.zip(head.text_opt("hash")?);
    let last = last.int_opt("seq")?.zip(last.text_opt("body")?);
    Ok(Ends { said, last: last.map(|(seq, body)| (seq, Sha256::of(body))) })
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
