//! Signing in at the console: the server asks the provider, by the same steps as `stanch login`.

use stanch_engine_runtime::oidc::SignIn;
use stanch_engine_runtime::system;
use stanch_engine_server::{AtProvider, Pending};
use stanch_plugins_sdk::BoxFuture;

use super::{Once, Provider, Whose, believed};

/// The provider, as the console asks it.
#[derive(Debug)]
pub(crate) struct ForConsole(pub(crate) SignIn);

fn said(error: anyhow::Error) -> String {
    format!("{error:#}")
}

impl AtProvider for ForConsole {
    fn begin<'a>(&'a self, redirect: &'a str) -> BoxFuture<'a, Result<(String, Pending), String>> {
        Box::pin(async move {
            let provider = Provider::find(&self.0).await.map_err(said)?;
            let once = Once::back_to(&system::world(), redirect.to_owned());
            let address = provider.address(&self.0, &once).map_err(said)?;
            let Once { state, nonce, verifier, .. } = once;
            Ok((address.to_string(), Pending { state, nonce, verifier }))
        })
    }

    fn end<'a>(
        &'a self,
        redirect: &'a str,
        pending: Pending,
        code: &'a str,
    ) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            let provider = Provider::find(&self.0).await.map_err(said)?;
            let Pending { state, nonce, verifier } = pending;
            let once = Once { state, nonce, verifier, redirect: redirect.to_owned() };
            let tokens = provider.exchange(&self.0, &once, code).await.map_err(said)?;
            let kept = believed(&self.0, tokens, Whose::OfSignIn(&once.nonce)).await;
            Ok(kept.map_err(said)?.token)
        })
    }
}
