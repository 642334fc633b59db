//! Bodies: capped, and read with errors that name the member.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use stanch_engine_core::error_code;
use stanch_engine_core::limits;

use crate::problem::{Handled, Refusal};

/// How long a body may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A body of bytes, at most as many as a request may have.
pub(crate) struct Capped(pub(crate) Bytes);

/// A body of JSON, at most as large as a request may have.
pub(crate) struct Read<T>(pub(crate) T);

/// Reads a body to its end. One that is too large is read on and thrown away, up to a bound: who
/// is still sending when the connection closes hears of a broken pipe, and not why.
async fn read(body: Body, most: usize) -> Handled<Bytes> {
    let mut chunks = body.into_data_stream();
    let mut read = Vec::new();
    let mut length = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| Refusal::bad_request(format!("the body: {error}")))?;
        length += chunk.len();
        if length > limits::REQUEST_DRAINED_BYTES {
            break;
        }
        if length <= most {
            read.extend_from_slice(&chunk);
        }
    }
    if length > most {
        let detail = format!("the body is larger than {most} bytes");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error_code::TOO_LARGE, detail));
    }
    Ok(read.into())
}

/// Reads a body of at most so many bytes, if it comes in time.
pub(crate) async fn capped(body: Body, most: usize) -> Handled<Bytes> {
    let late = |_| Refusal::bad_request("the body did not come within 30 s; send it again");
    tokio::time::timeout(PATIENCE, read(body, most)).await.map_err(late)?
}

impl<S: Send + Sync> FromRequest<S> for Capped {
    type Rejection = Refusal;

    async fn from_request(request: Request, _state: &S) -> Handled<Self> {
        capped(request.into_body(), limits::REQUEST_BYTES).await.map(Self)
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
