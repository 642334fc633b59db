//! From a person's decision to the start of the step after it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stanch_engine_core::approval::{Answer, ApprovalStatus};
use stanch_engine_core::playbook::Bundle;
use stanch_engine_runtime::approvals::{Say, decide};
use stanch_engine_runtime::people::Caller;
use stanch_engine_runtime::{Runtime, playbooks};
use stanch_engine_store::approvals::{self, Approval};

use super::noop::Noop;
use super::percentile_ms;
use super::steps::{Folder, node};
use super::waiting::wait_for;

pub(super) const PLAYBOOK: &str = r#"
const PLAYBOOK = #{ name: "waiting", title: "Acts after an approval" };
let gate = approval("Go on?", #{ expires: "24h", approvers: ["role:responder"] });
action("bench.noop", #{ i: 1 });
gate.outcome
"#;

pub(super) async fn run(database: &str, runs: u32) -> anyhow::Result<Value> {
    let (folder, noop) = (Folder::new()?, Noop::default());
    let runtime = node(database, &folder, noop.clone(), 64).await?;
    let bundle = Bundle { main: PLAYBOOK.to_owned(), imports: Default::default() };
    playbooks::publish(&runtime, bundle, "bench", "bench").await?;
    wait_for(&runtime, runs).await?;
    let (mut rested, mut waits) = (runtime.rested(), Vec::new());
    let mia = Caller {
        name: "mia".to_owned(),
        roles: vec!["responder".to_owned()],
        from: "bench".to_owned(),
    };
    for approval in pending(&runtime).await? {
        let (answer, reason, form) = (Answer::Approve, "bench".to_owned(), Value::Null);
        let said_at = Instant::now();
        decide(&runtime, approval.id, &mia, Say { answer, reason, form }).await?;
        rested.recv().await?;
        let began_at = noop.last(approval.run);
        let began_at = began_at.ok_or_else(|| anyhow::anyhow!("{} took no step", approval.run))?;
        waits.push(began_at - said_at);
    }
    runtime.stop().await;
    waits.sort_unstable();
    let max: Duration = waits.last().copied().unwrap_or_default();
    Ok(json!({
        "decisions": waits.len(), "p50_ms": percentile_ms(&waits, 50),
        "p99_ms": percentile_ms(&waits, 99), "max_ms": max.as_secs_f64() * 1_000.0,
    }))
}

/// Every approval that waits.
pub(super) async fn pending(runtime: &Runtime) -> anyhow::Result<Vec<Approval>> {
    let mut all: Vec<Approval> = Vec::new();
    loop {
        let before = all.last().map(|approval| approval.id);
        let page = runtime
            .store()
            .read(|conn| {
                Box::pin(approvals::list(conn, before, Some(ApprovalStatus::Pending), 200))
            })
            .await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}
