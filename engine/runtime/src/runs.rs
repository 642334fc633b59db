//! Runs, as people start them and as people stop them.

mod queue;
mod taking_back;
mod wishing;

use serde::Serialize;
use serde_json::{Map, Value, json};
use stanch_engine_core::id::{AlertId, IncidentId, NodeId, RunId};
use stanch_engine_core::journal::Started;
use stanch_engine_core::json::{Json, kept, plain};
use stanch_engine_core::limits;
use stanch_engine_core::playbook::LANGUAGE;
use stanch_engine_core::run::RunStatus;
use stanch_engine_core::severity::Severity;
use stanch_engine_core::step::{StepKey, StepStatus};
use stanch_engine_core::suggest;
use stanch_engine_core::time::Timestamp;
use stanch_engine_core::turn::{Turn, level_of};
use stanch_engine_store::inbox::FactKind;
use stanch_engine_store::incidents::Incident;
use stanch_engine_store::playbooks::Active;
use stanch_engine_store::runs::{self, NewRun};
use stanch_engine_store::{StoreError, alerts, incidents};
use tokio::sync::oneshot;

pub use self::taking_back::undo;
use wishing::{status_of, wish_for};

use crate::dispatcher::shard_of;
use crate::first_act;
pub use crate::live::facts::DoubtOutcome;
use crate::live::facts::{ALERT, Retry, Signal, Wish};
use crate::runtime::Runtime;
use crate::shard::{Begin, Message};
use crate::shared::Shared;

/// Why a wish was not granted.
#[derive(Debug, thiserror::Error)]
pub enum RunsError {
    /// There is no such run, alert or playbook.
    #[error("{0}")]
    NotFound(String),
    /// It does not fit where the run stands.
    #[error("{0}")]
    TooLate(String),
    /// The request can't be.
    #[error("{0}")]
    BadRequest(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a run is to be started with.
#[derive(Clone, Debug, Default)]
pub struct StartRequest {
    /// The playbook's name.
    pub playbook: String,
    /// What it reads as `inputs`.
    pub inputs: Map<String, Value>,
    /// The alert that it is about.
    pub alert: Option<AlertId>,
    /// The incident that it is a part of; else the alert's.
    pub incident: Option<IncidentId>,
    /// Who asks.
    pub requester: String,
    /// A second open run of the playbook about the same thing is refused.
    pub subject: Option<String>,
}

/// What a new run is made of.
pub(crate) struct NewRunParts<'a> {
    pub(crate) active: &'a Active,
    pub(crate) incident: Option<IncidentId>,
    pub(crate) alert: Option<AlertId>,
    pub(crate) subject: Option<String>,
    pub(crate) requester: String,
    pub(crate) scope: Json,
    /// When what it is about happened.
    pub(crate) about_at: Option<Timestamp>,
    /// How urgent it is.
    pub(crate) level: u32,
}

impl NewRunParts<'_> {
    /// The run's row and the first entry of its journal.
    pub(crate) fn into_run(
        self,
        shared: &Shared,
        claim: Option<(NodeId, Timestamp)>,
    ) -> (NewRun, Started) {
        let now = shared.world.now();
        let (playbook, digest) = (self.active.header.name.clone(), self.active.digest);
        let concurrency = self.active.header.concurrency.as_ref();
        let gate = concurrency.map(|limit| limit.gate(&playbook, &plain(self.scope.value())));
        let run = NewRun {
            id: shared.world.id(RunId::new),
            playbook: playbook.clone(),
            digest,
            incident: self.incident,
            alert: self.alert,
            subject: self.subject,
            parent: None,
            depth: 0,
            requester: self.requester.clone(),
            at: now,
            claim: claim.filter(|_| gate.is_none()),
            restored_at: shared.restored_after(self.about_at),
            turn: Turn { level: self.level, gate },
        };
        let timeout_ms = self.active.header.timeout.map_or(limits::RUN_TIMEOUT_MS, |t| t.ms);
        let started = Started {
            playbook,
            digest,
            language: LANGUAGE,
            generation: 1,
            requester: self.requester,
            scope: self.scope,
            deadline_at: now.plus_ms(timeout_ms),
        };
        (run, started)
    }
}

/// What a playbook reads as `schedule` when the clock started it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ScheduledTick {
    pub(crate) name: String,
    pub(crate) tick_at: Timestamp,
}

