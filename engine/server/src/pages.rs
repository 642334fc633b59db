//! Pages to people.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use stanch_engine_core::approval::may_decide;
use stanch_engine_core::id::PageId;
use stanch_engine_runtime::people::{self, Role};
use stanch_engine_store::{deliveries, pages};

use crate::App;
use crate::auth::Known;
use crate::paging::{self, Narrowed, OpenQuery, Params, page};
use crate::problem::{Handled, Refusal};
use crate::views;

pub(crate) async fn list(
    State(app): State<App>,
    _caller: Known,
    Params(query): Params<OpenQuery>,
) -> Handled<Json<Value>> {
    let Narrowed { limit, before, only_open } = query.read()?;
    let rows = app
        .runtime
        .store()
        .read(|conn| Box::pin(pages::list(conn, before, only_open, limit)))
        .await?;
    Ok(page(&rows, limit, |row| row.id.to_string(), views::page))
}

/// One page, with how each of its sendings went.
pub(crate) async fn show(
    State(app): State<App>,
    _caller: Known,
    Path(id): Path<String>,
) -> Handled<Json<Value>> {
    let id: PageId = paging::id(&id)?;
    let found = app.runtime.store().read(|conn| {
        Box::pin(
            async move { Ok((pages::get(conn, id).await?, deliveries::of_page(conn, id).await?)) },
        )
    });
    let (page, sent) = found.await?;
    let page = page.ok_or_else(|| Refusal::not_found(format!("there is no page {id}")))?;
    Ok(Json(views::page_with(&page, &sent)))
}

/// Takes a page: it does not go out again. Whoever responds may, and whoever it calls by name.
pub(crate) async fn take(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
) -> Handled<Json<Value>> {
    let id: PageId = paging::id(&id)?;
    let row = app.runtime.store().read(|conn| Box::pin(pages::get(conn, id))).await?;
    let is_called =
        row.is_some_and(|page| may_decide(&page.chain, &caller.0.name, &caller.0.roles));
    if !is_called {
        caller.must_be(Role::Responder)?;
    }
    if !people::take_page(&app.runtime, id, &caller.0.name).await? {
        return Err(Refusal::conflict(format!("{id} was taken before, or is not there")));
    }
    Ok(Json(json!({"id": id, "taken_by": caller.0.name})))
}
