//! The bare loop that the engine's speed is measured against: the same journal rows, written by
//! the same kind of group commit at full durability, with nothing around it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::Connection as _;
use stanch_engine_core::id::RunId;
use stanch_engine_core::time::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::dialect::Dialect;
use crate::error::{OpenError, StoreError};
use crate::open::{self, Options};
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    INSERT_MANY = {
        sqlite:
            "INSERT INTO journal (run_id, seq, at, kind, body) \
             SELECT value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each($1)",
        postgres:
            "INSERT INTO journal (run_id, seq, at, kind, body) \
             SELECT v->>0, CAST(v->>1 AS BIGINT), CAST(v->>2 AS BIGINT), v->>3, v->>4 \
             FROM json_array_elements(CAST(CAST($1 AS TEXT) AS json)) AS v",
    };
    PUT_TO_SLEEP =
        "INSERT INTO runs (id, playbook, digest, status, depth, requester, epoch, recoveries, \
         wake_at, created_at, updated_at) \
         WITH RECURSIVE n (i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $2) \
         SELECT 'run_000000000' || CAST(10000000000000000 + i AS TEXT), 'bench', $3, 'waiting', 0, \
         'bench', 0, 0, $4 + i, 0, 0 FROM n";
    INSERT_ONE = "INSERT INTO journal (run_id, seq, at, kind, body) VALUES ($1, $2, $3, $4, $5)";
}

/// The body of a usual row of a journal: 200 bytes.
const BODY_BYTES: usize = 200;

/// What the loop did.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Rows that were written.
    pub rows: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// How long each row waited for its commit, in order.
    pub waits: Vec<Duration>,
    /// Transactions.
    pub commits: u64,
}

struct Row {
    run: RunId,
    seq: u32,
    done: oneshot::Sender<()>,
}

/// Writes `rows` rows by `producers` producers, each of which waits for its row's commit before it
/// makes the next.
///
/// # Errors
/// [`OpenError`] when the database can't be opened; a write that fails ends the loop early.
pub async fn run(url: &str, rows: u64, producers: u64) -> Result<Measured, OpenError> {
    let opened = open::open(&Options::new(url)).await?;
    let (dialect, mut connection) = (opened.dialect, opened.writer);
    if producers <= 1 {
        return Ok(one_at_a_time(&mut connection, dialect, rows).await);
    }
    let (sender, mut waiting) = mpsc::unbounded_channel::<Row>();
    let body: Arc<str> = "x".repeat(BODY_BYTES).into();
    let writer = tokio::task::spawn(async move {
        let (mut batch, mut commits) = (Vec::new(), 0_u64);
        while waiting.recv_many(&mut batch, 1_024).await > 0 {
            if commit(&mut connection, dialect, &batch, &body).await.is_err() {
                break;
            }
            commits += 1;
            for row in batch.drain(..) {
                let _ = row.done.send(());
            }
        }
        commits
    });
    let begun = Instant::now();
    let each = rows / producers.max(1);
    let tasks: Vec<_> = (0..producers)
        .map(|number| tokio::task::spawn(produce(sender.clone(), number, each)))
        .collect();
    drop(sender);
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await.unwrap_or_default());
    }
    let elapsed = begun.elapsed();
    waits.sort_unstable();
    let commits = writer.await.unwrap_or_default();
    Ok(Measured { rows: waits.len() as u64, elapsed, waits, commits })
}

/// BEGIN, INSERT, COMMIT and the next, with nobody in between.
async fn one_at_a_time(
    connection: &mut sqlx::AnyConnection,
    dialect: Dialect,
    rows: u64,
) -> Measured {
    let (body, begun, mut waits) = ("x".repeat(BODY_BYTES), Instant::now(), Vec::new());
    for at in 0..rows {
        let (run, seq) = place(at, 0);
        let row = Row { run, seq, done: oneshot::channel().0 };
        let begun = Instant::now();
        if commit(connection, dialect, &[row], &body).await.is_err() {
            break;
        }
        waits.push(begun.elapsed());
    }
    let (elapsed, rows) = (begun.elapsed(), waits.len() as u64);
    waits.sort_unstable();
    Measured { rows, elapsed, waits, commits: rows }
}

/// Where a row goes. Runs begin one after the other, as those of the engine do: their rows lie
/// together.
fn place(at: u64, number: u64) -> (RunId, u32) {
    let began_at = i64::try_from(at / 10).unwrap_or_default();
    let run = RunId::new(Timestamp::from_micros(began_at * 1_000), u128::from(number));
    (run, u32::try_from(at % 10).unwrap_or_default())
}

/// Inserts `runs` runs that wait, one due every microsecond after `from`.
///
/// # Errors
/// [`OpenError`] when the database can't be opened or written.
pub async fn put_to_sleep(url: &str, runs: i64, from: Timestamp) -> Result<(), OpenError> {
    let opened = open::open(&Options::new(url)).await?;
    let (dialect, mut connection) = (opened.dialect, opened.writer);
    let digest = stanch_engine_core::digest::Sha256::of("bench").to_string();
    for first in (1..=runs).step_by(50_000) {
        let mut tx = Tx(Conn { connection: &mut connection, dialect, entropy: None });
        let query = tx
            .query(&PUT_TO_SLEEP)
            .bind(first)
            .bind(runs.min(first + 49_999))
            .bind(digest.clone())
            .bind(from.micros());
        tx.run(query).await.map_err(|error| OpenError::Unreachable(error.to_string()))?;
    }
    Ok(())
}

async fn produce(sender: mpsc::UnboundedSender<Row>, number: u64, rows: u64) -> Vec<Duration> {
    let mut waits = Vec::new();
    for at in 0..rows {
        let (done, committed) = oneshot::channel();
        let (run, seq) = place(at, number);
        let begun = Instant::now();
        if sender.send(Row { run, seq, done }).is_err() || committed.await.is_err() {
            break;
        }
        waits.push(begun.elapsed());
    }
    waits
}

async fn commit(
    connection: &mut sqlx::AnyConnection,
    dialect: Dialect,
    batch: &[Row],
    body: &str,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with(dialect.begin()).await?;
    let mut tx = Tx(Conn { connection: &mut transaction, dialect, entropy: None });
    let query = match batch {
        [row] => tx
            .query(&INSERT_ONE)
            .bind(row.run.to_string())
            .bind(i64::from(row.seq))
            .bind(1_i64)
            .bind("bare")
            .bind(body.to_owned()),
        _ => {
            let rows: Vec<_> = batch.iter().map(|r| (r.run, r.seq, 1, "bare", body)).collect();
            tx.query(&INSERT_MANY).bind(serde_json::to_string(&rows).unwrap_or_default())
        }
    };
    tx.run(query).await?;
    Ok(transaction.commit().await?)
}
