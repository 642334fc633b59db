//! `[database]`: how the database is used.

use serde::Deserialize;
use stanch_engine_core::span::Span;
use stanch_engine_store::{CommitHook, Options};

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
}

impl DatabaseConfig {
    /// How the database at `url` is opened.
    pub fn options(&self, url: String, on_commit: Option<CommitHook>) -> Options {
        let usual = Options::new(url);
        Options {
            listen_url: self.listen_url.clone(),
            readers: self.readers.unwrap_or(usual.readers),
            statement_timeout_ms: self.statement_timeout.and_then(|t| u64::try_from(t.ms).ok()),
            on_commit,
            ..usual
        }
    }
}
