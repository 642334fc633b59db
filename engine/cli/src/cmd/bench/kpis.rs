//! KPIs over so many incidents, beside the plain scan of what they are made of.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stanch_engine_core::incident::Milestone;
use stanch_engine_core::kpi::Dimension;
use stanch_engine_core::limits;
use stanch_engine_core::span::Span;
use stanch_engine_runtime::Runtime;
use stanch_engine_runtime::kpis::{self, Filter, Question};
use stanch_engine_store::kpis::plain;

use super::percentile_ms;
use super::steps::{Folder, simulating};

const DAY_US: i64 = 86_400_000_000;

/// Incidents that are brought in at a time: nobody else waits.
const BATCH: u32 = 4_096;

pub(super) async fn run(database: &str, incidents: u32, rounds: u32) -> anyhow::Result<Value> {
    let folder = Folder::new()?;
    let runtime = simulating(database, &folder).await?;
    let now = runtime.world().now();
    let since = now.plus_ms(-364 * DAY_US / 1_000);
    let apart_us = 364 * DAY_US / i64::from(incidents.max(1));
    runtime.store().write(move |tx| Box::pin(plain::make(tx, incidents, since, apart_us))).await?;
    let begun = Instant::now();
    while kpis::bring_in(&runtime, BATCH).await? > 0 {}
    let brought_in = begun.elapsed();
    let year = Question {
        window: Span::from_secs(365 * 86_400),
        filter: Filter::default(),
        by: None,
        facts: limits::KPI_FACTS,
    };
    let by = |by| Question { by: Some(by), ..year.clone() };
    let of = |dimension, value: &str| Question {
        filter: Filter([(dimension, value.to_owned())].into()),
        ..year.clone()
    };
    let month = Question { window: Span::from_secs(30 * 86_400), ..year.clone() };
    let asked = [
        ("year", year.clone()),
        ("month", month),
        ("by_severity", by(Dimension::Severity)),
        ("by_source", by(Dimension::Source)),
        ("by_account", by(Dimension::Account)),
        ("by_person", by(Dimension::Person)),
        ("of_account", of(Dimension::Account, "100000000007")),
    ];
    let (mut answers, mut all) = (serde_json::Map::new(), Vec::new());
    for (name, question) in &asked {
        let waits = measured(rounds, || kpis::report(&runtime, question)).await?;
        answers.insert((*name).to_owned(), figures(&waits));
        all.extend(waits);
    }
    let waits = measured(rounds, || kpis::trend(&runtime, 52, &year)).await?;
    answers.insert("trend_52_weeks".to_owned(), figures(&waits));
    all.extend(waits);
    all.sort_unstable();
    let scans = measured(rounds.min(3), || scan(&runtime, since)).await?;
    runtime.stop().await;
    Ok(json!({
        "incidents": incidents, "brought_in_s": brought_in.as_secs_f64().round(),
        "p50_ms": percentile_ms(&all, 50), "p95_ms": percentile_ms(&all, 95), "answers": answers,
        "plain_scan_of_one_kpi_ms": percentile_ms(&scans, 50),
    }))
}

fn figures(waits: &[Duration]) -> Value {
    json!({"p50_ms": percentile_ms(waits, 50), "p95_ms": percentile_ms(waits, 95)})
}

async fn scan(runtime: &Runtime, since: stanch_engine_core::time::Timestamp) -> anyhow::Result<()> {
    let (from, to) = (Milestone::ReceivedAt, Milestone::ContainedAt);
    let found = runtime.store().read(|conn| Box::pin(plain::scan(conn, since, from, to))).await?;
    anyhow::ensure!(found.count > 0, "the scan found nothing");
    Ok(())
}

/// How long something took, so many times, sorted.
async fn measured<T, E, F>(rounds: u32, mut ask: impl FnMut() -> F) -> anyhow::Result<Vec<Duration>>
where
    F: Future<Output = Result<T, E>>,
    anyhow::Error: From<E>,
{
    let mut waits = Vec::new();
    for _ in 0..rounds {
        let begun = Instant::now();
        ask().await?;
        waits.push(begun.elapsed());
    }
    waits.sort_unstable();
    Ok(waits)
}
