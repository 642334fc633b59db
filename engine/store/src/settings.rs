//! Facts about the installation that all nodes share.

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    GET = "SELECT value FROM settings WHERE name = $1";
    SET =
        "INSERT INTO settings (name, value) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    CLEAR = "DELETE FROM settings WHERE name = $1";
}

/// The kill switch: its value says who threw it, when and why.
pub const HALT: &str = "halt";

/// The value of a setting.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn get(conn: &mut Conn<'_>, name: &str) -> Result<Option<String>, StoreError> {
    let row = conn.maybe(conn.query(&GET).bind(name.to_owned())).await?;
    row.map(|row| Row::of("settings", &row).text("value")).transpose()
}

/// Sets a setting.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set(tx: &mut Tx<'_>, name: &str, value: &str) -> Result<(), StoreError> {
    let query = tx.query(&SET).bind(name.to_owned()).bind(value.to_owned());
    tx.run(query).await?;
    Ok(())
}

/// Removes a setting; false when there was none.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn clear(tx: &mut Tx<'_>, name: &str) -> Result<bool, StoreError> {
    let query = tx.query(&CLEAR).bind(name.to_owned());
    Ok(tx.run(query).await? == 1)
}