/// The variables that a playbook begins with, pinned in its journal.
pub(crate) fn scope(
    shared: &Shared,
    alert: Option<&Value>,
    incident: Option<&Incident>,
    tick: Option<&ScheduledTick>,
    inputs: Value,
) -> Json {
    let incident = incident.map(|incident| {
        json!({
            "id": incident.id, "title": incident.title, "status": incident.status,
            "severity": incident.severity, "account": incident.account,
        })
    });
    Json::canonical(&kept(json!({
        "alert": alert, "incident": incident, "schedule": tick, "inputs": inputs,
        "config": shared.settings.config,
    })))
}

/// Starts a run on this node, and returns when it is stored.
///
/// # Errors
/// [`RunsError`] when the playbook, the alert or the incident is not there, or one about the same
/// thing is open.
pub async fn start(runtime: &Runtime, request: StartRequest) -> Result<RunId, RunsError> {
    // Who names an incident is a person who does something about it.
    let acts = request.incident.map(|incident| (incident, request.requester.clone()));
    let run = begin(runtime, request).await?;
    if let Some((incident, person)) = acts {
        first_act::mark_after(runtime, incident, person).await;
    }
    Ok(run)
}

async fn begin(runtime: &Runtime, mut request: StartRequest) -> Result<RunId, RunsError> {
    let shared = &runtime.shared;
    let Some(active) = shared.playbook(&request.playbook) else {
        return Err(no_playbook(shared, &request.playbook));
    };
    active.header.complete_inputs(&mut request.inputs).map_err(RunsError::BadRequest)?;
    let (alert, incident) = about(runtime, &request).await?;
    let bundle = runtime.bundles.get(shared, active.digest).await?;
    let alert_value = alert.as_ref().map(|alert| json!(alert.alert));
    let parts = NewRunParts {
        active: &active,
        incident: incident.as_ref().map(|incident| incident.id),
        alert: request.alert,
        subject: request.subject,
        requester: request.requester,
        scope: scope(shared, alert_value.as_ref(), incident.as_ref(), None, json!(request.inputs)),
        about_at: alert.as_ref().and_then(|alert| alert.alert.last_seen_at()),
        // A person waits for it.
        level: incident.as_ref().map_or(0, |i| level_of(i.severity)).max(level_of(Severity::High)),
    };
    let subject = parts.subject.clone();
    let (new, started) = parts.into_run(shared, Some((shared.node, shared.lease_until())));
    let (run, (created, stored)) = (new.id, oneshot::channel());
    if new.claim.is_none() {
        return queue::queue(runtime, new, started).await;
    }
    let place = shared.room.take_one_more();
    let begin = Begin::New { new, started, bundle, created, place };
    match shard_of(&runtime.shards, run) {
        Some(shard) => shard.tell(Message::Begin(Box::new(begin))),
        None => return Err(RunsError::TooLate("the node is stopping".to_owned())),
    }
    match stored.await {
        Ok(Ok(())) => Ok(run),
        Ok(Err(StoreError::Conflict(why))) => {
            Err(queue::second(runtime, &active.header.name, subject.as_deref())
                .await
                .unwrap_or(RunsError::TooLate(why)))
        }
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(RunsError::TooLate("the node is stopping".to_owned())),
    }
}

fn no_playbook(shared: &Shared, name: &str) -> RunsError {
    let active = shared.active();
    let names = active.iter().map(|active| active.header.name.as_str());
    RunsError::NotFound(format!("no playbook `{name}` is active{}", suggest::hint(name, names)))
}

/// The alert and the incident that a run is about.
async fn about(
    runtime: &Runtime,
    request: &StartRequest,
) -> Result<(Option<alerts::StoredAlert>, Option<Incident>), RunsError> {
    let alert = match request.alert {
        Some(id) => {
            let found = runtime.store().read(|conn| Box::pin(alerts::get(conn, id))).await?;
            Some(found.ok_or_else(|| RunsError::NotFound(format!("there is no alert {id}")))?)
        }
        None => None,
    };
    let incident = match request.incident.or(alert.as_ref().and_then(|alert| alert.incident)) {
        Some(id) => {
            let found = runtime.store().read(|conn| Box::pin(incidents::get(conn, id))).await?;
            Some(found.ok_or_else(|| RunsError::NotFound(format!("there is no incident {id}")))?)
        }
        None => None,
    };
    Ok((alert, incident))
}

