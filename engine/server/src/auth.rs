//! Who calls.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::error_code;
use stanch_engine_core::scope::{CustomRole, Grant, Scope, grants};
use stanch_engine_runtime::everybody;
use stanch_engine_runtime::oidc::{Identity, NotBelieved, Oidc};
use stanch_engine_runtime::people::{self, Caller, Role};
use stanch_engine_runtime::runs::Person;
use stanch_engine_runtime::sessions::{self, Proven};

use crate::App;
use crate::problem::{Handled, Refusal};
use crate::reach::Reach;

/// The name of whoever has the first token.
pub(crate) const ADMIN: &str = people::FIRST_ADMIN;

/// The name of the token that was called with.
#[derive(Clone)]
pub(crate) struct TokenName(pub(crate) String);

/// From where it is called.
pub(crate) fn address(parts: &Parts) -> String {
    let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    connected.map_or_else(|| "unknown".to_owned(), |info| info.0.ip().to_string())
}

/// A caller that was recognised by its token.
pub(crate) struct Known(pub(crate) Caller);

fn bearer(parts: &Parts) -> Handled<&str> {
    let refuse =
        |detail: &str| Refusal::new(StatusCode::UNAUTHORIZED, error_code::UNAUTHENTICATED, detail);
    let header = parts
        .headers
        .get("authorization")
        .ok_or_else(|| refuse("send `Authorization: Bearer TOKEN`"))?;
    let text = header.to_str().map_err(|_| refuse("the header `Authorization` is no text"))?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(refuse("the header `Authorization` must be `Bearer TOKEN`")),
    }
}

fn unknown() -> Refusal {
    let detail = "the token is unknown, has expired or was revoked";
    Refusal::new(StatusCode::UNAUTHORIZED, error_code::UNAUTHENTICATED, detail)
}

/// Who calls with a token of an identity provider.
async fn vouched(app: &App, oidc: &Oidc, token: &str) -> Handled<Identity> {
    let checked = oidc.check(token, app.runtime.world().now()).await;
    let known = checked.map_err(|error| match error {
        NotBelieved::Wrong(why) => {
            Refusal::new(StatusCode::UNAUTHORIZED, error_code::UNAUTHENTICATED, why)
        }
        NotBelieved::Unavailable(why) => {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error_code::UNCHECKED, why)
        }
    })?;
    if !everybody::meet(&app.runtime, &known).await? {
        let detail = format!("{} was disabled", known.name);
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, error_code::UNAUTHENTICATED, detail));
    }
    Ok(known)
}

impl FromRequestParts<App> for Known {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Handled<Self> {
        // Who called was found out when the call was let through.
        if let Some(caller) = parts.extensions.get::<Caller>() {
            return Ok(Self(caller.clone()));
        }
        let secret = bearer(parts)?;
        let from = address(parts);
        let (it, own) = (believe(app, secret).await?, &app.runtime.settings().roles);
        // Nobody makes the first administrator less by a role of the same name.
        let grants = if it.person == ADMIN {
            grants(&none(), &it.roles, &it.scope)
        } else {
            grants(own, &it.roles, &it.scope)
        };
        if let Some(token) = it.token {
            parts.extensions.insert(TokenName(token));
        }
        Ok(Self::within(parts, grants, it.person, from))
    }
}

/// Whose a secret is, and what it grants.
///
/// # Errors
/// When it is none that is good, or it can't be checked now.
pub(crate) async fn believe(app: &App, secret: &str) -> Handled<Proven> {
    let shown = Sha256::of(secret);
    if shown == app.settings.admin_token {
        let (person, roles) = (ADMIN.to_owned(), vec![Role::Admin.as_str().to_owned()]);
        let scope = Scope::default();
        return Ok(Proven { person, roles, scope, token: None, shown, until: None });
    }
    if let Some(oidc) = app.settings.oidc.as_ref().filter(|_| Oidc::is_token(secret)) {
        let Identity { name, roles, expires_at } = vouched(app, oidc, secret).await?;
        let (scope, until) = (Scope::default(), Some(expires_at));
        return Ok(Proven { person: name, roles, scope, token: None, shown, until });
    }
    let token = people::find(&app.runtime, secret).await?.ok_or_else(unknown)?;
    // Of the first administrator there are sessions only, which are over when that token is another.
    if token.person == ADMIN && !sessions::was_begun_with(&token.name, app.settings.admin_token) {
        return Err(unknown());
    }
    Ok(Proven {
        person: token.person,
        roles: token.roles,
        scope: token.scope,
        token: Some(token.name),
        shown,
        until: token.expires_at,
    })
}

fn none() -> std::collections::BTreeMap<String, CustomRole> {
    Default::default()
}

/// Whether the webhook's token is there, which senders have that the configuration says nothing of.
pub(crate) fn sender(parts: &Parts, app: &App) -> Handled<()> {
    let hash = Sha256::of(bearer(parts)?);
    let known = [app.settings.webhook_token, app.settings.admin_token];
    if known.contains(&hash) { Ok(()) } else { Err(unknown()) }
}

impl Known {
    /// A caller with all roles of what they were granted, and how far those reach.
    fn within(parts: &mut Parts, grants: Vec<Grant>, name: String, from: String) -> Self {
        let roles = grants.iter().flat_map(|grant| grant.roles.clone()).collect();
        parts.extensions.insert(Reach(grants));
        Self(Caller { name, roles, from })
    }

    /// Refuses callers without the role.
    pub(crate) fn must_be(&self, role: Role) -> Handled<&Caller> {
        if self.0.is(role) {
            return Ok(&self.0);
        }
        let role = role.as_str();
        Err(Refusal::forbidden(format!("{} has not the role {role}", self.0.name)))
    }

    /// A caller with the role, who says why.
    pub(crate) fn saying(&self, role: Role, reason: String) -> Handled<Person> {
        let name = self.must_be(role)?.name.clone();
        if reason.trim().is_empty() {
            let why = "`reason` is missing: say why, it goes into the record";
            return Err(Refusal::bad_request(why));
        }
        // Postgres keeps none, and would say that it can't write now.
        if reason.contains('\0') {
            return Err(Refusal::bad_request("`reason` has a NUL in it: leave it out"));
        }
        Ok(Person { name, reason })
    }
}
