//! Finding the runs that are due among very many that sleep.

use std::time::Instant;

use serde_json::{Value, json};
use stanch_engine_core::id::NodeId;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::{Options, Store, bare, runs};

use super::percentile_ms;

/// How often it is looked.
const ROUNDS: i64 = 200;

/// Runs that are due at each look.
const DUE: i64 = 10;

pub(super) async fn run(database: &str, runs: u32) -> anyhow::Result<Value> {
    let from = Timestamp::from_micros(1_000_000);
    bare::put_to_sleep(database, i64::from(runs), from).await?;
    let store = Store::open(Options::new(database)).await?;
    let (node, mut finds, mut claims) = (NodeId::new(from, 1), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let now = Timestamp::from_micros(from.micros() + round * DUE);
        let begun = Instant::now();
        let is_due = store.read(|conn| Box::pin(runs::has_work(conn, now))).await?;
        store.read(|conn| Box::pin(runs::next_wake(conn))).await?;
        finds.push(begun.elapsed());
        anyhow::ensure!(is_due, "runs are due and were not found");
        let begun = Instant::now();
        let claimed = store
            .write(move |tx| Box::pin(async move { runs::claim(tx, node, now, now, 256).await }))
            .await?;
        claims.push(begun.elapsed());
        anyhow::ensure!(claimed.len() == DUE as usize, "{} were claimed", claimed.len());
    }
    store.close().await;
    finds.sort_unstable();
    claims.sort_unstable();
    Ok(json!({
        "runs": runs, "find_p50_ms": percentile_ms(&finds, 50),
        "find_p99_ms": percentile_ms(&finds, 99), "claim_p50_ms": percentile_ms(&claims, 50),
        "claim_p99_ms": percentile_ms(&claims, 99),
    }))
}
