//! Where items of evidence were moved to.

use stanch_engine_core::digest::Sha256;

use crate::error::StoreError;
use crate::evidence::{self, Item};
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    ELSEWHERE =
        "SELECT * FROM evidence WHERE sha256 = $1 AND deleted_at IS NULL \
         AND (moved_to IS NULL OR moved_to <> $2) ORDER BY id";
    MOVED = "UPDATE evidence SET moved_to = $2 WHERE sha256 = $1 AND deleted_at IS NULL";
}

/// The rows of an item that do not say yet that it lies in a place.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn elsewhere(
    conn: &mut Conn<'_>,
    item: Sha256,
    place: &str,
) -> Result<Vec<Item>, StoreError> {
    let query = conn.query(&ELSEWHERE).bind(item.to_string()).bind(place.to_owned());
    conn.all(query).await?.iter().map(|row| evidence::read(&Row::of("evidence", row))).collect()
}

/// Notes that an item lies in a place now.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn moved(tx: &mut Tx<'_>, item: Sha256, place: &str) -> Result<(), StoreError> {
    let query = tx.query(&MOVED).bind(item.to_string()).bind(place.to_owned());
    tx.run(query).await.map(drop)
}
