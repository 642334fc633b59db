//! Making an installation of a backup.
//!
//! Nothing of it is there before all of it is: the database is built under another name, marked as
//! restored, and then has its own.

use std::path::{Path, PathBuf};

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::restored::{self, Marked};
use stanch_engine_store::{Dialect, Options, Store, nodes, snapshot, sqlite_url};

use super::{
    At as _, BackupError, DATABASE, EVIDENCE, FORMAT, KEYS, MANIFEST, Manifest, beside, folder,
    pack,
};

/// Who restored, in the custody chain and in the note of the kill switch.
const BY: &str = "stanch restore";

/// For how long a node that says nothing more may still be at work: three times as long as a lease.
const SILENT_MS: i64 = 30_000;

/// What ends the names of the files that SQLite keeps beside a database.
const BESIDE_DATABASE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Where a backup is restored to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The file of the database; it must not be there.
    pub database: PathBuf,
    /// Where evidence and keys are to lie. What is there stays.
    pub data_dir: PathBuf,
}

/// What was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// What the backup says of itself.
    pub manifest: Manifest,
    /// What the database was found to hold.
    pub marked: Marked,
    /// Items whose bytes are not those that were kept.
    pub damaged: Vec<Sha256>,
    /// Keys of the backup that were not taken, since others are there.
    pub kept_keys: Vec<String>,
}

/// Restores a backup to where no database is, and marks it as restored.
///
/// # Errors
/// [`BackupError`] says why not; there is no database then.
pub async fn restore(
    from: &Path,
    target: &Target,
    now: Timestamp,
) -> Result<Restored, BackupError> {
    for end in std::iter::once("").chain(BESIDE_DATABASE) {
        let path = ending(&target.database, end);
        if path.symlink_metadata().is_ok() {
            return Err(BackupError::Occupied(path));
        }
    }
    folder::make(&target.data_dir)?;
    folder::make(folder::parent(&target.database))?;
    if from.is_dir() {
        return restore_folder(from, target, now).await;
    }
    let unpacked = beside(&target.data_dir.join("backup"), "unpacked");
    let done = match pack::unpack(from, &unpacked) {
        Ok(()) => restore_folder(&unpacked, target, now).await,
        Err(error) => Err(error),
    };
    let _ = std::fs::remove_dir_all(&unpacked);
    done
}

async fn restore_folder(
    from: &Path,
    target: &Target,
    now: Timestamp,
) -> Result<Restored, BackupError> {
    let manifest = manifest_of(from)?;
    let (aside, whole) =
        (beside(&target.database, "restoring"), beside(&target.database, "restored"));
    let done = match build(from, (&aside, &whole), &manifest, now).await {
        Ok(marked) => put_in_place(from, &whole, target, manifest, marked),
        Err(error) => Err(error),
    };
    for end in std::iter::once("").chain(BESIDE_DATABASE) {
        let _ = std::fs::remove_file(ending(&aside, end));
    }
    let _ = std::fs::remove_file(&whole);
    done
}

fn manifest_of(from: &Path) -> Result<Manifest, BackupError> {
    let path = from.join(MANIFEST);
    let text = match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(BackupError::unfit(from, format!("it has no {MANIFEST}")));
        }
        text => text.at(&path)?,
    };
    let format = serde_json::from_slice::<serde_json::Value>(&text).ok();
    let format = format.and_then(|manifest| manifest.get("format")?.as_u64());
    if format.is_some_and(|format| format > u64::from(FORMAT)) {
        return Err(BackupError::unfit(&path, "a newer version made it: restore it with that one"));
    }
    serde_json::from_slice(&text).map_err(|error| BackupError::unfit(&path, error.to_string()))
}

