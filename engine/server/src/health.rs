//! Whether the node lives, and whether it can work.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use stanch_engine_runtime::people;

use crate::App;

/// It lives.
pub(crate) async fn live() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// It can work: the database can be read, and the last write came about.
pub(crate) async fn ready(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let mut wrong = Vec::new();
    if let Some(why) = app.runtime.store().failing() {
        wrong.push(format!("the last write failed: {why}"));
    }
    let halted = match people::halted(&app.runtime).await {
        Ok(halted) => halted,
        Err(error) => {
            wrong.push(error.to_string());
            None
        }
    };
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if wrong.is_empty() { "ready" } else { "not ready" };
    (status, Json(json!({"status": word, "wrong": wrong, "halted": halted.is_some()})))
}
