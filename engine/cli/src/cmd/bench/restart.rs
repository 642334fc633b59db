//! What a node takes to go on after `kill -9` in the middle of its work.

use std::process::Stdio;
use std::time::Instant;

use serde_json::{Value, json};
use stanch_engine_core::playbook::Bundle;
use stanch_engine_runtime::runs::{StartRequest, start};
use stanch_engine_runtime::{Runtime, playbooks};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::task::JoinSet;

use super::noop::Noop;
use super::steps::{Folder, node};

const PLAYBOOK: &str = r#"
const PLAYBOOK = #{ name: "held", title: "Is in the middle of a step" };
action("bench.noop", #{ i: 1 });
action("bench.noop", #{ i: 2, hold: true });
"#;

/// Runs that are begun at the same time.
const TOGETHER: usize = 256;

/// The pause between two looks at how far they are.
const LOOK_MS: i64 = 10;

/// Has another process of this program hold runs in the middle of a step, kills it, and takes the
/// time from the start of a new node until the last of its runs has called its action again.
pub(super) async fn run(database: &str, runs: u32) -> anyhow::Result<Value> {
    let mut holder = tokio::process::Command::new(std::env::current_exe()?)
        .args(["bench", "hold", "--database", database, "--runs", &runs.to_string()])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = holder.stdout.take().ok_or_else(|| anyhow::anyhow!("it has no output"))?;
    let held = BufReader::new(output).lines().next_line().await?;
    anyhow::ensure!(held.is_some(), "the process that holds the runs ended by itself");
    holder.kill().await?;

    let (folder, noop, begun) = (Folder::new()?, Noop::default(), Instant::now());
    let runtime = node(database, &folder, noop.clone(), runs).await?;
    while noop.callers().0 < runs as usize {
        pause(&runtime).await;
    }
    let last = noop.callers().1.map_or(0.0, |last| (last - begun).as_secs_f64());
    runtime.stop().await;
    Ok(json!({"runs": runs, "going_again_s": (last * 1_000.0).round() / 1_000.0}))
}

/// Holds runs in the middle of a step, says so, and waits to be killed.
pub(super) async fn hold(database: &str, runs: u32) -> anyhow::Result<Value> {
    let (folder, noop) = (Folder::new()?, Noop::holding());
    let runtime = node(database, &folder, noop.clone(), runs).await?;
    let bundle = Bundle { main: PLAYBOOK.to_owned(), imports: Default::default() };
    playbooks::publish(&runtime, bundle, "bench", "bench").await?;
    let mut starting = JoinSet::new();
    for _ in 0..runs {
        if starting.len() >= TOGETHER
            && let Some(started) = starting.join_next().await
        {
            started??;
        }
        let runtime = runtime.clone();
        let (playbook, requester) = ("held".to_owned(), "bench".to_owned());
        let request = StartRequest { playbook, requester, ..StartRequest::default() };
        starting.spawn(async move { start(&runtime, request).await });
    }
    while let Some(started) = starting.join_next().await {
        started??;
    }
    while noop.held() < runs {
        pause(&runtime).await;
    }
    println!("{}", json!({"held": runs}));
    std::future::pending().await
}

async fn pause(runtime: &Runtime) {
    let world = runtime.world();
    world.clock.sleep_until(world.now().plus_ms(LOOK_MS)).await;
}
