//! Callers whom an identity provider vouches for: signed tokens (JWT), checked against the keys that
//! the provider publishes.

mod jwt;
mod keys;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stanch_engine_core::time::Timestamp;
use stanch_plugins_sdk::Fetch;

pub use jwt::Algorithm;
use jwt::{Jwk, Unsigned};
use keys::Keys;

/// Characters of a person's name.
const NAME_CHARS: usize = 64;

/// Whom to believe, and what.
#[derive(Clone, Debug)]
pub struct OidcSettings {
    /// Who signs: the claim `iss`, letter by letter.
    pub issuer: String,
    /// For whom: one of the claim `aud`.
    pub audience: String,
    /// Where the keys are; as the issuer's own configuration says, unless it is said.
    pub jwks_url: Option<String>,
    /// How it may be signed.
    pub algorithms: Vec<Algorithm>,
    /// The claim with the person's name.
    pub name_claim: String,
    /// The claim with the person's groups.
    pub groups_claim: String,
    /// The roles of each group. A group that is not here is nothing.
    pub groups: BTreeMap<String, Vec<String>>,
    /// How far clocks may be apart, in milliseconds.
    pub leeway_ms: i64,
}

/// How people sign in with a browser, for whoever helps them to: nothing of it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// The provider.
    pub issuer: String,
    /// For whom the tokens are that callers show.
    pub audience: String,
    /// Who asks the provider: a client that keeps no secret (RFC 6749 section 2.1).
    pub client_id: String,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Where the keys are, where the provider does not say it.
    pub jwks_url: Option<String>,
    /// How tokens may be signed.
    pub algorithms: Vec<Algorithm>,
    /// The claim with the person's name.
    pub name_claim: String,
}

impl SignIn {
    /// What tokens of a sign-in are checked by: they are for the client that asked.
    pub fn settings(&self) -> OidcSettings {
        OidcSettings {
            issuer: self.issuer.clone(),
            audience: self.client_id.clone(),
            jwks_url: self.jwks_url.clone(),
            algorithms: self.algorithms.clone(),
            name_claim: self.name_claim.clone(),
            groups_claim: "groups".to_owned(),
            groups: BTreeMap::new(),
            leeway_ms: 60_000,
        }
    }
}

/// Who calls, as the provider says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The person.
    pub name: String,
    /// Their roles here.
    pub roles: Vec<String>,
    /// Until when the token is good.
    pub expires_at: Timestamp,
}

/// Why a token is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotBelieved {
    /// It is wrong.
    #[error("{0}")]
    Wrong(String),
    /// The provider's keys can't be had now.
    #[error("{0}")]
    Unavailable(String),
}

fn wrong(why: impl Into<String>) -> NotBelieved {
    NotBelieved::Wrong(why.into())
}

/// An identity provider.
pub struct Oidc {
    settings: OidcSettings,
    keys: Keys,
}

impl std::fmt::Debug for Oidc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Oidc").field("issuer", &self.settings.issuer).finish_non_exhaustive()
    }
}

impl Oidc {
    /// A provider that is asked for its keys when the first token comes.
    pub fn new(settings: OidcSettings, fetch: Arc<dyn Fetch>) -> Self {
        let keys = Keys::new(&settings.issuer, settings.jwks_url.clone(), fetch);
        Self { settings, keys }
    }

    /// Whether a secret looks like a token of a provider, and not like one of ours.
    pub fn is_token(secret: &str) -> bool {
        secret.matches('.').count() == 2
    }

    /// Checks a token, and says who calls.
    ///
    /// # Errors
    /// [`NotBelieved`] says why it is not believed.
    pub async fn check(&self, token: &str, now: Timestamp) -> Result<Identity, NotBelieved> {
        let unsigned = Unsigned::read(token).map_err(wrong)?;
        let algorithm = unsigned.algorithm(&self.settings.algorithms).map_err(wrong)?;
        // What can't be right for any key is refused before a key is asked for.
        let claims = self.claims(unsigned.claims(), now)?;
        let fits = |key: &Jwk| key.fits(algorithm, unsigned.key_id());
        let keys = self.keys.that(fits, now).await?;
        match keys.iter().any(|key| unsigned.is_signed_by(key, algorithm)) {
            true => Ok(claims),
            false => Err(wrong("the token's signature is wrong")),
        }
    }

