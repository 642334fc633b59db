//! Signing in with a token, and out. What the browser keeps from then on is a session of its own, and not
//! the token.

use axum::extract::{Query, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use stanch_engine_core::audit::{Asked, Ended, Outcome};
use stanch_engine_core::error_code;
use stanch_engine_runtime::sessions::{self, Proven};
use stanch_engine_runtime::{audit as log, people};
use stanch_engine_store::StoreError;

use super::api::Refused;
use super::session::{self, Fields, MOST_BYTES, Posted};
use super::{Console, layout};
use crate::body::capped;
use crate::html::{Html, html};
use crate::problem::{Handled, Refusal};
use crate::{audit, auth};

#[derive(Deserialize)]
pub(super) struct Asks {
    #[serde(default)]
    next: String,
}

/// Where somebody is sent who has not signed in. A page that another site leads to comes without the cookie
/// of whoever has: such a page is asked for once more, from here.
pub(super) fn first(parts: &Parts) -> Response {
    let wanted = parts.uri.path_and_query().map_or("/console", |wanted| wanted.as_str());
    let site = parts.headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    if parts.method == "GET" && site.is_some_and(|site| ["cross-site", "same-site"].contains(&site))
    {
        let again = html!("<meta http-equiv=\"refresh\" content=\"0; url=" {wanted} "\">");
        let body = html!(
            "<main><h1>Stanch</h1><p><a id=\"go-on\" href=\"" {wanted} "\">Go on</a></p></main>"
        );
        return layout::with_head(StatusCode::OK, "Go on", again, body);
    }
    let next = if parts.method == "GET" { own(wanted) } else { "/console" };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("next", next);
    layout::go(&format!("/console/sign-in?{}", query.finish()))
}

/// A page of the console, whatever is asked for.
fn own(next: &str) -> &str {
    let is_own =
        next == "/console" || next.starts_with("/console/") || next.starts_with("/console?");
    let legal = |c: char| c.is_ascii_graphic() && c != '\\';
    let is_own = is_own && next.chars().all(legal) && !next.starts_with("/console/sign-");
    if is_own { next } else { "/console" }
}

pub(super) async fn show(State(console): State<Console>, Query(asks): Query<Asks>) -> Response {
    page(&console, StatusCode::OK, own(&asks.next), Html::default())
}

/// The page on which people sign in.
pub(super) fn page(console: &Console, status: StatusCode, next: &str, said: Html) -> Response {
    let provider = console.app.settings.at_provider.is_some().then(|| {
        html!(
            "<p><a id=\"sign-in-provider\" class=\"button\" href=\"/console/sign-in/provider\">Sign in with \
             the identity provider</a></p>"
        )
    });
    let body = html!(
        "<main><h1>Sign in to Stanch</h1>" (said) (provider)
        "<form id=\"sign-in\" method=\"post\" action=\"/console/sign-in\">"
        "<input type=\"hidden\" name=\"next\" value=\"" {next} "\">"
        "<p><label for=\"secret\">API token</label><input id=\"secret\" name=\"secret\" type=\"password\" \
         autocomplete=\"off\" spellcheck=\"false\" required></p>"
        "<p><button id=\"sign-in-button\">Sign in</button></p></form>"
        "<p>A token is made by an administrator with <code>stanch token create</code>. Where there is an \
         identity provider, the token that <code>stanch login</code> keeps is one, too. The browser keeps a \
         session of its own, for 12 hours at most.</p></main>"
    );
    layout::bare(status, "Sign in", body)
}

/// Begins a session.
pub(super) async fn begin(State(console): State<Console>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if !session::is_from_here(&console, &head.headers) {
        return layout::refused(&session::forged());
    }
    let read = async {
        let _admitted = console.app.pressure.admit(&head.headers, MOST_BYTES)?;
        capped(body, MOST_BYTES).await
    };
    let fields = match read.await {
        Ok(body) => Fields::read(&body),
        Err(refusal) => return layout::refused(&refusal),
    };
    let next = own(fields.get("next"));
    match started(&console, &head, fields.get("secret").trim()).await {
        Ok((secret, age_s)) => {
            let mut response = layout::go(next);
            if let Some(cookie) = session::set(&console, &secret, age_s) {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(refusal) => {
            let refused = Refused::from(&refusal);
            page(&console, refused.status, next, layout::said(&refused))
        }
    }
}

/// The secret of a new session, and for how many seconds it is good.
async fn started(console: &Console, head: &Parts, secret: &str) -> Handled<(String, i64)> {
    let who = auth::believe(&console.app, secret).await;
    begun(console, &auth::address(head), who).await
}

/// Begins a session of whoever is believed, and writes down that it began, or that nobody was.
pub(super) async fn begun(
    console: &Console,
    from: &str,
    who: Handled<Proven>,
) -> Handled<(String, i64)> {
    let (app, verb) = (&console.app, "console.sign-in");
    let who = match who {
        Ok(who) => who,
        Err(refusal) => {
            audit::stranger(app, verb, format!("console {from}"), refusal.ended()).await;
            return Err(refusal);
        }
    };
    if who.token.as_deref().is_some_and(sessions::is_session) {
        let detail = "this is a session of the console, and no token: nobody signs in with it";
        return Err(Refusal::forbidden(detail));
    }
    let Proven { person, token, .. } = who.clone();
    let begun = sessions::begin(&app.runtime, who).await?;
    let begun = begun.ok_or_else(|| {
        let detail = format!("{person} was disabled");
        Refusal::new(StatusCode::UNAUTHORIZED, error_code::UNAUTHENTICATED, detail)
    })?;
    told(console, (verb, from), (person, token), begun.name.clone()).await?;
    let age_s = begun.expires_at.ms_since(app.runtime.world().now()) / 1_000;
    Ok((begun.secret, age_s))
}

/// Writes down that a session began or ended.
async fn told(
    console: &Console,
    (verb, from): (&str, &str),
    (person, token): (String, Option<String>),
    session: String,
) -> Result<(), StoreError> {
    let asked = Asked {
        at: console.app.runtime.world().now(),
        actor: Some(person),
        token,
        verb: verb.to_owned(),
        object: Some(session),
        from: from.to_owned(),
        reason: None,
        detail: json!({}),
    };
    let status = Some(StatusCode::OK.as_u16());
    let ended = Ended { outcome: Outcome::Done, status, code: None, object: None };
    log::record(&console.app.runtime, asked, ended).await
}

/// Ends the session at once, wherever its cookie is.
pub(super) async fn end(State(console): State<Console>, posted: Posted) -> Response {
    let session = posted.session;
    let ended = async {
        people::revoke_token(&console.app.runtime, &session.name).await?;
        let who = (session.caller.name.clone(), Some(session.name.clone()));
        let how = ("console.sign-out", session.caller.from.as_str());
        told(&console, how, who, session.name.clone()).await
    };
    if let Err(error) = ended.await {
        return layout::refused(&error.into());
    }
    let mut response = page(
        &console,
        StatusCode::OK,
        "/console",
        html!("<p id=\"signed-out\" role=\"status\">You are signed out.</p>"),
    );
    if let Some(cookie) = session::set(&console, "", 0) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_away_after_signing_in() {
        for own_page in
            ["/console", "/console/approvals/apr_1", "/console?x=1", "/console/kpis?a=b"]
        {
            assert_eq!(own(own_page), own_page);
        }
        for away in [
            "https://evil.example",
            "//evil.example/console",
            "/consolation",
            "/console/\\evil.example",
            "/console/\r\nset-cookie: a=b",
            "/console/sign-out",
            "",
        ] {
            assert_eq!(own(away), "/console", "{away}");
        }
    }
}
