//! `stanch containments …`.

use clap::Subcommand;

use super::List;

#[derive(Debug, Subcommand)]
pub(crate) enum Containments {
    /// Lists them, the newest first; with `--status open` what stands for a while.
    List(List),
    /// Shows one.
    Show {
        /// Its id.
        id: String,
    },
    /// Has one stand longer, before anybody is asked again.
    Extend {
        /// Its id.
        id: String,
        /// For how long from now on, such as 12h or 3d.
        #[arg(long = "for", value_name = "SPAN", required_unless_present = "until")]
        lasts: Option<String>,
        /// Until when, such as 2026-12-01T06:00:00Z.
        #[arg(long, value_name = "TIME", conflicts_with = "lasts")]
        until: Option<String>,
        /// Why; it goes into the record.
        #[arg(long)]
        reason: String,
    },
    /// Has one stand for good: nobody is asked about it any more.
    Finalize {
        /// Its id.
        id: String,
        /// Why; it goes into the record.
        #[arg(long)]
        reason: String,
    },
    /// Gives one to another owner, who is asked from then on.
    Handover {
        /// Its id.
        id: String,
        /// A person, or `role:NAME`.
        #[arg(long, value_name = "PERSON")]
        to: String,
        /// Why; it goes into the record.
        #[arg(long)]
        reason: String,
    },
}
