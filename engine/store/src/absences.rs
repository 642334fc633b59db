//! Who is away, and who stands in meanwhile.

use stanch_engine_core::id::AbsenceId;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    INSERT =
        "INSERT INTO absences (id, person, delegate, starts_at, until_at, reason, set_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)";
    OPEN =
        "SELECT * FROM absences WHERE ended_at IS NULL AND until_at > $1 ORDER BY person, id";
    END = "UPDATE absences SET ended_at = $2 WHERE person = $1 AND ended_at IS NULL AND until_at > $2";
    END_ALL =
        "UPDATE absences SET ended_at = $2 WHERE (person = $1 OR delegate = $1) \
         AND ended_at IS NULL AND until_at > $2";
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    /// Its id.
    pub id: AbsenceId,
    /// Who is away.
    pub person: String,
    /// Who stands in.
    pub delegate: String,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub set_by: String,
}

/// Writes an absence down. The person's one before ends with it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(tx: &mut Tx<'_>, it: &Absence) -> Result<(), StoreError> {
    end(tx, &it.person, it.starts_at).await?;
    let query = tx
        .query(&INSERT)
        .bind(it.id.to_string())
        .bind(it.person.clone())
        .bind(it.delegate.clone())
        .bind(it.starts_at.micros())
        .bind(it.until.micros())
        .bind(it.reason.clone())
        .bind(it.set_by.clone());
    tx.run(query).await?;
    Ok(())
}

/// Ends a person's absence; false when there is none.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn end(tx: &mut Tx<'_>, person: &str, now: Timestamp) -> Result<bool, StoreError> {
    let query = tx.query(&END).bind(person.to_owned()).bind(now.micros());
    Ok(tx.run(query).await? > 0)
}

/// Ends every absence in which a person is away or stands in, and gives how many there were.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn end_all(tx: &mut Tx<'_>, person: &str, now: Timestamp) -> Result<u64, StoreError> {
    let query = tx.query(&END_ALL).bind(person.to_owned()).bind(now.micros());
    tx.run(query).await
}

/// Those that hold at `now`, by person.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn open(conn: &mut Conn<'_>, now: Timestamp) -> Result<Vec<Absence>, StoreError> {
    let query = conn.query(&OPEN).bind(now.micros());
    let read = |row| {
        let row = Row::of("absences", row);
        Ok(Absence {
            id: row.word("id")?,
            person: row.text("person")?,
            delegate: row.text("delegate")?,
            starts_at: row.time("starts_at")?,
            until: row.time("until_at")?,
            reason: row.text("reason")?,
            set_by: row.text("set_by")?,
        })
    };
    conn.all(query).await?.iter().map(read).collect()
}
