//! The audit log: one chain, and what was begun and is not in it yet.

use std::ops::Range;

use stanch_engine_core::audit::{Asked, Ended, Record};
use stanch_engine_core::chain::{Head, Link as _};
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::json::Json;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    NEXT = "UPDATE audit_head SET count = count + 1 WHERE id = 1 RETURNING count, hash";
    APPEND =
        "INSERT INTO audit (seq, at, actor, verb, object, hash, body) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    SET_HASH = "UPDATE audit_head SET hash = $1 WHERE id = 1";
    HEAD = "SELECT count, hash FROM audit_head WHERE id = 1";
    BODIES = "SELECT body FROM audit WHERE seq >= $1 ORDER BY seq LIMIT $2";
    ABOUT =
        "SELECT a.seq AS seq, a.body AS body FROM (SELECT CAST($1 AS TEXT) AS id \
         UNION SELECT id FROM runs WHERE incident_id = $1 \
         UNION SELECT id FROM approvals WHERE incident_id = $1 \
         UNION SELECT id FROM alerts WHERE incident_id = $1) o JOIN audit a ON a.object = o.id \
         WHERE a.at <= $2 AND a.seq >= $3 AND a.seq < $4 ORDER BY a.seq LIMIT $5";
    LIST =
        "SELECT body FROM audit WHERE seq < $1 AND at >= $2 \
         AND (CAST($3 AS TEXT) IS NULL OR actor = $3) \
         AND (CAST($4 AS TEXT) IS NULL OR verb = $4 OR verb LIKE $4 || '.%') \
         AND (CAST($5 AS TEXT) IS NULL OR object = $5) ORDER BY seq DESC LIMIT $6";
    BEGIN = "INSERT INTO audit_open (id, at, body) VALUES ($1, $2, $3)";
    END = "DELETE FROM audit_open WHERE id = $1";
    LEFT = "SELECT id, body FROM audit_open WHERE at < $1 ORDER BY at, id LIMIT 100";
}

/// Appends a record to the chain.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn append(tx: &mut Tx<'_>, asked: &Asked, ended: &Ended) -> Result<Head, StoreError> {
    // Counting first takes the row's lock, so that what is read is the end of the chain.
    let query = tx.query(&NEXT);
    let row = tx.one(query).await?;
    let row = Row::of("audit_head", &row);
    let head = Head { count: u64::from(row.count("count")?) - 1, hash: row.word("hash")? };
    let record = Record {
        seq: head.count,
        at: asked.at,
        actor: asked.actor.clone(),
        token: asked.token.clone(),
        verb: asked.verb.clone(),
        object: ended.object.clone().or_else(|| asked.object.clone()),
        outcome: ended.outcome,
        status: ended.status,
        code: ended.code.clone(),
        from: asked.from.clone(),
        reason: asked.reason.clone(),
        detail: asked.detail.clone(),
        prev: head.hash,
    };
    let sealed = record.seal();
    let query = tx
        .query(&APPEND)
        .bind(i64::try_from(record.seq).unwrap_or(i64::MAX))
        .bind(record.at.micros())
        .bind(record.actor)
        .bind(record.verb)
        .bind(record.object)
        .bind(sealed.hash.to_string())
        .bind(sealed.body.clone());
    tx.run(query).await?;
    let query = tx.query(&SET_HASH).bind(sealed.hash.to_string());
    tx.run(query).await?;
    Ok(head.after(&sealed))
}

/// The end of the chain.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn head(conn: &mut Conn<'_>) -> Result<Head, StoreError> {
    let row = conn.one(conn.query(&HEAD)).await?;
    let row = Row::of("audit_head", &row);
    Ok(Head { count: u64::from(row.count("count")?), hash: row.word("hash")? })
}

/// Records from a place in the chain on, as they were sealed, at most `limit`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn bodies(conn: &mut Conn<'_>, from: u64, limit: u32) -> Result<Vec<String>, StoreError> {
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let query = conn.query(&BODIES).bind(from).bind(i64::from(limit));
    conn.all(query).await?.iter().map(|row| Row::of("audit", row).text("body")).collect()
}

/// Records about an incident, its runs, its approvals and its alerts of until a time, from places in
/// the chain, as they were sealed; at most `limit`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn about(
    conn: &mut Conn<'_>,
    incident: IncidentId,
    until: Timestamp,
    places: Range<u64>,
    limit: u32,
) -> Result<Vec<(u64, String)>, StoreError> {
    let place = |seq: u64| i64::try_from(seq).unwrap_or(i64::MAX);
    let query = conn
        .query(&ABOUT)
        .bind(incident.to_string())
        .bind(until.micros())
        .bind(place(places.start))
        .bind(place(places.end))
        .bind(i64::from(limit));
    let read = |row| {
        let row = Row::of("audit", row);
        Ok((u64::from(row.count("seq")?), row.text("body")?))
    };
    conn.all(query).await?.iter().map(read).collect()
}

/// Which records are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those before this place in the chain.
    pub before: Option<u64>,
    /// Those from then on.
    pub since: Option<Timestamp>,
    /// Those of this person or program.
    pub actor: Option<String>,
    /// Those of this verb, or of all that begin with it: `runs` are `runs.cancel` and others.
    pub verb: Option<String>,
    /// Those about this.
    pub object: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// Records that fit, the newest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(conn: &mut Conn<'_>, filter: &Filter) -> Result<Vec<Record>, StoreError> {
    let before = filter.before.and_then(|seq| i64::try_from(seq).ok()).unwrap_or(i64::MAX);
    let query = conn
        .query(&LIST)
        .bind(before)
        .bind(filter.since.map_or(i64::MIN, Timestamp::micros))
        .bind(filter.actor.clone())
        .bind(filter.verb.clone())
        .bind(filter.object.clone())
        .bind(i64::from(filter.limit));
    conn.all(query).await?.iter().map(|row| Row::of("audit", row).parsed("body")).collect()
}

/// Notes what was begun, so that it is known of when the node dies over it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn begin(tx: &mut Tx<'_>, id: &str, asked: &Asked) -> Result<(), StoreError> {
    let body = Json::of(asked).as_str().to_owned();
    let query = tx.query(&BEGIN).bind(id.to_owned()).bind(asked.at.micros()).bind(body);
    tx.run(query).await?;
    Ok(())
}

/// Moves what was begun into the chain.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn end(
    tx: &mut Tx<'_>,
    id: &str,
    asked: &Asked,
    ended: &Ended,
) -> Result<(), StoreError> {
    let query = tx.query(&END).bind(id.to_owned());
    tx.run(query).await?;
    append(tx, asked, ended).await?;
    Ok(())
}

/// Moves into the chain what was begun before a time and never ended, and gives how many that were;
/// at most a hundred at a time.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn end_left(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize, StoreError> {
    let query = tx.query(&LEFT).bind(before.micros());
    let rows = tx.all(query).await?;
    for row in &rows {
        let row = Row::of("audit_open", row);
        end(tx, &row.text("id")?, &row.parsed("body")?, &Ended::UNKNOWN).await?;
    }
    Ok(rows.len())
}
