//! Payloads of alerts, every version, under their hash.

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::json::Json;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    PUT = "INSERT INTO payloads (sha256, body) VALUES ($1, $2) ON CONFLICT (sha256) DO NOTHING";
    GET = "SELECT body FROM payloads WHERE sha256 = $1";
}

/// Keeps a payload and gives its name: the hash of its text.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn put(tx: &mut Tx<'_>, payload: &Json) -> Result<Sha256, StoreError> {
    let hash = Sha256::of(payload.as_str());
    let query = tx.query(&PUT).bind(hash.to_string()).bind(payload.as_str().to_owned());
    tx.run(query).await?;
    Ok(hash)
}

/// The payload with this name.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn get(conn: &mut Conn<'_>, hash: Sha256) -> Result<Option<String>, StoreError> {
    let row = conn.maybe(conn.query(&GET).bind(hash.to_string())).await?;
    row.map(|row| Row::of("payloads", &row).text("body")).transpose()
}
