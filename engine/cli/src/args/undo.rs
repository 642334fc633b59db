//! `stanch undo …`.

use clap::Args as Group;

#[derive(Debug, Group)]
pub(crate) struct Undo {
    /// The run's id.
    pub(crate) run: String,
    /// The step that alone is taken back, as `stanch runs show` numbers it: a change, such as 5.2, or
    /// the plan of an `execute`, such as 5.
    pub(crate) step: Option<String>,
    /// Why; it goes into the record.
    #[arg(long)]
    pub(crate) reason: String,
}
