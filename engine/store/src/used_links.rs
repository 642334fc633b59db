//! Links that have decided: none does so twice.

use stanch_engine_core::id::ApprovalId;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    INSERT =
        "INSERT INTO used_links (nonce, approval_id, person, used_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (nonce) DO NOTHING";
    REMOVE = "DELETE FROM used_links WHERE nonce = $1";
    IS_USED = "SELECT nonce FROM used_links WHERE nonce = $1";
}

/// Notes that a link is used; false when it was before.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(
    tx: &mut Tx<'_>,
    nonce: &str,
    approval: ApprovalId,
    person: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let query = tx
        .query(&INSERT)
        .bind(nonce.to_owned())
        .bind(approval.to_string())
        .bind(person.to_owned())
        .bind(now.micros());
    Ok(tx.run(query).await? == 1)
}

/// Notes that a link was not used after all.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn remove(tx: &mut Tx<'_>, nonce: &str) -> Result<(), StoreError> {
    let query = tx.query(&REMOVE).bind(nonce.to_owned());
    tx.run(query).await.map(drop)
}

/// Whether a link was used.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn is_used(conn: &mut Conn<'_>, nonce: &str) -> Result<bool, StoreError> {
    Ok(conn.maybe(conn.query(&IS_USED).bind(nonce.to_owned())).await?.is_some())
}
