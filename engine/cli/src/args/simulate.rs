//! `stanch simulate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use stanch_engine_core::effect::Mode;
use stanch_engine_core::span::Span;

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// The playbook's file, or the name of one in the folder of playbooks or of those that come
    /// with Stanch.
    pub(crate) playbook: String,
    /// The alert, as its detector sends it; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) alert: Option<PathBuf>,
    /// The source that reads the alert, or `auto`.
    #[arg(long, default_value = "auto")]
    pub(crate) source: String,
    /// What the playbook reads as `inputs`, a JSON object.
    #[arg(long, value_name = "JSON")]
    pub(crate) input: Option<String>,
    /// Looks at what there is in AWS, as the configuration says and with the credentials of this
    /// place. Changes are not made.
    #[arg(long, conflicts_with = "recorded")]
    pub(crate) live: bool,
    /// Writes down what AWS answered, for `--recorded`. Secrets are left out.
    #[arg(long, value_name = "FILE", requires = "live")]
    pub(crate) record: Option<PathBuf>,
    /// Gives the answers that `--record` wrote down.
    #[arg(long, value_name = "FILE")]
    pub(crate) recorded: Option<PathBuf>,
    /// Answers, faults and state of the stand-in for AWS, in TOML or JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
    /// Files of CloudTrail, or folders of them, for the stand-in for AWS.
    #[arg(long, value_name = "PATH")]
    pub(crate) trail: Vec<PathBuf>,
    /// What people say when they are asked.
    #[arg(long, value_enum, default_value_t = Say::Approve)]
    pub(crate) decide: Say,
    /// What they fill in, such as `verdict=true_positive`.
    #[arg(long = "form", value_name = "NAME=VALUE")]
    pub(crate) form: Vec<String>,
    /// What probes say of the changes, none of which was made.
    #[arg(long, value_enum, default_value_t = Probes::Effective)]
    pub(crate) probes: Probes,
    /// How much may be done in every account, instead of what the configuration says.
    #[arg(long, value_parser = mode)]
    pub(crate) mode: Option<Mode>,
    /// A signal that comes when the playbook waits for it.
    #[arg(long = "signal", value_name = "NAME=JSON")]
    pub(crate) signals: Vec<String>,
    /// The time that may pass in it.
    #[arg(long, default_value = "30d", value_parser = span)]
    pub(crate) within: Span,
    /// Where to leave its database and its evidence; it must be empty or not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// What people say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Say {
    /// Yes.
    Approve,
    /// No.
    Reject,
    /// Nothing.
    Expire,
}

/// What probes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Probes {
    /// That every change is effective.
    Effective,
    /// That none is, although AWS accepted it.
    NotEffective,
    /// What they see.
    AsSeen,
}

fn mode(text: &str) -> Result<Mode, String> {
    let quoted = serde_json::Value::String(text.to_owned());
    serde_json::from_value(quoted).map_err(|_| "it is observe, ask or auto".to_owned())
}

fn span(text: &str) -> Result<Span, String> {
    Span::parse(text).map_err(|error| error.to_string())
}
