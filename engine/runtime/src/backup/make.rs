//! Making a backup.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::snapshot;

use super::{
    At as _, BackupError, DATABASE, EVIDENCE, FORMAT, KEYS, MANIFEST, Manifest, beside, folder,
    pack,
};

/// What is backed up.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file of the database.
    pub database: PathBuf,
    /// Where evidence and keys lie.
    pub data_dir: PathBuf,
    /// Whether the keys go into the backup, too: whoever has it then has every secret.
    pub with_keys: bool,
}

/// Makes a backup, also while a server works on the database. It is built under another name, and
/// has its own once it is whole: a name that ends in `.zip` is one file, any other a folder.
///
/// # Errors
/// [`BackupError`] says why not; there is no backup then.
pub async fn make(source: &Source, to: &Path, now: Timestamp) -> Result<Manifest, BackupError> {
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Taken(to.to_owned()));
    }
    folder::make(folder::parent(to))?;
    let aside = beside(to, "partial");
    let made = match fill(source, &aside, now).await {
        Ok(manifest) => put_in_place(&aside, to).map(|()| manifest),
        Err(error) => Err(error),
    };
    // What is in its place has no other name any more.
    let _ = std::fs::remove_dir_all(&aside);
    made
}

async fn fill(source: &Source, to: &Path, now: Timestamp) -> Result<Manifest, BackupError> {
    if !source.database.is_file() {
        return Err(BackupError::unfit(&source.database, "there is no database here"));
    }
    folder::make(to)?;
    let database = to.join(DATABASE);
    snapshot::copy(&source.database, &database).await?;
    let (digest, database_bytes) = folder::digest(&database)?;
    let (items, damaged) = keep_items(&source.data_dir.join(EVIDENCE), &to.join(EVIDENCE))?;
    if source.with_keys {
        keep_files(&source.data_dir.join(KEYS), &to.join(KEYS))?;
    }
    let manifest = Manifest {
        format: FORMAT,
        tool: format!("stanch {}", env!("CARGO_PKG_VERSION")),
        made_at: now,
        database: digest,
        database_bytes,
        items,
        damaged,
        has_keys: source.with_keys,
    };
    let path = to.join(MANIFEST);
    let text = serde_json::to_string_pretty(&manifest).unwrap_or_default();
    let mut file = folder::create(&path)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).at(&path)?;
    folder::sync(to)?;
    Ok(manifest)
}

/// Copies the items, and gives their number and those that are damaged.
fn keep_items(from: &Path, to: &Path) -> Result<(u64, Vec<Sha256>), BackupError> {
    folder::make(to)?;
    let (mut count, mut damaged) = (0, Vec::new());
    for (hash, path) in folder::items(from)? {
        let name = hash.to_string();
        let (start, rest) = name.split_at(2);
        folder::make(&to.join(start))?;
        let (found, _) = folder::copy(&path, &to.join(start).join(rest))?;
        if found != hash {
            damaged.push(hash);
        }
        count += 1;
    }
    // The folder's name goes along, so that nodes see that it is the same evidence.
    let id = crate::evidence::FOLDER_ID;
    if from.join(id).is_file() {
        folder::copy(&from.join(id), &to.join(id))?;
    }
    for name in folder::names(to)? {
        let inner = to.join(name);
        if inner.is_dir() {
            folder::sync(&inner)?;
        }
    }
    folder::sync(to)?;
    Ok((count, damaged))
}

/// Copies the files of a folder.
fn keep_files(from: &Path, to: &Path) -> Result<(), BackupError> {
    folder::make(to)?;
    for name in folder::names(from)? {
        let path = from.join(&name);
        if path.is_file() {
            folder::copy(&path, &to.join(&name))?;
        }
    }
    folder::sync(to)
}

fn put_in_place(aside: &Path, to: &Path) -> Result<(), BackupError> {
    if pack::is_packed(to) {
        let packed = beside(to, "zip");
        let done = pack::pack(aside, &packed).and_then(|()| {
            // Unlike a rename, a link never takes the place of what came meanwhile.
            std::fs::hard_link(&packed, to).at(to)
        });
        let _ = std::fs::remove_file(&packed);
        done?;
    } else {
        std::fs::rename(aside, to).at(to)?;
    }
    folder::sync(folder::parent(to))
}
