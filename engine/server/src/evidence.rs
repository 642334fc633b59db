//! Evidence of an incident: listed, added by people, held.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::error_code;
use stanch_engine_runtime::evidence::adding::{self, AddError, Said};
use stanch_engine_runtime::evidence::rotation::{self, RotateError};
use stanch_engine_runtime::evidence::{ItemError, holds};
use stanch_engine_runtime::people::Role;
use stanch_engine_store::{evidence, incidents};

use crate::App;
use crate::auth::Known;
use crate::body::Read;
use crate::paging::{self, Params, parse};
use crate::problem::{Handled, Refusal};
use crate::views;

/// How long the next piece of an item may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    label: String,
    #[serde(default)]
    reason: String,
    sha256: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Why {
    reason: String,
}

impl From<AddError> for Refusal {
    fn from(error: AddError) -> Self {
        let detail = error.to_string();
        match error {
            AddError::NotFound(_) => Self::not_found(detail),
            AddError::BadRequest(_) | AddError::Other { .. } => Self::bad_request(detail),
            AddError::TooLarge => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, error_code::TOO_LARGE, detail)
            }
            AddError::Disk(error) => error.into(),
            AddError::Store(error) => error.into(),
        }
    }
}

impl From<RotateError> for Refusal {
    fn from(error: RotateError) -> Self {
        let detail = error.to_string();
        match error {
            RotateError::BadRequest(_) => Self::bad_request(detail),
            RotateError::Meanwhile => Self::conflict(detail),
            RotateError::Key(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error_code::EVIDENCE, detail)
            }
            RotateError::Store(error) => error.into(),
        }
    }
}

impl From<ItemError> for Refusal {
    fn from(error: ItemError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error_code::EVIDENCE, error.to_string())
    }
}

pub(crate) async fn list(
    State(app): State<App>,
    _caller: Known,
    Path(id): Path<String>,
) -> Handled<Json<Value>> {
    let id = paging::id(&id)?;
    let found = app.runtime.store().read(|conn| Box::pin(incidents::get(conn, id))).await?;
    found.ok_or_else(|| Refusal::not_found(format!("there is no incident {id}")))?;
    let items = app.runtime.store().read(|c| Box::pin(evidence::of_incident(c, id))).await?;
    let items: Vec<_> = items.iter().map(views::evidence).collect();
    Ok(Json(json!({"items": items, "next_cursor": null})))
}

/// The body is the item. Its bytes are written and hashed as they come, and kept when all are there.
pub(crate) async fn add(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Params(query): Params<Query>,
    headers: HeaderMap,
    body: Body,
) -> Handled<Response> {
    let person = caller.must_be(Role::Responder)?.name.clone();
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let said = Said {
        person,
        label: query.label,
        media_type: media_type.unwrap_or("application/octet-stream").to_owned(),
        reason: query.reason,
        sha256: parse::<Sha256>("sha256", query.sha256.as_deref())?,
    };
    let mut adding = adding::begin(&app.runtime, paging::id(&id)?, said).await?;
    let mut pieces = body.into_data_stream();
    let late = |_| Refusal::bad_request("no more of the item came for 60 s; send it again");
    while let Some(piece) = tokio::time::timeout(PATIENCE, pieces.next()).await.map_err(late)? {
        let piece = piece.map_err(|error| Refusal::bad_request(format!("the body: {error}")))?;
        adding.take(piece).await?;
    }
    let item = adding.keep().await?;
    Ok((StatusCode::CREATED, Json(views::evidence(&item))).into_response())
}

pub(crate) async fn hold(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(Why { reason }): Read<Why>,
) -> Handled<Json<Value>> {
    let person = caller.saying(Role::Responder, reason)?;
    let hold = holds::hold(&app.runtime, paging::id(&id)?, person).await?;
    Ok(Json(views::hold(&hold)))
}

pub(crate) async fn release(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(Why { reason }): Read<Why>,
) -> Handled<Json<Value>> {
    let person = caller.saying(Role::Admin, reason)?;
    holds::release(&app.runtime, paging::id(&id)?, person).await?;
    Ok(Json(json!({"hold": null})))
}

/// Hands over to a new key.
pub(crate) async fn rotate_key(
    State(app): State<App>,
    caller: Known,
    Read(Why { reason }): Read<Why>,
) -> Handled<Json<Value>> {
    let person = caller.saying(Role::Admin, reason)?;
    let pem = rotation::rotate(&app.runtime, person).await?;
    Ok(Json(json!({"public_key": pem})))
}
