//! What an action does to the world, what may be done with it after a crash, and the modes.

use serde::{Deserialize, Serialize};

/// How far an action reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It only looks.
    Read,
    /// It tells somebody.
    Notify,
    /// It changes something that can be changed back.
    Change,
    /// It changes something that can't be changed back.
    Destroy,
}

impl Effect {
    /// Whether the mode and the approvals are asked before it.
    pub const fn is_guarded(self) -> bool {
        matches!(self, Self::Change | Self::Destroy)
    }

    /// The word in JSON, SQL and playbooks.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Notify => "notify",
            Self::Change => "change",
            Self::Destroy => "destroy",
        }
    }
}

/// What may be done when it is unknown whether an action took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetrySafety {
    /// Doing it twice is doing it once: it sets a value, or it only reads.
    Natural,
    /// The callee knows the idempotency token and does it once.
    Token,
    /// It can be looked up whether it took place.
    Lookup,
    /// Nobody can tell: a person decides.
    Never,
}

/// How much Stanch may do by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Changes are recorded as "would call" and not made.
    Observe,
    /// Changes are made inside an approved plan.
    Ask,
    /// Changes are made; what can't be undone still asks.
    Auto,
}

impl Mode {
    /// The word in JSON, SQL and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Ask => "ask",
            Self::Auto => "auto",
        }
    }

    /// The strictest of two.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        self.min(other)
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_mode_wins() {
        assert_eq!(Mode::Auto.strictest(Mode::Ask), Mode::Ask);
        assert_eq!(Mode::Observe.strictest(Mode::Auto), Mode::Observe);
    }
}
