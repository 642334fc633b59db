//! What runs cost that wait for people: a row, no thread, no memory.

use serde_json::{Value, json};
use stanch_engine_core::playbook::Bundle;
use stanch_engine_runtime::playbooks;
use stanch_engine_runtime::runs::{StartRequest, start};
use tokio::task::JoinSet;

use super::noop::Noop;
use super::steps::{Folder, node};

const PLAYBOOK: &str = r#"
const PLAYBOOK = #{ name: "waiting", title: "Waits at an approval" };
let seen = action("bench.noop", #{ i: 1 });
approval(`Go on with ${seen.i}?`, #{ expires: "24h" }).outcome
"#;

pub(super) async fn run(database: &str, runs: u32) -> anyhow::Result<Value> {
    let folder = Folder::new()?;
    let runtime = node(database, &folder, Noop::default(), 64).await?;
    let bundle = Bundle { main: PLAYBOOK.to_owned(), imports: Default::default() };
    playbooks::publish(&runtime, bundle, "bench", "bench").await?;
    wait_for(&runtime, 200).await?;
    let (idle_kib, idle_threads) = (status("VmRSS")?, status("Threads")?);
    wait_for(&runtime, runs).await?;
    let (kib, threads) = (status("VmRSS")?, status("Threads")?);
    let residents = runtime.residents();
    runtime.stop().await;
    Ok(json!({
        "runs": runs, "idle_kib": idle_kib, "waiting_kib": kib, "grown_kib": kib - idle_kib,
        "idle_threads": idle_threads, "waiting_threads": threads, "runs_in_memory": residents,
    }))
}

/// Runs that are started at a time.
const AT_ONCE: u32 = 64;

/// Starts so many runs, and returns when each of them waits.
pub(super) async fn wait_for(
    runtime: &stanch_engine_runtime::Runtime,
    runs: u32,
) -> anyhow::Result<()> {
    let mut rested = runtime.rested();
    let mut starting = JoinSet::new();
    let mut left = runs;
    while left > 0 {
        let some = left.min(AT_ONCE);
        for _ in 0..some {
            let runtime = runtime.clone();
            let (playbook, requester) = ("waiting".to_owned(), "bench".to_owned());
            let request = StartRequest { playbook, requester, ..StartRequest::default() };
            starting.spawn(async move { start(&runtime, request).await });
        }
        while let Some(started) = starting.join_next().await {
            started??;
        }
        for _ in 0..some {
            rested.recv().await?;
        }
        left -= some;
    }
    Ok(())
}

/// A figure of this process, as Linux tells it.
pub(super) fn status(name: &str) -> anyhow::Result<i64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.ok_or_else(|| anyhow::anyhow!("this system does not tell {name}"))
}