/// Builds the database aside: checked, of this version, and marked. It is then `whole` in one file.
async fn build(
    from: &Path,
    (aside, whole): (&Path, &Path),
    manifest: &Manifest,
    now: Timestamp,
) -> Result<Marked, BackupError> {
    let source = from.join(DATABASE);
    let (digest, _) = folder::copy(&source, aside)?;
    if digest != manifest.database {
        let why = format!("its digest is {digest}, and was {}", manifest.database);
        return Err(BackupError::unfit(&source, why));
    }
    snapshot::check(aside).await?;
    let store = Store::open(Options::new(sqlite_url(aside))).await?;
    let marked = mark(&store, now).await;
    store.close().await;
    let marked = marked?;
    snapshot::copy(aside, whole).await?;
    Ok(marked)
}

/// Marks a database as restored, whatever restored it. Nobody may work on it.
///
/// # Errors
/// [`BackupError::AtWork`] when somebody does.
pub async fn mark(store: &Store, now: Timestamp) -> Result<Marked, BackupError> {
    let marked = store.write(move |tx| {
        Box::pin(async move {
            let clock = nodes::clock(tx, now).await?;
            // On SQLite whoever works holds the lock of the data folder.
            if tx.dialect() == Dialect::Postgres {
                let seen_at = restored::nodes_seen_at(tx).await?;
                if let Some(at) = seen_at.filter(|at| at.plus_ms(SILENT_MS) > clock) {
                    return Ok(Err(at));
                }
            }
            restored::mark(tx, clock, BY).await.map(Ok)
        })
    });
    marked.await?.map_err(BackupError::AtWork)
}

/// Puts evidence, keys, and last of all the database in their places.
fn put_in_place(
    from: &Path,
    whole: &Path,
    target: &Target,
    manifest: Manifest,
    marked: Marked,
) -> Result<Restored, BackupError> {
    let damaged = put_items(&from.join(EVIDENCE), &target.data_dir.join(EVIDENCE))?;
    let kept_keys = put_keys(&from.join(KEYS), &target.data_dir.join(KEYS))?;
    // Unlike a rename, a link never takes the place of what came meanwhile.
    std::fs::hard_link(whole, &target.database).at(&target.database)?;
    folder::sync(folder::parent(&target.database))?;
    Ok(Restored { manifest, marked, damaged, kept_keys })
}

/// Puts the items where none of their names are, and gives those that are damaged.
fn put_items(from: &Path, to: &Path) -> Result<Vec<Sha256>, BackupError> {
    folder::make(to)?;
    let mut damaged = Vec::new();
    for (hash, path) in folder::items(from)? {
        let name = hash.to_string();
        let (start, rest) = name.split_at(2);
        let (inner, place) = (to.join(start), to.join(start).join(rest));
        folder::make(&inner)?;
        let found = match place.is_file() {
            true => folder::digest(&place)?.0,
            false => put(&path, &place)?,
        };
        if found != hash {
            damaged.push(hash);
        }
        folder::sync(&inner)?;
    }
    let id = crate::evidence::FOLDER_ID;
    if from.join(id).is_file() && !to.join(id).exists() {
        put(&from.join(id), &to.join(id))?;
    }
    folder::sync(to)?;
    Ok(damaged)
}

/// A name that is there always has all of its bytes.
fn put(from: &Path, to: &Path) -> Result<Sha256, BackupError> {
    let aside = beside(to, "restoring");
    let _ = std::fs::remove_file(&aside);
    let (digest, _) = folder::copy(from, &aside)?;
    std::fs::rename(&aside, to).at(to)?;
    Ok(digest)
}

/// Puts the keys where none are, and gives the names of those that others are there of.
fn put_keys(from: &Path, to: &Path) -> Result<Vec<String>, BackupError> {
    let mut kept = Vec::new();
    for name in folder::names(from)? {
        folder::make(to)?;
        let (source, place) = (from.join(&name), to.join(&name));
        if !place.exists() {
            put(&source, &place)?;
        } else if std::fs::read(&source).at(&source)? != std::fs::read(&place).at(&place)? {
            kept.push(name);
        }
    }
    if to.is_dir() {
        folder::sync(to)?;
    }
    Ok(kept)
}

/// The path with something at the end of its name.
fn ending(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}
