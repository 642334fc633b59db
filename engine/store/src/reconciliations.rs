//! How far detectors' lists of findings were compared with the alerts that came.

use stanch_engine_core::reconcile::{Outcome, Target};
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Bound, Conn, Tx};

statements! {
    LIST = "SELECT * FROM reconciliations ORDER BY source, account, region";
    BEGIN =
        "INSERT INTO reconciliations (source, account, region, checked_at, outcome, listed, missed, updated) \
         VALUES ($1, $2, $3, $4, 'waiting', 0, 0, 0) ON CONFLICT (source, account, region) DO NOTHING";
    BEGIN_AGAIN =
        "UPDATE reconciliations SET checked_at = $4, outcome = 'waiting' \
         WHERE source = $1 AND account = $2 AND region = $3 AND checked_at = $5";
    END =
        "UPDATE reconciliations SET outcome = $4, error = $5, \
         complete_until = COALESCE($6, complete_until), listed = listed + $7 \
         WHERE source = $1 AND account = $2 AND region = $3";
    COUNT =
        "UPDATE reconciliations SET missed = missed + $4, updated = updated + $5 \
         WHERE source = $1 AND account = $2 AND region = $3";
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciliation {
    /// The list.
    pub target: Target,
    /// When a look last began.
    pub checked_at: Timestamp,
    /// Until when all that the detector changed was compared.
    pub complete_until: Option<Timestamp>,
    /// How the last look ended.
    pub outcome: Outcome,
    /// What went wrong.
    pub error: Option<String>,
    /// Findings that were listed, ever.
    pub listed: u64,
    /// Findings that had never come, ever.
    pub missed: u64,
    /// Findings of which a later version had not come, ever.
    pub updated: u64,
}

/// How a look ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// What went wrong.
    pub error: Option<String>,
    /// Until when all was compared, if all was.
    pub complete_until: Option<Timestamp>,
    /// Findings that were listed.
    pub listed: u64,
}

/// Every row.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(conn: &mut Conn<'_>) -> Result<Vec<Reconciliation>, StoreError> {
    let rows = conn.all(conn.query(&LIST)).await?;
    rows.iter().map(|row| read(&Row::of("reconciliations", row))).collect()
}

/// Begins a look; false when another node has. `seen` is when one last began, as it was read.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn begin(
    tx: &mut Tx<'_>,
    target: &Target,
    seen: Option<Timestamp>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let query = match seen {
        None => of(tx.query(&BEGIN), target).bind(now.micros()),
        Some(seen) => of(tx.query(&BEGIN_AGAIN), target).bind(now.micros()).bind(seen.micros()),
    };
    Ok(tx.run(query).await? == 1)
}

/// Notes how a look ended.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn end(tx: &mut Tx<'_>, target: &Target, ended: &Ended) -> Result<(), StoreError> {
    let query = of(tx.query(&END), target)
        .bind(ended.outcome.as_str())
        .bind(ended.error.clone())
        .bind(ended.complete_until.map(Timestamp::micros))
        .bind(whole(ended.listed));
    tx.run(query).await.map(drop)
}

/// Counts what a look found, in the commit that takes it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn count(
    tx: &mut Tx<'_>,
    target: &Target,
    missed: u64,
    updated: u64,
) -> Result<(), StoreError> {
    let query = of(tx.query(&COUNT), target).bind(whole(missed)).bind(whole(updated));
    tx.run(query).await.map(drop)
}

fn of(query: Bound, target: &Target) -> Bound {
    let query = query.bind(target.source.as_str()).bind(target.account.clone());
    query.bind(target.region.clone())
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn read(row: &Row<'_>) -> Result<Reconciliation, StoreError> {
    let (account, region) = (row.text("account")?, row.text("region")?);
    let many = |column| row.int(column).map(|n| u64::try_from(n).unwrap_or_default());
    Ok(Reconciliation {
        target: Target { source: row.word("source")?, account, region },
        checked_at: row.time("checked_at")?,
        complete_until: row.time_opt("complete_until")?,
        outcome: row.word("outcome")?,
        error: row.text_opt("error")?,
        listed: many("listed")?,
        missed: many("missed")?,
        updated: many("updated")?,
    })
}
