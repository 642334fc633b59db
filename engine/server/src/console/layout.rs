//! What is on every page: whether the kill switch is thrown, how much waits, and who you are.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::api::Refused;
use super::session::{FORM_TOKEN, Session};
use super::show::{moment, word};
use crate::html::{Html, html};
use crate::problem::Refusal;

/// What browsers are told: nothing is run, nothing is loaded but the stylesheet, forms go nowhere else, and
/// nobody frames it or keeps it. Forms say where they come from: `same-origin` lets browsers say so.
const HEADERS: &[(&str, &str)] = &[
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("referrer-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-robots-tag", "noindex, nofollow"),
];

/// How many approvals are counted, at most.
const COUNTED: usize = 200;

/// A page for whoever has signed in.
pub(super) async fn page(
    session: &Session,
    status: StatusCode,
    title: &str,
    body: Html,
) -> Response {
    let top = top(session).await;
    bare(status, title, html!((top) "<main><h1>" {title} "</h1>" (body) "</main>"))
}

/// A page that says why there is no other.
pub(super) async fn why(session: &Session, refused: &Refused) -> Response {
    page(session, refused.status, "That did not work", said(refused)).await
}

/// What the API said.
pub(super) fn said(refused: &Refused) -> Html {
    let code = (!refused.code.is_empty())
        .then(|| html!(" <a href=\"/errors/" {refused.code} "\">" {refused.code} "</a>"));
    html!(
        "<p id=\"refused\" class=\"bad\" role=\"alert\"><strong>" {refused.title} "</strong>: "
        {refused.detail} "." (code) "</p>"
    )
}

/// A refusal for somebody of whom nothing is known.
pub(super) fn refused(refusal: &Refusal) -> Response {
    let refused = Refused::from(refusal);
    let body = html!(
        "<main><h1>That did not work</h1>" (said(&refused))
        "<p><a href=\"/console\">To the console</a></p></main>"
    );
    bare(refused.status, "That did not work", body)
}

/// A page with this body and nothing more.
pub(super) fn bare(status: StatusCode, title: &str, body: Html) -> Response {
    with_head(status, title, Html::default(), body)
}

/// The same, with more in its head.
pub(super) fn with_head(status: StatusCode, title: &str, head: Html, body: Html) -> Response {
    let page = html!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>" {title} " · Stanch</title><link rel=\"stylesheet\" href=\"/console/style.css\">" (head)
        "</head><body>" (body) "</body></html>"
    );
    let mut response = (status, page.into_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// Goes to another page of the console.
pub(super) fn go(path: &str) -> Response {
    let mut response = bare(StatusCode::SEE_OTHER, "Go on", Html::default());
    if let Ok(path) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, path);
    }
    response
}

async fn top(session: &Session) -> Html {
    let (halt, waiting) = (halted(session).await, waiting(session).await);
    html!(
        "<a class=\"skip\" href=\"#main\">To the page</a><header>" (halt)
        "<nav aria-label=\"Console\"><a id=\"nav-now\" href=\"/console\">Now</a> "
        "<a id=\"nav-approvals\" href=\"/console/approvals\">Approvals (" {waiting} ")</a> "
        "<a id=\"nav-incidents\" href=\"/console/incidents\">Incidents</a> "
        "<a id=\"nav-runs\" href=\"/console/runs\">Runs</a> "
        "<a id=\"nav-kpis\" href=\"/console/kpis\">KPIs</a></nav>"
        "<form id=\"sign-out\" method=\"post\" action=\"/console/sign-out\">" (token(session))
        "<span id=\"who\">" {session.caller.name} "</span> "
        "<button id=\"sign-out-button\">Sign out</button></form></header><a id=\"main\"></a>"
    )
}

/// What says that a form is one of this session's.
pub(super) fn token(session: &Session) -> Html {
    html!(
        "<input type=\"hidden\" name=\"" {FORM_TOKEN} "\" value=\"" {session.form_token()} "\">"
    )
}

async fn halted(session: &Session) -> Html {
    let state = match session.get("/halt").await {
        Ok(answer) => answer["halted"].clone(),
        Err(refused) => {
            return html!(
                "<p id=\"halt-state\" class=\"bad\">Whether the kill switch is thrown can't be said here: "
                {refused.detail} "</p>"
            );
        }
    };
    if state.is_null() {
        return html!(
            "<p id=\"halt-state\"><a href=\"/console/halt\">The kill switch is not thrown</a></p>"
        );
    }
    html!(
        "<p id=\"halt-state\" class=\"bad\"><strong><a href=\"/console/halt\">The kill switch is thrown</a>\
         </strong>: nothing is changed, on any node. " {word(&state, "by")} ", "
        {moment(&state["at"])} ": " {word(&state, "reason")} "</p>"
    )
}

/// How many approvals wait.
async fn waiting(session: &Session) -> String {
    let asked = session.get(&format!("/approvals?status=pending&limit={COUNTED}")).await;
    let Ok(answer) = asked else { return "?".to_owned() };
    let count = answer["items"].as_array().map_or(0, Vec::len);
    let more = if answer["next_cursor"] == Value::Null { "" } else { "+" };
    format!("{count}{more}")
}
