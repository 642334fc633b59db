//! `stanch simulate`: a whole playbook from its alert to its end, with nothing changed.

mod calls;
mod clock;
mod drive;
mod recording;
mod report;
mod stage;

use std::process::ExitCode;

use anyhow::ensure;

use crate::args::{Common, Simulate};
use crate::config::LogFormat;
use crate::output;

pub(super) async fn run(common: &Common, args: &Simulate) -> anyhow::Result<ExitCode> {
    if let Some(file) = &args.record {
        ensure!(!file.exists(), "{} is there already: name a new file", file.display());
    }
    super::serve::log_to_stderr(LogFormat::Text, "error");
    let stage = stage::Stage::set(common, args).await?;
    let end = drive::to_the_end(&stage, args).await?;
    let report = report::of(&stage, &end).await?;
    stage.clear(args.record.as_deref()).await?;
    if common.json {
        output::json(&report);
    } else {
        report::print(&report);
    }
    Ok(if report::is_good(&report) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
