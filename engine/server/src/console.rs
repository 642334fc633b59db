//! The console: pages for people with a browser, also on a phone. Every page asks the API, as whoever has
//! signed in, and every form calls it: there is no rule, no record and no figure here that the API has not.
//! It runs no script.

#![expect(clippy::indexing_slicing, reason = "a member that an answer lacks reads as null")]

mod api;
mod approval;
mod approvals;
mod halt;
mod incident;
mod incidents;
mod kpis;
mod layout;
mod provider;
mod run;
mod runs;
mod session;
mod show;
mod sign_in;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::html::html;
use crate::{App, access};
use api::Refused;
use session::Session;

/// What every page reaches.
#[derive(Clone)]
pub(crate) struct Console {
    app: App,
    /// The API.
    api: Router,
}

/// The pages, which call `api`.
pub(crate) fn routes(app: App, api: Router) -> Router {
    let console = Console { app: app.clone(), api };
    Router::new()
        .route("/console", get(home))
        .route("/console/style.css", get(style))
        .route("/console/sign-in", get(sign_in::show).post(sign_in::begin))
        .route("/console/sign-in/provider", get(provider::begin))
        .route("/console/sign-in/callback", get(provider::end))
        .route("/console/sign-out", post(sign_in::end))
        .route("/console/approvals", get(approvals::list))
        .route("/console/approvals/{id}", get(approval::show).post(approval::decide))
        .route("/console/incidents", get(incidents::list))
        .route("/console/incidents/{id}", get(incident::show).post(incident::act))
        .route("/console/runs", get(runs::list))
        .route("/console/runs/{id}", get(run::show).post(run::act))
        .route("/console/halt", get(halt::show).post(halt::act))
        .route("/console/kpis", get(kpis::table))
        .route("/console/kpis/{name}", get(kpis::behind))
        .route_layer(axum::middleware::from_fn_with_state(app, access::check))
        .with_state(console)
}

/// What a handler gives: a page, or what the API said instead, which is a page of its own.
type Shown = Result<Response, Refused>;

/// Shows a page, or why there is none.
async fn or_why(session: &Session, shown: Shown) -> Response {
    match shown {
        Ok(response) => response,
        Err(refused) => layout::why(session, &refused).await,
    }
}

/// What waits for people, and what is open.
async fn home(session: Session) -> Response {
    let shown = async {
        let waiting = approvals::table(&session, "status=pending&limit=20").await?;
        let open = incidents::table(&session, "status=open&limit=20").await?;
        let body = html!(
            "<h2 id=\"waiting\">Approvals that wait</h2>" (waiting)
            "<p><a href=\"/console/approvals\">All that wait</a></p>"
            "<h2 id=\"open\">Open incidents</h2>" (open)
            "<p><a href=\"/console/incidents\">All that are open</a></p>"
        );
        Ok(layout::page(&session, StatusCode::OK, "Now", body).await)
    };
    or_why(&session, shown.await).await
}

/// The one stylesheet.
async fn style(State(_): State<Console>) -> Response {
    let mut response = include_str!("console/style.css").into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}
