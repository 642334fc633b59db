//! The console asks the API what it shows, and asks it to do what is done, as the person who has signed in:
//! by the same calls as everybody, so that the same rules hold and the same is written down.

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use serde_json::Value;
use stanch_engine_core::error_code;
use tower_service::Service as _;

use super::session::Session;
use crate::access;
use crate::problem::{Handled, Problem, Refusal};

/// Bytes of an answer of the API, at most: an incident with a thousand alerts.
const ANSWER_BYTES: usize = 64 << 20;

/// What the API says instead of an answer.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) title: String,
    pub(super) detail: String,
    pub(super) code: String,
}

impl Session {
    /// What is at a path below `/v1`.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Refused> {
        self.ask(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        self.ask(Method::POST, path, Some(body)).await
    }

    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Refused> {
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = Request::builder()
            .method(method)
            .uri(format!("/v1{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.secret))
            .body(body);
        let Ok(mut request) = request else { return Err(nowhere()) };
        if let Some(connected) = self.connected {
            request.extensions_mut().insert(connected);
        }
        let Ok(answer) = self.console.api.clone().call(request).await;
        let status = answer.status();
        let bytes = to_bytes(answer.into_body(), ANSWER_BYTES).await.map_err(|_| too_large())?;
        if status.is_success() {
            return Ok(serde_json::from_slice(&bytes).unwrap_or_default());
        }
        let problem = serde_json::from_slice::<Problem>(&bytes);
        let (title, detail, code) = problem
            .map(|it| (it.title, it.detail, it.code))
            .unwrap_or_else(|_| (status.to_string(), String::new(), String::new()));
        Err(Refused { status, title, detail, code })
    }

    /// Whether the person's roles let them make a call of the API, about what the path names.
    pub(super) async fn may(&self, method: &str, template: &str, path: &str) -> Handled<bool> {
        let call = (method, template, path);
        access::may(&self.console.app, &self.caller, &self.reach, call).await
    }
}

fn nowhere() -> Refused {
    Refused::from(&Refusal::not_found("there is nothing of this name"))
}

fn too_large() -> Refused {
    let detail = "this is more than a page can show: ask the API for it";
    let code = error_code::TOO_LARGE;
    Refused::from(&Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, code, detail))
}

impl From<&Refusal> for Refused {
    fn from(refusal: &Refusal) -> Self {
        let code = refusal.code();
        Self {
            status: refusal.status(),
            title: code.title.to_owned(),
            detail: refusal.detail().to_owned(),
            code: code.code.to_owned(),
        }
    }
}

/// A part of a path, if it can be the name of something. What could lead elsewhere names nothing.
pub(super) fn part(text: &str) -> Result<&str, Refused> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    if text.is_empty() || !text.chars().all(legal) { Err(nowhere()) } else { Ok(text) }
}
