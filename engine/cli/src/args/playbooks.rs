//! `stanch playbooks`.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Playbooks {
    /// Lists what is active.
    List,
    /// Publishes a playbook with what it imports, and makes it active.
    Publish {
        /// Its file.
        file: PathBuf,
        /// Where imports are looked for; else the file's folder.
        #[arg(long, value_name = "DIR")]
        root: Option<PathBuf>,
        /// The commit that it comes from.
        #[arg(long, value_name = "SHA")]
        commit: Option<String>,
    },
    /// Lists the versions of a playbook.
    Versions {
        /// Its name.
        name: String,
    },
    /// Makes a published version active.
    Activate {
        /// Its name.
        name: String,
        /// The version.
        digest: String,
    },
    /// Makes the version active again that was so before.
    Rollback {
        /// Its name.
        name: String,
    },
}
