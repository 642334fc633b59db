//! Evidence that is collected by hand.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use stanch_engine_core::id::IncidentId;
use stanch_engine_runtime::collecting::{self, CollectError};
use stanch_engine_runtime::people::Role;
use stanch_engine_store::runs as rows;

use crate::App;
use crate::auth::Known;
use crate::body::Read;
use crate::paging;
use crate::problem::{Handled, Refusal};

/// What to collect, as the playbook `collect` takes it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    what: String,
    of: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    more: Option<Map<String, Value>>,
}

impl From<CollectError> for Refusal {
    fn from(error: CollectError) -> Self {
        match error {
            CollectError::Run(error) => error.into(),
            CollectError::Publish(error) => error.into(),
        }
    }
}

/// Starts a run that collects.
pub(crate) async fn start(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(wanted): Read<Wanted>,
) -> Handled<Response> {
    let caller = caller.must_be(Role::Responder)?;
    let incident: IncidentId = paging::id(&id)?;
    let Value::Object(inputs) = json!(wanted) else {
        return Err(Refusal::bad_request("say `what` to collect, and `of` what"));
    };
    let id = collecting::start(&app.runtime, incident, inputs, caller.name.clone()).await?;
    let found = app.runtime.store().read(|conn| Box::pin(rows::get(conn, id))).await?;
    let status = found.map(|run| run.status);
    Ok((StatusCode::CREATED, Json(json!({"id": id, "status": status}))).into_response())
}
