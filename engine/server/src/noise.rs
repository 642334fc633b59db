//! What verdicts say of detectors.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_core::span::Span;
use stanch_engine_runtime::noise;

use crate::App;
use crate::auth::Known;
use crate::paging::Params;
use crate::problem::{Handled, Refusal};

/// The time that is looked at unless it is said, and the longest: in days.
const USUAL_DAYS: i64 = 90;
const MOST_DAYS: i64 = 366;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    days: Option<i64>,
}

/// How the types of alerts were judged, and which of them might be suppressed.
pub(crate) async fn suggestions(
    State(app): State<App>,
    _caller: Known,
    Params(query): Params<Query>,
) -> Handled<Json<Value>> {
    let days = query.days.unwrap_or(USUAL_DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Refusal::bad_request(format!("`days` must be from 1 to {MOST_DAYS}")));
    }
    let found = noise::feedback(&app.runtime, Span::from_secs(days * 24 * 60 * 60)).await?;
    Ok(Json(json!({
        "days": days, "rates": found.rates, "items": found.items, "next_cursor": null,
    })))
}
