//! Incidents, and everything about one.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::scope::Subject;
use stanch_engine_runtime::people::{self, Role};
use stanch_engine_runtime::{kpis, timeline};
use stanch_engine_store::{
    alerts, approvals, assignments, holds, incidents, milestones, parts, runs, storms,
};

use crate::App;
use crate::auth::Known;
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
}

fn missing(id: IncidentId) -> Refusal {
    Refusal::not_found(format!("there is no incident {id}"))
}

pub(crate) async fn list(
    State(app): State<App>,
    reach: Reach,
    Params(query): Params<Query>,
) -> Handled<Json<Value>> {
    let (limit, before) = (paging::limit(query.limit), parse("cursor", query.cursor.as_deref())?);
    let status = parse("status", query.status.as_deref())?;
    let rows = app
        .runtime
        .store()
        .read(|conn| Box::pin(incidents::list(conn, before, status, limit)))
        .await?;
    let next = next(&rows, limit, |row| row.id.to_string());
    let about = |row: &incidents::Incident| Subject {
        accounts: vec![row.account.clone()],
        playbook: None,
        severity: Some(row.severity),
    };
    let seen = rows.iter().filter(|row| reach.sees(&about(row)));
    Ok(Json(json!({"items": seen.map(views::incident).collect::<Vec<_>>(), "next_cursor": next})))
}

/// An incident with its alerts, runs, approvals and milestones.
pub(crate) async fn show(
    State(app): State<App>,
    _caller: Known,
    Path(id): Path<String>,
) -> Handled<Json<Value>> {
    let id = paging::id(&id)?;
    let store = app.runtime.store();
    let incident = store.read(|conn| Box::pin(incidents::get(conn, id))).await?;
    let mut view = views::incident(&incident.ok_or_else(|| missing(id))?);
    let alerts = store.read(|conn| Box::pin(alerts::of_incident(conn, id))).await?;
    let runs = store.read(|conn| Box::pin(runs::of_incident(conn, id))).await?;
    let approvals = store.read(|conn| Box::pin(approvals::of_incident(conn, id))).await?;
    let marked = store.read(|conn| Box::pin(milestones::of_incident(conn, id))).await?;
    let children = store.read(|conn| Box::pin(incidents::children(conn, id))).await?;
    let parts = store.read(|conn| Box::pin(parts::of(conn, id))).await?;
    let assigned = store.read(|conn| Box::pin(assignments::of(conn, id))).await?;
    let storms = store.read(|conn| Box::pin(storms::of_incident(conn, id))).await?;
    let hold = store.read(|conn| Box::pin(holds::get(conn, id))).await?;
    if let Some(members) = view.as_object_mut() {
        let alerts = alerts.iter().map(views::alert).collect();
        members.insert("alerts".to_owned(), Value::Array(alerts));
        let runs = runs.iter().map(views::run).collect();
        members.insert("runs".to_owned(), Value::Array(runs));
        let approvals = approvals.iter().map(|a| views::approval(a, None)).collect();
        members.insert("approvals".to_owned(), Value::Array(approvals));
        members.insert("milestones".to_owned(), json!(marked));
        members.insert("assigned".to_owned(), json!(assigned));
        let children = children.iter().map(views::incident).collect();
        members.insert("children".to_owned(), Value::Array(children));
        let parts = parts.iter().map(views::incident).collect();
        members.insert("parts".to_owned(), Value::Array(parts));
        members.insert("storm".to_owned(), json!(storms.first().map(views::storm)));
        members.insert("hold".to_owned(), json!(hold.as_ref().map(views::hold)));
    }
    Ok(Json(view))
}

pub(crate) async fn timeline(
    State(app): State<App>,
    _caller: Known,
    Path(id): Path<String>,
) -> Handled<Json<Value>> {
    let id = exists(&app, &id).await?;
    let lines = timeline::of_incident(&app.runtime, id).await?;
    Ok(Json(json!({"items": lines, "next_cursor": null})))
}

pub(crate) async fn kpis(
    State(app): State<App>,
    _caller: Known,
    Path(id): Path<String>,
) -> Handled<Json<Value>> {
    let id = paging::id(&id)?;
    let kpis = kpis::of_incident(&app.runtime, id).await?.ok_or_else(|| missing(id))?;
    Ok(Json(json!(kpis)))
}

/// A person takes the incident: its pages are over.
pub(crate) async fn acknowledge(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
) -> Handled<Json<Value>> {
    let caller = caller.must_be(Role::Responder)?;
    let id = paging::id(&id)?;
    if !people::acknowledge(&app.runtime, id, &caller.name).await? {
        return Err(missing(id));
    }
    let incident = app.runtime.store().read(|conn| Box::pin(incidents::get(conn, id))).await?;
    Ok(Json(views::incident(&incident.ok_or_else(|| missing(id))?)))
}

async fn exists(app: &App, text: &str) -> Handled<IncidentId> {
    let id = paging::id(text)?;
    let found = app.runtime.store().read(|conn| Box::pin(incidents::get(conn, id))).await?;
    found.map(|_| id).ok_or_else(|| missing(id))
}