    /// Checks the ID token of a sign-in (OpenID Connect Core 1.0, section 3.1.3.7): it holds what was made
    /// up for this one sign-in, and was asked for by nobody else.
    ///
    /// # Errors
    /// [`NotBelieved`] says why it is not believed.
    pub async fn check_sign_in(
        &self,
        token: &str,
        nonce: &str,
        now: Timestamp,
    ) -> Result<Identity, NotBelieved> {
        let identity = self.check(token, now).await?;
        let unsigned = Unsigned::read(token).map_err(wrong)?;
        let claims = unsigned.claims();
        if claims["nonce"] != nonce {
            return Err(wrong("the token's `nonce` is not the one of this sign-in"));
        }
        let is_ours = |by: &Value| *by == self.settings.audience;
        let is_for_many = claims["aud"].as_array().is_some_and(|all| all.len() > 1);
        match claims.get("azp") {
            Some(by) if !is_ours(by) => Err(wrong("the token was asked for by somebody else")),
            None if is_for_many => Err(wrong("the token is for several, and has no `azp`")),
            _ => Ok(identity),
        }
    }

    fn claims(&self, claims: &Value, now: Timestamp) -> Result<Identity, NotBelieved> {
        let settings = &self.settings;
        if claims["iss"] != settings.issuer {
            return Err(wrong("the token is of another issuer"));
        }
        let is_for_us = match &claims["aud"] {
            Value::Array(all) => all.iter().any(|one| *one == settings.audience),
            one => *one == settings.audience,
        };
        if !is_for_us {
            return Err(wrong("the token is for another audience"));
        }
        let moment = |name: &str| match &claims[name] {
            Value::Null => Ok(None),
            Value::Number(seconds) => {
                let seconds = seconds.as_f64().filter(|s| s.abs() < 1e11).unwrap_or(-1e11);
                Ok(Some(Timestamp::from_micros((seconds * 1e6) as i64)))
            }
            _ => Err(wrong(format!("the token's `{name}` is no number"))),
        };
        let leeway = settings.leeway_ms;
        let expires_at = moment("exp")?.ok_or_else(|| wrong("the token has no `exp`"))?;
        if now >= expires_at.plus_ms(leeway) {
            return Err(wrong("the token has expired"));
        }
        for name in ["nbf", "iat"] {
            if moment(name)?.is_some_and(|from| now.plus_ms(leeway) < from) {
                return Err(wrong(format!("the token's `{name}` lies ahead")));
            }
        }
        Ok(Identity { name: self.name(claims)?, roles: self.roles(claims), expires_at })
    }

    fn name(&self, claims: &Value) -> Result<String, NotBelieved> {
        let claim = &self.settings.name_claim;
        if claim == "email" && claims["email_verified"] == false {
            return Err(wrong("the token's `email` is not verified"));
        }
        let name = claims[claim.as_str()].as_str();
        let name = name.ok_or_else(|| wrong(format!("the token has no `{claim}`")))?;
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
        if name.is_empty() || name.len() > NAME_CHARS || !name.chars().all(legal) {
            return Err(wrong(format!(
                "the token's `{claim}` can't be a name: letters, digits and `-_.@`, {NAME_CHARS} at \
                 most"
            )));
        }
        // The first administrator is whoever has that one token, and nobody else.
        if name.eq_ignore_ascii_case("admin") {
            return Err(wrong(format!("the token's `{claim}` is `admin`, which is nobody's name")));
        }
        Ok(name.to_owned())
    }

    fn roles(&self, claims: &Value) -> Vec<String> {
        let groups = match &claims[self.settings.groups_claim.as_str()] {
            Value::Array(groups) => groups.iter().filter_map(Value::as_str).collect(),
            Value::String(group) => vec![group.as_str()],
            _ => Vec::new(),
        };
        let known = groups.into_iter().filter_map(|group| self.settings.groups.get(group));
        let mut roles: Vec<String> = known.flatten().cloned().collect();
        roles.sort();
        roles.dedup();
        roles
    }
}
