//! Alerts by HTTP, acknowledged after their commit: as many as go at so many connections, beside
//! the store alone; and how long each waits at a steady rate with runs going.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stanch_engine_core::alert::Alert;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::RunId;
use stanch_engine_core::playbook::Bundle;
use stanch_engine_runtime::{Runtime, intake, playbooks};
use stanch_engine_server::ServerSettings;
use stanch_plugins_aws::{Aws, AwsSettings};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::noop::Noop;
use super::steps::{Folder, node};
use super::{percentile_ms, rate};

const TOKEN: &str = "the-token-of-a-measurement";

/// What every alert of the steady rate starts.
const PLAYBOOK: &str = r#"
const PLAYBOOK = #{ name: "steady", title: "Steps that do nothing",
    triggers: [#{ source: "guardduty", type: "*" }] };
for i in 0..5 { action("bench.noop", #{ i: i }); }
"#;

/// What is measured.
pub(super) struct Wanted {
    pub(super) alerts: u32,
    pub(super) connections: u32,
    pub(super) per_second: u32,
    pub(super) seconds: u32,
}

pub(super) async fn run(database: &str, wanted: &Wanted) -> anyhow::Result<Value> {
    let (folder, noop) = (Folder::new()?, Noop::default());
    let runtime = node(database, &folder, noop.clone(), 64).await?;
    let target = Arc::new(Target::listen(&runtime).await?);
    let Wanted { alerts, connections, .. } = *wanted;
    // The store alone comes second: its tables are fuller then, which is to its cost.
    let (elapsed, waits) = shared_out(alerts, connections, |number| {
        let target = target.clone();
        async move { target.send(number).await.map(drop) }
    })
    .await?;
    let mut read = read(&runtime, alerts..2 * alerts)?;
    let (store_elapsed, _) = shared_out(alerts, connections, |_| {
        let (runtime, alert) = (runtime.clone(), read.pop());
        async move {
            intake::take(&runtime, alert.into_iter().collect()).await?;
            Ok(())
        }
    })
    .await?;
    let bundle = Bundle { main: PLAYBOOK.to_owned(), imports: Default::default() };
    playbooks::publish(&runtime, bundle, "bench", "bench").await?;
    let steady = steady(&target, 2 * alerts, wanted).await?;
    let first_steps = first_steps(&noop, &steady).await?;
    let mut steady: Vec<Duration> = steady.into_iter().map(|sent| sent.waited).collect();
    steady.sort_unstable();
    runtime.stop().await;
    let (acknowledged, store) =
        (rate(u64::from(alerts), elapsed), rate(u64::from(alerts), store_elapsed));
    Ok(json!({
        "acknowledged_per_s": acknowledged, "store_per_s": store,
        "p50_ms": percentile_ms(&waits, 50), "p99_ms": percentile_ms(&waits, 99),
        "steady_per_s": wanted.per_second, "steady_p50_ms": percentile_ms(&steady, 50),
        "steady_p99_ms": percentile_ms(&steady, 99),
        "first_step_p50_ms": percentile_ms(&first_steps, 50),
        "first_step_p99_ms": percentile_ms(&first_steps, 99),
    }))
}

/// The API of a node, and a client of it.
struct Target {
    http: reqwest::Client,
    url: String,
}

impl Target {
    async fn listen(runtime: &Runtime) -> anyhow::Result<Self> {
        let token = Sha256::of(TOKEN);
        let sources = Arc::new(BTreeMap::new());
        let (webhook_token, admin_token) = (token, token);
        let (slack, oidc) = (None, None);
        let (sign_in, at_provider) = (None, None);
        let settings = ServerSettings {
            webhook_token,
            admin_token,
            sources,
            slack,
            oidc,
            sign_in,
            at_provider,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/v1/webhooks/guardduty", listener.local_addr()?);
        let router = stanch_engine_server::router(runtime.clone(), settings);
        tokio::task::spawn(stanch_engine_server::serve(listener, router, std::future::pending()));
        let http = stanch_plugins_http::client_builder().no_proxy().build()?;
        Ok(Self { http, url })
    }

    /// Sends an alert, and gives the runs that it started.
    async fn send(&self, number: u32) -> anyhow::Result<Vec<RunId>> {
        let request = self.http.post(&self.url).bearer_auth(TOKEN).body(finding(number));
        let answer = request.send().await?.error_for_status()?;
        let taken: Taken = serde_json::from_slice(&answer.bytes().await?)?;
        Ok(taken.run_ids)
    }
}

/// What a webhook answers.
#[derive(serde::Deserialize)]
struct Taken {
    run_ids: Vec<RunId>,
}

/// An alert that was sent.
struct Sent {
    due: tokio::time::Instant,
    waited: Duration,
    runs: Vec<RunId>,
}

/// How long it took from the moment at which each alert was to be sent until its runs began their first
/// steps, sorted.
async fn first_steps(noop: &Noop, sent: &[Sent]) -> anyhow::Result<Vec<Duration>> {
    let mut looks = tokio::time::interval(Duration::from_millis(10));
    let mut waits = Vec::new();
    for one in sent {
        for run in &one.runs {
            let began = loop {
                match noop.first(*run) {
                    Some(began) => break began,
                    None => looks.tick().await,
                };
            };
            waits.push(began.saturating_duration_since(one.due.into_std()));
        }
    }
    anyhow::ensure!(!waits.is_empty(), "no alert started a run");
    waits.sort_unstable();
    Ok(waits)
}

/// Alerts as the store takes them, read beforehand.
fn read(runtime: &Runtime, numbers: Range<u32>) -> anyhow::Result<Vec<Alert>> {
    let mut alerts = Vec::new();
    for number in numbers {
        let read = intake::read(runtime, "guardduty", finding(number).as_bytes());
        alerts.extend(read.map_err(|why| anyhow::anyhow!(why))?);
    }
    Ok(alerts)
}

/// Does something `count` times by so many at once, and gives how long all took and each waited.
async fn shared_out<F>(
    count: u32,
    at_once: u32,
    mut each: impl FnMut(u32) -> F,
) -> anyhow::Result<(Duration, Vec<Duration>)>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let (mut going, mut waits, mut next) = (JoinSet::new(), Vec::new(), 0);
    let begun = Instant::now();
    while next < count || !going.is_empty() {
        while next < count && going.len() < at_once as usize {
            let work = each(next);
            going.spawn(async move {
                let begun = Instant::now();
                work.await.map(|()| begun.elapsed())
            });
            next += 1;
        }
        if let Some(done) = going.join_next().await {
            waits.push(done??);
        }
    }
    let elapsed = begun.elapsed();
    waits.sort_unstable();
    Ok((elapsed, waits))
}

/// Sends at a steady rate whether or not answers come, and gives how long each took from the
/// moment at which it was to be sent.
async fn steady(target: &Arc<Target>, first: u32, wanted: &Wanted) -> anyhow::Result<Vec<Sent>> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / wanted.per_second.max(1));
    let mut going = JoinSet::new();
    for number in 0..wanted.per_second * wanted.seconds {
        let due = ticks.tick().await;
        let target = target.clone();
        going.spawn(async move {
            let runs = target.send(first + number).await?;
            Ok::<_, anyhow::Error>(Sent { due, waited: due.elapsed(), runs })
        });
    }
    let mut sent = Vec::new();
    while let Some(done) = going.join_next().await {
        sent.push(done??);
    }
    Ok(sent)
}

/// A finding of GuardDuty about an instance of its own.
fn finding(number: u32) -> String {
    let id = format!("{number:032x}");
    json!({
        "schemaVersion": "2.0", "accountId": "111122223333", "region": "us-east-1", "id": id,
        "arn": format!("arn:aws:guardduty:us-east-1:111122223333:detector/d/finding/{id}"),
        "type": "Recon:EC2/Portscan", "severity": 5, "title": "A host scans ports",
        "description": "The instance scans the ports of a host on the internet.",
        "createdAt": "2026-11-24T02:58:30.000Z", "updatedAt": "2026-11-24T02:58:30.000Z",
        "resource": {"resourceType": "Instance", "instanceDetails": {"instanceId": format!("i-{id}")}},
        "service": {"serviceName": "guardduty", "count": 1, "archived": false,
            "eventFirstSeen": "2026-11-24T02:50:00.000Z", "eventLastSeen": "2026-11-24T02:56:00.000Z"},
    })
    .to_string()
}

/// The sources of AWS beside the actions of a measurement.
pub(super) fn with_sources(
    catalogue: stanch_plugins_sdk::Catalogue,
) -> anyhow::Result<stanch_plugins_sdk::Catalogue> {
    Ok(Aws::open(&AwsSettings::default())?.register(catalogue))
}
