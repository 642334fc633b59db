//! Whether what a provider gives is of whom it should be, and what of it is shown to the server.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use stanch_engine_runtime::oidc::{Oidc, OidcSettings, SignIn};
use stanch_engine_runtime::system;
use stanch_plugins_sdk::Fetch;

use super::provider::Tokens;
use super::{Kept, Refresh};

/// Whose tokens are expected.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose<'a> {
    /// Of whoever signed in, by what was made up for that one sign-in.
    OfSignIn(&'a str),
    /// Of the person who signed in before.
    Of(&'a str),
}

/// Checks whose tokens they are, and chooses what is shown to the server: the ID token where it is for
/// the server, too; else the access token.
pub(crate) async fn believed(
    sign_in: &SignIn,
    tokens: Tokens,
    whose: Whose<'_>,
) -> anyhow::Result<Kept> {
    const NO_ID: &str = "the identity provider gave no ID token";
    let now = system::world().now();
    let fetch: Arc<dyn Fetch> = Arc::new(stanch_plugins_http::Fetcher::new()?);
    let oidc = Oidc::new(sign_in.settings(), fetch.clone());
    let checked = match (&tokens.id_token, whose) {
        (Some(token), Whose::OfSignIn(nonce)) => Some(oidc.check_sign_in(token, nonce, now).await),
        (Some(token), Whose::Of(_)) => Some(oidc.check(token, now).await),
        (None, _) => None,
    };
    let signed = checked.transpose().context("the identity provider's answer is not believed")?;
    let name = match whose {
        Whose::OfSignIn(_) => signed.as_ref().context(NO_ID)?.name.clone(),
        Whose::Of(name) => name.to_owned(),
    };
    if let Some(other) = signed.as_ref().filter(|who| who.name != name) {
        bail!("the ID token is {}'s, and {name} signed in", other.name);
    }
    let refresh = tokens.refresh_token.map(|token| Refresh { token, sign_in: sign_in.clone() });
    if sign_in.audience == sign_in.client_id {
        let (token, who) = tokens.id_token.zip(signed).context(NO_ID)?;
        return Ok(Kept { name, token, expires_at: who.expires_at, refresh });
    }
    let token = tokens.access_token.filter(|token| Oidc::is_token(token)).context(
        "the identity provider's access token is no JWT: let `audience` under [oidc] be the client's id, so \
         that the ID token is shown",
    )?;
    let settings = OidcSettings { audience: sign_in.audience.clone(), ..sign_in.settings() };
    let shown = Oidc::new(settings, fetch).check(&token, now).await;
    let shown = shown.context("the identity provider's access token is not believed")?;
    if shown.name != name {
        bail!("the access token is {}'s, and {name} signed in", shown.name);
    }
    Ok(Kept { name, token, expires_at: shown.expires_at, refresh })
}
