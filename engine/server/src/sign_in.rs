//! `GET /v1/sign-in`: how people sign in with a browser. `stanch login` asks it before anybody is
//! known, and nothing of it is secret.

use axum::Json;
use axum::extract::State;
use futures_util::future::BoxFuture;
use stanch_engine_runtime::oidc::SignIn;

use crate::App;
use crate::problem::{Handled, Refusal};

/// What one sign-in at the console is known by until its answer comes, and nothing else. The browser keeps it.
#[derive(Clone)]
pub struct Pending {
    /// Says that what comes back belongs to what was asked.
    pub state: String,
    /// Says that the ID token does.
    pub nonce: String,
    /// Says that whoever gives the code asked for it (RFC 7636).
    pub verifier: String,
}

/// Asks the identity provider for whoever signs in at the console (authorization code with PKCE). What went
/// wrong is said in words.
pub trait AtProvider: std::fmt::Debug + Send + Sync {
    /// Where the browser is sent, to come back to `redirect`.
    fn begin<'a>(&'a self, redirect: &'a str) -> BoxFuture<'a, Result<(String, Pending), String>>;

    /// The token that a code is good for, which the server is to be shown.
    fn end<'a>(
        &'a self,
        redirect: &'a str,
        pending: Pending,
        code: &'a str,
    ) -> BoxFuture<'a, Result<String, String>>;
}

pub(crate) async fn show(State(app): State<App>) -> Handled<Json<SignIn>> {
    let detail = "nobody signs in with a browser here: set `client_id` under [oidc]";
    let found = app.settings.sign_in.as_deref().cloned();
    found.map(Json).ok_or_else(|| Refusal::not_found(detail))
}
