//! `stanch login`: a person signs in at the identity provider with a browser on this machine
//! (authorization code with PKCE: RFC 6749, RFC 7636, RFC 8252), and the commands speak as that person.

mod callback;

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::json;
use stanch_engine_runtime::oidc::SignIn;
use stanch_engine_runtime::system;

use crate::args::{Common, Login};
use crate::client::Client;
use crate::config::{Config, environment};
use crate::output;
use crate::sign_in::{self, Once, Provider, Whose};

/// How long a person may take at the provider.
const PATIENCE: Duration = Duration::from_secs(300);

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
    let provider = Provider::find(&sign_in).await?;
    let listener = callback::listen(args.port).await?;
    let once = Once::new(&system::world(), listener.address());
    println!(
        "Open this address in a browser on this machine:\n{}",
        provider.address(&sign_in, &once)?
    );
    let came = tokio::time::timeout(PATIENCE, listener.code(&once.state, &sign_in.issuer)).await;
    let (code, browser) = came.context("nobody signed in within five minutes")??;
    let kept = async {
        let tokens = provider.exchange(&sign_in, &once, &code).await?;
        let kept = sign_in::believed(&sign_in, tokens, Whose::OfSignIn(&once.nonce)).await?;
        // A token that the server does not believe is not kept in the place of one that it does.
        let client = Client::new(server.clone(), kept.token.clone())?;
        client.get("/approvals", &[("limit", "1".to_owned())]).await?;
        let (name, expires_at) = (kept.name.clone(), kept.expires_at);
        anyhow::Ok((name, expires_at, sign_in::keep(&server, kept)?))
    };
    let kept = kept.await;
    browser.tell(kept.is_ok()).await;
    let (name, expires_at, place) = kept?;
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
