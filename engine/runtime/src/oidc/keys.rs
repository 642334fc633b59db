//! The keys that a provider publishes: kept, and asked for again when a token names one that is not
//! among them, but not more often than once a minute, however many such tokens come.

use std::sync::Arc;

use serde::Deserialize;
use stanch_engine_core::time::Timestamp;
use stanch_plugins_sdk::Fetch;
use tokio::sync::Mutex;

use super::NotBelieved;
use super::jwt::Jwk;

/// The least pause between two questions.
const PAUSE_MS: i64 = 60_000;

/// How long keys are good without a question: a provider that takes one back is heard within it.
const FRESH_MS: i64 = 3_600_000;

/// How long they are good while the provider does not answer.
const STALE_MS: i64 = 24 * 3_600_000;

/// Bytes of an answer, at most.
const MOST_BYTES: usize = 256 * 1024;

pub(super) struct Keys {
    issuer: String,
    url: Option<String>,
    fetch: Arc<dyn Fetch>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    keys: Vec<Jwk>,
    had_at: Option<Timestamp>,
    asked_at: Option<Timestamp>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Provider {
    issuer: String,
    jwks_uri: String,
}

impl Keys {
    pub(super) fn new(issuer: &str, url: Option<String>, fetch: Arc<dyn Fetch>) -> Self {
        Self { issuer: issuer.to_owned(), url, fetch, known: Mutex::default() }
    }

    /// The keys that fit; asked for anew when none does, or they are old. All who wait for the same
    /// answer ask once.
    pub(super) async fn that(
        &self,
        fits: impl Fn(&Jwk) -> bool,
        now: Timestamp,
    ) -> Result<Vec<Jwk>, NotBelieved> {
        let mut known = self.known.lock().await;
        let age_ms = known.had_at.map_or(i64::MAX, |at| now.ms_since(at));
        let is_there = known.keys.iter().any(&fits);
        let may_ask = known.asked_at.is_none_or(|at| now.ms_since(at) >= PAUSE_MS);
        if (age_ms >= FRESH_MS || !is_there) && may_ask {
            known.asked_at = Some(now);
            match self.ask().await {
                Ok(keys) => {
                    *known = Known { keys, had_at: Some(now), asked_at: Some(now), error: None };
                }
                Err(error) => {
                    tracing::warn!(issuer = %self.issuer, %error, "the provider's keys can't be had");
                    known.error = Some(error);
                }
            }
        }
        let is_stale = known.had_at.is_none_or(|at| now.ms_since(at) >= STALE_MS);
        if is_stale {
            let why = known.error.as_deref().unwrap_or("they were not asked for yet");
            let message = format!("the identity provider's keys can't be had now: {why}");
            return Err(NotBelieved::Unavailable(message));
        }
        let found: Vec<Jwk> = known.keys.iter().filter(|key| fits(key)).cloned().collect();
        if found.is_empty() {
            let why = "the token names a key that the identity provider does not publish";
            return Err(NotBelieved::Wrong(why.to_owned()));
        }
        Ok(found)
    }

    async fn ask(&self) -> Result<Vec<Jwk>, String> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => {
                let issuer = self.issuer.trim_end_matches('/');
                let place = format!("{issuer}/.well-known/openid-configuration");
                let provider: Provider = self.get(&place).await?;
                if provider.issuer != self.issuer {
                    return Err(format!("{place} is of the issuer `{}`", provider.issuer));
                }
                provider.jwks_uri
            }
        };
        if !url.starts_with("https://") && !self.issuer.starts_with("http://") {
            return Err(format!("the keys lie at `{url}`, which is not https"));
        }
        let published: Published = self.get(&url).await?;
        // Keys of kinds that are not known here may lie beside those that are.
        let keys = published.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        Ok(keys.collect())
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, url: &str) -> Result<T, String> {
        let bytes = self.fetch.get(url, MOST_BYTES).await?;
        serde_json::from_slice(&bytes).map_err(|error| format!("{url}: {error}"))
    }
}
