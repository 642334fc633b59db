//! Whether the node lives, and whether it can work.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use stanch_engine_runtime::health::{self, Standing};

use crate::App;

/// It lives.
pub(crate) async fn live() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// It can work, or what is wrong. A warning lets it work: whoever takes the kill switch back, or
/// publishes the first playbook, has to reach it.
pub(crate) async fn ready(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let checks = health::look(&app.runtime).await;
    let wrong = checks.iter().filter(|check| check.standing == Standing::Wrong);
    let wrong: Vec<_> = wrong
        .map(|check| format!("{}: {}", check.name, check.detail.as_deref().unwrap_or_default()))
        .collect();
    let is_halted = checks.iter().any(|c| c.name == "halt" && c.standing != Standing::Ok);
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if wrong.is_empty() { "ready" } else { "not ready" };
    let body = json!({"status": word, "wrong": wrong, "halted": is_halted, "checks": checks});
    (status, Json(body))
}
