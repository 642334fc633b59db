//! Evidence that is collected by hand.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use stanch_engine_core::id::IncidentId;
use stanch_engine_runtime::collecting::{self, CollectError};
use stanch_engine_runtime::people::Role;
use stanch_engine_store::runs as rows;

use crate::App;
use crate::auth::Known;
use crate::body::Read;
use crate::problem::{Handled, Refusal};

impl From<CollectError> for Refusal {
    fn from(error: CollectError) -> Self {
        match error {
            CollectError::Run(error) => error.into(),
            CollectError::Publish(error) => error.into(),
        }
    }
}

/// Starts a run that collects. Its body is what the playbook `collect` takes.
pub(crate) async fn start(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(inputs): Read<Map<String, Value>>,
) -> Handled<Response> {
    let caller = caller.must_be(Role::Responder)?;
    let incident: IncidentId =
        id.parse().map_err(|error| Refusal::not_found(format!("{error}")))?;
    let id = collecting::start(&app.runtime, incident, inputs, caller.name.clone()).await?;
    let found = app.runtime.store().read(|conn| Box::pin(rows::get(conn, id))).await?;
    let status = found.map(|run| run.status);
    Ok((StatusCode::CREATED, Json(json!({"id": id, "status": status}))).into_response())
}
