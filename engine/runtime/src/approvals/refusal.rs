//! Why a decision was not taken.

use stanch_engine_core::approval::ApprovalStatus;
use stanch_engine_core::error_code::{self, ErrorCode};
use stanch_engine_core::id::ApprovalId;

/// Why a decision was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecideError {
    /// There is no such approval.
    #[error("there is no approval {0}")]
    NotFound(ApprovalId),
    /// Somebody else is asked.
    #[error("you are not asked: {approval} asks {}", .approvers.join(", "))]
    NotAsked {
        /// The approval.
        approval: ApprovalId,
        /// Who is.
        approvers: Vec<String>,
    },
    /// It is settled, or has run out.
    #[error("it is too late: the approval is {}", .0.as_str())]
    TooLate(ApprovalStatus),
    /// Who asks, or wrote what asks, does not answer.
    #[error(
        "{person} {what}: another person must say yes, unless `requester_counts` under [approvals] in stanch.toml lets their own count"
    )]
    OwnCause {
        /// Who.
        person: String,
        /// What they did.
        what: &'static str,
    },
    /// They have handed it over.
    #[error("you have handed it to {0}: only they can hand it back")]
    HandedOver(String),
    /// Somebody has decided for them.
    #[error("{0} has decided for you")]
    SpokenFor(String),
    /// Others may answer for everybody.
    #[error(
        "{person} may not answer for everybody: {} may, by `break_glass` under [approvals] in stanch.toml",
        .who.join(", ")
    )]
    NoGlass {
        /// Who wanted to.
        person: String,
        /// Who may.
        who: Vec<String>,
    },
    /// It can't be done as things stand.
    #[error("{0}")]
    Conflict(String),
    /// The same person decides once.
    #[error("you have decided already")]
    Twice,
    /// Something is missing.
    #[error("{0}")]
    BadRequest(String),
    /// The database.
    #[error("{0}")]
    Store(String),
}

impl DecideError {
    /// The page that says what to do.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound(_) => error_code::NOT_FOUND,
            Self::NotAsked { .. } | Self::OwnCause { .. } | Self::NoGlass { .. } => {
                error_code::FORBIDDEN
            }
            Self::TooLate(_)
            | Self::Twice
            | Self::HandedOver(_)
            | Self::SpokenFor(_)
            | Self::Conflict(_) => error_code::CONFLICT,
            Self::BadRequest(_) => error_code::BAD_REQUEST,
            Self::Store(_) => error_code::STORE,
        }
    }
}
