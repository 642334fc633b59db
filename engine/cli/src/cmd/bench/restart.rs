//! What a node takes to go on after `kill -9` in the middle of its work.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use serde_json::{Value, json};
use stanch_engine_core::playbook::Bundle;
use stanch_engine_runtime::runs::{StartRequest, start};
use stanch_engine_runtime::{Runtime, playbooks};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
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
    // Nodes on Postgres refuse evidence that lies elsewhere than that of others.
    let folder = Folder::new()?;
    let mut holder = holder(database, runs, Some(folder.path())).await?;
    holder.kill().await?;

    let (noop, begun) = (Noop::default(), Instant::now());
    let runtime = node(database, &folder, noop.clone(), runs).await?;
    let last = all_called(&runtime, &noop, runs).await;
    let last = last.map_or(0.0, |last| (last - begun).as_secs_f64());
    runtime.stop().await;
    Ok(json!({"runs": runs, "going_again_s": (last * 1_000.0).round() / 1_000.0}))
}

/// Another process of this program that holds runs in the middle of a step.
pub(super) async fn holder(
    database: &str,
    runs: u32,
    folder: Option<&Path>,
) -> anyhow::Result<Child> {
    let mut command = tokio::process::Command::new(std::env::current_exe()?);
    command.args(["bench", "hold", "--database", database, "--runs", &runs.to_string()]);
    if let Some(folder) = folder {
        command.arg("--folder").arg(folder);
    }
    let mut holder = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let output = holder.stdout.take().ok_or_else(|| anyhow::anyhow!("it has no output"))?;
    let held = BufReader::new(output).lines().next_line().await?;
    anyhow::ensure!(held.is_some(), "the process that holds the runs ended by itself");
    Ok(holder)
}

/// Waits until so many runs have called their action, and gives when the last did.
pub(super) async fn all_called(runtime: &Runtime, noop: &Noop, runs: u32) -> Option<Instant> {
    while noop.callers().0 < runs as usize {
        pause(runtime).await;
    }
    noop.callers().1
}

/// Holds runs in the middle of a step, says so, and waits to be killed.
pub(super) async fn hold(
    database: &str,
    runs: u32,
    folder: Option<PathBuf>,
) -> anyhow::Result<Value> {
    let folder = folder.map_or_else(Folder::new, |path| Ok(Folder::of_another(path)))?;
    let noop = Noop::holding();
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
