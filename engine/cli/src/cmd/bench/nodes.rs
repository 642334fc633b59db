//! Several nodes on one Postgres: whether they do more than one, what it costs, and how soon one goes on
//! with what another began.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};
use stanch_engine_core::approval::Answer;
use stanch_engine_core::id::RunId;
use stanch_engine_core::playbook::Bundle;
use stanch_engine_runtime::approvals::{Say, decide};
use stanch_engine_runtime::people::Caller;
use stanch_engine_runtime::{Runtime, playbooks};
use stanch_engine_store::Dialect;
use tokio::task::JoinSet;

use super::noop::Noop;
use super::processor::Used;
use super::steps::{self, Folder, node};
use super::waiting::wait_for;
use super::{decisions, percentile_ms, rate, restart};

/// Runs at the same time, over all nodes.
const CONCURRENCY: u32 = 96;

/// Steps of each run.
const STEPS: u32 = 20;

/// What is measured.
pub(super) struct Wanted {
    pub(super) runs: u32,
    pub(super) decisions: u32,
    pub(super) held: u32,
}

pub(super) async fn run(database: &str, wanted: &Wanted) -> anyhow::Result<Value> {
    ensure!(
        Dialect::of_url(database) == Some(Dialect::Postgres),
        "several nodes need Postgres: name a postgres://… database"
    );
    let folder = Folder::new()?;
    let (noop, mut nodes) = (Noop::default(), Vec::new());
    nodes.push(node(database, &folder, noop.clone(), CONCURRENCY).await?);
    let bundle = Bundle { main: steps::PLAYBOOK.to_owned(), imports: Default::default() };
    playbooks::publish(first(&nodes)?, bundle, "bench", "bench").await?;
    let one = throughput(&nodes, wanted.runs).await?;
    for _ in 0..2 {
        nodes.push(node(database, &folder, noop.clone(), CONCURRENCY).await?);
    }
    let three = throughput(&nodes, wanted.runs).await?;
    let decided = decided_elsewhere(&nodes, &noop, wanted.decisions).await?;
    let taken_over = taken_over(database, &nodes, &folder, &noop, wanted.held).await?;
    for node in nodes {
        node.stop().await;
    }
    Ok(json!({
        "one_steps_per_s": one.0, "three_steps_per_s": three.0,
        "one_cpu_us_per_step": one.1, "three_cpu_us_per_step": three.1,
        "decision_p50_ms": percentile_ms(&decided, 50),
        "decision_p99_ms": percentile_ms(&decided, 99),
        "held": wanted.held, "going_again_s": (taken_over * 1_000.0).round() / 1_000.0,
    }))
}

fn first(nodes: &[Runtime]) -> anyhow::Result<&Runtime> {
    nodes.first().ok_or_else(|| anyhow::anyhow!("there is no node"))
}

/// Steps a second over all nodes, and the processor time of the nodes for each, in microseconds.
async fn throughput(nodes: &[Runtime], runs: u32) -> anyhow::Result<(f64, f64)> {
    let share = u32::try_from(nodes.len())?;
    let inputs = json!({"steps": STEPS}).as_object().cloned().unwrap_or_default();
    let (begun, used) = (Instant::now(), Used::now()?);
    let mut working = JoinSet::new();
    for node in nodes {
        let (node, inputs) = (node.clone(), inputs.clone());
        working.spawn(async move {
            steps::all(&node, runs / share, CONCURRENCY / share, &inputs).await
        });
    }
    while let Some(done) = working.join_next().await {
        done??;
    }
    let steps = u64::from(runs / share) * u64::from(share) * u64::from(STEPS);
    let elapsed = begun.elapsed();
    Ok((rate(steps, elapsed), used.per_step_us(steps)?.0))
}

/// From a decision that one node hears to the next step of a run that waits since another worked on it.
async fn decided_elsewhere(
    nodes: &[Runtime],
    noop: &Noop,
    count: u32,
) -> anyhow::Result<Vec<Duration>> {
    let [worked, _, hears, ..] = nodes else { anyhow::bail!("it takes three nodes") };
    let bundle = Bundle { main: decisions::PLAYBOOK.to_owned(), imports: Default::default() };
    playbooks::publish(worked, bundle, "bench", "bench").await?;
    wait_for(worked, count).await?;
    let mia = Caller {
        name: "mia".to_owned(),
        roles: vec!["responder".to_owned()],
        from: "bench".to_owned(),
    };
    let mut waits = Vec::new();
    for approval in decisions::pending(worked).await? {
        let (answer, reason, form) = (Answer::Approve, "bench".to_owned(), Value::Null);
        let said_at = Instant::now();
        decide(hears, approval.id, &mia, Say { answer, reason, form }).await?;
        let began_at = called(hears, noop, approval.run).await;
        waits.push(began_at.saturating_duration_since(said_at));
    }
    waits.sort_unstable();
    Ok(waits)
}

/// When a run called its action, once it has.
async fn called(runtime: &Runtime, noop: &Noop, run: RunId) -> Instant {
    loop {
        if let Some(at) = noop.last(run) {
            return at;
        }
        let world = runtime.world();
        world.clock.sleep_until(world.now().plus_ms(1)).await;
    }
}

/// Seconds from the kill of a node until all of its runs go on elsewhere.
async fn taken_over(
    database: &str,
    nodes: &[Runtime],
    folder: &Folder,
    noop: &Noop,
    held: u32,
) -> anyhow::Result<f64> {
    let mut holder = restart::holder(database, held, Some(folder.path())).await?;
    let before = u32::try_from(noop.callers().0)?;
    holder.start_kill()?;
    let killed_at = Instant::now();
    let last = restart::all_called(first(nodes)?, noop, before + held).await;
    holder.wait().await?;
    Ok(last.map_or(0.0, |last| (last - killed_at).as_secs_f64()))
}
