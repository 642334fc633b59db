//! A source: one kind of sender, and how its payloads become alerts.

use serde_json::Value;
use stanch_engine_core::alert::Alert;

use crate::Around;

/// One kind of sender.
pub trait Source: Send + Sync + 'static {
    /// Its name in the webhook's path, such as `guardduty`.
    fn name(&self) -> &str;

    /// Whether a payload looks like one of this source's.
    fn recognises(&self, payload: &Value) -> bool;

    /// Why it could not tell whether a payload is its own. Only a source that was written by its
    /// user can be at a loss.
    fn why_not(&self, _payload: &Value) -> Option<String> {
        None
    }

    /// Reads a payload, of which several alerts may come; what was around it fills in what only
    /// the envelope knows. Each alert stands for itself: one that can't be read takes no other
    /// with it.
    fn read(&self, payload: &Value, around: &Around) -> Vec<Result<Alert, SourceError>>;
}

/// Why a payload can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// A member that an alert can't be without is missing or of another type.
    #[error("`{path}` is missing or is not {expected}")]
    Member {
        /// Where it would stand.
        path: String,
        /// What it would be.
        expected: &'static str,
    },
    /// It is known, and is no alert.
    #[error("{0}")]
    Refused(String),
    /// It is something else.
    #[error("{0}")]
    NotMine(String),
}
