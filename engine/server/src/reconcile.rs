//! How far detectors' lists of findings are compared with the alerts that came.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use stanch_engine_runtime::people::Role;
use stanch_engine_runtime::reconciler;

use crate::App;
use crate::auth::Known;
use crate::problem::{Handled, Refusal};

pub(crate) async fn status(State(app): State<App>, _caller: Known) -> Handled<Json<Value>> {
    let standing = reconciler::standing(&app.runtime).await?;
    let mut items = Vec::new();
    let (mut missed, mut updated) = (0, 0);
    for (target, row) in standing {
        let row = row.as_ref();
        missed += row.map_or(0, |row| row.missed);
        updated += row.map_or(0, |row| row.updated);
        items.push(json!({
            "source": target.source, "account": target.account, "region": target.region,
            "outcome": row.map_or("waiting", |row| row.outcome.as_str()),
            "checked_at": row.map(|row| row.checked_at),
            "complete_until": row.map(|row| row.complete_until),
            "listed": row.map_or(0, |row| row.listed),
            "missed": row.map_or(0, |row| row.missed),
            "updated": row.map_or(0, |row| row.updated),
            "error": row.map(|row| &row.error),
        }));
    }
    let every = app.runtime.settings().reconcile.as_ref().map(|plan| plan.every);
    Ok(Json(json!({
        "every": every, "missed": missed, "updated": updated, "items": items, "next_cursor": null,
    })))
}

/// A person wants every list compared now.
pub(crate) async fn now(State(app): State<App>, caller: Known) -> Handled<Response> {
    caller.must_be(Role::Responder)?;
    if !reconciler::now(&app.runtime) {
        let why = "nothing is compared: [reconcile] in stanch.toml says what is to be";
        return Err(Refusal::conflict(why));
    }
    let body = json!({"asked_at": app.runtime.world().now()});
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}
