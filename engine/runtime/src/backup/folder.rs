//! Files and folders, copied so that they are still there after a power cut.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use stanch_engine_core::digest::{Hasher, Sha256};

use super::{At as _, BackupError};

/// What is read at once.
const CHUNK: usize = 1 << 20;

/// Makes a folder that nobody else may look into, unless it is there.
pub(super) fn make(path: &Path) -> Result<(), BackupError> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).at(path)
}

/// Makes a file that is not there yet and that nobody else may read.
pub(super) fn create(path: &Path) -> Result<File, BackupError> {
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).at(path)
}

/// A rename is durable when its folder is.
pub(super) fn sync(folder: &Path) -> Result<(), BackupError> {
    File::open(folder).and_then(|folder| folder.sync_all()).at(folder)
}

/// The folder that something lies in.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Copies a file into one that is not there yet, and gives the digest and number of its bytes.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(Sha256, u64), BackupError> {
    let mut source = File::open(from).at(from)?;
    let mut target = create(to)?;
    let copied = pour(&mut source, from, |bytes| target.write_all(bytes).at(to))?;
    target.sync_all().at(to)?;
    Ok(copied)
}

/// The digest and number of a file's bytes.
pub(super) fn digest(path: &Path) -> Result<(Sha256, u64), BackupError> {
    pour(&mut File::open(path).at(path)?, path, |_| Ok(()))
}

fn pour(
    source: &mut File,
    path: &Path,
    mut take: impl FnMut(&[u8]) -> Result<(), BackupError>,
) -> Result<(Sha256, u64), BackupError> {
    let (mut hasher, mut bytes) = (Hasher::default(), 0);
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = source.read(&mut chunk).at(path)?;
        let Some(part) = chunk.get(..read).filter(|part| !part.is_empty()) else { break };
        hasher.update(part);
        take(part)?;
        bytes += u64::try_from(read).unwrap_or_default();
    }
    Ok((hasher.finish(), bytes))
}

/// The items in a folder of evidence, by their hashes. What is being written is none yet.
pub(super) fn items(folder: &Path) -> Result<Vec<(Sha256, PathBuf)>, BackupError> {
    let mut items = Vec::new();
    for start in names(folder)? {
        let inner = folder.join(&start);
        if start.len() != 2 || !inner.is_dir() {
            continue;
        }
        for rest in names(&inner)? {
            if let Ok(hash) = format!("{start}{rest}").parse() {
                items.push((hash, inner.join(rest)));
            }
        }
    }
    Ok(items)
}

/// The names in a folder, in order; none where there is no folder.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, BackupError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.at(folder)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.at(folder)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
