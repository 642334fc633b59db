//! `stanch backup` and `stanch restore`.

use std::path::PathBuf;

use clap::Args as Group;

#[derive(Debug, Group)]
pub(crate) struct Backup {
    /// Where to: a name that ends in `.zip` is one file, any other a folder. It must not be there.
    #[arg(short, long, value_name = "FILE|DIR")]
    pub(crate) output: PathBuf,
    /// The keys and tokens, too. Whoever has the backup then has every secret.
    #[arg(long)]
    pub(crate) with_keys: bool,
}

#[derive(Debug, Group)]
pub(crate) struct Restore {
    /// The backup.
    #[arg(value_name = "FILE|DIR", required_unless_present = "mark")]
    pub(crate) backup: Option<PathBuf>,
    /// Only marks the configured database as restored, which something else has restored, as
    /// pg_restore does.
    #[arg(long, conflicts_with = "backup")]
    pub(crate) mark: bool,
}
