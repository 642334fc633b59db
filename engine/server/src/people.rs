//! People: who was disabled.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_runtime::leaving;
use stanch_engine_runtime::people::Role;
use stanch_engine_store::people as rows;

use crate::App;
use crate::auth::{ADMIN, Known};
use crate::body::Read;
use crate::problem::{Handled, Refusal};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Why {
    reason: String,
}

/// Those who were disabled.
pub(crate) async fn disabled(State(app): State<App>, caller: Known) -> Handled<Json<Value>> {
    caller.must_be(Role::Admin)?;
    let found = app.runtime.store().read(|conn| Box::pin(rows::list(conn))).await?;
    let view = |who: &rows::Disabled| json!({"name": who.name, "disabled_at": who.at, "disabled_by": who.by, "reason": who.reason});
    let items: Vec<_> = found.iter().map(view).collect();
    Ok(Json(json!({"items": items, "next_cursor": null})))
}

/// Disables a person, whether or not they have a token now.
pub(crate) async fn disable(
    State(app): State<App>,
    caller: Known,
    Path(name): Path<String>,
    Read(body): Read<Why>,
) -> Handled<Json<Value>> {
    let by = &caller.must_be(Role::Admin)?.name;
    if body.reason.trim().is_empty() {
        return Err(Refusal::bad_request("`reason` is empty"));
    }
    if name == ADMIN {
        let detail = "the first administrator's token is not in the database: put another one under [admin] in stanch.toml, or delete keys/admin.token, and restart";
        return Err(Refusal::conflict(detail));
    }
    let Some(taken) = leaving::disable(&app.runtime, &name, by, &body.reason).await? else {
        return Err(Refusal::conflict(format!("{name} was disabled before")));
    };
    tracing::warn!(%name, %by, reason = %body.reason, "a person was disabled");
    Ok(Json(json!({
        "name": name, "tokens_revoked": taken.tokens, "decisions_revoked": taken.approvals,
        "entrusted_ended": taken.entrusted, "containments_handed_over": taken.containments,
    })))
}

/// Lets a person call again, with new tokens.
pub(crate) async fn enable(
    State(app): State<App>,
    caller: Known,
    Path(name): Path<String>,
) -> Handled<Json<Value>> {
    let by = &caller.must_be(Role::Admin)?.name;
    if !leaving::enable(&app.runtime, &name).await? {
        return Err(Refusal::not_found(format!("nobody of the name `{name}` was disabled")));
    }
    tracing::warn!(%name, %by, "a person was enabled");
    Ok(Json(json!({"name": name, "enabled": true})))
}
