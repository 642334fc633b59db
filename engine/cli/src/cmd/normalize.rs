//! `stanch normalize`.

use std::io::Read as _;

use anyhow::Context as _;
use serde_json::json;
use stanch_engine_runtime::intake;
use stanch_plugins_aws::Roles;
use stanch_plugins_http::Secrets;

use crate::args::{Common, Normalize};
use crate::config::{Config, environment};
use crate::output;
use crate::wiring;

pub(super) fn run(common: &Common, args: &Normalize) -> anyhow::Result<()> {
    let config = Config::load(common.config.as_deref(), &environment)?;
    let catalogue = wiring::catalogue(&config, None, Secrets::default(), Roles::default())?;
    let mut body = Vec::new();
    if args.file.as_os_str() == "-" {
        std::io::stdin().read_to_end(&mut body)?;
    } else {
        body = std::fs::read(&args.file).with_context(|| format!("{}", args.file.display()))?;
    }
    let named = |why: String| anyhow::anyhow!("{}: {why}", args.file.display());
    let reading = intake::normalize(&catalogue, &args.source, &body).map_err(named)?;
    if reading.alerts.is_empty() {
        return Err(named(intake::reasons(&reading.refused)));
    }
    let mut printed = json!({"alerts": reading.alerts});
    if !reading.refused.is_empty() {
        let refused: Vec<_> = reading.refused.iter().map(ToString::to_string).collect();
        printed["refused"] = json!(refused);
    }
    output::json(&printed);
    Ok(())
}
