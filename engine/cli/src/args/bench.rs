//! `stanch bench …`.

use std::path::PathBuf;

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
    /// Alerts by HTTP, acknowledged after their commit, beside the store alone; and how long each
    /// waits at a steady rate with runs going.
    Alerts {
        /// The database: sqlite://PATH or postgres://….
        #[arg(long, value_name = "URL")]
        database: String,
        /// How many alerts.
        #[arg(long, default_value_t = 10_000)]
        alerts: u32,
        /// How many connections.
        #[arg(long, default_value_t = 64)]
        connections: u32,
        /// How many a second at the steady rate.
        #[arg(long, default_value_t = 500)]
        rate: u32,
        /// For how many seconds.
        #[arg(long, default_value_t = 10)]
        seconds: u32,
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
    /// From a person's decision to the start of the step after it.
    Decisions {
        /// The database: sqlite://PATH or postgres://….
        #[arg(long, value_name = "URL")]
        database: String,
        /// How many runs wait for one.
        #[arg(long, default_value_t = 500)]
        runs: u32,
    },
    /// So many questions open in one run and over all, and what deciding one takes.
    Gates {
        /// The database: sqlite://PATH or postgres://….
        #[arg(long, value_name = "URL")]
        database: String,
        /// How many runs.
        #[arg(long, default_value_t = 100)]
        runs: u32,
        /// How many hundreds of questions each asks at once.
        #[arg(long, default_value_t = 10)]
        hundreds: u32,
        /// How many are decided.
        #[arg(long, default_value_t = 500)]
        decisions: usize,
    },
    /// What a node takes to go on after `kill -9` with so many runs in the middle of a step.
    Restart {
        /// The database: sqlite://PATH or postgres://….
        #[arg(long, value_name = "URL")]
        database: String,
        /// How many runs.
        #[arg(long, default_value_t = 10_000)]
        runs: u32,
    },
    /// Holds runs in the middle of a step until it is killed; `bench restart` calls it.
    #[command(hide = true)]
    Hold {
        /// The database: sqlite://PATH or postgres://….
        #[arg(long, value_name = "URL")]
        database: String,
        /// How many runs.
        #[arg(long, default_value_t = 10_000)]
        runs: u32,
        /// Its data folder; else one of its own.
        #[arg(long, value_name = "DIR")]
        folder: Option<PathBuf>,
    },
    /// Three nodes against one, what a decision on another node takes, and how soon the runs of a
    /// killed node go on. Only on Postgres.
    Nodes {
        /// The database: postgres://….
        #[arg(long, value_name = "URL")]
        database: String,
        /// How many runs of twenty steps each time.
        #[arg(long, default_value_t = 2_000)]
        runs: u32,
        /// How many wait for a decision.
        #[arg(long, default_value_t = 500)]
        decisions: u32,
        /// How many the killed node holds.
        #[arg(long, default_value_t = 10_000)]
        held: u32,
    },
    /// KPIs over so many incidents of a year, beside a plain scan of what they are made of.
    Kpis {
        /// The database: sqlite://PATH or postgres://…; it must be empty.
        #[arg(long, value_name = "URL")]
        database: String,
        /// How many incidents.
        #[arg(long, default_value_t = 1_000_000)]
        incidents: u32,
        /// How often each question is asked.
        #[arg(long, default_value_t = 20)]
        rounds: u32,
    },
    /// What a step costs in the script alone: left standing, and run from its first line each time.
    Scripts,
    /// Evidence that is hashed while it is written, beside a plain copy of the same bytes.
    Evidence {
        /// Where to write; on the disk that is to be measured.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// How many MiB.
        #[arg(long, default_value_t = 1_024)]
        mib: u64,
        /// In place of that: one item of so many MiB through capture and export, and the most memory
        /// that it took. It lies on the disk once, and is removed.
        #[arg(long, value_name = "MIB")]
        large: Option<u64>,
    },
    /// Finding the runs that are due among so many that sleep.
    Sleeping {
        /// The database: sqlite://PATH or postgres://….
        #[arg(long, value_name = "URL")]
        database: String,
        /// How many sleep.
        #[arg(long, default_value_t = 1_000_000)]
        runs: u32,
    },
}
