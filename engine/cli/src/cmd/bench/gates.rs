//! Many questions at once: so many in one run, so many over all, and what deciding one takes.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use stanch_engine_core::approval::Answer;
use stanch_engine_core::playbook::Bundle;
use stanch_engine_runtime::approvals::{Say, decide};
use stanch_engine_runtime::people::Caller;
use stanch_engine_runtime::playbooks;
use stanch_engine_runtime::runs::{StartRequest, start};

use super::decisions::pending;
use super::noop::Noop;
use super::percentile_ms;
use super::steps::{Folder, node};

/// Questions beside each other, a hundred in each of so many branches.
const PLAYBOOK: &str = r#"
const PLAYBOOK = #{ name: "gates", title: "Asks much at once" };
let inner = []; for n in 0..100 { inner.push(n); }
let outer = []; for n in 0..inputs.hundreds { outer.push(n); }
each(outer, #{ max_concurrency: 100 }, |o| {
    each(inner, #{ max_concurrency: 100 }, |i| {
        approval(`Go on with ${o}-${i}?`, #{ expires: "24h", approvers: ["role:responder"] }).outcome
    });
});
"#;

pub(super) async fn run(
    database: &str,
    (runs, hundreds): (u32, u32),
    decisions: usize,
) -> anyhow::Result<Value> {
    let folder = Folder::new()?;
    let runtime = node(database, &folder, Noop::default(), 64).await?;
    let bundle = Bundle { main: PLAYBOOK.to_owned(), imports: Default::default() };
    playbooks::publish(&runtime, bundle, "bench", "bench").await?;
    let mut rested = runtime.rested();
    let began = Instant::now();
    for _ in 0..runs {
        let inputs = Map::from_iter([("hundreds".to_owned(), json!(hundreds))]);
        let (playbook, requester) = ("gates".to_owned(), "bench".to_owned());
        start(&runtime, StartRequest { playbook, requester, inputs, ..StartRequest::default() })
            .await?;
        rested.recv().await?;
    }
    let asked_in = began.elapsed();
    let open = pending(&runtime).await?;
    let mia = Caller {
        name: "mia".to_owned(),
        roles: vec!["responder".to_owned()],
        from: "bench".to_owned(),
    };
    let mut waits = Vec::new();
    // From all over: each run has its share.
    for approval in open.iter().step_by((open.len() / decisions.max(1)).max(1)).take(decisions) {
        let (answer, reason, form) = (Answer::Approve, "bench".to_owned(), Value::Null);
        let said_at = Instant::now();
        decide(&runtime, approval.id, &mia, Say { answer, reason, form }).await?;
        waits.push(said_at.elapsed());
        rested.recv().await?;
    }
    runtime.stop().await;
    waits.sort_unstable();
    let max: Duration = waits.last().copied().unwrap_or_default();
    Ok(json!({
        "runs": runs, "open_in_one_run": hundreds * 100, "open": open.len(),
        "asked_in_s": asked_in.as_secs_f64(), "decisions": waits.len(),
        "p50_ms": percentile_ms(&waits, 50), "p99_ms": percentile_ms(&waits, 99),
        "max_ms": max.as_secs_f64() * 1_000.0,
    }))
}
