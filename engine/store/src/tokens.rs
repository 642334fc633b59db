//! API tokens: a name, roles, and the hash of the secret. The secret itself is nowhere.

use std::collections::BTreeMap;

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::TokenId;
use stanch_engine_core::json::Json;
use stanch_engine_core::scope::Scope;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    INSERT =
        "INSERT INTO tokens (id, name, hash, roles, created_at, person, expires_at, scope) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    FIND =
        "SELECT * FROM tokens WHERE hash = $1 AND revoked_at IS NULL \
         AND (expires_at IS NULL OR expires_at > $2) AND COALESCE(person, name) NOT IN \
         (SELECT name FROM disabled_people)";
    ROTATE =
        "UPDATE tokens SET hash = $2 WHERE name = $1 AND revoked_at IS NULL \
         AND (expires_at IS NULL OR expires_at > $3)";
    REVOKE = "UPDATE tokens SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL";
    LIST = "SELECT * FROM tokens ORDER BY name";
    NAMED = "SELECT * FROM tokens WHERE name = $1";
    FORGET_SESSIONS = "DELETE FROM tokens WHERE name LIKE 'console:%' AND expires_at < $1";
    GOOD =
        "SELECT * FROM tokens WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1) \
         AND name NOT LIKE 'console:%' \
         AND COALESCE(person, name) NOT IN (SELECT name FROM disabled_people)";
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Its own name.
    pub name: String,
    /// The person or program that has it. Who has two is one person all the same.
    pub person: String,
    /// The SHA-256 of the secret.
    pub hash: Sha256,
    /// What it may do.
    pub roles: Vec<String>,
    /// How far.
    pub scope: Scope,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is no good.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// Inserts a token.
///
/// # Errors
/// [`StoreError::Conflict`] when the name is taken.
pub async fn insert(tx: &mut Tx<'_>, token: &Token) -> Result<(), StoreError> {
    let query = tx
        .query(&INSERT)
        .bind(token.id.to_string())
        .bind(token.name.clone())
        .bind(token.hash.to_string())
        .bind(Json::of(&token.roles).as_str().to_owned())
        .bind(token.created_at.micros())
        .bind(token.person.clone())
        .bind(token.expires_at.map(Timestamp::micros))
        .bind((!token.scope.is_whole()).then(|| Json::of(&token.scope).as_str().to_owned()));
    tx.run(query).await?;
    Ok(())
}

/// The token with this hash, if it is good at `now`: not revoked, not expired, and of nobody who was
/// disabled.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(
    conn: &mut Conn<'_>,
    hash: Sha256,
    now: Timestamp,
) -> Result<Option<Token>, StoreError> {
    let query = conn.query(&FIND).bind(hash.to_string()).bind(now.micros());
    let row = conn.maybe(query).await?;
    row.map(|row| read(&Row::of("tokens", &row))).transpose()
}

/// The token of a name, whether or not it is good.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn named(conn: &mut Conn<'_>, name: &str) -> Result<Option<Token>, StoreError> {
    let row = conn.maybe(conn.query(&NAMED).bind(name.to_owned())).await?;
    row.map(|row| read(&Row::of("tokens", &row))).transpose()
}

/// Forgets sessions of the console that were over before a time.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn forget_sessions(tx: &mut Tx<'_>, before: Timestamp) -> Result<(), StoreError> {
    tx.run(tx.query(&FORGET_SESSIONS).bind(before.micros())).await.map(drop)
}

/// Revokes a token by its name; false when there is none.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn revoke(tx: &mut Tx<'_>, name: &str, now: Timestamp) -> Result<bool, StoreError> {
    let query = tx.query(&REVOKE).bind(name.to_owned()).bind(now.micros());
    Ok(tx.run(query).await? == 1)
}

/// Gives a token another secret; the old one is no good from now on. False when there is none that is
/// good at `now`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn rotate(
    tx: &mut Tx<'_>,
    name: &str,
    hash: Sha256,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let query = tx.query(&ROTATE);
    let query = query.bind(name.to_owned()).bind(hash.to_string()).bind(now.micros());
    Ok(tx.run(query).await? == 1)
}

/// What a token that is good grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Good {
    /// What it may do.
    pub roles: Vec<String>,
    /// How far.
    pub scope: Scope,
}

/// The tokens that are good at `now`, by person. A session of the console grants nothing that what it was
/// begun with does not, and is none of them.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn people(
    conn: &mut Conn<'_>,
    now: Timestamp,
) -> Result<BTreeMap<String, Vec<Good>>, StoreError> {
    let mut people: BTreeMap<String, Vec<Good>> = BTreeMap::new();
    for row in conn.all(conn.query(&GOOD).bind(now.micros())).await? {
        let token = read(&Row::of("tokens", &row))?;
        let good = Good { roles: token.roles, scope: token.scope };
        people.entry(token.person).or_default().push(good);
    }
    Ok(people)
}

/// Every token, by name.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(conn: &mut Conn<'_>) -> Result<Vec<Token>, StoreError> {
    conn.all(conn.query(&LIST)).await?.iter().map(|row| read(&Row::of("tokens", row))).collect()
}

fn read(row: &Row<'_>) -> Result<Token, StoreError> {
    Ok(Token {
        id: row.word("id")?,
        person: match row.text_opt("person")? {
            Some(person) => person,
            None => row.text("name")?,
        },
        name: row.text("name")?,
        hash: row.word("hash")?,
        roles: row.parsed("roles")?,
        scope: match row.text_opt("scope")? {
            Some(_) => row.parsed("scope")?,
            None => Scope::default(),
        },
        created_at: row.time("created_at")?,
        expires_at: row.time_opt("expires_at")?,
        revoked_at: row.time_opt("revoked_at")?,
    })
}
