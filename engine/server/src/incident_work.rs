//! What people do about incidents: opened by hand, noted, judged, closed, opened again.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_core::alert::Resource;
use stanch_engine_core::duty::Duty;
use stanch_engine_core::id::{AlertId, IncidentId};
use stanch_engine_core::incident::{Milestone, Verdict};
use stanch_engine_core::report::Review;
use stanch_engine_core::severity::Severity;
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::incident_work::{self, Seen, Work, WorkError};
use stanch_engine_runtime::people::Role;
use stanch_engine_runtime::runs::Person;
use stanch_engine_store::incidents;

use crate::App;
use crate::auth::Known;
use crate::body::Read;
use crate::paging;
use crate::problem::{Handled, Refusal};
use crate::views;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Open {
    title: String,
    #[serde(default)]
    description: Option<String>,
    severity: Severity,
    #[serde(default)]
    account: Option<String>,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    resources: Vec<Named>,
}

/// A resource, as far as a person says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Judge {
    verdict: Verdict,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mark {
    milestone: Milestone,
    #[serde(default)]
    at: Option<Timestamp>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Close {
    #[serde(default)]
    verdict: Option<Verdict>,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    impact: Option<String>,
    #[serde(default)]
    root_cause: Option<String>,
    #[serde(default)]
    lessons: Vec<String>,
    #[serde(default)]
    action_items: Vec<String>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assign {
    #[serde(default)]
    lead: Option<String>,
    #[serde(default)]
    scribe: Option<String>,
    #[serde(default)]
    communications: Option<String>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Impact {
    alert: AlertId,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reopen {
    reason: String,
}

impl From<WorkError> for Refusal {
    fn from(error: WorkError) -> Self {
        let detail = error.to_string();
        match error {
            WorkError::NotFound(_) => Self::not_found(detail),
            WorkError::BadRequest(_) => Self::bad_request(detail),
            WorkError::Conflict(_) => Self::conflict(detail),
            WorkError::Store(error) => error.into(),
        }
    }
}

/// Opens an incident by hand.
pub(crate) async fn open(
    State(app): State<App>,
    caller: Known,
    Read(body): Read<Open>,
) -> Handled<Response> {
    let caller = caller.must_be(Role::Responder)?;
    let resource = |named: Named| Resource {
        kind: named.kind,
        id: named.id,
        arn: None,
        name: None,
        tags: Default::default(),
    };
    let seen = Seen {
        title: body.title,
        description: body.description,
        severity: body.severity,
        account: body.account,
        region: body.region,
        resources: body.resources.into_iter().map(resource).collect(),
    };
    let received = incident_work::open(&app.runtime, seen, &caller.name).await?;
    Ok((StatusCode::CREATED, Json(json!(received))).into_response())
}

async fn done(
    app: &App,
    id: &str,
    caller: &Known,
    work: Work,
    why: String,
) -> Handled<Json<Value>> {
    let person = match &work {
        Work::Note(_) => {
            let name = caller.must_be(Role::Responder)?.name.clone();
            Person { name, reason: why }
        }
        _ => caller.saying(Role::Responder, why)?,
    };
    let id: IncidentId = paging::id(id)?;
    incident_work::work(&app.runtime, id, work, person).await?;
    shown(app, id).await
}

async fn shown(app: &App, id: IncidentId) -> Handled<Json<Value>> {
    let found = app.runtime.store().read(|conn| Box::pin(incidents::get(conn, id))).await?;
    let found = found.ok_or_else(|| Refusal::not_found(format!("there is no incident {id}")))?;
    Ok(Json(views::incident(&found)))
}

/// When customers felt it, taken from an alarm or an event of AWS Health.
pub(crate) async fn impact(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(Impact { alert, reason }): Read<Impact>,
) -> Handled<Json<Value>> {
    let (person, id) = (caller.saying(Role::Responder, reason)?, paging::id(&id)?);
    incident_work::impact(&app.runtime, id, alert, person).await?;
    shown(&app, id).await
}

pub(crate) async fn note(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(Note { text }): Read<Note>,
) -> Handled<Json<Value>> {
    if text.trim().is_empty() {
        return Err(Refusal::bad_request("`text` is empty: a note says something"));
    }
    done(&app, &id, &caller, Work::Note(text), String::new()).await
}

pub(crate) async fn verdict(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(Judge { verdict, reason }): Read<Judge>,
) -> Handled<Json<Value>> {
    done(&app, &id, &caller, Work::Verdict(verdict), reason).await
}

pub(crate) async fn milestone(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(Mark { milestone, at, reason }): Read<Mark>,
) -> Handled<Json<Value>> {
    let at = at.unwrap_or_else(|| app.runtime.world().now());
    done(&app, &id, &caller, Work::Milestone(milestone, at), reason).await
}

pub(crate) async fn close(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(body): Read<Close>,
) -> Handled<Json<Value>> {
    let Close { verdict, force, impact, root_cause, lessons, action_items, reason } = body;
    let review = Review { impact, root_cause, lessons, action_items };
    done(&app, &id, &caller, Work::Close { verdict, force, review }, reason).await
}

/// Says who does what.
pub(crate) async fn assign(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(body): Read<Assign>,
) -> Handled<Json<Value>> {
    let Assign { lead, scribe, communications, reason } = body;
    let named =
        [(Duty::Lead, lead), (Duty::Scribe, scribe), (Duty::Communications, communications)];
    let duties: BTreeMap<Duty, String> =
        named.into_iter().filter_map(|(duty, who)| Some((duty, who?))).collect();
    if duties.is_empty() {
        let detail = "nobody is named: give `lead`, `scribe` or `communications`";
        return Err(Refusal::bad_request(detail));
    }
    done(&app, &id, &caller, Work::Assign(duties), reason).await
}

pub(crate) async fn reopen(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(Reopen { reason }): Read<Reopen>,
) -> Handled<Json<Value>> {
    done(&app, &id, &caller, Work::Reopen, reason).await
}
