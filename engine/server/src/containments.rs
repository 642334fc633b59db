//! What was contained and still stands: looked at, extended, made final, given to another. What takes
//! it back is the undo of its run.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::containments::{self, Becomes, ContainmentError};
use stanch_engine_runtime::people::Role;
use stanch_engine_runtime::runs::Person;
use stanch_engine_store::containments::{self as rows, Containment};

use crate::App;
use crate::auth::Known;
use crate::body::Read;
use crate::paging::{self, Narrowed, OpenQuery, Params, page, parse};
use crate::problem::{Handled, Refusal};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
    status: Option<String>,
    incident: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extend {
    until: Timestamp,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Finalize {
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HandOver {
    to: String,
    reason: String,
}

impl From<ContainmentError> for Refusal {
    fn from(error: ContainmentError) -> Self {
        let detail = error.to_string();
        match error {
            ContainmentError::NotFound(_) => Self::not_found(detail),
            ContainmentError::BadRequest(_) => Self::bad_request(detail),
            ContainmentError::Over(..) => Self::conflict(detail),
            ContainmentError::Store(error) => error.into(),
        }
    }
}

/// What was contained, the newest first; with `status=open` what stands for a while.
pub(crate) async fn list(
    State(app): State<App>,
    _caller: Known,
    Params(query): Params<Query>,
) -> Handled<Json<Value>> {
    let Query { limit, cursor, status, incident } = query;
    let incident: Option<IncidentId> = parse("incident", incident.as_deref())?;
    let Narrowed { limit, before, only_open } = OpenQuery { limit, cursor, status }.read()?;
    let read = app
        .runtime
        .store()
        .read(|conn| Box::pin(rows::list(conn, before, only_open, incident, limit)));
    Ok(page(&read.await?, limit, |row| row.id.to_string(), view))
}

pub(crate) async fn show(
    State(app): State<App>,
    _caller: Known,
    Path(id): Path<String>,
) -> Handled<Json<Value>> {
    Ok(Json(view(&containments::get(&app.runtime, paging::id(&id)?).await?)))
}

/// It stands longer.
pub(crate) async fn extend(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(Extend { until, reason }): Read<Extend>,
) -> Handled<Json<Value>> {
    becomes(&app, &caller, &id, (Becomes::Extended(until), reason)).await
}

/// It stands for good.
pub(crate) async fn finalize(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(Finalize { reason }): Read<Finalize>,
) -> Handled<Json<Value>> {
    becomes(&app, &caller, &id, (Becomes::Final, reason)).await
}

/// It is another's.
pub(crate) async fn hand_over(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(HandOver { to, reason }): Read<HandOver>,
) -> Handled<Json<Value>> {
    becomes(&app, &caller, &id, (Becomes::Owned(to), reason)).await
}

async fn becomes(
    app: &App,
    caller: &Known,
    id: &str,
    (becomes, reason): (Becomes, String),
) -> Handled<Json<Value>> {
    let name = caller.must_be(Role::Responder)?.name.clone();
    let person = Person { name, reason };
    let made = containments::become_of(&app.runtime, paging::id(id)?, becomes, person).await?;
    Ok(Json(view(&made)))
}

fn view(it: &Containment) -> Value {
    let end = it.end.as_ref();
    json!({
        "id": it.id, "status": it.status, "owner": it.owner, "incident_id": it.incident,
        "run_id": it.run, "step": it.step, "changes": it.changes, "began_at": it.began_at,
        "expires_at": it.expires_at, "asked": it.asked, "ended_at": end.map(|end| end.at),
        "ended_by": end.map(|end| &end.by), "reason": end.map(|end| &end.reason),
        "undone_by": end.and_then(|end| end.undone_by),
    })
}
