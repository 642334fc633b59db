//! `stanch bench`: the whole engine, and the bare loop beside it.

mod alerts;
mod decisions;
mod evidence;
mod gates;
mod kpis;
mod large;
mod nodes;
mod noop;
mod processor;
mod restart;
mod scripts;
mod sleeping;
mod steps;
mod waiting;

use serde_json::{Value, json};
use stanch_engine_store::bare;

use crate::args::Bench;

pub(super) async fn run(what: Bench) -> anyhow::Result<()> {
    let line = match what {
        Bench::Steps { database, runs, steps, concurrency } => {
            steps::run(&database, runs, steps, concurrency).await?
        }
        Bench::Store { database, rows, producers } => store(&database, rows, producers).await?,
        Bench::Alerts { database, alerts, connections, rate, seconds } => {
            let wanted = alerts::Wanted { alerts, connections, per_second: rate, seconds };
            alerts::run(&database, &wanted).await?
        }
        Bench::Waiting { database, runs } => waiting::run(&database, runs).await?,
        Bench::Decisions { database, runs } => decisions::run(&database, runs).await?,
        Bench::Gates { database, runs, hundreds, decisions } => {
            gates::run(&database, (runs, hundreds), decisions).await?
        }
        Bench::Restart { database, runs } => restart::run(&database, runs).await?,
        Bench::Hold { database, runs, folder } => restart::hold(&database, runs, folder).await?,
        Bench::Nodes { database, runs, decisions, held } => {
            nodes::run(&database, &nodes::Wanted { runs, decisions, held }).await?
        }
        Bench::Kpis { database, incidents, rounds } => {
            kpis::run(&database, incidents, rounds).await?
        }
        Bench::Scripts => scripts::run()?,
        Bench::Evidence { dir, large: Some(mib), .. } => large::run(&dir, mib).await?,
        Bench::Evidence { dir, mib, large: None } => {
            tokio::task::spawn_blocking(move || evidence::run(&dir, mib)).await??
        }
        Bench::Sleeping { database, runs } => sleeping::run(&database, runs).await?,
    };
    println!("{line}");
    Ok(())
}

async fn store(database: &str, rows: u64, producers: u64) -> anyhow::Result<Value> {
    let measured = bare::run(database, rows, producers).await?;
    Ok(json!({
        "rows_per_s": rate(measured.rows, measured.elapsed),
        "p50_ms": percentile_ms(&measured.waits, 50),
        "p99_ms": percentile_ms(&measured.waits, 99),
        "commits": measured.commits,
    }))
}

/// So many a second.
fn rate(count: u64, elapsed: std::time::Duration) -> f64 {
    let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    (count / elapsed.as_secs_f64()).round()
}

/// The nearest-rank percentile of sorted durations, in milliseconds.
fn percentile_ms(sorted: &[std::time::Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    let millis = sorted.get(rank).map_or(0.0, |d| d.as_secs_f64() * 1_000.0);
    (millis * 1_000.0).round() / 1_000.0
}
