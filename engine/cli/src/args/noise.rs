//! `stanch noise …`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Noise {
    /// Shows which types of alerts are mostly false positives, with the command that suppresses them.
    Suggestions {
        /// Looks so many days back.
        #[arg(long, default_value_t = 90)]
        days: u32,
    },
    /// Shows how every type of alerts was judged.
    Rates {
        /// Looks so many days back.
        #[arg(long, default_value_t = 90)]
        days: u32,
    },
}
