//! The pages of the error codes.

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use stanch_engine_core::error_code;

use crate::problem::{Handled, Refusal};

pub(crate) async fn page(Path(code): Path<String>) -> Handled<Response> {
    let found = error_code::find(&code);
    let found =
        found.ok_or_else(|| Refusal::not_found(format!("there is no error code {code}")))?;
    Ok(([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], found.page).into_response())
}
