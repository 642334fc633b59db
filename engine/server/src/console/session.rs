//! Who looks at the console: a session in a cookie that no script reads and no other site sends, and the
//! marks that say that a form is one of ours.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::error_code;
use stanch_engine_runtime::people::Caller;
use stanch_engine_runtime::sessions;

use super::{Console, layout, sign_in};
use crate::auth::{Known, TokenName};
use crate::body::capped;
use crate::problem::{Handled, Refusal};
use crate::reach::Reach;

/// Bytes of a form: a reason, and what a question asks for.
pub(super) const MOST_BYTES: usize = 256 * 1024;

/// The name of the cookie. Where there is TLS, browsers take one of this name from nobody but this host.
const COOKIE: &str = "stanch_console";
const COOKIE_OF_HOST: &str = "__Host-stanch_console";

/// The member of a form that says that it is one of this session's.
pub(super) const FORM_TOKEN: &str = "form_token";

/// Somebody who has signed in.
pub(super) struct Session {
    pub(super) console: Console,
    pub(super) caller: Caller,
    pub(super) reach: Reach,
    /// The session's own name, by which it is revoked.
    pub(super) name: String,
    pub(super) secret: String,
    pub(super) connected: Option<ConnectInfo<SocketAddr>>,
}

impl Session {
    /// What each form of this session says.
    pub(super) fn form_token(&self) -> String {
        Sha256::of(format!("a form of the session {}", self.secret)).to_string()
    }
}

/// The name of the cookie where the console is at this address.
fn name(console: &Console) -> &'static str {
    if is_secure(console) { COOKIE_OF_HOST } else { COOKIE }
}

fn is_secure(console: &Console) -> bool {
    console.app.runtime.settings().public_url.starts_with("https://")
}

/// A cookie that the console alone is sent.
fn cookie(
    console: &Console,
    (name, value): (&str, &str),
    same_site: &str,
    age_s: i64,
) -> Option<HeaderValue> {
    let secure = if is_secure(console) { "; Secure" } else { "" };
    let text = format!(
        "{name}={value}; Path=/; HttpOnly; SameSite={same_site}; Max-Age={}{secure}",
        age_s.max(0)
    );
    HeaderValue::from_str(&text).ok()
}

/// The name of the cookie that holds what a sign-in at the provider is known by.
fn pending_name(console: &Console) -> &'static str {
    if is_secure(console) { "__Host-stanch_console_pending" } else { "stanch_console_pending" }
}

/// That cookie, for so many seconds. It comes along when the provider sends the browser back, as one that is
/// `Strict` would not.
pub(super) fn set_pending(console: &Console, value: &str, age_s: i64) -> Option<HeaderValue> {
    cookie(console, (pending_name(console), value), "Lax", age_s)
}

/// What it holds.
pub(super) fn pending(console: &Console, headers: &HeaderMap) -> Option<String> {
    came(headers, pending_name(console))
}

/// The cookie of a session, for so many seconds.
pub(super) fn set(console: &Console, secret: &str, age_s: i64) -> Option<HeaderValue> {
    cookie(console, (name(console), secret), "Strict", age_s)
}

/// A cookie that came; nothing when it came twice, since one of the two is somebody else's.
fn came(headers: &HeaderMap, wanted: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|all| all.to_str().ok());
    let mut found = all
        .flat_map(|all| all.split(';'))
        .filter_map(|one| one.trim().split_once('='))
        .filter(|(name, _)| *name == wanted)
        .map(|(_, value)| value.to_owned());
    let first = found.next().filter(|value| !value.is_empty());
    if found.next().is_some() { None } else { first }
}

/// Whether a browser says that a form comes from a page of this console.
pub(super) fn is_from_here(console: &Console, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let site = text("sec-fetch-site");
    if site.is_some_and(|site| site != "same-origin") {
        return false;
    }
    let Some(origin) = text("origin") else { return site.is_some() };
    let own = console.app.runtime.settings().public_url.trim_end_matches('/');
    let host = origin.split_once("://").map(|(_, host)| host);
    origin == own || (host.is_some() && host == text("host"))
}

