//! Errors as people and programs read them: RFC 9457 problems, each with a code and a page.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use stanch_engine_core::audit::Ended;
use stanch_engine_core::error_code::{self, ErrorCode};
use stanch_engine_runtime::approvals::DecideError;
use stanch_engine_runtime::evidence::bundle::ExportError;
use stanch_engine_runtime::intake::replay::ReplayError;
use stanch_engine_runtime::playbooks::PublishError;
use stanch_engine_runtime::runs::RunsError;
use stanch_engine_store::StoreError;

/// The body of an error (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Where its page is.
    #[serde(rename = "type")]
    pub kind: String,
    /// A few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here, and what would be right.
    pub detail: String,
    /// The code, such as `ST0302`.
    pub code: String,
}

/// An error on its way out.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    code: ErrorCode,
    detail: String,
    retry_after_s: Option<u32>,
}

/// What a handler gives.
pub(crate) type Handled<T> = Result<T, Refusal>;

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: ErrorCode, detail: impl Into<String>) -> Self {
        let retry_after_s = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(5);
        Self { status, code, detail: detail.into(), retry_after_s }
    }

    /// Too much at once: the sender is to come back after so many seconds.
    pub(crate) fn too_many(detail: impl Into<String>, retry_after_s: u32) -> Self {
        let refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, error_code::TOO_MANY, detail);
        Self { retry_after_s: Some(retry_after_s), ..refusal }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn code(&self) -> ErrorCode {
        self.code
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// What the audit log says of it.
    pub(crate) fn ended(&self) -> Ended {
        Ended { status: Some(self.status.as_u16()), ..Ended::by(self.code) }
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error_code::NOT_FOUND, detail)
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error_code::BAD_REQUEST, detail)
    }

    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, error_code::CONFLICT, detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, error_code::FORBIDDEN, detail)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::error!(code = self.code.code, detail = %self.detail, "a request failed");
        }
        let problem = Problem {
            kind: format!("/errors/{}", self.code),
            title: self.code.title.to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            code: self.code.code.to_owned(),
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        response.extensions_mut().insert(self.code);
        let headers = response.headers_mut();
        let media_type = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, media_type);
        // EventBridge and others come back when they are told when.
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let status = match error {
            StoreError::Conflict(_) | StoreError::Fenced => StatusCode::CONFLICT,
            StoreError::Inconsistent { .. } | StoreError::ChainEnd(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            StoreError::Overtaken(_) | StoreError::Stale | StoreError::Unavailable(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        Self::new(status, error.code(), error.to_string())
    }
}

impl From<RunsError> for Refusal {
    fn from(error: RunsError) -> Self {
        match error {
            RunsError::NotFound(detail) => Self::not_found(detail),
            RunsError::TooLate(detail) => Self::conflict(detail),
            RunsError::BadRequest(detail) => Self::bad_request(detail),
            RunsError::Store(error) => error.into(),
        }
    }
}

impl From<ReplayError> for Refusal {
    fn from(error: ReplayError) -> Self {
        let detail = error.to_string();
        match error {
            ReplayError::NotFound(_) => Self::not_found(detail),
            ReplayError::Unreadable(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, error_code::UNREADABLE, detail)
            }
            ReplayError::Store(error) => error.into(),
        }
    }
}

impl From<DecideError> for Refusal {
    fn from(error: DecideError) -> Self {
        let code = error.code();
        Self::new(status_of(code), code, error.to_string())
    }
}

/// The status that says of a decision what a code says.
pub(crate) fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        error_code::NOT_FOUND => StatusCode::NOT_FOUND,
        error_code::FORBIDDEN => StatusCode::FORBIDDEN,
        error_code::CONFLICT => StatusCode::CONFLICT,
        error_code::BAD_REQUEST => StatusCode::BAD_REQUEST,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl From<PublishError> for Refusal {
    fn from(error: PublishError) -> Self {
        let detail = error.to_string();
        match error {
            PublishError::Unfit(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, error_code::PLAYBOOK, detail)
            }
            PublishError::SecondPerson { .. } => Self::forbidden(detail),
            PublishError::TooLate(_) => Self::conflict(detail),
            PublishError::NotFound(_) => {
                Self::new(StatusCode::NOT_FOUND, error_code::NO_PLAYBOOK, detail)
            }
            PublishError::Store(error) => error.into(),
        }
    }
}

impl From<ExportError> for Refusal {
    fn from(error: ExportError) -> Self {
        let detail = error.to_string();
        match error {
            ExportError::NotFound(_) => Self::not_found(detail),
            ExportError::BadRequest(_) => Self::bad_request(detail),
            ExportError::Key(error) => error.into(),
            ExportError::Store(error) => error.into(),
            ExportError::Broken(_) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, error_code::CHAIN_END, detail)
            }
            ExportError::Pack(_) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, error_code::STORE, detail)
            }
        }
    }
}

pub(crate) async fn no_such_path(uri: axum::http::Uri) -> Refusal {
    Refusal::not_found(format!("there is nothing at {}", uri.path()))
}
