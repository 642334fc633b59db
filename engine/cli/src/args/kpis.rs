//! `stanch kpis`.

use clap::Args as Group;

#[derive(Debug, Group)]
pub(crate) struct Kpis {
    /// How far back; two days and more begin at midnight, UTC.
    #[arg(long, default_value = "30d")]
    pub(crate) window: String,
    /// Tells apart: source, severity, account, playbook, person or handling.
    #[arg(long, value_name = "WHAT", conflicts_with = "weeks")]
    pub(crate) by: Option<String>,
    /// By week, so many of them.
    #[arg(long, value_name = "N", conflicts_with = "window")]
    pub(crate) weeks: Option<u32>,
    /// Only of alerts from this source.
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// Only of this severity.
    #[arg(long)]
    pub(crate) severity: Option<String>,
    /// Only of this account.
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// Only where this playbook ran.
    #[arg(long)]
    pub(crate) playbook: Option<String>,
    /// Only what this person took.
    #[arg(long)]
    pub(crate) person: Option<String>,
    /// Only what was contained so: automatic, human or unattended.
    #[arg(long)]
    pub(crate) handling: Option<String>,
    /// Prints the formulas.
    #[arg(long, exclusive = true)]
    pub(crate) definitions: bool,
    /// Prints comma-separated values.
    #[arg(long)]
    pub(crate) csv: bool,
}
