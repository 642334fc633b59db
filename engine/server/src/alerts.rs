//! Alerts.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_core::id::AlertId;
use stanch_engine_runtime::intake::replay;
use stanch_engine_runtime::people::Role;
use stanch_engine_store::alerts;

use crate::App;
use crate::auth::Known;
use crate::paging::{self, Params, page, parse};
use crate::problem::{Handled, Refusal};
use crate::views;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
    source: Option<String>,
    status: Option<String>,
}

pub(crate) async fn list(
    State(app): State<App>,
    _caller: Known,
    Params(query): Params<Query>,
) -> Handled<Json<Value>> {
    let (limit, before) = (paging::limit(query.limit), parse("cursor", query.cursor.as_deref())?);
    let (source, status) = (query.source, parse("status", query.status.as_deref())?);
    let rows = app
        .runtime
        .store()
        .read(|conn| Box::pin(alerts::list(conn, before, source, status, limit)))
        .await?;
    Ok(page(&rows, limit, |row| row.id.to_string(), views::alert))
}

pub(crate) async fn show(
    State(app): State<App>,
    _caller: Known,
    Path(id): Path<String>,
) -> Handled<Json<Value>> {
    let id: AlertId = paging::id(&id)?;
    let found = app.runtime.store().read(|conn| Box::pin(alerts::get(conn, id))).await?;
    let found = found.ok_or_else(|| Refusal::not_found(format!("there is no alert {id}")))?;
    Ok(Json(views::alert(&found)))
}

/// Takes an alert once more, as if it came for the first time.
pub(crate) async fn replay(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
) -> Handled<Json<Value>> {
    let by = &caller.must_be(Role::Responder)?.name;
    let id: AlertId = paging::id(&id)?;
    let received = replay::alert(&app.runtime, id, by).await?;
    tracing::info!(alert.id = %id, %by, "an alert was replayed");
    Ok(Json(json!(received)))
}
