//! `stanch schedules …`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Schedules {
    /// Lists them, with their next ticks.
    List,
    /// Shows one, with what became of its ticks.
    Show {
        /// The playbook's name, a slash, and the schedule's.
        schedule: String,
    },
    /// Makes one stand still.
    Pause {
        /// The playbook's name, a slash, and the schedule's.
        schedule: String,
        /// Why, for whoever finds it.
        #[arg(long)]
        note: String,
    },
    /// Lets one go on from now. What it would have started in between is not caught up with.
    Resume {
        /// The playbook's name, a slash, and the schedule's.
        schedule: String,
    },
    /// Starts a run now.
    Trigger {
        /// The playbook's name, a slash, and the schedule's.
        schedule: String,
        /// Also while the run of an earlier tick is open.
        #[arg(long)]
        beside: bool,
    },
    /// Starts the runs of all ticks of a period, but of those that were decided before.
    Backfill {
        /// The playbook's name, a slash, and the schedule's.
        schedule: String,
        /// From when, such as 2026-11-24T00:00:00Z.
        #[arg(long)]
        from: String,
        /// Until when.
        #[arg(long)]
        until: String,
    },
}
