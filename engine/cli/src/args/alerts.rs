//! `stanch alerts …`.

use clap::Subcommand;

use super::List;

#[derive(Debug, Subcommand)]
pub(crate) enum Alerts {
    /// Lists them, the newest first.
    List(List),
    /// Shows one.
    Show {
        /// Its id.
        id: String,
    },
    /// Takes one once more, as if it came for the first time: for a playbook that was missing or
    /// wrong. An open run about the same thing is told, and no second one is started.
    Replay {
        /// Its id.
        id: String,
    },
    /// Payloads that could not be read, kept whole.
    #[command(subcommand)]
    DeadLetter(DeadLetters),
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// Lists them, the newest first; with `--status open` those that were never read.
    List(List),
    /// Shows one, with the payload as it came.
    Show {
        /// Its id.
        id: String,
        /// Print nothing but the payload, byte for byte.
        #[arg(long)]
        body: bool,
    },
    /// Reads one again, after its sender was described or a source was mended.
    Replay {
        /// Its id.
        id: String,
    },
}
