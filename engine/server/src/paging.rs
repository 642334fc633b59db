//! Listings in pages: `{"items": […], "next_cursor": …}`.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::extract::Query;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stanch_engine_core::limits;

use crate::problem::{Handled, Refusal};

/// Parameters of the query, with errors that name them.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Handled<Self> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|query| Self(query.0))
            .map_err(|error| Refusal::bad_request(format!("the query: {}", error.body_text())))
    }
}

/// How many rows a page has: 50, or as many as were asked for, up to the limit.
pub(crate) fn limit(asked: Option<u32>) -> u32 {
    asked.unwrap_or(50).clamp(1, limits::PAGE_ROWS)
}

/// A parameter that may be left out, as a type of the engine.
pub(crate) fn parse<T: std::str::FromStr>(name: &str, text: Option<&str>) -> Handled<Option<T>>
where
    T::Err: std::fmt::Display,
{
    let read = |text: &str| {
        text.parse::<T>().map_err(|error| Refusal::bad_request(format!("`{name}`: {error}")))
    };
    text.map(read).transpose()
}

/// The query of a listing that can be narrowed to what is open.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenQuery {
    pub(crate) limit: Option<u32>,
    pub(crate) cursor: Option<String>,
    pub(crate) status: Option<String>,
}

/// What such a query asks for.
pub(crate) struct Narrowed<C> {
    pub(crate) limit: u32,
    pub(crate) before: Option<C>,
    pub(crate) only_open: bool,
}

impl OpenQuery {
    pub(crate) fn read<C: std::str::FromStr>(&self) -> Handled<Narrowed<C>>
    where
        C::Err: std::fmt::Display,
    {
        let only_open = match self.status.as_deref() {
            None => false,
            Some("open") => true,
            Some(other) => {
                let detail = format!("`status`: `{other}` is none: say `open`, or leave it out");
                return Err(Refusal::bad_request(detail));
            }
        };
        let before = parse("cursor", self.cursor.as_deref())?;
        Ok(Narrowed { limit: limit(self.limit), before, only_open })
    }
}

/// The id that a path names. One that can be none names nothing that there is.
pub(crate) fn id<T: std::str::FromStr>(text: &str) -> Handled<T>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| Refusal::not_found(format!("{error}")))
}

/// A page. `id` gives the cursor of a row.
pub(crate) fn page<T>(
    rows: &[T],
    limit: u32,
    id: impl Fn(&T) -> String,
    view: impl Fn(&T) -> Value,
) -> Json<Value> {
    let next_cursor = next(rows, limit, id);
    Json(json!({"items": rows.iter().map(view).collect::<Vec<_>>(), "next_cursor": next_cursor}))
}

/// Where the next page begins, when this one is full.
pub(crate) fn next<T>(rows: &[T], limit: u32, id: impl Fn(&T) -> String) -> Option<String> {
    let is_full = rows.len() >= limit as usize;
    rows.last().filter(|_| is_full).map(id)
}
