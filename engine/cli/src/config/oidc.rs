//! `[oidc]`: whose tokens are believed, and what their groups may do.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use stanch_engine_core::span::Span;
use stanch_engine_core::suggest;
use stanch_engine_runtime::oidc::{Algorithm, Oidc, OidcSettings, SignIn};
use stanch_engine_runtime::people::Role;
use stanch_plugins_http::Fetcher;

use super::{Config, ConfigError};

/// The farthest that clocks may be apart.
const MOST_LEEWAY: Span = Span::from_secs(300);

/// An identity provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcConfig {
    /// Who signs, letter by letter as in the claim `iss`.
    pub issuer: String,
    /// For whom, as in the claim `aud`.
    pub audience: String,
    /// Where the keys are; as the issuer's own configuration says, unless it is said.
    pub jwks_url: Option<String>,
    /// How it may be signed; RS256, ES256 and EdDSA unless it is said.
    pub algorithms: Option<Vec<Algorithm>>,
    /// The claim with the person's name; `sub` unless it is said.
    pub name_claim: Option<String>,
    /// The claim with the person's groups; `groups` unless it is said.
    pub groups_claim: Option<String>,
    /// The roles of each group.
    #[serde(default)]
    pub groups: BTreeMap<String, Vec<String>>,
    /// The client that `stanch login` signs people in as; nobody does so unless it is said.
    pub client_id: Option<String>,
    /// What is asked of the provider then; `openid` unless it is said.
    pub scopes: Option<Vec<String>>,
    /// How far clocks may be apart; a minute unless it is said.
    pub leeway: Option<Span>,
}

impl Config {
    /// The identity provider, if there is one.
    ///
    /// # Errors
    /// [`ConfigError`] when there is no TLS on this machine.
    pub(crate) fn identity_provider(&self) -> Result<Option<Arc<Oidc>>, ConfigError> {
        let Some(oidc) = &self.oidc else { return Ok(None) };
        let fetch = Fetcher::new().map_err(|error| ConfigError(format!("[oidc]: {error}")))?;
        let or =
            |given: &Option<String>, usual: &str| given.clone().unwrap_or_else(|| usual.to_owned());
        let settings = OidcSettings {
            issuer: oidc.issuer.clone(),
            audience: oidc.audience.clone(),
            jwks_url: oidc.jwks_url.clone(),
            algorithms: oidc.algorithms.clone().unwrap_or_else(|| Algorithm::ALL.to_vec()),
            name_claim: or(&oidc.name_claim, "sub"),
            groups_claim: or(&oidc.groups_claim, "groups"),
            groups: oidc.groups.clone(),
            leeway_ms: oidc.leeway.map_or(60_000, |leeway| leeway.ms),
        };
        Ok(Some(Arc::new(Oidc::new(settings, Arc::new(fetch)))))
    }

    /// How people sign in with a browser, if they do.
    pub(crate) fn sign_in(&self) -> Option<SignIn> {
        let oidc = self.oidc.as_ref()?;
        let usual = || vec!["openid".to_owned()];
        Some(SignIn {
            issuer: oidc.issuer.clone(),
            audience: oidc.audience.clone(),
            client_id: oidc.client_id.clone()?,
            scopes: oidc.scopes.clone().unwrap_or_else(usual),
            jwks_url: oidc.jwks_url.clone(),
            algorithms: oidc.algorithms.clone().unwrap_or_else(|| Algorithm::ALL.to_vec()),
            name_claim: oidc.name_claim.clone().unwrap_or_else(|| "sub".to_owned()),
        })
    }

    /// # Errors
    /// [`ConfigError`] names the key.
    pub(super) fn check_oidc(&self) -> Result<(), ConfigError> {
        let Some(oidc) = &self.oidc else { return Ok(()) };
        let error = |text: String| Err(ConfigError(format!("[oidc] {text}")));
        let is_here = |url: &str| {
            ["http://127.0.0.1", "http://localhost"].iter().any(|here| url.starts_with(here))
        };
        for (key, url) in [("issuer", Some(&oidc.issuer)), ("jwks_url", oidc.jwks_url.as_ref())] {
            if let Some(url) = url.filter(|url| !url.starts_with("https://") && !is_here(url)) {
                return error(format!("`{key}`: `{url}` does not begin with https://"));
            }
        }
        if oidc.audience.is_empty() {
            return error("`audience` is empty: a token for anybody would be good".to_owned());
        }
        if oidc.client_id.as_ref().is_some_and(String::is_empty) {
            return error("`client_id` is empty: leave it out where nobody signs in".to_owned());
        }
        let asks = |scopes: &Vec<String>| scopes.iter().any(|scope| scope == "openid");
        if oidc.scopes.as_ref().is_some_and(|scopes| !asks(scopes)) {
            return error("`scopes` lack `openid`: there would be no ID token".to_owned());
        }
        if oidc.algorithms.as_ref().is_some_and(Vec::is_empty) {
            return error("`algorithms` names none".to_owned());
        }
        if oidc.leeway.is_some_and(|leeway| leeway > MOST_LEEWAY) {
            return error(format!("`leeway` may be {MOST_LEEWAY} at most"));
        }
        let known = Role::ALL.map(Role::as_str);
        for (group, roles) in &oidc.groups {
            if let Some((role, meant)) =
                roles.iter().find_map(|role| Some((role, suggest::slip(role, known)?)))
            {
                return error(format!("groups.{group}: `{role}`: did you mean `{meant}`?"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;

    const RIGHT: &str = "[oidc]\nissuer = \"https://idp.example.com\"\naudience = \"stanch\"\n";

    #[test]
    fn a_provider_needs_its_issuer_and_whom_its_tokens_are_for() {
        let config = load(&format!("{RIGHT}[oidc.groups]\nsoc = [\"responder\"]"), &[]).unwrap();
        assert!(config.identity_provider().unwrap().is_some());
        assert!(load("", &[]).unwrap().identity_provider().unwrap().is_none());
    }

    #[test]
    fn what_can_not_be_is_named() {
        for (text, word) in [
            (RIGHT.replace("https", "http"), "does not begin with https"),
            (RIGHT.replace("\"stanch\"", "\"\""), "audience"),
            (format!("{RIGHT}jwks_url = \"http://keys.example.com\""), "jwks_url"),
            (format!("{RIGHT}algorithms = [\"HS256\"]"), "HS256"),
            (format!("{RIGHT}algorithms = [\"none\"]"), "none"),
            (format!("{RIGHT}algorithms = []"), "names none"),
            (format!("{RIGHT}client_id = \"\""), "client_id"),
            (format!("{RIGHT}scopes = [\"groups\"]"), "openid"),
            (format!("{RIGHT}leeway = \"1h\""), "leeway"),
            (format!("{RIGHT}[oidc.groups]\nsoc = [\"respnder\"]"), "responder"),
            ("[oidc]\nissuer = \"https://idp.example.com\"".to_owned(), "audience"),
        ] {
            let error = load(&text, &[]).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
