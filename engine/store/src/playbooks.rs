//! Published playbooks: every version's text for ever, and one pointer to the active one.

use std::collections::BTreeMap;

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::header::Header;
use stanch_engine_core::json::Json;
use stanch_engine_core::playbook::Bundle;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    PUT_TEXT =
        "INSERT INTO playbook_texts (digest, path, body) VALUES ($1, $2, $3) \
         ON CONFLICT (digest, path) DO NOTHING";
    PUT_VERSION =
        "INSERT INTO playbook_versions (name, digest, header, published_at, published_by, source) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name, digest) DO NOTHING";
    ACTIVATE =
        "INSERT INTO playbooks (name, digest, activated_at, activated_by) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (name) DO UPDATE SET previous_digest = playbooks.digest, digest = excluded.digest, \
         activated_at = excluded.activated_at, activated_by = excluded.activated_by \
         WHERE playbooks.digest <> excluded.digest";
    ROLL_BACK =
        "UPDATE playbooks SET digest = previous_digest, previous_digest = NULL, activated_at = $3, \
         activated_by = $4 WHERE name = $1 AND digest = $2 AND previous_digest IS NOT NULL";
    PUBLISHER = "SELECT published_by FROM playbook_versions WHERE name = $1 AND digest = $2";
    TEXTS = "SELECT path, body FROM playbook_texts WHERE digest = $1";
    ACTIVE =
        "SELECT p.name AS name, p.digest AS digest, p.previous_digest AS previous_digest, \
         p.activated_at AS activated_at, p.activated_by AS activated_by, v.header AS header \
         FROM playbooks p JOIN playbook_versions v ON v.name = p.name AND v.digest = p.digest \
         ORDER BY p.name";
    VERSIONS =
        "SELECT name, digest, header, published_at, published_by, source FROM playbook_versions \
         WHERE name = $1 ORDER BY published_at DESC, digest";
}

/// A playbook that is active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Active {
    /// The digest of its text.
    pub digest: Sha256,
    /// The one that was active before; nothing after it was rolled back to this one.
    pub previous: Option<Sha256>,
    /// What its header says.
    pub header: Header,
    /// Since when.
    pub activated_at: Timestamp,
    /// Who made it active.
    pub activated_by: String,
}

/// A version of a playbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The digest of its text.
    pub digest: Sha256,
    /// What its header says.
    pub header: Header,
    /// When it was published.
    pub published_at: Timestamp,
    /// By whom.
    pub published_by: String,
    /// From where: a file, a commit.
    pub source: String,
}

/// Keeps a version, for ever.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn publish(
    tx: &mut Tx<'_>,
    bundle: &Bundle,
    version: &Version,
) -> Result<(), StoreError> {
    let digest = version.digest.to_string();
    let texts = std::iter::once((String::new(), &bundle.main));
    for (path, body) in texts.chain(bundle.imports.iter().map(|(p, t)| (p.clone(), t))) {
        let query = tx.query(&PUT_TEXT).bind(digest.clone()).bind(path).bind(body.clone());
        tx.run(query).await?;
    }
    let query = tx
        .query(&PUT_VERSION)
        .bind(version.header.name.clone())
        .bind(digest)
        .bind(Json::of(&version.header).as_str().to_owned())
        .bind(version.published_at.micros())
        .bind(version.published_by.clone())
        .bind(version.source.clone());
    tx.run(query).await?;
    Ok(())
}

/// Who published a version first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn publisher(
    conn: &mut Conn<'_>,
    name: &str,
    digest: Sha256,
) -> Result<Option<String>, StoreError> {
    let query = conn.query(&PUBLISHER).bind(name.to_owned()).bind(digest.to_string());
    let row = conn.maybe(query).await?;
    row.map(|row| Row::of("playbook_versions", &row).text("published_by")).transpose()
}

/// Moves the pointer; false when it stood there already.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn activate(
    tx: &mut Tx<'_>,
    name: &str,
    digest: Sha256,
    by: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let query = tx
        .query(&ACTIVATE)
        .bind(name.to_owned())
        .bind(digest.to_string())
        .bind(now.micros())
        .bind(by.to_owned());
    Ok(tx.run(query).await? == 1)
}

/// Moves the pointer from a version back to the one that was active before it; false when another is active, or
/// nothing says which one was. Nothing says so right after, or else a second time would lead to the version that
/// the first one led away from.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn roll_back(
    tx: &mut Tx<'_>,
    name: &str,
    from: Sha256,
    by: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let query = tx
        .query(&ROLL_BACK)
        .bind(name.to_owned())
        .bind(from.to_string())
        .bind(now.micros())
        .bind(by.to_owned());
    Ok(tx.run(query).await? == 1)
}

/// The text of a version.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn bundle(conn: &mut Conn<'_>, digest: Sha256) -> Result<Option<Bundle>, StoreError> {
    let mut texts = BTreeMap::new();
    for row in conn.all(conn.query(&TEXTS).bind(digest.to_string())).await? {
        let row = Row::of("playbook_texts", &row);
        texts.insert(row.text("path")?, row.text("body")?);
    }
    Ok(texts.remove("").map(|main| Bundle { main, imports: texts }))
}

/// The active playbooks, by name.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn active(conn: &mut Conn<'_>) -> Result<Vec<Active>, StoreError> {
    let read = |row| {
        let row = Row::of("playbooks", row);
        Ok(Active {
            digest: row.word("digest")?,
            previous: row.word_opt("previous_digest")?,
            header: row.parsed("header")?,
            activated_at: row.time("activated_at")?,
            activated_by: row.text("activated_by")?,
        })
    };
    conn.all(conn.query(&ACTIVE)).await?.iter().map(read).collect()
}

/// Every version of a playbook, the newest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn versions(conn: &mut Conn<'_>, name: &str) -> Result<Vec<Version>, StoreError> {
    let read = |row| {
        let row = Row::of("playbook_versions", row);
        Ok(Version {
            digest: row.word("digest")?,
            header: row.parsed("header")?,
            published_at: row.time("published_at")?,
            published_by: row.text("published_by")?,
            source: row.text("source")?,
        })
    };
    conn.all(conn.query(&VERSIONS).bind(name.to_owned())).await?.iter().map(read).collect()
}
