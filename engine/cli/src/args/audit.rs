//! `stanch audit …`.

use std::path::PathBuf;

use clap::{Args as Group, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Lists what was done, refused and failed, the newest first.
    List(Box<AuditList>),
    /// Exports all of it, signed: a record in each line.
    Export {
        /// Where to write it.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Proves an export, offline.
    Verify {
        /// The export.
        file: PathBuf,
        /// The public key of the installation, in PEM; have it by another way than the export.
        #[arg(long, value_name = "PUB")]
        key: Option<PathBuf>,
    },
}

#[derive(Debug, Group)]
pub(crate) struct AuditList {
    /// Only what was asked for since, such as 2026-12-01T06:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only by this person or program.
    #[arg(long)]
    pub(crate) actor: Option<String>,
    /// Only this, such as runs.cancel; or all of a kind, such as runs.
    #[arg(long)]
    pub(crate) verb: Option<String>,
    /// Only about this, such as a run's id.
    #[arg(long)]
    pub(crate) object: Option<String>,
    /// So many.
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: u32,
    /// From here on, as the last listing said.
    #[arg(long)]
    pub(crate) cursor: Option<String>,
}
