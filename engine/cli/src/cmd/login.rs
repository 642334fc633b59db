//! `stanch login`: a person signs in at the identity provider with a browser on this machine
//! (authorization code with PKCE: RFC 6749, RFC 7636, RFC 8252), and the commands speak as that person.

mod callback;
mod provider;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use stanch_engine_runtime::oidc::{Oidc, OidcSettings, SignIn};
use stanch_engine_runtime::system;
use stanch_plugins_sdk::Fetch;

use crate::args::{Common, Login};
use crate::client::Client;
use crate::config::{Config, environment};
use crate::output;
use crate::sign_in::{self, Kept};

/// How long a person may take at the provider.
const PATIENCE: Duration = Duration::from_secs(300);

/// Bytes of an answer of the provider's or the server's, at most.
const MOST_BYTES: usize = 256 * 1024;

/// The server that is meant.
fn server(common: &Common) -> anyhow::Result<String> {
    let config = Config::load(common.config.as_deref(), &environment)?;
    Ok(common.server.clone().unwrap_or_else(|| config.public_url()))
}

/// Signs in.
pub(super) async fn run(common: &Common, args: &Login) -> anyhow::Result<()> {
    let server = server(common)?;
    let sign_in: SignIn = serde_json::from_value(Client::ask(&server, "/sign-in").await?)
        .context("the server says how to sign in, in words that this version does not know")?;
    let provider = provider::Provider::find(&sign_in).await?;
    let listener = callback::listen(args.port).await?;
    let once = provider::Once::new(&system::world(), listener.address());
    println!(
        "Open this address in a browser on this machine:\n{}",
        provider.address(&sign_in, &once)?
    );
    let came = tokio::time::timeout(PATIENCE, listener.code(&once.state, &sign_in.issuer)).await;
    let code = came.context("nobody signed in within five minutes")??;
    let tokens = provider.exchange(&sign_in, &once, &code).await?;
    let kept = believed(&sign_in, &once, tokens).await?;
    // A token that the server does not believe is not kept in the place of one that it does.
    let client = Client::new(server.clone(), kept.token.clone())?;
    client.get("/approvals", &[("limit", "1".to_owned())]).await?;
    let (name, expires_at) = (kept.name.clone(), kept.expires_at);
    let place = sign_in::keep(&server, kept)?;
    if common.json {
        output::json(&json!({"name": name, "expires_at": expires_at, "server": server}));
    } else {
        println!("{name} is signed in at {server} until {expires_at:.0}; {}", place.display());
    }
    Ok(())
}

/// Forgets who signed in.
pub(super) fn out(common: &Common) -> anyhow::Result<()> {
    let server = server(common)?;
    if !sign_in::forget(&server)? {
        bail!("nobody is signed in at {server} on this machine");
    }
    if common.json {
        output::json(&json!({"server": server}));
    } else {
        println!("nobody is signed in at {server} any more");
    }
    Ok(())
}

/// Checks who signed in, and chooses what is shown to the server: the ID token where it is for the
/// server, too; else the access token.
async fn believed(
    sign_in: &SignIn,
    once: &provider::Once,
    tokens: provider::Tokens,
) -> anyhow::Result<Kept> {
    let now = system::world().now();
    let fetch: Arc<dyn Fetch> = Arc::new(stanch_plugins_http::Fetcher::new()?);
    let oidc = Oidc::new(sign_in.settings(), fetch.clone());
    let checked = oidc.check_sign_in(&tokens.id_token, &once.nonce, now).await;
    let who = checked.context("the identity provider's answer is not believed")?;
    if sign_in.audience == sign_in.client_id {
        return Ok(Kept { name: who.name, token: tokens.id_token, expires_at: who.expires_at });
    }
    let token = tokens.access_token.filter(|token| Oidc::is_token(token)).context(
        "the identity provider's access token is no JWT: let `audience` under [oidc] be the client's id, so \
         that the ID token is shown",
    )?;
    let settings = OidcSettings { audience: sign_in.audience.clone(), ..sign_in.settings() };
    let shown = Oidc::new(settings, fetch).check(&token, now).await;
    let shown = shown.context("the identity provider's access token is not believed")?;
    if shown.name != who.name {
        bail!("the access token is {}'s, and {} signed in", shown.name, who.name);
    }
    Ok(Kept { name: who.name, token, expires_at: shown.expires_at })
}

/// The JSON of an answer that is not longer than it should be.
async fn json_of(mut answer: reqwest::Response) -> anyhow::Result<Value> {
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await.context("the answer broke off")? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > MOST_BYTES {
            bail!("the answer is longer than any should be");
        }
    }
    serde_json::from_slice(&bytes).context("the answer is no JSON")
}
