//! `stanch report`.

use anyhow::Context as _;

use crate::args::{Report, ReportFormat};
use crate::client::Client;

pub(super) async fn run(client: &Client, args: &Report, json: bool) -> anyhow::Result<()> {
    let format = if json { ReportFormat::Json } else { args.format };
    let path = format!("/incidents/{}/report?format={}", args.incident, format.as_str());
    let report = client.bytes(&path).await?;
    match &args.output {
        Some(file) => {
            std::fs::write(file, &report).with_context(|| format!("{}", file.display()))?;
            println!("{}: {} bytes", file.display(), report.len());
        }
        None => print!("{}", String::from_utf8_lossy(&report)),
    }
    Ok(())
}
