//! Schedules: listed, stopped for a while, started by hand, and caught up with.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::people::Role;
use stanch_engine_runtime::schedules::{self, SchedulesError};
use stanch_engine_store::schedules::ScheduleKey;

use crate::App;
use crate::auth::Known;
use crate::body::Read;
use crate::problem::{Handled, Refusal};
use crate::views;

/// Ticks that `show` lists.
const TICKS: u32 = 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    note: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trigger {
    /// Also while the run of an earlier tick is open.
    #[serde(default)]
    beside: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Period {
    from: Timestamp,
    until: Timestamp,
}

impl From<SchedulesError> for Refusal {
    fn from(error: SchedulesError) -> Self {
        match error {
            SchedulesError::NotFound(detail) => Self::not_found(detail),
            SchedulesError::TooLate(detail) => Self::conflict(detail),
            SchedulesError::BadRequest(detail) => Self::bad_request(detail),
            SchedulesError::Store(error) => error.into(),
        }
    }
}

type Which = Path<(String, String)>;

fn key(Path((playbook, name)): Which) -> ScheduleKey {
    ScheduleKey { playbook, name }
}

pub(crate) async fn list(State(app): State<App>, _caller: Known) -> Handled<Json<Value>> {
    let all = schedules::list(&app.runtime).await?;
    let items: Vec<_> = all.iter().map(views::schedule).collect();
    Ok(Json(json!({"items": items, "next_cursor": null})))
}

pub(crate) async fn show(
    State(app): State<App>,
    _caller: Known,
    which: Which,
) -> Handled<Json<Value>> {
    let key = key(which);
    let standing = schedules::get(&app.runtime, &key).await?;
    let ticks = schedules::ticks(&app.runtime, &key, TICKS).await?;
    Ok(Json(views::schedule_with(&standing, &ticks)))
}

pub(crate) async fn pause(
    State(app): State<App>,
    caller: Known,
    which: Which,
    Read(why): Read<Note>,
) -> Handled<Json<Value>> {
    let caller = caller.must_be(Role::Responder)?;
    if why.note.trim().is_empty() {
        return Err(Refusal::bad_request("`note` is missing: say why, for whoever finds it"));
    }
    let key = key(which);
    schedules::pause(&app.runtime, &key, &caller.name, &why.note).await?;
    Ok(Json(views::schedule(&schedules::get(&app.runtime, &key).await?)))
}

pub(crate) async fn resume(
    State(app): State<App>,
    caller: Known,
    which: Which,
) -> Handled<Json<Value>> {
    caller.must_be(Role::Responder)?;
    let key = key(which);
    schedules::resume(&app.runtime, &key).await?;
    Ok(Json(views::schedule(&schedules::get(&app.runtime, &key).await?)))
}

pub(crate) async fn trigger(
    State(app): State<App>,
    caller: Known,
    which: Which,
    Read(how): Read<Trigger>,
) -> Handled<Response> {
    let caller = caller.must_be(Role::Responder)?;
    let run = schedules::trigger(&app.runtime, &key(which), &caller.name, how.beside).await?;
    Ok((StatusCode::CREATED, Json(json!({"run_id": run}))).into_response())
}

pub(crate) async fn backfill(
    State(app): State<App>,
    caller: Known,
    which: Which,
    Read(Period { from, until }): Read<Period>,
) -> Handled<Response> {
    let caller = caller.must_be(Role::Responder)?;
    let key = key(which);
    let done = schedules::backfill(&app.runtime, &key, &caller.name, (from, until)).await?;
    Ok((StatusCode::CREATED, Json(json!(done))).into_response())
}
