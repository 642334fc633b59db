//! A sign-in whose time is over goes on by itself, where the identity provider gave what new tokens are
//! asked for with (RFC 6749 section 6). That is good once at most providers: whoever asks keeps others
//! from it, and writes down what came before anything else is done with it.

use anyhow::{Context as _, anyhow};
use stanch_engine_runtime::system;

use super::provider::Provider;
use super::{Kept, Refresh, Whose, believed, lock};

/// What is shown to a server now.
///
/// # Errors
/// When nobody signed in there, or it is over and the provider gives no new token.
pub(crate) async fn token(server: &str) -> anyhow::Result<String> {
    let nobody = || format!("nobody is signed in at {server} any more: `stanch login`");
    let kept = super::of(server)?.with_context(nobody)?;
    if is_good(&kept) {
        return Ok(kept.token);
    }
    if kept.refresh.is_none() {
        return Err(over(server, &kept));
    }
    let lock = tokio::task::spawn_blocking(lock).await??;
    // Somebody else may have been first.
    let kept = lock.of(server)?.with_context(nobody)?;
    if is_good(&kept) {
        return Ok(kept.token);
    }
    let Some(refresh) = kept.refresh.clone() else { return Err(over(server, &kept)) };
    let provider = Provider::find(&refresh.sign_in).await?;
    let mut tokens = match provider.refresh(&refresh.sign_in, &refresh.token).await? {
        Ok(tokens) => tokens,
        Err(refused) => {
            // What is good for nothing is not asked with again.
            if refused.error == "invalid_grant" {
                lock.keep(server, Kept { refresh: None, ..kept.clone() })?;
            }
            let said = format!("the identity provider gives no new token: {}", refused.said);
            return Err(over(server, &kept).context(said));
        }
    };
    let token = tokens.refresh_token.take().unwrap_or(refresh.token);
    let next = Refresh { token, sign_in: refresh.sign_in };
    lock.keep(server, Kept { refresh: Some(next.clone()), ..kept.clone() })?;
    let shown = believed(&next.sign_in, tokens, Whose::Of(&kept.name)).await;
    let shown = shown.with_context(|| format!("sign in again: `stanch login` at {server}"))?;
    let token = shown.token.clone();
    lock.keep(server, Kept { refresh: Some(next), ..shown })?;
    Ok(token)
}

fn is_good(kept: &Kept) -> bool {
    system::world().now() < kept.expires_at
}

fn over(server: &str, kept: &Kept) -> anyhow::Error {
    let (name, until) = (&kept.name, kept.expires_at);
    anyhow!(
        "{name} was signed in at {server} until {until:.0}. Sign in again: `stanch login`, or `stanch logout`"
    )
}
