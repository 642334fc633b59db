//! An item that is hashed while it is written, beside a plain copy of the same bytes to the same disk.
//! Both read the same file and end when all is on the disk; the better of three rounds counts.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};
use stanch_engine_runtime::evidence::Items;

/// What is read at once.
const PIECE: usize = 256 << 10;

const ROUNDS: u32 = 3;

pub(super) fn run(dir: &Path, mib: u64) -> anyhow::Result<Value> {
    let folder = tempfile::tempdir_in(dir).with_context(|| format!("{}", dir.display()))?;
    let source = folder.path().join("source");
    fill(&source, mib)?;
    let items = Items::open(folder.path().join("evidence"), 1)?;
    let (mut copied, mut captured) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        let target = folder.path().join("copy");
        let begun = Instant::now();
        let mut to = File::create(&target)?;
        each_piece(&source, |piece| Ok(to.write_all(piece)?))?;
        to.sync_all()?;
        copied = copied.min(begun.elapsed());
        std::fs::remove_file(&target)?;
        let begun = Instant::now();
        let mut draft = items.begin()?;
        each_piece(&source, |piece| Ok(draft.write(piece)?))?;
        draft.keep()?;
        captured = captured.min(begun.elapsed());
    }
    let speed = |took: Duration| (mib_of(mib) / took.as_secs_f64()).round();
    let ratio = copied.as_secs_f64() / captured.as_secs_f64();
    Ok(json!({
        "mib": mib, "copy_mib_per_s": speed(copied), "capture_mib_per_s": speed(captured),
        "ratio": (ratio * 100.0).round() / 100.0,
    }))
}

fn mib_of(mib: u64) -> f64 {
    f64::from(u32::try_from(mib).unwrap_or(u32::MAX))
}

/// A file whose bytes are not all the same.
fn fill(path: &Path, mib: u64) -> anyhow::Result<()> {
    let mut file = File::create(path)?;
    let mut state = 1_u64;
    for _ in 0..mib {
        let words = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_le_bytes()
        });
        let piece: Vec<u8> = words.take((1 << 20) / 8).flatten().collect();
        file.write_all(&piece)?;
    }
    Ok(file.sync_all()?)
}

fn each_piece(
    path: &Path,
    mut take: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (mut file, mut piece) = (File::open(path)?, vec![0; PIECE]);
    loop {
        let read = file.read(&mut piece)?;
        match piece.get(..read) {
            Some(part) if !part.is_empty() => take(part)?,
            _ => return Ok(()),
        }
    }
}
