//! `stanch bench …`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Runs of a real playbook through the whole engine, at full durability.
    Steps {
        /// The database: sqlite://PATH or postgres://….
        #[arg(long, value_name = "URL")]
        database: String,
        /// How many runs.
        #[arg(long, default_value_t = 1_000)]
        runs: u32,
        /// How many steps each.
        #[arg(long, default_value_t = 10)]
        steps: u32,
        /// How many at the same time.
        #[arg(long, default_value_t = 64)]
        concurrency: u32,
    },
    /// The bare loop beside it: the same rows in the same kind of commits, and nothing else.
    Store {
        /// The database: sqlite://PATH or postgres://….
        #[arg(long, value_name = "URL")]
        database: String,
        /// How many rows.
        #[arg(long, default_value_t = 50_000)]
        rows: u64,
        /// How many producers.
        #[arg(long, default_value_t = 64)]
        producers: u64,
    },
    /// Resident memory with so many runs waiting at an approval.
    Waiting {
        /// The database: sqlite://PATH or postgres://….
        #[arg(long, value_name = "URL")]
        database: String,
        /// How many runs.
        #[arg(long, default_value_t = 10_000)]
        runs: u32,
    },
}
