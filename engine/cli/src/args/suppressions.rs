//! `stanch suppressions …`.

use clap::{Args as Group, Subcommand};

use super::List;

#[derive(Debug, Subcommand)]
pub(crate) enum Suppressions {
    /// Lists them, the newest first; with `--status open` those that hold or are planned.
    List(List),
    /// Shows one.
    Show {
        /// Its id.
        id: String,
    },
    /// Keeps alerts quiet for a while: they are stored and counted, and start nothing.
    Create(Box<Suppress>),
    /// Ends one before its time.
    End {
        /// Its id.
        id: String,
    },
}

/// Which alerts; what is not said holds for all. `*` stands for any characters.
#[derive(Debug, Group)]
pub(crate) struct Suppress {
    /// Why; people see it.
    #[arg(long)]
    pub(crate) reason: String,
    /// For how long, from its start on, such as 4h or 30d.
    #[arg(long = "for", value_name = "SPAN", required_unless_present = "until")]
    pub(crate) lasts: Option<String>,
    /// Until when, such as 2026-12-01T06:00:00Z.
    #[arg(long, value_name = "TIME", conflicts_with = "lasts")]
    pub(crate) until: Option<String>,
    /// From when on; now unless it is said.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// A maintenance window: somebody works on what the alerts are about.
    #[arg(long)]
    pub(crate) maintenance: bool,
    /// Their source.
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// Their type.
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<String>,
    /// Their title.
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// Their account.
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// Their region.
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// The id, ARN or name of one of their resources.
    #[arg(long)]
    pub(crate) resource: Option<String>,
    /// The user or address of their actor.
    #[arg(long)]
    pub(crate) actor: Option<String>,
    /// At most so bad; without it a critical alert gets through.
    #[arg(long, value_name = "SEVERITY")]
    pub(crate) max_severity: Option<String>,
}
