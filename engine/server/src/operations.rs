//! What operators do: the kill switch, tokens, nodes, the evidence key.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_core::scope::Scope;
use stanch_engine_core::span::Span;
use stanch_engine_runtime::people::{self, Role, TokenError};
use stanch_engine_store::{nodes, tokens as token_rows};

use crate::App;
use crate::auth::{ADMIN, Known};
use crate::body::Read;
use crate::problem::{Handled, Refusal};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Halt {
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    name: String,
    person: Option<String>,
    roles: Vec<String>,
    expires: Option<Span>,
    #[serde(default)]
    scope: Scope,
}

pub(crate) async fn halted(State(app): State<App>, _caller: Known) -> Handled<Json<Value>> {
    Ok(Json(json!({"halted": people::halted(&app.runtime).await?})))
}

/// Throws the kill switch.
pub(crate) async fn halt(
    State(app): State<App>,
    caller: Known,
    Read(body): Read<Halt>,
) -> Handled<Json<Value>> {
    let caller = caller.must_be(Role::Responder)?;
    if body.reason.trim().is_empty() {
        return Err(Refusal::bad_request(
            "`reason` is empty: who comes after you wants to know why",
        ));
    }
    people::halt(&app.runtime, &caller.name, &body.reason).await?;
    tracing::warn!(by = %caller.name, reason = %body.reason, "the kill switch was thrown");
    Ok(Json(json!({"halted": people::halted(&app.runtime).await?})))
}

/// Takes the kill switch back. That is for an admin: whoever threw it had a reason.
pub(crate) async fn unhalt(State(app): State<App>, caller: Known) -> Handled<Json<Value>> {
    let caller = caller.must_be(Role::Admin)?;
    if !people::unhalt(&app.runtime).await? {
        return Err(Refusal::conflict("the kill switch was not thrown"));
    }
    tracing::warn!(by = %caller.name, "the kill switch was taken back");
    Ok(Json(json!({"halted": null})))
}

pub(crate) async fn tokens(State(app): State<App>, caller: Known) -> Handled<Json<Value>> {
    caller.must_be(Role::Admin)?;
    let rows = app.runtime.store().read(|conn| Box::pin(token_rows::list(conn))).await?;
    let view = |token: &token_rows::Token| {
        json!({
            "name": token.name, "person": token.person, "roles": token.roles,
            "scope": token.scope,
            "created_at": token.created_at, "expires_at": token.expires_at,
            "revoked_at": token.revoked_at,
        })
    };
    let items: Vec<_> = rows.iter().map(view).collect();
    Ok(Json(json!({"items": items, "next_cursor": null})))
}

/// Makes a token. Its secret is in this answer and nowhere else.
pub(crate) async fn create_token(
    State(app): State<App>,
    caller: Known,
    Read(body): Read<NewToken>,
) -> Handled<Response> {
    caller.must_be(Role::Admin)?;
    if body.roles.is_empty() {
        return Err(Refusal::bad_request(
            "`roles` is empty: a token without a role may do nothing",
        ));
    }
    let name = body.name.clone();
    let new = people::NewToken {
        name: body.name,
        person: body.person,
        roles: body.roles,
        ttl: body.expires,
        scope: body.scope,
    };
    if new.person.as_deref().unwrap_or(&new.name) == ADMIN {
        return Err(Refusal::conflict("`admin` is the first administrator: use another name"));
    }
    let made = people::create_token(&app.runtime, new).await;
    let token = made.map_err(|error| match error {
        TokenError::Name(detail) => Refusal::conflict(detail),
        TokenError::Wrong(detail) => Refusal::bad_request(detail),
        TokenError::Store(error) => error.into(),
    })?;
    let answer = json!({"name": name, "token": token});
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

pub(crate) async fn revoke_token(
    State(app): State<App>,
    caller: Known,
    Path(name): Path<String>,
) -> Handled<Json<Value>> {
    caller.must_be(Role::Admin)?;
    if !people::revoke_token(&app.runtime, &name).await? {
        return Err(Refusal::not_found(format!("there is no token of `{name}`")));
    }
    Ok(Json(json!({"name": name, "revoked": true})))
}

/// Gives a token another secret, which is in this answer and nowhere else.
pub(crate) async fn rotate_token(
    State(app): State<App>,
    caller: Known,
    Path(name): Path<String>,
) -> Handled<Json<Value>> {
    caller.must_be(Role::Admin)?;
    match people::rotate_token(&app.runtime, &name).await? {
        Some(token) => Ok(Json(json!({"name": name, "token": token}))),
        None => Err(Refusal::not_found(format!(
            "there is no token of `{name}` that is good: make one under another name"
        ))),
    }
}

pub(crate) async fn nodes(State(app): State<App>, _caller: Known) -> Handled<Json<Value>> {
    let rows = app.runtime.store().read(|conn| Box::pin(nodes::list(conn))).await?;
    let own = app.runtime.node();
    let view = |node: &nodes::Node| {
        json!({
            "id": node.id, "started_at": node.started_at, "seen_at": node.seen_at,
            "version": node.version, "runs": node.runs, "self": node.id == own,
        })
    };
    let items: Vec<_> = rows.iter().map(view).collect();
    Ok(Json(json!({"items": items, "next_cursor": null})))
}

/// The public key that bundles are verified with.
pub(crate) async fn public_key(State(app): State<App>, _caller: Known) -> Handled<String> {
    Ok(app.runtime.public_key())
}
