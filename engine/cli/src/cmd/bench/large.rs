//! An item that is larger than memory, through capture and export, and the most memory that took. Its
//! bytes are made as they are wanted, and the bundle goes nowhere: the disk holds it once.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use stanch_engine_core::severity::Severity;
use stanch_engine_runtime::evidence::adding::{self, Said};
use stanch_engine_runtime::evidence::bundle::{self, Wish};
use stanch_engine_runtime::incident_work::{Seen, open};
use stanch_engine_store::sqlite_url;

use super::steps::{Folder, simulating};
use super::waiting::status;

/// Bytes that come at once.
const PIECE: usize = 256 << 10;

/// What must stay free on the disk beside the item.
const SPARE_MIB: u64 = 512;

pub(super) async fn run(dir: &Path, mib: u64) -> anyhow::Result<Value> {
    let free = free_mib(dir)?;
    let wanted = mib + SPARE_MIB;
    ensure!(free >= wanted, "{} has {free} MiB free, and this takes {wanted}", dir.display());
    let place = tempfile::tempdir_in(dir).with_context(|| format!("{}", dir.display()))?;
    let folder = Folder::of_another(place.path().to_owned());
    let runtime = simulating(&sqlite_url(&place.path().join("stanch.db")), &folder).await?;
    let seen = Seen {
        title: "a disk".to_owned(),
        description: None,
        severity: Severity::High,
        account: None,
        region: None,
        resources: Vec::new(),
    };
    let opened = open(&runtime, seen, "bench").await?;
    let incident = opened.incident_id.context("it has no incident")?;
    let idle_kib = status("VmHWM")?;
    let begun = Instant::now();
    let said = Said {
        person: "bench".to_owned(),
        label: "disk".to_owned(),
        media_type: "application/octet-stream".to_owned(),
        reason: String::new(),
        sha256: None,
    };
    let mut adding = adding::begin(&runtime, incident, said).await?;
    for _ in 0..(mib << 20) / PIECE as u64 {
        adding.take(vec![7; PIECE].into()).await?;
    }
    let item = adding.keep().await?;
    let captured = begun.elapsed();
    let begun = Instant::now();
    let wish = Wish { person: "bench".to_owned(), ..Wish::default() };
    let sent = Arc::new(AtomicU64::new(0));
    bundle::prepare(&runtime, incident, &wish).await?.write(Nowhere(sent.clone())).await?;
    let exported = begun.elapsed();
    let peak_kib = status("VmHWM")?;
    runtime.stop().await;
    let speed = |took: Duration| {
        (f64::from(u32::try_from(mib).unwrap_or(u32::MAX)) / took.as_secs_f64()).round()
    };
    Ok(json!({
        "mib": mib, "item_bytes": item.bytes, "bundle_bytes": sent.load(Ordering::Relaxed),
        "capture_mib_per_s": speed(captured), "export_mib_per_s": speed(exported),
        "idle_mib": idle_kib / 1_024, "peak_mib": peak_kib / 1_024,
    }))
}

/// Counts what it is given.
struct Nowhere(Arc<AtomicU64>);

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is free where a folder lies, as `df` says it (POSIX).
fn free_mib(dir: &Path) -> anyhow::Result<u64> {
    let output = Command::new("df").arg("-Pk").arg(dir).output().context("df")?;
    ensure!(output.status.success(), "df says nothing of {}", dir.display());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let kib =
        text.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok());
    Ok(kib.context("df says nothing of what is free")? / 1_024)
}
