//! Who does what in an incident.

use serde::{Deserialize, Serialize};

/// What one person does in an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// Decides what is done.
    Lead,
    /// Writes down what is done.
    Scribe,
    /// Tells those who wait.
    Communications,
}

impl Duty {
    /// Every duty.
    pub const ALL: [Self; 3] = [Self::Lead, Self::Scribe, Self::Communications];

    /// The word in JSON and SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Scribe => "scribe",
            Self::Communications => "communications",
        }
    }
}

impl std::str::FromStr for Duty {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|duty| duty.as_str() == text).ok_or_else(|| text.to_owned())
    }
}
