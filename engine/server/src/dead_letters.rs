//! Payloads that could not be read.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use stanch_engine_runtime::intake::replay;
use stanch_engine_runtime::people::Role;
use stanch_engine_store::dead_letters;

use crate::App;
use crate::auth::Known;
use crate::paging::{self, Narrowed, OpenQuery, Params, page};
use crate::problem::{Handled, Refusal};
use crate::views;

pub(crate) async fn list(
    State(app): State<App>,
    _caller: Known,
    Params(query): Params<OpenQuery>,
) -> Handled<Json<Value>> {
    let Narrowed { limit, before, only_open } = query.read()?;
    let rows = app
        .runtime
        .store()
        .read(|conn| Box::pin(dead_letters::list(conn, before, only_open, limit)))
        .await?;
    Ok(page(&rows, limit, |row| row.id.to_string(), views::dead_letter))
}

pub(crate) async fn show(
    State(app): State<App>,
    _caller: Known,
    Path(id): Path<String>,
) -> Handled<Json<Value>> {
    let id = paging::id(&id)?;
    let found = app.runtime.store().read(|conn| Box::pin(dead_letters::get(conn, id))).await?;
    let found = found.ok_or_else(|| Refusal::not_found(format!("there is no dead letter {id}")))?;
    Ok(Json(views::dead_letter(&found)))
}

/// Reads one again, by the sources of now. What can still not be read leaves it open.
pub(crate) async fn replay(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
) -> Handled<Json<Value>> {
    let (by, id) = (&caller.must_be(Role::Responder)?.name, paging::id(&id)?);
    let replayed = replay::letter(&app.runtime, id, by).await?;
    tracing::info!(letter.id = %id, %by, alerts = replayed.alerts.len(), "a dead letter was replayed");
    Ok(Json(json!(replayed)))
}
