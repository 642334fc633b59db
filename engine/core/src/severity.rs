//! How bad it is: five labels over a score from 0 to 100.

use serde::{Deserialize, Serialize};

/// The label that people see. The bounds are those of ASFF's `Severity.Normalized`
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// 0: no issue was found.
    Informational,
    /// 1 to 39.
    Low,
    /// 40 to 69.
    Medium,
    /// 70 to 89.
    High,
    /// 90 to 100.
    Critical,
}

impl Severity {
    /// Every label, from the mildest.
    pub const ALL: [Self; 5] =
        [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The label of a score.
    pub const fn of_score(score: u8) -> Self {
        match score {
            0 => Self::Informational,
            1..=39 => Self::Low,
            40..=69 => Self::Medium,
            70..=89 => Self::High,
            _ => Self::Critical,
        }
    }

    /// The lowest score of the label, which is what a sender that has only the word gets
    /// (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_Severity.html>).
    pub const fn least_score(self) -> u8 {
        match self {
            Self::Informational => 0,
            Self::Low => 1,
            Self::Medium => 40,
            Self::High => 70,
            Self::Critical => 90,
        }
    }

    /// The highest score of the label.
    pub const fn most_score(self) -> u8 {
        match self {
            Self::Informational => 0,
            Self::Low => 39,
            Self::Medium => 69,
            Self::High => 89,
            Self::Critical => 100,
        }
    }

    /// The word in JSON, SQL and playbooks.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Severity {
    type Err = UnknownSeverity;
    fn from_str(text: &str) -> Result<Self, UnknownSeverity> {
        Self::ALL
            .into_iter()
            .find(|label| label.as_str() == text)
            .ok_or_else(|| UnknownSeverity(text.to_owned()))
    }
}

/// A word that is no severity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a severity: use informational, low, medium, high or critical")]
pub struct UnknownSeverity(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_inclusive() {
        let labels: Vec<_> = [0, 1, 39, 40, 69, 70, 89, 90, 100].map(Severity::of_score).into();
        for label in Severity::ALL {
            assert_eq!(Severity::of_score(label.least_score()), label);
        }
        use Severity::*;
        assert_eq!(
            labels,
            [Informational, Low, Low, Medium, Medium, High, High, Critical, Critical]
        );
    }

    #[test]
    fn the_ends_of_a_label_are_of_that_label_and_leave_no_gap() {
        let mut next = 0;
        for label in Severity::ALL {
            assert_eq!(label.least_score(), next);
            assert_eq!(Severity::of_score(label.least_score()), label);
            assert_eq!(Severity::of_score(label.most_score()), label);
            next = label.most_score() + 1;
        }
        assert_eq!(next, 101);
    }
}
