//! Signing in at the identity provider: the browser is sent there, and comes back with a code.

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use stanch_engine_core::error_code;
use stanch_engine_runtime::sessions::Proven;

use super::api::Refused;
use super::{Console, layout, session, sign_in};
use crate::auth;
use crate::html::html;
use crate::problem::{Handled, Refusal};
use crate::sign_in::Pending;

/// How long a person may take at the provider, in seconds.
const PATIENCE_S: i64 = 600;

/// Where the provider sends the browser back to.
fn redirect(console: &Console) -> String {
    let public = console.app.runtime.settings().public_url.trim_end_matches('/');
    format!("{public}/console/sign-in/callback")
}

fn no_provider() -> Refusal {
    Refusal::not_found("nobody signs in at a provider here: set `client_id` under [oidc]")
}

fn nobody(detail: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, error_code::UNAUTHENTICATED, detail)
}

/// The page on which people sign in, which says why nobody did.
fn refused(console: &Console, refusal: &Refusal) -> Response {
    let refused = Refused::from(refusal);
    sign_in::page(console, refused.status, "/console", layout::said(&refused))
}

/// Sends the browser to the provider.
pub(super) async fn begin(State(console): State<Console>) -> Response {
    let Some(provider) = console.app.settings.at_provider.clone() else {
        return refused(&console, &no_provider());
    };
    let begun = provider.begin(&redirect(&console)).await;
    let (address, Pending { state, nonce, verifier }) = match begun {
        Ok(begun) => begun,
        Err(why) => {
            let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error_code::UNCHECKED, why);
            return refused(&console, &refusal);
        }
    };
    let mut response = layout::go(&address);
    let kept = format!("{state}.{nonce}.{verifier}");
    if let Some(cookie) = session::set_pending(&console, &kept, PATIENCE_S) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Takes what the provider sent the browser back with.
pub(super) async fn end(State(console): State<Console>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let from = auth::address(&head);
    let who = async {
        let (pending, code) = code(&console, &head)?;
        let token = exchanged(&console, pending, &code).await?;
        // What the provider says of a person is asked for anew when the session is over, and not when the
        // token is, which is a matter of minutes.
        let who = auth::believe(&console.app, &token).await?;
        Ok(Proven { until: None, ..who })
    };
    let who = who.await;
    let mut response = match sign_in::begun(&console, &from, who).await {
        Ok((secret, age_s)) => signed_in(session::set(&console, &secret, age_s)),
        Err(refusal) => refused(&console, &refusal),
    };
    // A code is good once, and so is what it was asked for with.
    if let Some(cookie) = session::set_pending(&console, "", 0) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The code of the sign-in that this browser began, and what it was asked for with.
fn code(console: &Console, head: &Parts) -> Handled<(Pending, String)> {
    let query = head.uri.query().unwrap_or_default();
    let one = |wanted: &str| {
        let all = form_urlencoded::parse(query.as_bytes());
        let mut found =
            all.filter(|(name, _)| **name == *wanted).map(|(_, value)| value.into_owned());
        let value = found.next();
        // What stands there twice is nothing (RFC 6749 section 3.1).
        if found.next().is_some() { None } else { value }
    };
    let of_another =
        || nobody("this is the answer to no sign-in that this browser began: begin again");
    let kept = session::pending(console, &head.headers).ok_or_else(of_another)?;
    let mut parts = kept.splitn(3, '.');
    let (Some(state), Some(nonce), Some(verifier)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(of_another());
    };
    if one("state").as_deref() != Some(state) {
        return Err(of_another());
    }
    // Whose answer it is, where the provider says it (RFC 9207).
    let issuer = console.app.settings.sign_in.as_ref().map(|sign_in| sign_in.issuer.as_str());
    if one("iss").is_some_and(|iss| Some(iss.as_str()) != issuer) {
        return Err(nobody("this is the answer of another identity provider"));
    }
    match (one("code"), one("error")) {
        (Some(code), None) => {
            let [state, nonce, verifier] = [state, nonce, verifier].map(str::to_owned);
            Ok((Pending { state, nonce, verifier }, code))
        }
        (_, Some(error)) => {
            let error: String = error.chars().take(100).collect();
            Err(nobody(format!("the identity provider says no: {error}")))
        }
        (None, None) => Err(nobody("the identity provider's answer holds no code")),
    }
}

/// The token that a code is good for.
async fn exchanged(console: &Console, pending: Pending, code: &str) -> Handled<String> {
    let provider = console.app.settings.at_provider.clone().ok_or_else(no_provider)?;
    provider.end(&redirect(console), pending, code).await.map_err(nobody)
}

/// Goes on to the console. A browser that another site sent here keeps the new cookie back until it is led on
/// by a page of this one.
fn signed_in(cookie: Option<HeaderValue>) -> Response {
    let on = html!("<meta http-equiv=\"refresh\" content=\"0; url=/console\">");
    let body = html!(
        "<main><h1>You are signed in</h1><p><a id=\"go-on\" href=\"/console\">To the console</a></p></main>"
    );
    let mut response = layout::with_head(StatusCode::OK, "Signed in", on, body);
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
