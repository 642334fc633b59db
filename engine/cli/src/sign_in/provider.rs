//! The identity provider: where it asks people, and what it gives tokens for: a code, and later what it
//! gave with the last ones.

use anyhow::{Context as _, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::world::World;
use stanch_engine_runtime::oidc::SignIn;
use std::net::SocketAddr;
use std::time::Duration;

/// How long the provider may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes of an answer of the provider's, at most.
const MOST_BYTES: usize = 256 * 1024;

/// What is made up for one sign-in, and is good for no other.
pub(crate) struct Once {
    /// Says that what comes back belongs to what was asked (RFC 6749 section 10.12).
    pub(crate) state: String,
    /// Says that the ID token does.
    pub(crate) nonce: String,
    /// Says that whoever gives the code asked for it (RFC 7636).
    pub(super) verifier: String,
    pub(super) redirect: String,
}

impl Once {
    pub(crate) fn new(world: &World, listens_at: SocketAddr) -> Self {
        Self::back_to(world, format!("http://{listens_at}/callback"))
    }

    /// One whose answer is brought to this address.
    pub(super) fn back_to(world: &World, redirect: String) -> Self {
        let random = || format!("{:032x}{:032x}", world.entropy.next(), world.entropy.next());
        Self { state: random(), nonce: random(), verifier: random(), redirect }
    }

    /// The S256 of the verifier.
    fn challenge(&self) -> String {
        BASE64.encode(Sha256::of(&self.verifier).bytes())
    }
}

/// What a provider gives.
#[derive(Deserialize)]
pub(crate) struct Tokens {
    /// Says who signed in.
    pub(super) id_token: Option<String>,
    /// Is shown to others.
    pub(super) access_token: Option<String>,
    /// What new ones are asked for with; in place of the one before, where there is a new one.
    pub(super) refresh_token: Option<String>,
}

/// The provider gives nothing for it.
#[derive(Debug)]
pub(crate) struct Refused {
    /// The word of RFC 6749 section 5.2.
    pub(super) error: String,
    /// All that was said.
    pub(super) said: String,
}

/// What a provider says of itself (OpenID Connect Discovery 1.0).
#[derive(Deserialize)]
struct Said {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    code_challenge_methods_supported: Option<Vec<String>>,
}

/// A provider that people can sign in at.
pub(crate) struct Provider {
    authorization_endpoint: Url,
    token_endpoint: Url,
}

impl Provider {
    pub(crate) async fn find(sign_in: &SignIn) -> anyhow::Result<Self> {
        let issuer = sign_in.issuer.trim_end_matches('/');
        let place = format!("{issuer}/.well-known/openid-configuration");
        let http = stanch_plugins_http::client_builder().timeout(PATIENCE).build()?;
        let answer = http.get(&place).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        let answer = answer.context("the identity provider does not answer")?;
        let said: Said = serde_json::from_value(json_of(answer).await?)
            .with_context(|| format!("{place} does not say where people sign in"))?;
        Self::of(&said, sign_in)
    }

    fn of(said: &Said, sign_in: &SignIn) -> anyhow::Result<Self> {
        if said.issuer != sign_in.issuer {
            let (said, known) = (&said.issuer, &sign_in.issuer);
            bail!("the identity provider says that it is `{said}`, and not `{known}`");
        }
        // A code without a verifier is good for whoever gets hold of it.
        let methods = said.code_challenge_methods_supported.as_ref();
        if methods.is_some_and(|methods| methods.iter().all(|method| method != "S256")) {
            bail!("the identity provider does not know PKCE with S256: nobody signs in without it");
        }
        let url = |text: &str| {
            let url = Url::parse(text).with_context(|| format!("`{text}` is no address"))?;
            if url.scheme() != "https" && !sign_in.issuer.starts_with("http://") {
                bail!("the identity provider names `{url}`, which is not https");
            }
            Ok(url)
        };
        Ok(Self {
            authorization_endpoint: url(&said.authorization_endpoint)?,
            token_endpoint: url(&said.token_endpoint)?,
        })
    }

    /// Where a person signs in.
    pub(crate) fn address(&self, sign_in: &SignIn, once: &Once) -> anyhow::Result<Url> {
        let mut url = self.authorization_endpoint.clone();
        let (scope, challenge) = (sign_in.scopes.join(" "), once.challenge());
        let asked = [
            ("response_type", "code"),
            ("client_id", sign_in.client_id.as_str()),
            ("redirect_uri", once.redirect.as_str()),
            ("scope", scope.as_str()),
            ("state", once.state.as_str()),
            ("nonce", once.nonce.as_str()),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        if url.query_pairs().any(|(name, _)| asked.iter().any(|(own, _)| *own == name)) {
            bail!(
                "the identity provider's address for signing in says already what is asked there"
            );
        }
        url.query_pairs_mut().extend_pairs(asked);
        Ok(url)
    }

    /// Gives a code for tokens, once.
    pub(crate) async fn exchange(
        &self,
        sign_in: &SignIn,
        once: &Once,
        code: &str,
    ) -> anyhow::Result<Tokens> {
        let asked = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", once.redirect.as_str()),
            ("client_id", sign_in.client_id.as_str()),
            ("code_verifier", once.verifier.as_str()),
        ];
        match self.ask(&asked).await? {
            Ok(tokens) => Ok(tokens),
            Err(refused) => {
                bail!("the identity provider takes the code for nothing: {}", refused.said)
            }
        }
    }

    /// Asks for new tokens, with what was given with the last ones (RFC 6749 section 6).
    pub(super) async fn refresh(
        &self,
        sign_in: &SignIn,
        token: &str,
    ) -> anyhow::Result<Result<Tokens, Refused>> {
        let asked = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", sign_in.client_id.as_str()),
        ];
        self.ask(&asked).await
    }

    async fn ask(&self, asked: &[(&str, &str)]) -> anyhow::Result<Result<Tokens, Refused>> {
        let mut form = Url::parse("http://form.invalid")?;
        form.query_pairs_mut().extend_pairs(asked);
        let http = stanch_plugins_http::client_builder().timeout(PATIENCE).build()?;
        let request = http
            .post(self.token_endpoint.clone())
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(form.query().unwrap_or_default().to_owned());
        let answer = request.send().await.context("the identity provider does not answer")?;
        let status = answer.status();
        let said = json_of(answer).await?;
        if !status.is_success() {
            let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
            let (error, why) = (text("error"), text("error_description"));
            let said = format!("{status} {error} {why}");
            return Ok(Err(Refused { error, said }));
        }
        let tokens = serde_json::from_value(said);
        tokens.map(Ok).map_err(|_| anyhow!("the identity provider's answer holds no tokens"))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn once(verifier: &str) -> Once {
        let (state, nonce) = ("s".to_owned(), "n".to_owned());
        let redirect = "http://127.0.0.1:1/callback".to_owned();
        Once { state, nonce, verifier: verifier.to_owned(), redirect }
    }

    /// RFC 7636, appendix B.
    #[test]
    fn the_challenge_is_the_one_of_rfc_7636() {
        let once = once("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(once.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    fn provider(changed: &[(&str, serde_json::Value)]) -> anyhow::Result<Provider> {
        let mut said = serde_json::json!({
            "issuer": "https://idp.example.com", "token_endpoint": "https://idp.example.com/token",
            "authorization_endpoint": "https://idp.example.com/auth?tenant=7",
        });
        for (name, value) in changed {
            said[*name] = value.clone();
        }
        Provider::of(&serde_json::from_value(said).unwrap(), &sign_in())
    }

    fn sign_in() -> SignIn {
        let said = serde_json::json!({
            "issuer": "https://idp.example.com", "audience": "stanch", "client_id": "stanch cli",
            "scopes": ["openid", "groups"], "jwks_url": null, "algorithms": ["ES256"],
            "name_claim": "sub",
        });
        serde_json::from_value(said).unwrap()
    }

    #[test]
    fn a_provider_that_would_weaken_the_sign_in_is_not_asked() {
        assert!(provider(&[]).is_ok());
        let s256 = serde_json::json!(["plain", "S256"]);
        let methods = "code_challenge_methods_supported";
        assert!(provider(&[(methods, s256)]).is_ok());
        for (name, value, says) in [
            (methods, serde_json::json!(["plain"]), "PKCE"),
            (methods, serde_json::json!([]), "PKCE"),
            ("issuer", serde_json::json!("https://idp.example.org"), "and not"),
            ("token_endpoint", serde_json::json!("http://idp.example.com/token"), "not https"),
            ("authorization_endpoint", serde_json::json!("http://idp.example.com/a"), "not https"),
        ] {
            let error = provider(&[(name, value)]).err().unwrap().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn the_address_asks_for_a_code_by_a_challenge() {
        let url = provider(&[]).unwrap().address(&sign_in(), &once("v")).unwrap().to_string();
        assert!(
            url.starts_with("https://idp.example.com/auth?tenant=7&response_type=code&"),
            "{url}"
        );
        for part in ["client_id=stanch+cli", "code_challenge_method=S256", "scope=openid+groups"] {
            assert!(url.contains(part), "{part}: {url}");
        }
        assert!(!url.contains("code_verifier"), "{url}");
        let fixed = serde_json::json!("https://idp.example.com/auth?state=known");
        let fixed = provider(&[("authorization_endpoint", fixed)]).unwrap();
        assert!(fixed.address(&sign_in(), &once("v")).is_err());
    }
}
