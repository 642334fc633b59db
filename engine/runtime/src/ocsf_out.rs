//! Tells others what happens, in OCSF: every record of the custody chains, at least once and in the
//! order of each chain. What was told is noted after it was taken, and never before.

mod lake;
mod parquet;
mod send;
mod settings;

use std::sync::Arc;

use stanch_engine_core::id::IncidentId;
use stanch_engine_core::ocsf::{self, About};
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::custody::Stored;
use stanch_engine_store::{StoreError, alerts, incidents, ocsf_out, pages};
use tokio::sync::watch;

use crate::shared::Shared;

pub use settings::{OcsfSettings, OcsfTo};

/// The pause between two looks, and for how long a node keeps a sink.
const PAUSE_MS: i64 = 5_000;
const HOLD_MS: i64 = 60_000;

/// The same of a data lake: Security Lake asks for an object in five minutes, at most.
const LAKE_PAUSE_MS: i64 = 300_000;
const LAKE_HOLD_MS: i64 = 2 * LAKE_PAUSE_MS + HOLD_MS;

/// Incidents of one look, and records of one of them.
const INCIDENTS: u32 = 200;
const LAKE_INCIDENTS: u32 = 5_000;
const RECORDS: u32 = 500;

/// Bytes of what is sent at once, about.
const BATCH_BYTES: usize = 1024 * 1024;
const LAKE_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Looks in a row that fail before people hear of it.
const PATIENCE: u32 = 12;

/// What is sent at once, and how far that is.
#[derive(Default)]
struct Batch {
    lines: String,
    cursors: Vec<(IncidentId, u32)>,
}

