//! `stanch drill`.

use clap::Args;

/// A drill in an account of your choice.
#[derive(Debug, Args)]
pub(crate) struct Drill {
    /// The account; your own AWS credentials must be of it, and may make a user in it.
    #[arg(long, value_name = "N")]
    pub(crate) account: String,
    /// Says yes to what is asked, with your token, which must be a responder's.
    #[arg(long, conflicts_with = "clean")]
    pub(crate) yes: bool,
    /// Takes away what drills left that were killed, and does nothing else.
    #[arg(long)]
    pub(crate) clean: bool,
}
