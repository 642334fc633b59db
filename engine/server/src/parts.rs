//! Incidents that people make parts of another.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::Value;
use stanch_engine_core::id::IncidentId;
use stanch_engine_runtime::people::{Caller, Role};
use stanch_engine_runtime::{parts, scopes};

use crate::App;
use crate::auth::Known;
use crate::body::Read;
use crate::paging;
use crate::problem::Handled;
use crate::reach::Reach;
use crate::regroup::view;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attach {
    to: IncidentId,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Detach {
    reason: String,
}

/// An incident becomes a part of another, which the caller's roles must reach, too.
pub(crate) async fn attach(
    State(app): State<App>,
    caller: Known,
    reach: Reach,
    Path(id): Path<String>,
    Read(Attach { to, reason }): Read<Attach>,
) -> Handled<Json<Value>> {
    let (id, person) = (paging::id(&id)?, caller.saying(Role::Responder, reason)?);
    if !reach.is_whole() {
        let about = app
            .runtime
            .store()
            .read(move |conn| Box::pin(async move { scopes::of_incident(conn, Some(to)).await }));
        let roles = reach.roles(&about.await?);
        Known(Caller { roles, ..caller.0 }).must_be(Role::Responder)?;
    }
    parts::attach(&app.runtime, id, to, person).await?;
    view(&app, id).await
}

/// An incident becomes a part of nothing.
pub(crate) async fn detach(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(Detach { reason }): Read<Detach>,
) -> Handled<Json<Value>> {
    let (id, person) = (paging::id(&id)?, caller.saying(Role::Responder, reason)?);
    parts::detach(&app.runtime, id, person).await?;
    view(&app, id).await
}
