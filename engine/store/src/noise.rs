//! How incidents were judged, by the types of their alerts.

use stanch_engine_core::alert::Alert;
use stanch_engine_core::noise::Rate;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::Conn;

statements! {
    RATES =
        "SELECT source, kind, COUNT(*) AS incidents, CAST(SUM(wrong) AS BIGINT) AS false_positives FROM \
         (SELECT DISTINCT a.source AS source, a.kind AS kind, i.id AS id, \
          CASE WHEN i.verdict = 'false_positive' THEN 1 ELSE 0 END AS wrong \
          FROM incidents i JOIN alerts a ON a.incident_id = i.id \
          WHERE i.verdict IS NOT NULL AND i.is_sample = 0 AND i.opened_at >= $1) AS judged \
         GROUP BY source, kind ORDER BY false_positives DESC, source, kind LIMIT $2";
    WRONG =
        "SELECT a.body AS body FROM incidents i JOIN alerts a ON a.incident_id = i.id \
         WHERE i.verdict = 'false_positive' AND i.is_sample = 0 AND i.opened_at >= $1 \
         AND a.source = $2 AND a.kind = $3 ORDER BY a.id DESC LIMIT $4";
}

/// How incidents since a moment were judged, the types with most false positives first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn rates(
    conn: &mut Conn<'_>,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<Rate>, StoreError> {
    let query = conn.query(&RATES).bind(since.micros()).bind(i64::from(limit));
    let read = |row| {
        let row = Row::of("alerts", row);
        Ok(Rate {
            source: row.text("source")?,
            kind: row.text("kind")?,
            incidents: u64::from(row.count("incidents")?),
            false_positives: u64::from(row.count("false_positives")?),
        })
    };
    conn.all(query).await?.iter().map(read).collect()
}

/// The alerts of a type that were false positives, the latest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn false_positives(
    conn: &mut Conn<'_>,
    since: Timestamp,
    rate: &Rate,
    limit: u32,
) -> Result<Vec<Alert>, StoreError> {
    let query = conn
        .query(&WRONG)
        .bind(since.micros())
        .bind(rate.source.clone())
        .bind(rate.kind.clone())
        .bind(i64::from(limit));
    conn.all(query).await?.iter().map(|row| Row::of("alerts", row).parsed("body")).collect()
}
