//! Suppressions and maintenance windows.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use stanch_engine_core::alert_filter::AlertFilter;
use stanch_engine_core::suppression::SuppressionKind;
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::people::Role;
use stanch_engine_runtime::suppressions::{self, SuppressionError, Wanted};
use stanch_engine_store::suppressions as rows;

use crate::App;
use crate::auth::Known;
use crate::body::Read;
use crate::paging::{self, Narrowed, OpenQuery, Params, page};
use crate::problem::{Handled, Refusal};
use crate::views;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct New {
    #[serde(default = "noise")]
    kind: SuppressionKind,
    #[serde(rename = "match")]
    filter: AlertFilter,
    reason: String,
    starts_at: Option<Timestamp>,
    expires_at: Timestamp,
}

fn noise() -> SuppressionKind {
    SuppressionKind::Noise
}

impl From<SuppressionError> for Refusal {
    fn from(error: SuppressionError) -> Self {
        let detail = error.to_string();
        match error {
            SuppressionError::BadRequest(_) => Self::bad_request(detail),
            SuppressionError::NotFound(_) => Self::not_found(detail),
            SuppressionError::Over(_) => Self::conflict(detail),
            SuppressionError::Store(error) => error.into(),
        }
    }
}

pub(crate) async fn list(
    State(app): State<App>,
    _caller: Known,
    Params(query): Params<OpenQuery>,
) -> Handled<Json<Value>> {
    let Narrowed { limit, before, only_open } = query.read()?;
    let now = app.runtime.world().now();
    let rows = app
        .runtime
        .store()
        .read(|conn| Box::pin(rows::list(conn, before, only_open, now, limit)))
        .await?;
    Ok(page(&rows, limit, |row| row.id.to_string(), |row| views::suppression(row, now)))
}

pub(crate) async fn show(
    State(app): State<App>,
    _caller: Known,
    Path(id): Path<String>,
) -> Handled<Json<Value>> {
    let found = suppressions::get(&app.runtime, paging::id(&id)?).await?;
    Ok(Json(views::suppression(&found, app.runtime.world().now())))
}

/// A person wants to hear nothing of some alerts for a while.
pub(crate) async fn create(
    State(app): State<App>,
    caller: Known,
    Read(new): Read<New>,
) -> Handled<Response> {
    let by = &caller.must_be(Role::Responder)?.name;
    let New { kind, filter, reason, starts_at, expires_at } = new;
    let wanted = Wanted { kind, filter, reason, starts_at, expires_at };
    let made = suppressions::create(&app.runtime, wanted, by).await?;
    let view = views::suppression(&made, app.runtime.world().now());
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

/// A person ends one before its time.
pub(crate) async fn end(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
) -> Handled<Json<Value>> {
    let by = &caller.must_be(Role::Responder)?.name;
    let ended = suppressions::end(&app.runtime, paging::id(&id)?, by).await?;
    Ok(Json(views::suppression(&ended, app.runtime.world().now())))
}
