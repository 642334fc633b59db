//! `stanch incidents …`.

use clap::Subcommand;

use super::List;

#[derive(Debug, Subcommand)]
pub(crate) enum Incidents {
    /// Lists them, the newest first.
    List(List),
    /// Shows one, with its timeline.
    Show {
        /// Its id.
        id: String,
    },
    /// Takes one: its pages are over.
    Ack {
        /// Its id.
        id: String,
    },
    /// Has one go on in another: its alerts move, and it is closed.
    Merge {
        /// Its id.
        id: String,
        /// The one that it goes on in.
        #[arg(long, value_name = "INCIDENT")]
        into: String,
        /// Why; it goes into the record.
        #[arg(long)]
        reason: String,
    },
    /// Takes alerts out of one, into a new one.
    Split {
        /// Its id.
        id: String,
        /// An alert that is another incident; several times for several.
        #[arg(long = "alert", required = true, value_name = "ALERT")]
        alerts: Vec<String>,
        /// Why; it goes into the record.
        #[arg(long)]
        reason: String,
    },
}
