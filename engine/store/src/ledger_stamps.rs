//! What an authority for time-stamps has signed of entries of the ledger.

use stanch_engine_core::id::IncidentId;
use stanch_engine_core::ledger::Signed;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    WAITING =
        "SELECT l.seq AS seq, l.statement AS statement, l.signature AS signature FROM ledger l \
         WHERE l.kind = 'checkpoint' \
         AND l.seq > (SELECT COALESCE(MAX(s.seq), -1) FROM ledger_stamps s) \
         AND NOT EXISTS (SELECT 1 FROM ledger n WHERE n.incident_id = l.incident_id \
         AND n.count >= l.count AND n.seq > l.seq) ORDER BY l.seq LIMIT $1";
    STAMPED =
        "INSERT INTO ledger_stamps (seq, stamped_at, nonce, token) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (seq) DO NOTHING";
    OF_INCIDENT =
        "SELECT l.statement AS statement, l.signature AS signature, s.nonce AS nonce, \
         s.token AS token FROM ledger l JOIN ledger_stamps s ON s.seq = l.seq \
         WHERE l.incident_id = $1 AND l.count <= $2 AND s.stamped_at <= $3 \
         ORDER BY l.count, l.seq";
}

/// An entry that is to be stamped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unstamped {
    /// Its place in the ledger.
    pub seq: u64,
    /// The entry.
    pub signed: Signed,
}

/// An entry with its stamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// The entry.
    pub signed: Signed,
    /// The nonce of the request, in hexadecimal digits.
    pub nonce: String,
    /// The token, in base64.
    pub token: String,
}

/// The newest ends of chains behind the last one that was stamped, the oldest first. What an end
/// vouches for, those before it vouch for no better.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn waiting(conn: &mut Conn<'_>, limit: u32) -> Result<Vec<Unstamped>, StoreError> {
    let query = conn.query(&WAITING).bind(i64::from(limit));
    let read = |row| {
        let row = Row::of("ledger", row);
        Ok(Unstamped { seq: u64::from(row.count("seq")?), signed: signed(&row)? })
    };
    conn.all(query).await?.iter().map(read).collect()
}

/// Keeps the stamp of an entry, unless there is one.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn stamped(
    tx: &mut Tx<'_>,
    seq: u64,
    at: Timestamp,
    (nonce, token): (&str, &str),
) -> Result<(), StoreError> {
    let query = tx.query(&STAMPED).bind(i64::try_from(seq).unwrap_or(i64::MAX)).bind(at.micros());
    tx.run(query.bind(nonce.to_owned()).bind(token.to_owned())).await.map(drop)
}

/// The ends of an incident's chain up to so many records that were stamped until a time.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_incident(
    conn: &mut Conn<'_>,
    incident: IncidentId,
    count: u64,
    until: Timestamp,
) -> Result<Vec<Stamped>, StoreError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let query = conn.query(&OF_INCIDENT).bind(incident.to_string()).bind(count);
    let read = |row| {
        let row = Row::of("ledger_stamps", row);
        Ok(Stamped { signed: signed(&row)?, nonce: row.text("nonce")?, token: row.text("token")? })
    };
    conn.all(query.bind(until.micros())).await?.iter().map(read).collect()
}

fn signed(row: &Row<'_>) -> Result<Signed, StoreError> {
    Ok(Signed {
        statement: row.text("statement")?,
        signature: row.text("signature")?,
        anchored: None,
    })
}
