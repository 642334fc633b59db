//! `[retention]`: for how long what stays where.

use serde::Deserialize;
use stanch_engine_core::span::Span;

/// For how long what stays where.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// For how long the journals of runs that ended stay in the database, a day at least; then they
    /// lie in the evidence store.
    pub journals: Option<Span>,
}
