//! `GET /metrics`: the numbers of this node, as Prometheus reads them.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use stanch_engine_core::metric::Exposition;
use stanch_engine_runtime::metrics;

use crate::App;
use crate::auth::Known;
use crate::problem::Handled;

pub(crate) async fn show(State(app): State<App>, _caller: Known) -> Handled<Response> {
    let text = metrics::exposition(&app.runtime).await?;
    Ok(([(header::CONTENT_TYPE, Exposition::MEDIA_TYPE)], text).into_response())
}
