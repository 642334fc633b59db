//! The same figures by one plain statement over what people and runs wrote down: what tallies are
//! measured against, and checked by.

use stanch_engine_core::incident::Milestone;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    SCAN =
        "WITH lengths AS (SELECT (b.at - a.at) / 1000 AS ms FROM incidents i \
         JOIN milestones a ON a.incident_id = i.id AND a.milestone = $2 \
         JOIN milestones b ON b.incident_id = i.id AND b.milestone = $3 \
         WHERE i.opened_at >= $1 AND i.is_sample = 0 AND i.merged_into IS NULL AND b.at >= a.at), \
         ranked AS (SELECT ms, ROW_NUMBER() OVER (ORDER BY ms) AS place, COUNT(*) OVER () AS n FROM lengths) \
         SELECT COUNT(*) AS n, CAST(SUM(ms) AS BIGINT) AS sum_ms, \
         MAX(CASE WHEN place = (n * 50 + 99) / 100 THEN ms END) AS p50, \
         MAX(CASE WHEN place = (n * 90 + 99) / 100 THEN ms END) AS p90, \
         MAX(CASE WHEN place = (n * 95 + 99) / 100 THEN ms END) AS p95 FROM ranked";
    MAKE_INCIDENTS =
        "INSERT INTO incidents (id, title, status, severity, account, is_sample, verdict, acknowledged_by, \
         opened_at, last_alert_at) \
         WITH RECURSIVE n (i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $2) \
         SELECT 'inc_000000000' || CAST(10000000000000000 + i AS TEXT), 'bench', \
         CASE WHEN i % 10 < 8 THEN 'closed' WHEN i % 10 = 8 THEN 'contained' ELSE 'open' END, \
         CASE i % 5 WHEN 0 THEN 'informational' WHEN 1 THEN 'low' WHEN 2 THEN 'medium' WHEN 3 THEN 'high' \
         ELSE 'critical' END, CAST(100000000000 + (i * 7) % 200 AS TEXT), 0, \
         CASE WHEN i % 10 >= 8 THEN NULL WHEN i % 3 = 0 THEN 'false_positive' ELSE 'true_positive' END, \
         CASE WHEN i % 4 = 0 THEN NULL ELSE 'person-' || CAST(i % 20 AS TEXT) END, \
         $3 + i * $4, $3 + i * $4 FROM n";
    MAKE_MILESTONES =
        "INSERT INTO milestones (incident_id, milestone, at, source) \
         SELECT x.id, k.m, x.opened_at + CASE k.m \
         WHEN 'occurred_at' THEN -600000000 - (x.r % 3600) * 1000000 \
         WHEN 'detected_at' THEN -1000000 * (x.r % 300) WHEN 'received_at' THEN 0 \
         WHEN 'acknowledged_at' THEN 1000 * (30000 + x.r % 1800000) \
         WHEN 'contained_at' THEN 1000 * (90000 + (x.r % 1009) * (x.r % 977) * 10) \
         WHEN 'verdict_at' THEN 1000 * (1900000 + (x.r % 7919) * 1000) \
         ELSE 1000 * (20000000 + (x.r % 99991) * 1000) END, 'bench' FROM \
         (SELECT id, status, acknowledged_by, verdict, opened_at, \
         ((CAST(SUBSTR(id, 14) AS BIGINT) - 10000000000000000) * 48271) % 2147483647 AS r FROM incidents) AS x \
         CROSS JOIN (SELECT 'occurred_at' AS m UNION ALL SELECT 'detected_at' UNION ALL SELECT 'received_at' \
         UNION ALL SELECT 'acknowledged_at' UNION ALL SELECT 'contained_at' UNION ALL SELECT 'verdict_at' \
         UNION ALL SELECT 'closed_at') AS k \
         WHERE (k.m <> 'contained_at' OR x.status <> 'open') AND (k.m <> 'closed_at' OR x.status = 'closed') \
         AND (k.m <> 'acknowledged_at' OR x.acknowledged_by IS NOT NULL) \
         AND (k.m <> 'verdict_at' OR x.verdict IS NOT NULL)";
    MAKE_ALERTS =
        "INSERT INTO alerts (id, dedup_key, incident_id, source, kind, title, severity, status, is_sample, \
         received_at, last_received_at, deliveries, body) \
         SELECT 'alr_' || SUBSTR(id, 5), id, id, CASE CAST(SUBSTR(id, 14) AS BIGINT) % 7 \
         WHEN 0 THEN 'guardduty' WHEN 1 THEN 'securityhub' WHEN 2 THEN 'cloudwatch' WHEN 3 THEN 'config' \
         ELSE 'macie' END, 'bench', 'bench', severity, 'active', 0, opened_at, opened_at, 1, '{}' FROM incidents";
}

/// What a plain scan finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// Incidents with both milestones in their order.
    pub count: i64,
    /// Their mean, in milliseconds.
    pub mean_ms: Option<i64>,
    /// Percentiles by the nearest rank: 50, 90 and 95 of 100.
    pub percentiles_ms: [Option<i64>; 3],
}

/// The time from one milestone to another of the incidents that began since `since`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn scan(
    conn: &mut Conn<'_>,
    since: Timestamp,
    from: Milestone,
    to: Milestone,
) -> Result<Scanned, StoreError> {
    let query = conn.query(&SCAN).bind(since.micros()).bind(from.as_str()).bind(to.as_str());
    let row = conn.one(query).await?;
    let row = Row::of("milestones", &row);
    let (count, sum) = (row.int("n")?, row.int_opt("sum_ms")?);
    let mean_ms = sum.filter(|_| count > 0).map(|sum| sum / count);
    let percentiles_ms = [row.int_opt("p50")?, row.int_opt("p90")?, row.int_opt("p95")?];
    Ok(Scanned { count, mean_ms, percentiles_ms })
}

/// Makes incidents for a measurement, evenly over the time from `since` on, with their milestones
/// and an alert each.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn make(
    tx: &mut Tx<'_>,
    incidents: u32,
    since: Timestamp,
    apart_us: i64,
) -> Result<(), StoreError> {
    let query = tx
        .query(&MAKE_INCIDENTS)
        .bind(1_i64)
        .bind(i64::from(incidents))
        .bind(since.micros())
        .bind(apart_us);
    tx.run(query).await?;
    for sql in [&MAKE_MILESTONES, &MAKE_ALERTS] {
        tx.run(tx.query(sql)).await?;
    }
    Ok(())
}