/// Tells one sink, until it is told to stop.
pub(crate) async fn work(shared: Arc<Shared>, sink: OcsfSettings, mut stop: watch::Receiver<bool>) {
    let mut failures = 0_u32;
    let pause_ms = if sink.is_lake() { LAKE_PAUSE_MS } else { PAUSE_MS };
    if sink.is_lake() {
        // The node may have sent right before it was started again. What happens from here on is told.
        if let Err(why) = hold(&shared, &sink).await {
            tracing::warn!(sink = sink.name, why, "events can't be told yet");
        }
        let first = shared.world.now().plus_ms(pause_ms);
        tokio::select! {
            () = shared.world.clock.sleep_until(first) => {}
            _ = stop.changed() => return,
        }
    }
    while !*stop.borrow() {
        let told = tokio::select! {
            told = round(&shared, &sink) => told,
            _ = stop.changed() => return,
        };
        // What was not taken is tried soon: it made no object.
        let pause_ms = if told.is_err() { PAUSE_MS } else { pause_ms };
        let next = shared.world.now().plus_ms(pause_ms);
        match told {
            Ok(true) => continue,
            Ok(false) => {
                if failures >= PATIENCE {
                    well_again(&shared, &sink).await;
                }
                failures = 0;
            }
            Err(why) => {
                failures = failures.saturating_add(1);
                if failures == 1 {
                    tracing::warn!(sink = sink.name, why, "events can't be told");
                }
                if failures == PATIENCE {
                    page(&shared, &sink, &why).await;
                }
            }
        }
        tokio::select! {
            () = shared.world.clock.sleep_until(next) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Takes the sink for this node; false when another node has it.
async fn hold(shared: &Arc<Shared>, sink: &OcsfSettings) -> Result<bool, String> {
    let (now, node, name) = (shared.world.now(), shared.node, sink.name.clone());
    let until = now.plus_ms(if sink.is_lake() { LAKE_HOLD_MS } else { HOLD_MS });
    let held = shared.store.write(move |tx| {
        let name = name.clone();
        Box::pin(async move { ocsf_out::hold(tx, &name, node, now, until).await })
    });
    held.await.map_err(|error| error.to_string())
}

/// Tells what there is; whether there may be more.
async fn round(shared: &Arc<Shared>, sink: &OcsfSettings) -> Result<bool, String> {
    let told = |error: StoreError| error.to_string();
    if !hold(shared, sink).await? {
        return Ok(false);
    }
    let (incidents, most_bytes) = match sink.is_lake() {
        true => (LAKE_INCIDENTS, LAKE_BATCH_BYTES),
        false => (INCIDENTS, BATCH_BYTES),
    };
    let name = sink.name.clone();
    let behind = shared
        .store
        .read(|conn| Box::pin(async move { ocsf_out::behind(conn, &name, incidents).await }))
        .await
        .map_err(told)?;
    // A lake waits for its next turn with what came meanwhile.
    let found = match sink.is_lake() {
        true => behind.len() >= incidents as usize,
        false => !behind.is_empty(),
    };
    let mut batch = Batch::default();
    for (incident, from) in behind {
        gather(shared, sink, (incident, from), &mut batch).await.map_err(told)?;
        if batch.lines.len() >= most_bytes {
            deliver(shared, sink, std::mem::take(&mut batch)).await?;
        }
    }
    deliver(shared, sink, batch).await?;
    Ok(found)
}

/// Adds the events of one incident to what is sent.
async fn gather(
    shared: &Arc<Shared>,
    sink: &OcsfSettings,
    (id, from): (IncidentId, u32),
    batch: &mut Batch,
) -> Result<(), StoreError> {
    let store = &shared.store;
    let bodies = store.read(|c| Box::pin(ocsf_out::records(c, id, from, RECORDS))).await?;
    let end = from.saturating_add(u32::try_from(bodies.len()).unwrap_or(u32::MAX));
    let incident = store.read(|c| Box::pin(incidents::get(c, id))).await?;
    let alerts = store.read(|c| Box::pin(alerts::of_incident(c, id))).await?;
    if let Some(incident) = incident {
        let about = About {
            id,
            title: incident.title,
            severity: incident.severity,
            status: incident.status,
            account: incident.account,
            verdict: incident.verdict,
            verdict_reason: incident.verdict_reason,
            assignee: incident.acknowledged_by,
            is_sample: incident.is_sample,
            url: format!("{}/v1/incidents/{id}", shared.settings.public_url),
            alerts: alerts.into_iter().map(|it| (it.id, it.received_at, it.alert)).collect(),
        };
        let version = env!("CARGO_PKG_VERSION");
        let records = bodies.iter().filter_map(Stored::read);
        let events =
            records.flat_map(|(record, detail)| ocsf::events(&record, &detail, &about, version));
        for (class, event) in events {
            if sink.classes.contains(&class) {
                batch.lines.push_str(&event.to_string());
                batch.lines.push('\n');
            }
        }
    }
    batch.cursors.push((id, end));
    Ok(())
}

/// Sends, and notes how far it was sent.
async fn deliver(shared: &Arc<Shared>, sink: &OcsfSettings, batch: Batch) -> Result<(), String> {
    if batch.cursors.is_empty() {
        return Ok(());
    }
    if !batch.lines.is_empty() {
        send::send(shared, sink, &batch.lines).await?;
    }
    let parts = Arc::new((sink.name.clone(), batch.cursors));
    let noted = shared.store.write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move {
            for (incident, seq) in &parts.1 {
                ocsf_out::advance(tx, &parts.0, *incident, *seq).await?;
            }
            Ok(())
        })
    });
    noted.await.map_err(|error| error.to_string())
}

fn page_key(sink: &OcsfSettings) -> String {
    format!("ocsf-out/{}", sink.name)
}

async fn page(shared: &Arc<Shared>, sink: &OcsfSettings, why: &str) {
    let message = format!(
        "the events of [[ocsf_out]] `{}` have not been taken for a minute, and wait: {why}",
        sink.name
    );
    let to = vec!["role:responder".to_owned()];
    let page = Arc::new(shared.page(page_key(sink), to, "ocsf_out", message));
    let raised = shared.store.write(move |tx| {
        let page = page.clone();
        Box::pin(async move { pages::raise(tx, &page).await.map(drop) })
    });
    match raised.await {
        Ok(()) => shared.nudge(),
        Err(error) => tracing::error!(%error, "nobody could be paged"),
    }
}

async fn well_again(shared: &Arc<Shared>, sink: &OcsfSettings) {
    let (key, at): (_, Timestamp) = (page_key(sink), shared.world.now());
    let taken = shared.store.write(move |tx| {
        let key = key.clone();
        Box::pin(async move { pages::take_by_key(tx, &key, "stanch", at).await })
    });
    if let Err(error) = taken.await {
        tracing::warn!(%error, "a page that is over is still open");
    }
}
