//! `POST /v1/webhooks/{source}`: persisted before it is answered.

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::json;
use stanch_engine_core::error_code;
use stanch_engine_runtime::intake::{self, IntakeError};

use crate::App;
use crate::auth::Sender;
use crate::body::Capped;
use crate::problem::{Handled, Refusal};

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/webhooks/{source}", post(receive))
}

/// 202 says that it is stored. A redelivery gets the same ids again and starts nothing. What can't
/// be read gets a 4xx, so that nobody sends it for a day, and is kept.
async fn receive(
    State(app): State<App>,
    Path(source): Path<String>,
    _sender: Sender,
    Capped(body): Capped,
) -> Handled<Response> {
    let received = intake::receive(&app.runtime, &source, &body).await.map_err(refused)?;
    let Some(first) = received.first() else {
        return Err(Refusal::bad_request("the payload holds no finding"));
    };
    let body = json!({
        "alert_id": first.alert_id, "incident_id": first.incident_id, "run_ids": first.run_ids,
        "duplicate": first.duplicate, "alerts": received,
    });
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}

fn refused(error: IntakeError) -> Refusal {
    let detail = error.to_string();
    match error {
        IntakeError::UnknownSource { .. } => {
            Refusal::new(StatusCode::NOT_FOUND, error_code::UNKNOWN_SOURCE, detail)
        }
        IntakeError::Unreadable { .. } => {
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error_code::UNREADABLE, detail)
        }
        IntakeError::Store(error) => {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.code(), detail)
        }
    }
}
