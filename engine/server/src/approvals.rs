//! Approvals: looked at and decided. A GET never decides.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_core::approval::{Answer, ApprovalStatus};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::ApprovalId;
use stanch_engine_runtime::approvals::{self, Say};
use stanch_engine_runtime::{people, scopes};
use stanch_engine_store::approvals as rows;

use crate::App;
use crate::auth::Known;
use crate::body::Read;
use crate::paging::{self, Params, next, parse};
use crate::problem::{Handled, Refusal};
use crate::reach::Reach;
use crate::views;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
    status: Option<String>,
    identical_to: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decide {
    decision: Answer,
    reason: String,
    /// The plan that was looked at; another one is not decided about.
    #[serde(default)]
    plan_sha256: Option<Sha256>,
    #[serde(default)]
    form: Value,
}

pub(crate) async fn list(
    State(app): State<App>,
    reach: Reach,
    Params(query): Params<Query>,
) -> Handled<Json<Value>> {
    let (limit, before) = (paging::limit(query.limit), parse("cursor", query.cursor.as_deref())?);
    let status: Option<ApprovalStatus> = parse("status", query.status.as_deref())?;
    if let Some(other) = &query.identical_to {
        if status.is_some_and(|status| status != ApprovalStatus::Pending) {
            let detail = "`identical_to` lists what waits: leave `status` out, or say `pending`";
            return Err(Refusal::bad_request(detail));
        }
        let other = find(&app, paging::id(other)?).await?;
        let found = approvals::alike(&app.runtime, &other).await?;
        let found = seen(&app, &reach, found).await?;
        let items: Vec<_> = found.iter().map(|row| views::approval(row, None)).collect();
        return Ok(Json(json!({"items": items, "next_cursor": null})));
    }
    let found =
        app.runtime.store().read(|conn| Box::pin(rows::list(conn, before, status, limit))).await?;
    let next = next(&found, limit, |row| row.id.to_string());
    let found = seen(&app, &reach, found).await?;
    let items: Vec<_> = found.iter().map(|row| views::approval(row, None)).collect();
    Ok(Json(json!({"items": items, "next_cursor": next})))
}

/// Those that the caller's roles reach.
async fn seen(app: &App, reach: &Reach, rows: Vec<rows::Approval>) -> Handled<Vec<rows::Approval>> {
    if reach.is_whole() {
        return Ok(rows);
    }
    let mut seen = Vec::new();
    for row in rows {
        let it = row.clone();
        let subject = app
            .runtime
            .store()
            .read(move |conn| Box::pin(async move { scopes::of_approval(conn, &it).await }));
        if reach.sees(&subject.await?) {
            seen.push(row);
        }
    }
    Ok(seen)
}

pub(crate) async fn show(
    State(app): State<App>,
    _caller: Known,
    Path(id): Path<String>,
) -> Handled<Json<Value>> {
    let id = paging::id(&id)?;
    let found = find(&app, id).await?;
    let decisions = app.runtime.store().read(|conn| Box::pin(rows::history(conn, id))).await?;
    let mut view = views::approval(&found, Some(&decisions));
    let since = approvals::since(&app.runtime, &found).await?;
    if let Some(members) = view.as_object_mut() {
        members.insert("new_since".to_owned(), views::since(&since));
    }
    Ok(Json(view))
}

async fn find(app: &App, id: ApprovalId) -> Handled<rows::Approval> {
    let found = app.runtime.store().read(|conn| Box::pin(rows::get(conn, id))).await?;
    found.ok_or_else(|| Refusal::not_found(format!("there is no approval {id}")))
}

pub(crate) async fn decide(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(body): Read<Decide>,
) -> Handled<Json<Value>> {
    let id = paging::id(&id)?;
    if let Some(seen) = body.plan_sha256 {
        let plan = find(&app, id).await?.plan_digest;
        if plan != Some(seen) {
            let detail = format!("{id} is not about the plan {seen}: look at it again");
            return Err(Refusal::conflict(detail));
        }
    }
    let say = Say { answer: body.decision, reason: body.reason, form: body.form };
    let status = approvals::decide(&app.runtime, id, &caller.0, say).await?;
    let is_halted = people::halted(&app.runtime).await?.is_some();
    Ok(Json(json!({"id": id, "status": status, "halted": is_halted})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HandOver {
    to: String,
    reason: String,
}

/// Hands what the caller is asked to another person.
pub(crate) async fn hand_over(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(body): Read<HandOver>,
) -> Handled<Json<Value>> {
    let id = paging::id(&id)?;
    approvals::hand_over(&app.runtime, id, &caller.0, (&body.to, &body.reason)).await?;
    Ok(Json(json!({"id": id, "to": body.to})))
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
    let id = paging::id(&id)?;
    approvals::withdraw(&app.runtime, id, &caller.0, &body.reason).await?;
    Ok(Json(json!({"id": id, "status": "pending", "withdrawn": caller.0.name})))
}
