//! People whom the identity provider vouched for, as it said of them last.

use std::collections::BTreeMap;

use stanch_engine_core::json::Json;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    GET = "SELECT * FROM vouched_people WHERE name = $1";
    SEE =
        "INSERT INTO vouched_people (name, roles, seen_at) VALUES ($1, $2, $3) \
         ON CONFLICT (name) DO UPDATE SET roles = excluded.roles, seen_at = excluded.seen_at";
    FORGET = "DELETE FROM vouched_people WHERE name = $1";
    FORGET_BEFORE = "DELETE FROM vouched_people WHERE seen_at <= $1";
    SINCE =
        "SELECT name, roles FROM vouched_people WHERE seen_at > $1 \
         AND name NOT IN (SELECT name FROM disabled_people)";
}

/// The roles that a person was last said to have, and when; nothing when they were never vouched for.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn last(
    conn: &mut Conn<'_>,
    name: &str,
) -> Result<Option<(Vec<String>, Timestamp)>, StoreError> {
    let Some(row) = conn.maybe(conn.query(&GET).bind(name.to_owned())).await? else {
        return Ok(None);
    };
    let row = Row::of("vouched_people", &row);
    Ok(Some((row.parsed("roles")?, row.time("seen_at")?)))
}

/// Notes that the provider vouched for a person, and forgets whom it did not since `before`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn see(
    tx: &mut Tx<'_>,
    (name, roles): (&str, &[String]),
    (now, before): (Timestamp, Timestamp),
) -> Result<(), StoreError> {
    let forget = tx.query(&FORGET_BEFORE).bind(before.micros());
    tx.run(forget).await?;
    let query = tx
        .query(&SEE)
        .bind(name.to_owned())
        .bind(Json::of(&roles).as_str().to_owned())
        .bind(now.micros());
    tx.run(query).await.map(drop)
}

/// Forgets a person, until the provider vouches for them again.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn forget(tx: &mut Tx<'_>, name: &str) -> Result<(), StoreError> {
    let query = tx.query(&FORGET).bind(name.to_owned());
    tx.run(query).await.map(drop)
}

/// Those who were vouched for after `since` and were not disabled, with their roles.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn since(
    conn: &mut Conn<'_>,
    since: Timestamp,
) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let read = |row| {
        let row = Row::of("vouched_people", row);
        let roles: Vec<String> = row.parsed("roles")?;
        Ok((row.text("name")?, roles))
    };
    conn.all(conn.query(&SINCE).bind(since.micros())).await?.iter().map(read).collect()
}