/// Who wants something, and why.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// Ends a run. What is under way comes to its end first.
///
/// # Errors
/// [`RunsError`] when there is no such run, or it has ended.
pub async fn cancel(runtime: &Runtime, run: RunId, person: Person) -> Result<(), RunsError> {
    let wish = Wish { by: person.name, reason: person.reason };
    wish_for(runtime, run, (FactKind::Cancel, Json::of(&wish)), Some(wish.by)).await
}

/// Stops a run for a while. What is under way comes to its end first.
///
/// # Errors
/// [`RunsError`] when there is no such run, or it has ended.
pub async fn pause(runtime: &Runtime, run: RunId, person: Person) -> Result<(), RunsError> {
    let wish = Wish { by: person.name, reason: person.reason };
    wish_for(runtime, run, (FactKind::Pause, Json::of(&wish)), Some(wish.by)).await
}

/// Lets a run go on that is paused or parked.
///
/// # Errors
/// [`RunsError`] when there is no such run, or it is neither.
pub async fn resume(runtime: &Runtime, run: RunId, person: Person) -> Result<(), RunsError> {
    let status = status_of(runtime, run).await?;
    if !matches!(status, RunStatus::Paused | RunStatus::Parked) {
        return Err(RunsError::TooLate(format!(
            "{run} is {status}, and neither paused nor parked"
        )));
    }
    let wish = Wish { by: person.name, reason: person.reason };
    wish_for(runtime, run, (FactKind::Resume, Json::of(&wish)), Some(wish.by)).await
}

/// Sends a signal to a run. It is kept until the run waits for it.
///
/// # Errors
/// [`RunsError`] when there is no such run, it has ended, or the signal can't be one.
pub async fn signal(
    runtime: &Runtime,
    run: RunId,
    name: String,
    data: Value,
    by: String,
) -> Result<(), RunsError> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.len() > limits::SIGNAL_NAME_CHARS || !name.chars().all(is_legal) {
        return Err(RunsError::BadRequest(format!(
            "a signal's name has 1 to {} letters, digits, dashes, dots and underscores",
            limits::SIGNAL_NAME_CHARS
        )));
    }
    if name == ALERT {
        let message =
            "the signal `alert` is how a run hears of further alerts: choose another name";
        return Err(RunsError::BadRequest(message.to_owned()));
    }
    let payload = Json::canonical(&kept(data));
    if payload.as_str().len() > limits::ARGUMENT_BYTES {
        let (size, most) = (payload.as_str().len(), limits::ARGUMENT_BYTES);
        return Err(RunsError::BadRequest(format!(
            "the data has {size} bytes, and may have {most}"
        )));
    }
    let signal = Signal { name, payload, by: Some(by) };
    // A program may send one as well.
    wish_for(runtime, run, (FactKind::Signal, Json::of(&signal)), None).await
}

/// Says what became of a step in doubt.
///
/// # Errors
/// [`RunsError`] when there is no such step, or it is not in doubt.
pub async fn settle_doubt(
    runtime: &Runtime,
    run: RunId,
    step: StepKey,
    outcome: DoubtOutcome,
    result: Value,
    person: Person,
) -> Result<(), RunsError> {
    status_of(runtime, run).await?;
    let found = runtime.store().read(|conn| Box::pin(runs::get(conn, run))).await?;
    let base_seq = found.map_or(0, |found| found.base_seq);
    let entries = crate::reruns::load(runtime, run, base_seq).await?;
    let state = stanch_engine_core::run_state::RunState::of(&entries)
        .map_err(|error| RunsError::TooLate(error.to_string()))?;
    match state.open.get(&step).map(|step| step.status) {
        Some(StepStatus::InDoubt) => {}
        Some(status) => {
            let message = format!("step {step} is {}, and not in doubt", status.as_str());
            return Err(RunsError::TooLate(message));
        }
        None => return Err(RunsError::NotFound(format!("{run} has no open step {step}"))),
    }
    let (by, reason) = (person.name, person.reason);
    let result = kept(result);
    let retry = Retry { by, reason, step, outcome, result };
    wish_for(runtime, run, (FactKind::Retry, Json::of(&retry)), Some(retry.by)).await
}
