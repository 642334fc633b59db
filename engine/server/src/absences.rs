//! Who is away, and who stands in.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::absences::{self, AbsenceError, Leave};
use stanch_engine_store::absences::{self as rows, Absence};

use crate::App;
use crate::auth::Known;
use crate::body::Read;
use crate::problem::{Handled, Refusal};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Away {
    until: Timestamp,
    delegate: String,
    reason: String,
}

/// Nothing needs to be said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Back {}

/// Those who are away now.
pub(crate) async fn list(State(app): State<App>, _caller: Known) -> Handled<Json<Value>> {
    let now = app.runtime.world().now();
    let found = app.runtime.store().read(|conn| Box::pin(rows::open(conn, now))).await?;
    let items: Vec<_> = found.iter().map(view).collect();
    Ok(Json(json!({"items": items, "next_cursor": null})))
}

/// Somebody stands in for a person from now on.
pub(crate) async fn leave(
    State(app): State<App>,
    caller: Known,
    Path(person): Path<String>,
    Read(body): Read<Away>,
) -> Handled<Json<Value>> {
    let Away { until, delegate, reason } = body;
    let leave = Leave { person, delegate, until, reason };
    let absence = absences::leave(&app.runtime, leave, &caller.0).await?;
    Ok(Json(view(&absence)))
}

/// A person is back.
pub(crate) async fn come_back(
    State(app): State<App>,
    caller: Known,
    Path(person): Path<String>,
    Read(Back {}): Read<Back>,
) -> Handled<Json<Value>> {
    absences::come_back(&app.runtime, &person, &caller.0).await?;
    Ok(Json(json!({"person": person, "away": false})))
}

fn view(absence: &Absence) -> Value {
    json!({
        "id": absence.id, "person": absence.person, "delegate": absence.delegate,
        "starts_at": absence.starts_at, "until": absence.until, "reason": absence.reason,
        "set_by": absence.set_by,
    })
}

impl From<AbsenceError> for Refusal {
    fn from(error: AbsenceError) -> Self {
        let detail = error.to_string();
        match error {
            AbsenceError::BadRequest(_) => Self::bad_request(detail),
            AbsenceError::NotTheirs(_) => Self::forbidden(detail),
            AbsenceError::NotAway(_) => Self::not_found(detail),
            AbsenceError::Store(error) => error.into(),
        }
    }
}
