//! Backups of an installation on SQLite, made while it works, and installations made of them.
//!
//! A backup is a folder, or the same folder in a zip:
//!
//! | file | what |
//! |---|---|
//! | `backup.json` | what it is, and the digest of the database |
//! | `stanch.db` | the database, as it stood at one moment |
//! | `evidence/` | the items, each under its hash |
//! | `keys/` | the keys and tokens, only where they were asked for |
//!
//! The database is copied first. An item lies on disk before a row names it, and none is ever
//! removed: whatever the copied rows name, the items that are copied later hold.

mod folder;
mod make;
mod pack;
mod restore;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::error_code::{self, ErrorCode};
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::{OpenError, StoreError};

pub use make::{Source, make};
pub use restore::{Restored, Target, mark, restore};

/// The version of the format.
pub const FORMAT: u32 = 1;

const MANIFEST: &str = "backup.json";
const DATABASE: &str = "stanch.db";
const EVIDENCE: &str = "evidence";
const KEYS: &str = "keys";

/// What a backup is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the format.
    pub format: u32,
    /// What made it.
    pub tool: String,
    /// When it was begun: nothing that happened later need be in it.
    pub made_at: Timestamp,
    /// The digest of the database.
    pub database: Sha256,
    /// The bytes of the database.
    pub database_bytes: u64,
    /// Items of evidence.
    pub items: u64,
    /// Items whose bytes are not those that were kept; they are in the backup as they were found.
    pub damaged: Vec<Sha256>,
    /// Whether the keys are in it.
    pub has_keys: bool,
}

/// Why a backup was not made, or not restored. Nothing is left half done: what was there stays.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is something where the backup is to be.
    #[error("{}: there is something already; name a place that is not there yet", .0.display())]
    Taken(PathBuf),
    /// There is a database where one is to be restored to.
    #[error(
        "{}: there is a database already, and a backup is not restored over one; move it away, \
         or name another `data_dir`", .0.display()
    )]
    Occupied(PathBuf),
    /// It is no backup, or not all of it is there.
    #[error("{}: it is no whole backup: {why}", path.display())]
    Unfit {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Somebody works on the database.
    #[error(
        "a node said at {0} that it works on this database: stop every node, wait half a minute, and \
         mark it again"
    )]
    AtWork(Timestamp),
    /// The disk says no.
    #[error("{}: {error}", path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// What it says.
        error: std::io::Error,
    },
    /// The database can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database can't be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BackupError {
    /// The page that says what to do.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Open(error) => error.code(),
            Self::Store(error) => error.code(),
            _ => error_code::BACKUP,
        }
    }

    fn unfit(path: &Path, why: impl Into<String>) -> Self {
        Self::Unfit { path: path.to_owned(), why: why.into() }
    }
}

/// Says where on the disk it was.
trait At<T> {
    fn at(self, path: &Path) -> Result<T, BackupError>;
}

impl<T> At<T> for std::io::Result<T> {
    fn at(self, path: &Path) -> Result<T, BackupError> {
        self.map_err(|error| BackupError::Disk { path: path.to_owned(), error })
    }
}

/// Where something is built before it is put in its place.
fn beside(path: &Path, what: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{what}-{}", std::process::id()))
}
