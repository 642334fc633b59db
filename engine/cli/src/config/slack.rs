//! `[slack]`: whose buttons are answered.

use serde::Deserialize;
use stanch_engine_core::limits;
use stanch_engine_server::trust::{Encoding, Proof, Signature, SignedTime, SourcePolicy};

use super::{Config, ConfigError, Reference, Variable};

/// The app of Slack.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlackConfig {
    /// What Slack signs its requests with, several while they are rotated. Without any, and without
    /// `app_token`, messages have no buttons.
    pub signing_secrets: Vec<Reference>,
    /// The app's token, `xapp-…`: buttons are told of on a line that this side opens (Socket Mode).
    pub app_token: Option<Reference>,
    /// Another address of Slack's API.
    pub base_url: Option<String>,
}

impl Config {
    /// Whether buttons of Slack are answered.
    pub(crate) fn has_buttons(&self) -> bool {
        !self.slack.signing_secrets.is_empty() || self.slack.app_token.is_some()
    }

    /// How Slack proves who it is (<https://api.slack.com/authentication/verifying-requests-from-slack>).
    ///
    /// # Errors
    /// When a secret is not where it is said to be.
    pub(crate) fn slack_policy(
        &self,
        variable: Variable<'_>,
    ) -> Result<Option<SourcePolicy>, ConfigError> {
        if self.slack.signing_secrets.is_empty() {
            return Ok(None);
        }
        let secret = |reference: &Reference| {
            reference.resolve_whole("slack.signing_secrets", variable).map(String::into_bytes)
        };
        let secrets = self.slack.signing_secrets.iter().map(secret).collect::<Result<_, _>>()?;
        let signature = Signature {
            header: http::HeaderName::from_static("x-slack-signature"),
            prefix: "v0=".to_owned(),
            encoding: Encoding::Hex,
            secrets,
            time: Some(SignedTime {
                header: http::HeaderName::from_static("x-slack-request-timestamp"),
                window_ms: limits::SIGNED_WINDOW_MS,
            }),
            around: ("v0:{timestamp}:".to_owned(), String::new()),
        };
        let proofs = vec![Proof::Signature(signature)];
        Ok(Some(SourcePolicy { proofs, ..SourcePolicy::default() }))
    }
}
