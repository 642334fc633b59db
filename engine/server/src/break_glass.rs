//! Glass that was broken: one person answered for everybody, and another looks at it.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_runtime::approvals;
use stanch_engine_store::broken_glass::{self as rows, BrokenGlass};

use crate::App;
use crate::auth::Known;
use crate::body::Read;
use crate::paging::{self, Narrowed, OpenQuery, Params, page};
use crate::problem::Handled;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Break {
    reason: String,
    #[serde(default)]
    form: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Review {
    text: String,
}

/// Answers for everybody.
pub(crate) async fn break_glass(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(body): Read<Break>,
) -> Handled<Json<Value>> {
    let id = paging::id(&id)?;
    let said = (body.reason, body.form);
    let status = approvals::break_glass(&app.runtime, id, &caller.0, said).await?;
    Ok(Json(json!({"id": id, "status": status, "break_glass": caller.0.name})))
}

/// What was answered so, the newest first; with `status=open` what nobody has looked at.
pub(crate) async fn list(
    State(app): State<App>,
    _caller: Known,
    Params(query): Params<OpenQuery>,
) -> Handled<Json<Value>> {
    let Narrowed { limit, before, only_open } = query.read()?;
    let read = app.runtime.store().read(|c| Box::pin(rows::list(c, before, only_open, limit)));
    Ok(page(&read.await?, limit, |row| row.approval.to_string(), view))
}

/// Another person has looked at it.
pub(crate) async fn review(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(body): Read<Review>,
) -> Handled<Json<Value>> {
    let id = paging::id(&id)?;
    approvals::review(&app.runtime, id, &caller.0, &body.text).await?;
    Ok(Json(json!({"approval_id": id, "reviewed_by": caller.0.name})))
}

fn view(row: &BrokenGlass) -> Value {
    let review = row.review.as_ref();
    json!({
        "approval_id": row.approval, "incident_id": row.incident, "title": row.title,
        "person": row.person, "reason": row.reason, "at": row.at,
        "status": if review.is_some() { "reviewed" } else { "open" },
        "reviewed_at": review.map(|review| review.at),
        "reviewed_by": review.map(|review| &review.by),
        "review": review.map(|review| &review.text),
    })
}