impl FromRequestParts<Console> for Session {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Response> {
        let secret = came(&parts.headers, name(console));
        let found = match secret {
            Some(secret) => find(console, parts, secret).await,
            None => Ok(None),
        };
        match found {
            Ok(Some(session)) => Ok(session),
            Ok(None) => Err(sign_in::first(parts)),
            Err(refusal) => Err(layout::refused(&refusal)),
        }
    }
}

/// The session of a secret; nothing when it is over.
async fn find(console: &Console, parts: &Parts, secret: String) -> Handled<Option<Session>> {
    let Ok(bearer) = HeaderValue::from_str(&format!("Bearer {secret}")) else { return Ok(None) };
    let (mut head, ()) = Request::new(()).into_parts();
    head.headers.insert(header::AUTHORIZATION, bearer);
    let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>().copied();
    if let Some(connected) = connected {
        head.extensions.insert(connected);
    }
    let known = Known::from_request_parts(&mut head, &console.app).await;
    let caller = match known {
        Ok(known) => known.0,
        Err(refusal) if refusal.status() == StatusCode::UNAUTHORIZED => return Ok(None),
        Err(refusal) => return Err(refusal),
    };
    // A cookie holds sessions, and no token that is good elsewhere for longer.
    let name = head.extensions.get::<TokenName>().map(|token| token.0.clone());
    let Some(name) = name.filter(|name| sessions::is_session(name)) else { return Ok(None) };
    let reach = head.extensions.get::<Reach>().cloned().unwrap_or_default();
    Ok(Some(Session { console: console.clone(), caller, reach, name, secret, connected }))
}

/// The members of a form, in their order.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn read(body: &[u8]) -> Self {
        let all = form_urlencoded::parse(body);
        // Browsers send the end of a line as two characters.
        Self(all.map(|(name, value)| (name.into_owned(), value.replace("\r\n", "\n"))).collect())
    }

    /// The first of a name, or nothing in it.
    pub(super) fn get(&self, wanted: &str) -> &str {
        self.all(wanted).next().unwrap_or_default()
    }

    pub(super) fn all<'f>(&'f self, wanted: &str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    /// Those whose names begin so, without that beginning.
    pub(super) fn below(&self, start: &str) -> Vec<(String, String)> {
        let below = self.0.iter().filter_map(|(name, value)| {
            Some((name.strip_prefix(start)?.to_owned(), value.clone()))
        });
        below.collect()
    }
}

/// A form that somebody who has signed in sent from a page of this session.
pub(super) struct Posted {
    pub(super) session: Session,
    pub(super) fields: Fields,
}

pub(super) fn forged() -> Refusal {
    let detail = "this form does not come from a page of this session: open the page again, and send it from \
                  there. Nothing was done";
    Refusal::new(StatusCode::FORBIDDEN, error_code::FORBIDDEN, detail)
}

impl FromRequest<Console> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        if !is_from_here(console, &parts.headers) {
            return Err(layout::refused(&forged()));
        }
        let session = Session::from_request_parts(&mut parts, console).await?;
        let body = capped(body, MOST_BYTES).await;
        let body = body.map_err(|refusal| layout::refused(&refusal))?;
        let fields = Fields::read(&body);
        // By their hashes: how long it takes says nothing of how much of it was right.
        if Sha256::of(fields.get(FORM_TOKEN)) != Sha256::of(session.form_token()) {
            return Err(layout::refused(&forged()));
        }
        Ok(Self { session, fields })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_that_came_twice_is_none() {
        let mut headers = HeaderMap::new();
        headers.insert("cookie", HeaderValue::from_static("a=1; stanch_console=x; b=2"));
        assert_eq!(came(&headers, COOKIE).as_deref(), Some("x"));
        assert_eq!(came(&headers, COOKIE_OF_HOST), None);
        headers.append("cookie", HeaderValue::from_static("stanch_console=y"));
        assert_eq!(came(&headers, COOKIE), None);
    }

    #[test]
    fn a_form_is_read_in_its_order() {
        let fields = Fields::read(b"act=note&also=a&also=b&form.x=1&text=a%0D%0Ab");
        assert_eq!((fields.get("act"), fields.get("text"), fields.get("no")), ("note", "a\nb", ""));
        assert_eq!(fields.all("also").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(fields.below("form."), [("x".to_owned(), "1".to_owned())]);
    }
}
