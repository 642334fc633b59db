//! `stanch report`.

use std::path::PathBuf;

use clap::{Args as Group, ValueEnum};

#[derive(Debug, Group)]
pub(crate) struct Report {
    /// The incident's id.
    pub(crate) incident: String,
    /// How it is written; `--json` is the same as json.
    #[arg(long, value_enum, default_value_t = ReportFormat::Markdown)]
    pub(crate) format: ReportFormat,
    /// Where to write it; else it is printed.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For a wiki or a ticket.
    Markdown,
    /// For a browser, and for paper: print it, or save it as PDF.
    Html,
    /// For programs.
    Json,
}

impl ReportFormat {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Json => "json",
        }
    }
}
