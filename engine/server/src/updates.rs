//! How those who wait are told of an incident.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_core::span::Span;
use stanch_engine_runtime::people::Role;
use stanch_engine_runtime::runs::Person;
use stanch_engine_runtime::updates::{self, Wanted};
use stanch_engine_store::updates::Update;

use crate::App;
use crate::auth::Known;
use crate::body::Read;
use crate::paging;
use crate::problem::Handled;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Begin {
    template: Option<String>,
    #[serde(default)]
    to: Vec<String>,
    every: Option<Span>,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stop {
    template: Option<String>,
    reason: String,
}

pub(crate) async fn list(
    State(app): State<App>,
    _caller: Known,
    Path(id): Path<String>,
) -> Handled<Json<Value>> {
    Ok(all(&updates::of_incident(&app.runtime, paging::id(&id)?).await?))
}

/// People are told, now and from now on.
pub(crate) async fn begin(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(Begin { template, to, every, text }): Read<Begin>,
) -> Handled<Json<Value>> {
    let by = &caller.must_be(Role::Responder)?.name;
    let wanted = Wanted { template, to, every, text };
    Ok(all(&updates::begin(&app.runtime, paging::id(&id)?, wanted, by).await?))
}

/// No more are sent.
pub(crate) async fn stop(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Read(Stop { template, reason }): Read<Stop>,
) -> Handled<Json<Value>> {
    let name = caller.must_be(Role::Responder)?.name.clone();
    let person = Person { name, reason };
    Ok(all(&updates::stop(&app.runtime, paging::id(&id)?, template, person).await?))
}

fn all(updates: &[Update]) -> Json<Value> {
    Json(json!({"items": updates.iter().map(view).collect::<Vec<_>>(), "next_cursor": null}))
}

fn view(it: &Update) -> Value {
    json!({
        "incident_id": it.incident, "template": it.template, "to": it.recipients,
        "every": Span::from_ms(it.every_ms), "text": it.said, "sent": it.sent,
        "last_at": it.last_at, "next_at": it.next_at, "tries": it.tries, "error": it.last_error,
        "set_by": it.set_by, "set_at": it.set_at,
    })
}
