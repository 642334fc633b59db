//! What can go wrong, by what the caller can do about it.

use stanch_engine_core::error_code::{self, ErrorCode};

/// Why a read or a write did not come about.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// It contradicts a row that is there: somebody else was first. Read again and decide again.
    #[error("somebody else was first: {0}")]
    Conflict(String),
    /// The run's lease is not this node's any more. Let go of the run.
    #[error("the lease of the run was lost")]
    Fenced,
    /// A row does not hold what it must. A person has to look at it.
    #[error("the column `{column}` of a row of `{table}` holds {what}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// A custody chain can't go on: its end was changed past Stanch. A person has to look at it.
    #[error("{0}")]
    ChainEnd(String),
    /// Others changed the same rows meanwhile, and the database took theirs. Try again; what leaves the store
    /// says [`StoreError::Unavailable`].
    #[error("others change the same: {0}")]
    Overtaken(String),
    /// The connection knows the schema of before it was expanded. Try again on another one; what leaves the
    /// store says [`StoreError::Unavailable`].
    #[error("the schema has changed under a connection")]
    Stale,
    /// The database can't do it now: the disk is full, it does not answer. Try again later.
    #[error("the database can't do it now: {0}")]
    Unavailable(String),
}

impl StoreError {
    /// The page that says what to do.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Conflict(_) | Self::Fenced => error_code::CONFLICT,
            Self::ChainEnd(_) => error_code::CHAIN_END,
            Self::Inconsistent { .. } | Self::Overtaken(_) | Self::Stale | Self::Unavailable(_) => {
                error_code::STORE
            }
        }
    }
}

impl StoreError {
    /// As whoever is outside of the store is told it.
    pub(crate) fn told(self) -> Self {
        match self {
            Self::Stale | Self::Overtaken(_) => Self::Unavailable(self.to_string()),
            other => other,
        }
    }

    /// Whether the same thing may come about when it is tried again at once: somebody else was first, or
    /// another connection does it.
    pub(crate) const fn is_worth_another_try(&self) -> bool {
        matches!(self, Self::Conflict(_) | Self::Overtaken(_) | Self::Stale)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        // Postgres: serialization failure, deadlock, and a lock that was waited for long enough
        // (https://www.postgresql.org/docs/15/errcodes-appendix.html).
        let lost_a_race = |code: &str| matches!(code, "40001" | "40P01" | "55P03");
        match error.as_database_error() {
            Some(database) if database.is_unique_violation() => {
                Self::Conflict(database.message().to_owned())
            }
            Some(database) if database.code().is_some_and(|code| lost_a_race(&code)) => {
                Self::Overtaken(database.message().to_owned())
            }
            // What was prepared gives other columns now: `feature_not_supported`, said by
            // `RevalidateCachedQuery` of Postgres.
            Some(database)
                if database.code().is_some_and(|code| code == "0A000")
                    && database.message().starts_with("cached plan") =>
            {
                Self::Stale
            }
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// Why a database was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL names no database that Stanch knows.
    #[error("`{0}` is no database: use sqlite://PATH or postgres://USER@HOST/NAME")]
    Url(String),
    /// It can't be reached, or is not a database.
    #[error("the database can't be opened: {0}")]
    Unreachable(String),
    /// It was written by a newer version.
    #[error(
        "the database belongs to a newer version: it has migration {0}, which this one does not know"
    )]
    Newer(i64),
    /// A migration that was applied is not the one that this version knows.
    #[error("the database was made by another build: its migration {0} differs")]
    Different(i64),
    /// It would lose acknowledged writes in a power cut.
    #[error("the database would not survive a power cut: {0}")]
    NotDurable(String),
}

impl OpenError {
    /// The page that says what to do.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Url(_) => error_code::CONFIGURATION,
            Self::Unreachable(_) => error_code::STORE,
            Self::Newer(_) | Self::Different(_) => error_code::NEWER_SCHEMA,
            Self::NotDurable(_) => error_code::NOT_DURABLE,
        }
    }
}
