//! `POST /v1/webhooks/{source}`: proven, and persisted before it is answered.

use std::net::SocketAddr;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::header::CONTENT_ENCODING;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::json;
use stanch_engine_core::error_code;
use stanch_engine_core::limits;
use stanch_engine_runtime::intake::{self, IntakeError, Packed};
use stanch_engine_runtime::trace;
use stanch_plugins_sdk::Verified;

use crate::App;
use crate::auth;
use crate::body::capped;
use crate::problem::{Handled, Refusal};

/// What gzip is called (<https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.3>).
const GZIP: [&str; 2] = ["gzip", "x-gzip"];

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/webhooks/{source}", post(receive))
}

/// 202 says that it is stored. A redelivery gets the same ids again and starts nothing. What can't
/// be read gets a 4xx, so that nobody sends it for a day, and is kept. What is too much gets a 429
/// before it is read.
async fn receive(
    State(app): State<App>,
    Path(source): Path<String>,
    request: Request,
) -> Handled<Response> {
    let (head, body) = request.into_parts();
    let policy = app.settings.sources.get(&source);
    let now = app.runtime.world().now();
    let mut is_proven = true;
    if let Some(policy) = policy {
        let connected = head.extensions.get::<ConnectInfo<SocketAddr>>();
        policy.check_address(connected.map(|info| info.0.ip()))?;
    }
    match policy.filter(|policy| !policy.proofs.is_empty()) {
        Some(policy) => is_proven = policy.check_head(&head.headers)?,
        None => auth::sender(&head, &app)?,
    }
    let most = policy.map_or(limits::REQUEST_BYTES, |policy| policy.most_bytes);
    let _admitted = app.pressure.admit(&head.headers, most)?;
    if let Some(policy) = policy.filter(|_| is_proven) {
        policy.check_rate(now)?;
    }
    let body = capped(body, most).await?;
    if let Some(policy) = policy.filter(|_| !is_proven) {
        let verified = policy.check_body(&head.headers, &body, now).await?;
        policy.check_rate(now)?;
        match verified {
            Verified::Payload => {}
            Verified::Done(what) => {
                tracing::info!(%source, what, "a sender was confirmed");
                return Ok(Json(json!({ "done": what })).into_response());
            }
            Verified::Ended(what) => {
                intake::ended(&app.runtime, &source, &what).await?;
                return Ok(Json(json!({ "ended": what })).into_response());
            }
        }
    }
    let body = unpacked(&head.headers, body, most)?;
    let received = intake::receive(&app.runtime, &source, &body).await.map_err(refused)?;
    let place = head.headers.get("traceparent").and_then(|place| place.to_str().ok());
    if let Some(place) = place.and_then(|place| place.parse().ok()) {
        trace::intake(&app.runtime, &source, place, now, &received);
    }
    let Some(first) = received.first() else {
        return Err(Refusal::bad_request("the payload holds no finding"));
    };
    let body = json!({
        "alert_id": first.alert_id, "incident_id": first.incident_id, "run_ids": first.run_ids,
        "duplicate": first.duplicate, "alerts": received,
    });
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}

/// The payload, unpacked where its sender says that it is packed: only now, since what proves a sender is
/// made of the bytes as they came. What can't be unpacked is kept as it came.
fn unpacked(headers: &HeaderMap, body: Bytes, most: usize) -> Handled<Bytes> {
    let said = headers.get(CONTENT_ENCODING).and_then(|encoding| encoding.to_str().ok());
    let said = said.unwrap_or_default().trim();
    if !GZIP.iter().any(|name| said.eq_ignore_ascii_case(name)) {
        return Ok(body);
    }
    match intake::unpack(&body, most) {
        Ok(unpacked) => Ok(unpacked.into()),
        Err(Packed::Broken(_)) => Ok(body),
        Err(error @ Packed::TooLarge(_)) => {
            let (status, code) = (StatusCode::PAYLOAD_TOO_LARGE, error_code::TOO_LARGE);
            Err(Refusal::new(status, code, error.to_string()))
        }
    }
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
