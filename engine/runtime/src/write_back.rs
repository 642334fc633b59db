//! Has detectors hear what people made of their findings, by a run of a playbook that comes with the
//! binary: it looks before it writes, probes what it wrote, and is under the guard as every run.

use std::sync::Arc;

use serde_json::json;
use stanch_engine_core::effect::Mode;
use stanch_engine_core::id::RunId;
use stanch_engine_core::incident::{IncidentStatus, Verdict};
use stanch_engine_core::severity::Severity;
use stanch_engine_core::turn::level_of;
use stanch_engine_core::write_back::{FINDINGS, Finding, OPERATIONS, WriteBack, note};
use stanch_engine_store::incidents::{self, Incident};
use stanch_engine_store::write_backs::{self, Due};
use stanch_engine_store::{StoreError, Tx, alerts, runs};
use tokio::sync::watch;

use crate::job::Call;
use crate::live::Live;
use crate::playbooks::{self, WRITE_BACK};
use crate::runs::{NewRunParts, scope};
use crate::shared::Shared;

/// The longest pause between two looks.
const POLL_MS: i64 = 1_000;

/// Incidents of one look.
const BATCH: u32 = 50;

/// Starts the runs that tell detectors, until it is told to stop.
pub(crate) async fn work(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let is_on = shared.settings.write_back.is_some();
    while !*stop.borrow() {
        let looked = if is_on { round(&shared).await } else { forget(&shared).await };
        match looked {
            Ok(()) if !is_on => return,
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "detectors can't be told"),
        }
        let next = shared.world.now().plus_ms(POLL_MS);
        tokio::select! {
            () = shared.writing_back.notified() => {}
            () = shared.world.clock.sleep_until(next) => {}
            _ = stop.changed() => {}
        }
    }
}

/// What was decided while it was switched off is not told when it is switched on.
async fn forget(shared: &Shared) -> Result<(), StoreError> {
    shared.store.write(|tx| Box::pin(write_backs::forget(tx))).await
}

async fn round(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let due = shared.store.read(|conn| Box::pin(write_backs::due(conn, BATCH))).await?;
    for due in due {
        let parts = Arc::new((shared.clone(), due));
        let started = shared.store.write(move |tx| {
            let parts = parts.clone();
            Box::pin(async move { begin(tx, &parts.0, &parts.1).await })
        });
        if started.await?.is_some() {
            shared.work.notify_one();
        }
    }
    Ok(())
}

/// Starts the run that tells detectors of an incident, unless there is nothing to tell, or one is
/// under way: then it is looked again.
async fn begin(tx: &mut Tx<'_>, shared: &Shared, due: &Due) -> Result<Option<RunId>, StoreError> {
    let subject = format!("write-back/{}", due.incident);
    if runs::open_of_subject(tx, WRITE_BACK, &subject).await?.is_some() {
        return Ok(None);
    }
    let incident = incidents::get(tx, due.incident).await?;
    let told = incident.filter(|it| !it.is_sample && it.merged_into.is_none());
    let verdict = told.as_ref().and_then(|incident| incident.verdict);
    if !write_backs::done(tx, due, verdict).await? {
        return Ok(None);
    }
    let (Some(incident), Some(what)) = (told, &shared.settings.write_back) else { return Ok(None) };
    let all = alerts::of_incident(tx, incident.id).await?;
    let findings: Vec<_> = all.iter().filter_map(|it| what.finding(&it.alert)).collect();
    let Some(active) = shared.playbook(WRITE_BACK).filter(|_| !findings.is_empty()) else {
        return Ok(None);
    };
    let inputs = inputs(&incident, findings, due.told);
    let parts = NewRunParts {
        active: &active,
        incident: Some(incident.id),
        alert: None,
        subject: Some(subject),
        requester: "write-back".to_owned(),
        scope: scope(shared, None, Some(&incident), None, inputs),
        about_at: None,
        level: level_of(Severity::Informational),
    };
    let (run, started) = parts.into_run(shared, None);
    runs::insert(tx, &run, &started).await?;
    Ok(Some(run.id))
}

fn inputs(
    incident: &Incident,
    mut findings: Vec<Finding>,
    told: Option<Verdict>,
) -> serde_json::Value {
    let left_out = findings.len().saturating_sub(FINDINGS);
    findings.truncate(FINDINGS);
    json!({
        "verdict": incident.verdict, "told": told,
        "closed": incident.status == IncidentStatus::Closed,
        "note": note(incident.id, incident.verdict, incident.verdict_reason.as_deref()),
        "findings": findings, "left_out": left_out,
    })
}

/// Whether a run is one that writes back, by the text that comes with this binary.
pub(crate) fn is_one(live: &Live) -> bool {
    let started = live.state.started.as_ref();
    started.is_some_and(|started| Some(started.digest) == playbooks::built_in(WRITE_BACK))
}

/// The mode of a call: who switches writing back on has said yes to it, and is not asked again.
pub(crate) fn mode(live: &Live, shared: &Shared, call: &Call, mode: Mode) -> Mode {
    let operation = call.input.get("operation").and_then(|name| name.as_str());
    let is_told = operation.is_some_and(|name| OPERATIONS.contains(&name));
    let is_wanted = |it: &WriteBack| it.security_hub || it.guardduty;
    let is_on = shared.settings.write_back.as_ref().is_some_and(is_wanted);
    match mode {
        Mode::Ask if is_on && is_told && is_one(live) => Mode::Auto,
        other => other,
    }
}
