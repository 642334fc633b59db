//! Runs: started, looked at, stopped, taken back.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::{AlertId, IncidentId, RunId};
use stanch_engine_core::limits;
use stanch_engine_core::run::RunStatus;
use stanch_engine_core::scope::Subject;
use stanch_engine_core::step::StepKey;
use stanch_engine_runtime::people::{Caller, Role};
use stanch_engine_runtime::runs::{self, DoubtOutcome, StartRequest};
use stanch_engine_runtime::{Runtime, intake, migration, reruns, scopes};
use stanch_engine_store::{journal, runs as rows};

use crate::App;
use crate::auth::Known;
use crate::body::Read;
use crate::paging::{self, Params, next, parse};
use crate::problem::{Handled, Refusal};
use crate::reach::Reach;
use crate::views;

/// The longest that a caller may wait for a run to come to rest, in seconds.
const WAIT_S: u32 = 60;

/// The pause between two looks while a caller waits, in milliseconds.
const LOOK_MS: i64 = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
    status: Option<String>,
    playbook: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShowQuery {
    wait: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Start {
    playbook: String,
    #[serde(default)]
    inputs: Map<String, Value>,
    /// The id of an alert, or a payload that a source recognises.
    #[serde(default)]
    alert: Value,
    #[serde(default)]
    incident: Option<IncidentId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Why {
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Migrate {
    /// The version; else the one that is active.
    #[serde(default)]
    to: Option<Sha256>,
    /// Whether it is only tried.
    #[serde(default)]
    trial: bool,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetryBody {
    /// The step in doubt; with what became of it.
    #[serde(default)]
    step: Option<StepKey>,
    #[serde(default)]
    outcome: Option<DoubtOutcome>,
    /// The step from which a run that has ended is run again.
    #[serde(default)]
    from_step: Option<StepKey>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    result: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UndoBody {
    /// The change, or the `execute` of a plan; else all that the run changed.
    #[serde(default)]
    step: Option<StepKey>,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignalBody {
    name: String,
    #[serde(default)]
    data: Value,
}

async fn find(runtime: &Runtime, id: RunId) -> Handled<rows::Run> {
    let found = runtime.store().read(|conn| Box::pin(rows::get(conn, id))).await?;
    found.ok_or_else(|| Refusal::not_found(format!("there is no run {id}")))
}

pub(crate) async fn list(
    State(app): State<App>,
    reach: Reach,
    Params(query): Params<Query>,
) -> Handled<Json<Value>> {
    let limit = paging::limit(query.limit);
    let filter = rows::Filter {
        before: parse("cursor", query.cursor.as_deref())?,
        status: parse("status", query.status.as_deref())?,
        playbook: query.playbook,
        limit,
    };
    let found = app
        .runtime
        .store()
        .read(|conn| Box::pin(async move { rows::list(conn, &filter).await }))
        .await?;
    let next = next(&found, limit, |row| row.id.to_string());
    let mut items = Vec::new();
    for row in &found {
        if reach.is_whole() || reach.sees(&about(&app.runtime, row.clone()).await?) {
            items.push(views::run(row));
        }
    }
    Ok(Json(json!({"items": items, "next_cursor": next})))
}

async fn about(runtime: &Runtime, run: rows::Run) -> Handled<Subject> {
    let subject =
        runtime.store().read(move |conn| Box::pin(async move { scopes::of_run(conn, &run).await }));
    Ok(subject.await?)
}

/// What a run would be about that is to be started.
async fn about_start(
    runtime: &Runtime,
    playbook: &str,
    (alert, incident): (Option<AlertId>, Option<IncidentId>),
) -> Handled<Subject> {
    let subject = runtime.store().read(move |conn| {
        Box::pin(async move {
            match alert {
                Some(alert) => scopes::of_alert(conn, alert).await,
                None => scopes::of_incident(conn, incident).await,
            }
        })
    });
    Ok(Subject { playbook: Some(playbook.to_owned()), ..subject.await? })
}

/// A run. With `?wait=SECONDS` the answer comes when it has come to rest: when it waits, is parked
/// or paused, or has ended.
pub(crate) async fn show(
    State(app): State<App>,
    _caller: Known,
    Path(id): Path<String>,
    Params(query): Params<ShowQuery>,
) -> Handled<Json<Value>> {
    let id = paging::id(&id)?;
    let world = app.runtime.world();
    let wait_ms = i64::from(query.wait.unwrap_or(0).min(WAIT_S)) * 1_000;
    let until = world.now().plus_ms(wait_ms);
    loop {
        let run = find(&app.runtime, id).await?;
        let is_at_rest = !matches!(run.status, RunStatus::Queued | RunStatus::Running);
        if is_at_rest || world.now() >= until {
            return Ok(Json(views::run(&run)));
        }
        world.clock.sleep_until(world.now().plus_ms(LOOK_MS)).await;
    }
}

pub(crate) async fn journal(
    State(app): State<App>,
    _caller: Known,
    Path(id): Path<String>,
    Params(query): Params<Query>,
) -> Handled<Json<Value>> {
    let id = paging::id(&id)?;
    find(&app.runtime, id).await?;
    let from: u32 = parse("cursor", query.cursor.as_deref())?.unwrap_or(0);
    let limit = query.limit.unwrap_or(1_000).clamp(1, limits::STEPS_PER_RUN);
    let mut entries =
        app.runtime.store().read(|conn| Box::pin(journal::load(conn, id, from, limit))).await?;
    if entries.is_empty() {
        let archived = app.runtime.journal_of(id).await?.into_iter();
        entries = archived.filter(|entry| entry.seq >= from).take(limit as usize).collect();
    }
    let is_full = entries.len() >= limit as usize;
    let next = entries.last().filter(|_| is_full).map(|entry| (entry.seq + 1).to_string());
    Ok(Json(json!({"items": entries, "next_cursor": next})))
}

/// Starts a run. With a payload as `alert` it is taken in first, as a webhook would; what its
/// triggers start goes on beside.
pub(crate) async fn start(
    State(app): State<App>,
    caller: Known,
    reach: Reach,
    Read(body): Read<Start>,
) -> Handled<Response> {
    let caller = caller.must_be(Role::Responder)?;
    // A payload would be taken in before anything is known of it.
    let alert = match &body.alert {
        Value::Object(_) if !reach.is_whole() => {
            let detail = "your roles are limited: name an `alert` by its id, or an `incident`";
            return Err(Refusal::forbidden(detail));
        }
        Value::Null => None,
        Value::String(id) => {
            Some(id.parse::<AlertId>().map_err(|e| Refusal::bad_request(format!("`alert`: {e}")))?)
        }
        payload => Some(take_alert(&app.runtime, payload).await?),
    };
    if !reach.is_whole() {
        let about = about_start(&app.runtime, &body.playbook, (alert, body.incident)).await?;
        let roles = reach.roles(&about);
        let caller = Known(Caller { roles, ..caller.clone() });
        caller.must_be(Role::Responder)?;
    }
    let request = StartRequest {
        playbook: body.playbook,
        inputs: body.inputs,
        alert,
        incident: body.incident,
        requester: caller.name.clone(),
        subject: None,
    };
    let id = runs::start(&app.runtime, request).await?;
    let run = find(&app.runtime, id).await?;
    Ok((StatusCode::CREATED, Json(json!({"id": id, "status": run.status}))).into_response())
}

async fn take_alert(runtime: &Runtime, payload: &Value) -> Handled<AlertId> {
    let text = payload.to_string();
    let alerts = intake::read(runtime, "auto", text.as_bytes())
        .map_err(|error| Refusal::bad_request(format!("`alert`: {error}")))?;
    let received = intake::take(runtime, alerts).await?;
    let first = received.first().map(|received| received.alert_id);
    first.ok_or_else(|| Refusal::bad_request("`alert` holds no finding"))
}

async fn accepted(app: &App, id: RunId) -> Handled<Response> {
    let run = find(&app.runtime, id).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"id": id, "status": run.status}))).into_response())
}

pub(crate) async fn cancel(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(why): Read<Why>,
) -> Handled<Response> {
    let id = paging::id(&id)?;
    runs::cancel(&app.runtime, id, caller.saying(Role::Responder, why.reason)?).await?;
    accepted(&app, id).await
}

pub(crate) async fn pause(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(why): Read<Why>,
) -> Handled<Response> {
    let id = paging::id(&id)?;
    runs::pause(&app.runtime, id, caller.saying(Role::Responder, why.reason)?).await?;
    accepted(&app, id).await
}

pub(crate) async fn resume(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(why): Read<Why>,
) -> Handled<Response> {
    let id = paging::id(&id)?;
    runs::resume(&app.runtime, id, caller.saying(Role::Responder, why.reason)?).await?;
    accepted(&app, id).await
}

/// Says what became of a step in doubt; or, without one, runs a run again that has ended.
pub(crate) async fn retry(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(body): Read<RetryBody>,
) -> Handled<Response> {
    let id = paging::id(&id)?;
    let person = caller.saying(Role::Responder, body.reason)?;
    let RetryBody { step, outcome, from_step, result, .. } = body;
    if !result.is_null() && outcome != Some(DoubtOutcome::Succeeded) {
        return Err(Refusal::bad_request(
            "`result` goes with the outcome `succeeded` of a step in doubt, and with no other",
        ));
    }
    match (step, outcome, from_step) {
        (Some(step), Some(outcome), None) => {
            runs::settle_doubt(&app.runtime, id, step, outcome, result, person).await?;
        }
        (None, None, from) => reruns::run_again(&app.runtime, id, from, person).await?,
        _ => {
            return Err(Refusal::bad_request(
                "say `step` and `outcome` of a step in doubt, or `from_step` or nothing of a run that has ended",
            ));
        }
    }
    accepted(&app, id).await
}

/// Sends a signal to the run.
pub(crate) async fn signal(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(body): Read<SignalBody>,
) -> Handled<Response> {
    let id = paging::id(&id)?;
    let by = caller.must_be(Role::Responder)?.name.clone();
    runs::signal(&app.runtime, id, body.name, body.data, by).await?;
    accepted(&app, id).await
}

/// Gives the run another version of its playbook, or tries whether it could have it.
pub(crate) async fn migrate(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(body): Read<Migrate>,
) -> Handled<Json<Value>> {
    let id = paging::id(&id)?;
    caller.must_be(Role::Author)?;
    let person = caller.saying(Role::Responder, body.reason)?;
    let migrated = migration::migrate(&app.runtime, id, body.to, body.trial, person).await?;
    Ok(Json(json!(migrated)))
}

/// Starts the run that takes back what this one changed, or one step of it.
pub(crate) async fn undo(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(UndoBody { step, reason }): Read<UndoBody>,
) -> Handled<Response> {
    let id = paging::id(&id)?;
    let person = caller.saying(Role::Responder, reason)?;
    let undo = runs::undo(&app.runtime, id, step.clone(), person).await?;
    let run = find(&app.runtime, undo).await?;
    let body = json!({"id": undo, "status": run.status, "undoes": id, "step": step});
    Ok((StatusCode::CREATED, Json(body)).into_response())
}
