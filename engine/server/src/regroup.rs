//! Incidents that people make one, or take apart.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use stanch_engine_core::id::{AlertId, IncidentId};
use stanch_engine_runtime::people::Role;
use stanch_engine_runtime::regroup::{self, RegroupError};
use stanch_engine_store::incidents;

use crate::App;
use crate::auth::Known;
use crate::body::Read;
use crate::paging;
use crate::problem::{Handled, Refusal};
use crate::views;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Merge {
    into: IncidentId,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Split {
    alerts: Vec<AlertId>,
    reason: String,
}

impl From<RegroupError> for Refusal {
    fn from(error: RegroupError) -> Self {
        let detail = error.to_string();
        match error {
            RegroupError::NotFound(_) => Self::not_found(detail),
            RegroupError::BadRequest(_) => Self::bad_request(detail),
            RegroupError::Conflict(_) => Self::conflict(detail),
            RegroupError::Store(error) => error.into(),
        }
    }
}

/// The incident, as it stands.
pub(crate) async fn view(app: &App, id: IncidentId) -> Handled<Json<Value>> {
    let found = app.runtime.store().read(|conn| Box::pin(incidents::get(conn, id))).await?;
    let found = found.ok_or_else(|| Refusal::not_found(format!("there is no incident {id}")))?;
    Ok(Json(views::incident(&found)))
}

/// An incident goes on in another, which is given.
pub(crate) async fn merge(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(Merge { into, reason }): Read<Merge>,
) -> Handled<Json<Value>> {
    let (id, person) = (paging::id(&id)?, caller.saying(Role::Responder, reason)?);
    regroup::merge(&app.runtime, id, into, person).await?;
    view(&app, into).await
}

/// Some alerts of an incident become another, which is given.
pub(crate) async fn split(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(Split { alerts, reason }): Read<Split>,
) -> Handled<Response> {
    let (id, person) = (paging::id(&id)?, caller.saying(Role::Responder, reason)?);
    let new = regroup::split(&app.runtime, id, alerts, person).await?;
    Ok((StatusCode::CREATED, view(&app, new).await?).into_response())
}
