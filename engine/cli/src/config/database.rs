//! `[database]`: how the database is used.

use std::sync::Arc;

use anyhow::bail;
use serde::Deserialize;
use stanch_engine_core::error_code;
use stanch_engine_core::span::Span;
use stanch_engine_store::{Options, Passwords};

/// How the database is used.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseConfig {
    /// Postgres without a pooler in between, for LISTEN; `database_url` unless it is said.
    pub listen_url: Option<String>,
    /// Connections that read, at most; eight unless it is said. One more writes, and on Postgres
    /// one listens.
    pub readers: Option<u32>,
    /// How long one statement may take on Postgres; for as long as it takes unless it is said.
    pub statement_timeout: Option<Span>,
    /// Whether the password is a token that IAM vouches for, as RDS takes them.
    pub iam: bool,
}

/// How a connection may be made by which a token travels: encrypted, in the words of libpq.
const ENCRYPTED: &[&str] = &["sslmode=require", "sslmode=verify-ca", "sslmode=verify-full"];

impl DatabaseConfig {
    /// How the database at `url` is opened; `tokens` is asked for where `iam` is set.
    ///
    /// # Errors
    /// When `iam` is set for what is no Postgres, or for connections that are not encrypted.
    pub fn options(
        &self,
        url: String,
        tokens: impl FnOnce() -> Arc<dyn Passwords>,
    ) -> anyhow::Result<Options> {
        let is_encrypted = |url: &&String| ENCRYPTED.iter().any(|mode| url.contains(mode));
        let urls = [Some(&url), self.listen_url.as_ref()];
        if self.iam && !urls.iter().flatten().all(is_encrypted) {
            bail!(
                "{}: [database] iam = true: the token would travel unencrypted. Add \
                 `?sslmode=verify-full&sslrootcert=FILE` to the URL of Postgres, with the bundle of \
                 certificates that AWS publishes for RDS",
                error_code::CONFIGURATION
            );
        }
        let usual = Options::new(url);
        Ok(Options {
            listen_url: self.listen_url.clone(),
            readers: self.readers.unwrap_or(usual.readers),
            statement_timeout_ms: self.statement_timeout.and_then(|t| u64::try_from(t.ms).ok()),
            passwords: self.iam.then(tokens),
            ..usual
        })
    }
}
