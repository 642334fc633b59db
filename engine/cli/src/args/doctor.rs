//! `stanch doctor`.

use clap::Args;

/// What to look at.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Only this account, also one that the configuration does not name; may be said several times.
    #[arg(long = "account", value_name = "N")]
    pub(crate) accounts: Vec<String>,
    /// Only this region; may be said several times. Else all that an account has enabled.
    #[arg(long = "region", value_name = "R")]
    pub(crate) regions: Vec<String>,
    /// Looks at this machine and the server only, and calls nobody in AWS.
    #[arg(long, conflicts_with_all = ["accounts", "regions"])]
    pub(crate) local: bool,
}
