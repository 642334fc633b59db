//! Playbooks: published, made active, rolled back.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::playbook::Bundle;
use stanch_engine_runtime::people::Role;
use stanch_engine_runtime::playbooks;

use crate::App;
use crate::auth::Known;
use crate::body::Read;
use crate::problem::Handled;
use crate::views;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Publish {
    /// The playbook's text.
    main: String,
    /// The text of each import, by its path.
    #[serde(default)]
    imports: BTreeMap<String, String>,
    /// Where it comes from: a file, a commit.
    #[serde(default)]
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Activate {
    digest: Sha256,
}

pub(crate) async fn list(State(app): State<App>, _caller: Known) -> Handled<Json<Value>> {
    let items: Vec<_> = playbooks::active(&app.runtime).iter().map(views::playbook).collect();
    Ok(Json(json!({"items": items, "next_cursor": null})))
}

pub(crate) async fn publish(
    State(app): State<App>,
    caller: Known,
    Read(body): Read<Publish>,
) -> Handled<Response> {
    let caller = caller.must_be(Role::Author)?;
    let bundle = Bundle { main: body.main, imports: body.imports };
    let published = playbooks::publish(&app.runtime, bundle, &caller.name, &body.source).await?;
    Ok((StatusCode::CREATED, Json(json!(published))).into_response())
}

pub(crate) async fn versions(
    State(app): State<App>,
    _caller: Known,
    Path(name): Path<String>,
) -> Handled<Json<Value>> {
    let versions = playbooks::versions(&app.runtime, &name).await?;
    let active = playbooks::active(&app.runtime);
    let active = active.iter().find(|active| active.header.name == name).map(|it| it.digest);
    let items: Vec<_> = versions
        .iter()
        .map(|version| views::version(version, active == Some(version.digest)))
        .collect();
    Ok(Json(json!({"items": items, "next_cursor": null})))
}

pub(crate) async fn activate(
    State(app): State<App>,
    caller: Known,
    Path(name): Path<String>,
    Read(body): Read<Activate>,
) -> Handled<Json<Value>> {
    let caller = caller.must_be(Role::Author)?;
    playbooks::activate(&app.runtime, &name, body.digest, &caller.name).await?;
    Ok(Json(json!({"name": name, "digest": body.digest})))
}

pub(crate) async fn rollback(
    State(app): State<App>,
    caller: Known,
    Path(name): Path<String>,
) -> Handled<Json<Value>> {
    let caller = caller.must_be(Role::Author)?;
    let digest = playbooks::rollback(&app.runtime, &name, &caller.name).await?;
    Ok(Json(json!({"name": name, "digest": digest})))
}
