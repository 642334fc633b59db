//! KPIs.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_core::span::Span;
use stanch_engine_runtime::kpis;

use crate::App;
use crate::auth::Known;
use crate::paging::{Params, parse};
use crate::problem::Handled;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    window: Option<String>,
}

struct Window(Span);

impl std::str::FromStr for Window {
    type Err = stanch_engine_core::span::NotASpan;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Span::parse(text).map(Self)
    }
}

pub(crate) async fn report(
    State(app): State<App>,
    _caller: Known,
    Params(query): Params<Query>,
) -> Handled<Json<Value>> {
    let window = parse::<Window>("window", query.window.as_deref())?;
    let window = window.map_or(Span::from_secs(30 * 24 * 60 * 60), |window| window.0);
    Ok(Json(json!(kpis::report(&app.runtime, window).await?)))
}
