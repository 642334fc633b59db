//! `[retention]`: for how long what stays where.

use serde::Deserialize;
use stanch_engine_core::span::Span;

use super::{Config, ConfigError};

/// For how long what stays where.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// For how long the journals of runs that ended stay in the database, a day at least; then they
    /// lie in the evidence store.
    pub journals: Option<Span>,
    /// For how long evidence stays after its incident was closed, a day at least; then it is deleted, and
    /// the custody chain says so. For ever unless it is said.
    pub evidence: Option<Span>,
}

impl Config {
    /// # Errors
    /// [`ConfigError`] names the key.
    pub(super) fn check_retention(&self) -> Result<(), ConfigError> {
        let Retention { journals, evidence } = self.retention;
        for (key, span) in [("journals", journals), ("evidence", evidence)] {
            if let Some(span) = span.filter(|span| *span < Span::from_secs(86_400)) {
                return Err(ConfigError(format!("`retention.{key}`: {span} is less than a day")));
            }
        }
        if evidence.is_some() && self.evidence.store.is_some() {
            let why = "`retention.evidence`: evidence lies in a bucket, where Stanch deletes nothing: \
                       leave it out, and let `evidence.lock_days` and a lifecycle rule of the bucket say \
                       how long it stays";
            return Err(ConfigError(why.to_owned()));
        }
        Ok(())
    }
}
