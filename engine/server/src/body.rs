//! Bodies: capped, and read with errors that name the member.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use stanch_engine_core::error_code;

use crate::problem::{Handled, Refusal};

/// A body of bytes, at most as many as the route takes.
pub(crate) struct Capped(pub(crate) Bytes);

/// A body of JSON, at most as large as the route takes.
pub(crate) struct Read<T>(pub(crate) T);

fn refused(rejection: &BytesRejection) -> Refusal {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            error_code::TOO_LARGE,
            "the body is larger than 1 MiB",
        ),
        _ => Refusal::bad_request(rejection.body_text()),
    }
}

impl<S: Send + Sync> FromRequest<S> for Capped {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Handled<Self> {
        Bytes::from_request(request, state).await.map(Self).map_err(|error| refused(&error))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Read<T> {
    type Rejection = Refusal;

    /// An empty body is an empty object.
    async fn from_request(request: Request, state: &S) -> Handled<Self> {
        let Capped(bytes) = Capped::from_request(request, state).await?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(text)
            .map(Self)
            .map_err(|error| Refusal::bad_request(format!("the body: {error}")))
    }
}
