//! Reviews after incidents.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::Value;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::review::Answers;
use stanch_engine_runtime::people::Role;
use stanch_engine_runtime::reviews;
use stanch_engine_runtime::runs::Person;

use crate::App;
use crate::auth::Known;
use crate::body::Read;
use crate::paging;
use crate::problem::{Handled, Refusal};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answered {
    answers: Answers,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignOff {
    reason: String,
}

async fn view(app: &App, id: IncidentId) -> Handled<Json<Value>> {
    let found = reviews::show(&app.runtime, id).await?;
    let found = found.ok_or_else(|| Refusal::not_found(format!("there is no incident {id}")))?;
    Ok(Json(serde_json::to_value(found).unwrap_or_default()))
}

/// The checklist of an incident, and what was answered.
pub(crate) async fn show(
    State(app): State<App>,
    _caller: Known,
    Path(id): Path<String>,
) -> Handled<Json<Value>> {
    view(&app, paging::id(&id)?).await
}

/// Answers questions of it.
pub(crate) async fn answer(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(Answered { answers, reason }): Read<Answered>,
) -> Handled<Json<Value>> {
    let (name, id) = (caller.must_be(Role::Responder)?.name.clone(), paging::id(&id)?);
    if answers.is_empty() {
        return Err(Refusal::bad_request("`answers` is empty: answer at least one question"));
    }
    reviews::answer(&app.runtime, id, answers, Person { name, reason }).await?;
    view(&app, id).await
}

/// Signs it off.
pub(crate) async fn sign_off(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(SignOff { reason }): Read<SignOff>,
) -> Handled<Json<Value>> {
    let (person, id) = (caller.saying(Role::Responder, reason)?, paging::id(&id)?);
    reviews::sign_off(&app.runtime, id, person).await?;
    view(&app, id).await
}
