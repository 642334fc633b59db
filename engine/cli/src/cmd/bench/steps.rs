//! Real runs of a real playbook, through the whole engine, at full durability.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value, json};
use stanch_engine_core::playbook::Bundle;
use stanch_engine_core::span::Span;
use stanch_engine_runtime::runs::{StartRequest, start};
use stanch_engine_runtime::settings::{LEASE, NotifySettings, Settings, Simulation};
use stanch_engine_runtime::{Runtime, playbooks, system};
use stanch_engine_store::{Dialect, Options, Store};
use stanch_plugins_sdk::Catalogue;

use super::alerts::with_sources;
use super::noop::{NoOperations, Noop};
use super::processor::Used;
use super::{percentile_ms, rate};

pub(super) const PLAYBOOK: &str = r#"
const PLAYBOOK = #{ name: "bench", title: "Steps that do nothing" };
let total = 0;
for i in 0..inputs.steps {
    let about = #{ type: "AwsIamAccessKey", id: "AKIAIOSFODNN7EXAMPLE" };
    total += action("bench.noop", #{ i: i, name: `step-${i}`, about: about }).i;
}
total
"#;

pub(super) async fn run(
    database: &str,
    runs: u32,
    steps: u32,
    concurrency: u32,
) -> anyhow::Result<Value> {
    let folder = Folder::new()?;
    let noop = Noop::default();
    let runtime = node(database, &folder, noop.clone(), concurrency).await?;
    let bundle = Bundle { main: PLAYBOOK.to_owned(), imports: Default::default() };
    playbooks::publish(&runtime, bundle, "bench", "bench").await?;
    let inputs = json!({"steps": steps}).as_object().cloned().unwrap_or_default();
    let before = runtime.store().commits();
    let (begun, used) = (Instant::now(), Used::now()?);
    all(&runtime, runs, concurrency, &inputs).await?;
    let elapsed = begun.elapsed();
    let (own_us, machine_us) = used.per_step_us(u64::from(runs) * u64::from(steps))?;
    let commits = runtime.store().commits() - before;
    runtime.stop().await;
    let pauses = noop.pauses();
    Ok(json!({
        "steps_per_s": rate(u64::from(runs) * u64::from(steps), elapsed),
        "runs_per_s": rate(u64::from(runs), elapsed),
        "p50_ms": percentile_ms(&pauses, 50),
        "p99_ms": percentile_ms(&pauses, 99),
        "commits": commits,
        "processor_us_per_step": own_us,
        "processor_us_per_step_of_machine": machine_us,
    }))
}

/// A folder that goes with the measurement.
pub(super) struct Folder {
    path: std::path::PathBuf,
    is_ours: bool,
}

impl Folder {
    /// The folder of another process, which removes it.
    pub(super) fn of_another(path: std::path::PathBuf) -> Self {
        Self { path, is_ours: false }
    }

    pub(super) fn path(&self) -> &std::path::Path {
        &self.path
    }

    pub(super) fn new() -> anyhow::Result<Self> {
        let name = format!("stanch-bench-{:x}", system::world().entropy.next());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self { path, is_ours: true })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// A node with one action.
pub(super) async fn node(
    database: &str,
    folder: &Folder,
    noop: Noop,
    concurrency: u32,
) -> anyhow::Result<Runtime> {
    open(database, noop, settings(database, folder, concurrency)).await
}

/// A node without the loops that work by themselves.
pub(super) async fn simulating(database: &str, folder: &Folder) -> anyhow::Result<Runtime> {
    let simulation = Some(Simulation { effective: None });
    let settings = Settings { simulation, ..settings(database, folder, 1) };
    open(database, Noop::default(), settings).await
}

async fn open(database: &str, noop: Noop, settings: Settings) -> anyhow::Result<Runtime> {
    let store = Store::open(Options::new(database)).await?;
    let catalogue = Catalogue::new(Arc::new(NoOperations)).with_action(Arc::new(noop));
    let catalogue = with_sources(catalogue)?;
    Ok(Runtime::start(system::world(), settings, store, catalogue).await?)
}

fn settings(database: &str, folder: &Folder, concurrency: u32) -> Settings {
    let is_alone = Dialect::of_url(database) == Some(Dialect::Sqlite);
    Settings {
        data_dir: folder.path.clone(),
        correlation: stanch_engine_core::correlation::usual(Span::from_secs(60)),
        correlators: Vec::new(),
        storms: Vec::new(),
        silent_after: Default::default(),
        accounts: Default::default(),
        own_roles: Default::default(),
        cooldown: None,
        write_back: None,
        trail_audit: None,
        ocsf_out: Vec::new(),
        reconcile: None,
        rails: Default::default(),
        limits: Default::default(),
        config: json!({}),
        shards: std::thread::available_parallelism().map_or(2, usize::from),
        hot_runs: (concurrency as usize).saturating_mul(4).max(1_024),
        lease: (!is_alone).then_some(LEASE),
        notify: NotifySettings::default(),
        targets: Default::default(),
        heartbeat: None,
        queues: Vec::new(),
        grace: Span::from_secs(5),
        spans: None,
        digest: None,
        public_url: String::new(),
        keep_journals: None,
        keep_evidence: None,
        anchor: None,
        bucket: None,
        signing_key: None,
        second_person: false,
        requester_counts: false,
        vouches_for_people: false,
        break_glass: Vec::new(),
        roles: Default::default(),
        containments: Default::default(),
        updates: Default::default(),
        simulation: None,
    }
}

/// Starts runs, so many at a time, and waits until the last has ended.
pub(super) async fn all(
    runtime: &Runtime,
    runs: u32,
    concurrency: u32,
    inputs: &Map<String, Value>,
) -> anyhow::Result<()> {
    let mut rested = runtime.rested();
    let (mut begun, mut ended) = (0, 0);
    let mut starting = Vec::new();
    while begun < concurrency.min(runs) {
        starting.push(spawn(runtime, inputs));
        begun += 1;
    }
    while ended < runs {
        rested.recv().await?;
        ended += 1;
        if begun < runs {
            starting.push(spawn(runtime, inputs));
            begun += 1;
        }
    }
    for task in starting {
        task.await??;
    }
    Ok(())
}

fn spawn(
    runtime: &Runtime,
    inputs: &Map<String, Value>,
) -> tokio::task::JoinHandle<anyhow::Result<()>> {
    let (runtime, inputs) = (runtime.clone(), inputs.clone());
    tokio::task::spawn(async move {
        let (playbook, requester) = ("bench".to_owned(), "bench".to_owned());
        let request = StartRequest { playbook, inputs, requester, ..StartRequest::default() };
        start(&runtime, request).await?;
        Ok(())
    })
}
