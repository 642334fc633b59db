//! The server's folder. It is locked by the process that made it, so that a folder whose lock is
//! free is known to be left over.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::account::Account;

const PREFIX: &str = "stanch-postgres-";

/// Until it is locked the folder has another name, which no sweep looks for.
const NEW_PREFIX: &str = "stanch-new-";

/// A folder of an account.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    // Never read: the lock is gone when it is closed.
    _lock: File,
}

impl Folder {
    /// Makes one for the account.
    pub(super) fn create(parent: &Path, account: &Account) -> Result<Self> {
        let new = tempfile::Builder::new().prefix(NEW_PREFIX).tempdir_in(parent)?;
        let lock = File::open(new.path())?;
        lock.try_lock().context("a fresh folder is locked")?;
        account.own(new.path())?;
        let name = new.path().file_name().unwrap_or_default().to_string_lossy();
        let path = new.path().with_file_name(name.replacen(NEW_PREFIX, PREFIX, 1));
        std::fs::rename(new.keep(), &path)?;
        Ok(Self { path, _lock: lock })
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The server's files in it.
    pub(super) fn data(&self) -> PathBuf {
        data(&self.path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes what earlier runs left behind.
pub(super) fn sweep(parent: &Path, account: &Account, bin: &Path) {
    let entries = std::fs::read_dir(parent).into_iter().flatten();
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes())
            && is_left_over(&path, account)
        {
            stop(&path, account, bin);
            remove(&path);
        }
    }
}

/// Whether a folder is the account's and its maker is gone.
fn is_left_over(path: &Path, account: &Account) -> bool {
    let ours = path.symlink_metadata().is_ok_and(|m| m.is_dir() && m.uid() == account.user);
    ours && File::open(path).is_ok_and(|folder| folder.try_lock().is_ok())
}

/// Stops the server of a folder, if one still runs.
fn stop(path: &Path, account: &Account, bin: &Path) {
    let data = data(path);
    let file = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let Some(pid) = file.lines().next().and_then(|line| line.parse::<u32>().ok()) else { return };
    // The number may belong to another program by now, even to the machine's own Postgres.
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    if !String::from_utf8_lossy(&arguments).contains(&*data.to_string_lossy()) {
        return;
    }
    let mut pg_ctl = super::command(&bin.join("pg_ctl"), account);
    pg_ctl.args(["stop", "--silent", "--mode=immediate", "--pgdata"]).arg(data);
    if let Err(error) = pg_ctl.status() {
        eprintln!("pg_ctl: {error}");
    }
}

fn data(path: &Path) -> PathBuf {
    path.join("data")
}

fn remove(path: &Path) {
    // The guard removes it too, and often first.
    if let Err(error) = std::fs::remove_dir_all(path)
        && path.exists()
    {
        eprintln!("{} stays behind: {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_left_over_when_its_maker_is_gone() {
        let account = Account::choose().unwrap();
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::create(parent.path(), &account).unwrap();
        let path = folder.path().to_owned();
        assert!(!is_left_over(&path, &account));
        // Dropping the parts by hand leaves the folder as a killed process would.
        let folder = std::mem::ManuallyDrop::new(folder);
        folder._lock.unlock().unwrap();
        assert!(is_left_over(&path, &account));
        sweep(parent.path(), &account, Path::new("/nowhere"));
        assert!(!path.exists());
    }
}
