//! `GET /v1/incidents/{id}/report`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::report::{document, text};
use stanch_engine_runtime::report;

use crate::App;
use crate::auth::Known;
use crate::paging::{self, Params};
use crate::problem::{Handled, Refusal};

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Markdown,
    Html,
    Json,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    #[serde(default)]
    format: Format,
}

/// The report, for people or programs.
pub(crate) async fn show(
    State(app): State<App>,
    _caller: Known,
    Path(id): Path<String>,
    Params(query): Params<Query>,
) -> Handled<Response> {
    let id: IncidentId = paging::id(&id)?;
    let found = report::of_incident(&app.runtime, id).await?;
    let report = found.ok_or_else(|| Refusal::not_found(format!("there is no incident {id}")))?;
    let of_type = |media_type: &'static str, text: String| {
        let headers = [
            (header::CONTENT_TYPE, media_type),
            (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (headers, text).into_response()
    };
    Ok(match query.format {
        Format::Json => Json(report).into_response(),
        Format::Markdown => {
            of_type("text/markdown; charset=utf-8", text::markdown(&document::of(&report)))
        }
        Format::Html => {
            let title = format!("Incident {id}");
            of_type("text/html; charset=utf-8", text::html(&title, &document::of(&report)))
        }
    })
}
