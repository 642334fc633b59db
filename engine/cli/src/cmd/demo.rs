//! `stanch demo`: an incident from alert to proof and back, on this machine, against a stand-in for
//! AWS.

mod stage;
mod story;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use stanch_engine_runtime::system;

use crate::args::Demo;
use crate::config::LogFormat;

pub(super) async fn run(args: Demo) -> anyhow::Result<()> {
    let dir = fresh_folder(args.dir)?;
    super::serve::log_to_stderr(LogFormat::Text, "warn");
    let stage = stage::Stage::set(&dir).await?;
    story::tell(&stage, &dir, args.yes).await?;
    if !args.yes {
        let stop = super::serve::stop_signal();
        println!("\nThe server goes on at {}; Ctrl-C ends it.", stage.url);
        stop.await;
    }
    stage.clear().await
}

/// A folder with nothing in it.
fn fresh_folder(asked: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let dir = asked.unwrap_or_else(|| {
        let random = system::world().entropy.next() >> 96;
        std::env::temp_dir().join(format!("stanch-demo-{random:08x}"))
    });
    std::fs::create_dir_all(&dir).with_context(|| format!("{}", dir.display()))?;
    if std::fs::read_dir(&dir)?.next().is_some() {
        bail!("{} is not empty: name a folder that is, or none", dir.display());
    }
    Ok(Path::new(&dir).canonicalize()?)
}
