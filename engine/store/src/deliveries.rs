//! How each sending of a page went, by channel.

use serde_json::Value;
use stanch_engine_core::id::{IncidentId, PageId};
use stanch_engine_core::json::Json;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    BEGIN =
        "INSERT INTO deliveries (page_id, turn, channel, recipient, status, attempts, at) \
         VALUES ($1, $2, $3, $4, 'sending', 1, $5) ON CONFLICT (page_id, turn, channel) \
         DO UPDATE SET status = 'sending', attempts = deliveries.attempts + 1, at = excluded.at";
    SENT =
        "UPDATE deliveries SET status = 'sent', error = NULL, place = $4, is_followed = $5, at = $6 \
         WHERE page_id = $1 AND turn = $2 AND channel = $3";
    FAILED =
        "UPDATE deliveries SET status = 'failed', error = $4, at = $5 \
         WHERE page_id = $1 AND turn = $2 AND channel = $3";
    TOLD =
        "UPDATE deliveries SET told = $4 WHERE page_id = $1 AND turn = $2 AND channel = $3";
    OF_PAGE = "SELECT * FROM deliveries WHERE page_id = $1 ORDER BY turn, at, channel";
    THREAD =
        "SELECT d.place FROM deliveries d JOIN pages p ON p.id = d.page_id \
         WHERE p.incident_id = $1 AND d.channel = $2 AND d.status = 'sent' \
         ORDER BY d.at, d.page_id, d.turn LIMIT 1";
}

/// How one sending went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// It is on its way, or the node died with it.
    Sending,
    /// The channel took it.
    Sent,
    /// It did not.
    Failed,
}

impl DeliveryStatus {
    /// The word in JSON and SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }
}

/// What a channel was told last of how a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    /// That nobody has taken it.
    Open,
    /// That somebody looks after it.
    Taken,
    /// That it is over.
    Over,
}

impl Told {
    /// The word in JSON and SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Taken => "taken",
            Self::Over => "over",
        }
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The page.
    pub page: PageId,
    /// Which sending of it, from 1.
    pub turn: u32,
    /// The channel's name.
    pub channel: String,
    /// Who was to be told.
    pub recipient: String,
    /// How it went.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last try failed.
    pub error: Option<String>,
    /// Where the channel has it.
    pub place: Value,
    /// Whether the channel wants to hear how the message stands.
    pub is_followed: bool,
    /// What it heard last.
    pub told: Told,
    /// When it was tried last.
    pub at: Timestamp,
}

/// Which row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The page.
    pub page: PageId,
    /// Which sending of it, from 1.
    pub turn: u32,
    /// The channel's name.
    pub channel: String,
}

impl Delivery {
    /// Which row it is.
    pub fn key(&self) -> Key {
        Key { page: self.page, turn: self.turn, channel: self.channel.clone() }
    }
}

/// Notes that a message is about to go out: an attempt that nothing is heard of was made all the
/// same.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn begin(
    tx: &mut Tx<'_>,
    key: &Key,
    recipient: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let query = bound(tx, &BEGIN, key).bind(recipient.to_owned()).bind(now.micros());
    tx.run(query).await.map(drop)
}

/// Notes that a channel took a message.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn sent(
    tx: &mut Tx<'_>,
    key: &Key,
    place: &Value,
    is_followed: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let place = (!place.is_null()).then(|| Json::canonical(place).as_str().to_owned());
    let query = bound(tx, &SENT, key).bind(place).bind(i64::from(is_followed)).bind(now.micros());
    tx.run(query).await.map(drop)
}

/// Notes that a channel did not take a message.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn failed(
    tx: &mut Tx<'_>,
    key: &Key,
    error: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let query = bound(tx, &FAILED, key).bind(error.to_owned()).bind(now.micros());
    tx.run(query).await.map(drop)
}

/// Notes what a channel has heard of how a message stands.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn told(tx: &mut Tx<'_>, key: &Key, told: Told) -> Result<(), StoreError> {
    let query = bound(tx, &TOLD, key).bind(told.as_str());
    tx.run(query).await.map(drop)
}

fn bound(tx: &Tx<'_>, sql: &crate::sql::Sql, key: &Key) -> crate::tx::Bound {
    tx.query(sql).bind(key.page.to_string()).bind(i64::from(key.turn)).bind(key.channel.clone())
}

/// All sendings of a page, in order.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_page(conn: &mut Conn<'_>, page: PageId) -> Result<Vec<Delivery>, StoreError> {
    let query = conn.query(&OF_PAGE).bind(page.to_string());
    conn.all(query).await?.iter().map(|row| read(&Row::of("deliveries", row))).collect()
}

/// Where a channel has the first message about an incident.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn thread(
    conn: &mut Conn<'_>,
    incident: IncidentId,
    channel: &str,
) -> Result<Option<Value>, StoreError> {
    let query = conn.query(&THREAD).bind(incident.to_string()).bind(channel.to_owned());
    let Some(row) = conn.maybe(query).await? else { return Ok(None) };
    place(&Row::of("deliveries", &row)).map(|place| Some(place).filter(|place| !place.is_null()))
}

fn place(row: &Row<'_>) -> Result<Value, StoreError> {
    match row.text_opt("place")? {
        Some(_) => row.parsed("place"),
        None => Ok(Value::Null),
    }
}

fn read(row: &Row<'_>) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        page: row.word("page_id")?,
        turn: row.count("turn")?,
        channel: row.text("channel")?,
        recipient: row.text("recipient")?,
        status: match row.text("status")?.as_str() {
            "sent" => DeliveryStatus::Sent,
            "failed" => DeliveryStatus::Failed,
            _ => DeliveryStatus::Sending,
        },
        attempts: row.count("attempts")?,
        error: row.text_opt("error")?,
        place: place(row)?,
        is_followed: row.int("is_followed")? != 0,
        told: match row.text("told")?.as_str() {
            "taken" => Told::Taken,
            "over" => Told::Over,
            _ => Told::Open,
        },
        at: row.time("at")?,
    })
}
