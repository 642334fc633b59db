//! Approvals: looked at and decided. A GET never decides.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_core::approval::Answer;
use stanch_engine_core::id::ApprovalId;
use stanch_engine_runtime::approvals::{self, Say};
use stanch_engine_runtime::people;
use stanch_engine_store::approvals as rows;

use crate::App;
use crate::auth::Known;
use crate::body::Read;
use crate::paging::{self, Params, page, parse};
use crate::problem::{Handled, Refusal};
use crate::views;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decide {
    decision: Answer,
    reason: String,
    #[serde(default)]
    form: Value,
}

fn id_of(text: &str) -> Handled<ApprovalId> {
    text.parse().map_err(|error| Refusal::not_found(format!("{error}")))
}

pub(crate) async fn list(
    State(app): State<App>,
    _caller: Known,
    Params(query): Params<Query>,
) -> Handled<Json<Value>> {
    let (limit, before) = (paging::limit(query.limit), parse("cursor", query.cursor.as_deref())?);
    let status = parse("status", query.status.as_deref())?;
    let found =
        app.runtime.store().read(|conn| Box::pin(rows::list(conn, before, status, limit))).await?;
    Ok(page(&found, limit, |row| row.id.to_string(), |row| views::approval(row, None)))
}

pub(crate) async fn show(
    State(app): State<App>,
    _caller: Known,
    Path(id): Path<String>,
) -> Handled<Json<Value>> {
    let id = id_of(&id)?;
    let found = app.runtime.store().read(|conn| Box::pin(rows::get(conn, id))).await?;
    let found = found.ok_or_else(|| Refusal::not_found(format!("there is no approval {id}")))?;
    let decisions = app.runtime.store().read(|conn| Box::pin(rows::history(conn, id))).await?;
    Ok(Json(views::approval(&found, Some(&decisions))))
}

pub(crate) async fn decide(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(body): Read<Decide>,
) -> Handled<Json<Value>> {
    let id = id_of(&id)?;
    let say = Say { answer: body.decision, reason: body.reason, form: body.form };
    let status = approvals::decide(&app.runtime, id, &caller.0, say).await?;
    let is_halted = people::halted(&app.runtime).await?.is_some();
    Ok(Json(json!({"id": id, "status": status, "halted": is_halted})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Withdraw {
    reason: String,
}

/// Takes back what the caller said, while it is not settled.
pub(crate) async fn withdraw(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(body): Read<Withdraw>,
) -> Handled<Json<Value>> {
    let id = id_of(&id)?;
    approvals::withdraw(&app.runtime, id, &caller.0, &body.reason).await?;
    Ok(Json(json!({"id": id, "status": "pending", "withdrawn": caller.0.name})))
}
