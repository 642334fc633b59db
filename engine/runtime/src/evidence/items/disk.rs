//! Items in a folder.
//!
//! A file is written under another name, synced, and then renamed, so that a name that is there
//! always has all of its bytes. Writing the same bytes again changes nothing. Whatever its size, an
//! item passes through memory a piece at a time.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stanch_engine_core::digest::{Hasher, Sha256};

use super::{ItemError, Kept};

/// The folder of the items.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    name: String,
    /// Tells the files apart that this process writes.
    mark: u128,
    next: Arc<AtomicU64>,
}

/// The file that says which folder this is, wherever it is mounted.
pub(crate) const FOLDER_ID: &str = "folder.id";

/// The beginning of the names of what is being written.
const PARTIAL: &str = ".partial-";

/// The beginning of the names of what is deleted, and not gone yet.
const ASIDE: &str = ".deleted-";

impl Disk {
    /// The items in a folder, which is made if it is not there, and is then named by `chance`.
    ///
    /// # Errors
    /// When it can't be made.
    pub(super) fn open(folder: PathBuf, chance: u128) -> Result<Self, ItemError> {
        std::fs::create_dir_all(&folder)?;
        let name = name_of(&folder, &format!("{chance:032x}"))?;
        clear(&folder)?;
        Ok(Self { folder, name, mark: chance, next: Arc::default() })
    }

    /// The folder's name, which goes with it wherever it is mounted: nodes that see the same name
    /// keep their evidence in the same place.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn path(&self, hash: Sha256) -> PathBuf {
        let name = hash.to_string();
        let (start, rest) = name.split_at(2);
        self.folder.join(start).join(rest)
    }

    /// Begins an item whose bytes are still to come. It blocks, as all that is done to it.
    ///
    /// # Errors
    /// When the disk says no.
    pub(super) fn begin(&self) -> Result<Draft, ItemError> {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let path = self.folder.join(format!("{PARTIAL}{:032x}-{number}", self.mark));
            let file = File::options().write(true).create_new(true).open(&path)?;
            // Another node that starts meanwhile takes a file that nobody holds for a leftover. A
            // disk without locks has no leftovers cleared.
            let is_contended = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
            if !is_contended && file.metadata()?.nlink() > 0 {
                let (hasher, bytes) = Default::default();
                return Ok(Draft { disk: self.clone(), path: Some(path), file, hasher, bytes });
            }
        }
    }

    /// Keeps bytes, durably, and gives their name. It blocks.
    ///
    /// # Errors
    /// When the disk says no; nothing is kept then.
    pub(super) fn put(&self, bytes: &[u8]) -> Result<Sha256, ItemError> {
        let hash = Sha256::of(bytes);
        if self.path(hash).exists() && self.get(hash).is_ok() {
            return Ok(hash);
        }
        let mut draft = self.begin()?;
        draft.write(bytes)?;
        draft.keep().map(|kept| kept.sha256)
    }

    /// The bytes with this name, whatever they are by now, to be read piece by piece.
    ///
    /// # Errors
    /// When the disk says no.
    pub(super) fn read(&self, hash: Sha256) -> Result<File, ItemError> {
        let file = match File::open(self.path(hash)) {
            Err(error) if is_missing(&error) => File::open(self.aside(hash)),
            file => file,
        };
        Ok(file?)
    }

    fn aside(&self, hash: Sha256) -> PathBuf {
        self.folder.join(format!("{ASIDE}{hash}"))
    }

    /// Sets bytes aside that are to go. Until they are forgotten they can be read, and put back; whoever
    /// keeps the same from now on writes them anew.
    ///
    /// # Errors
    /// When the disk says no. What is not there is no error.
    pub(super) fn set_aside(&self, hash: Sha256) -> Result<(), ItemError> {
        self.rename(&self.path(hash), &self.aside(hash))
    }

    /// Puts bytes back that were set aside, unless they came anew.
    ///
    /// # Errors
    /// When the disk says no.
    pub(super) fn put_back(&self, hash: Sha256) -> Result<(), ItemError> {
        match self.path(hash).exists() {
            true => self.forget(hash),
            false => self.rename(&self.aside(hash), &self.path(hash)),
        }
    }

    /// The names of all items.
    ///
    /// # Errors
    /// When the disk says no.
    pub(super) fn all(&self) -> Result<Vec<Sha256>, ItemError> {
        let mut all = Vec::new();
        for folder in std::fs::read_dir(&self.folder)? {
            let folder = folder?;
            let start = folder.file_name().to_string_lossy().into_owned();
            if start.len() != 2 || !folder.path().is_dir() {
                continue;
            }
            for file in std::fs::read_dir(folder.path())? {
                let rest = file?.file_name().to_string_lossy().into_owned();
                all.extend(format!("{start}{rest}").parse::<Sha256>().ok());
            }
        }
        all.sort_unstable();
        Ok(all)
    }

    /// Removes bytes.
    ///
    /// # Errors
    /// When the disk says no. What is not there is no error.
    pub(super) fn remove(&self, hash: Sha256) -> Result<(), ItemError> {
        let path = self.path(hash);
        if there(std::fs::remove_file(&path))? {
            sync_folder(path.parent().unwrap_or(&self.folder))?;
        }
        Ok(())
    }

    /// Removes bytes that were set aside.
    ///
    /// # Errors
    /// When the disk says no.
    pub(super) fn forget(&self, hash: Sha256) -> Result<(), ItemError> {
        if there(std::fs::remove_file(self.aside(hash)))? {
            sync_folder(&self.folder)?;
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), ItemError> {
        if there(std::fs::rename(from, to))? {
            for folder in [to.parent(), from.parent()].into_iter().flatten() {
                sync_folder(folder)?;
            }
        }
        Ok(())
    }

    /// The bytes with this name, if they still are what they were. It blocks.
    ///
    /// # Errors
    /// When the disk says no, or the bytes were changed.
    pub(super) fn get(&self, hash: Sha256) -> Result<Vec<u8>, ItemError> {
        let bytes = std::fs::read(self.path(hash))?;
        if Sha256::of(&bytes) == hash { Ok(bytes) } else { Err(ItemError::Changed(hash)) }
    }
}

/// An item whose bytes are coming. Whoever drops it before it is kept leaves nothing.
pub(super) struct Draft {
    disk: Disk,
    /// Where the bytes are until they are kept.
    path: Option<PathBuf>,
    file: File,
    hasher: Hasher,
    bytes: u64,
}

impl Draft {
    /// Takes in more bytes.
    ///
    /// # Errors
    /// When the disk says no.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), ItemError> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Keeps what came, durably. Bytes of this name that were there already are replaced by these,
    /// which are the same unless somebody changed them.
    ///
    /// # Errors
    /// When the disk says no; nothing is kept then.
    pub(super) fn keep(mut self) -> Result<Kept, ItemError> {
        self.file.sync_all()?;
        let kept = Kept { sha256: self.hasher.clone().finish(), bytes: self.bytes };
        let place = self.disk.path(kept.sha256);
        let folder = place.parent().unwrap_or(&self.disk.folder);
        std::fs::create_dir_all(folder)?;
        if let Some(path) = &self.path {
            std::fs::rename(path, &place)?;
        }
        self.path = None;
        sync_folder(folder)?;
        sync_folder(&self.disk.folder)?;
        Ok(kept)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Removes what a process left that died while it wrote.
fn clear(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(PARTIAL) {
            continue;
        }
        // Whoever writes holds a lock, which ends with its process.
        let is_left = File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
        if is_left {
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// The name of a folder; `new` when it has none yet. Of several who come at once one names it.
fn name_of(folder: &Path, new: &str) -> Result<String, ItemError> {
    let path = folder.join(FOLDER_ID);
    if !path.exists() {
        let aside = folder.join(format!(".{FOLDER_ID}.{new}"));
        write_synced(&aside, new.as_bytes())?;
        let linked = std::fs::hard_link(&aside, &path);
        let _ = std::fs::remove_file(&aside);
        match linked {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(error.into());
            }
            _ => sync_folder(folder)?,
        }
    }
    Ok(std::fs::read_to_string(&path)?.trim().to_owned())
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn is_missing(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

/// Whether there was something to do it to.
fn there(done: std::io::Result<()>) -> std::io::Result<bool> {
    match done {
        Err(error) if is_missing(&error) => Ok(false),
        done => done.map(|()| true),
    }
}

/// A rename is durable when its folder is.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_comes_back_and_a_changed_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let items = Disk::open(folder.path().join("evidence"), 7).unwrap();
        let hash = items.put(b"the trail").unwrap();
        assert_eq!(items.get(hash).unwrap(), b"the trail");
        assert_eq!(items.put(b"the trail").unwrap(), hash);
        std::fs::write(items.path(hash), b"the trial").unwrap();
        assert!(matches!(items.get(hash), Err(ItemError::Changed(_))));
        assert_eq!(items.put(b"the trail").unwrap(), hash, "a damaged item is written anew");
        assert_eq!(items.get(hash).unwrap(), b"the trail");
    }

    #[test]
    fn an_item_that_comes_in_pieces_is_there_when_it_is_whole_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let items = Disk::open(folder.path().to_owned(), 7).unwrap();
        let names = || std::fs::read_dir(folder.path()).unwrap().count();
        let mut dropped = items.begin().unwrap();
        dropped.write(b"half of ").unwrap();
        assert_eq!(names(), 2);
        drop(dropped);
        assert_eq!(names(), 1, "only the folder's name is left");
        let mut draft = items.begin().unwrap();
        for piece in ["the ", "trail"] {
            draft.write(piece.as_bytes()).unwrap();
        }
        let kept = draft.keep().unwrap();
        assert_eq!(kept, Kept { sha256: Sha256::of("the trail"), bytes: 9 });
        assert_eq!(items.get(kept.sha256).unwrap(), b"the trail");
        std::fs::write(items.path(kept.sha256), b"the trial").unwrap();
        let mut again = items.begin().unwrap();
        again.write(b"the trail").unwrap();
        again.keep().unwrap();
        assert_eq!(items.get(kept.sha256).unwrap(), b"the trail", "a damaged one is replaced");
    }

    #[test]
    fn what_a_dead_process_left_is_cleared_and_what_a_living_one_writes_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let items = Disk::open(folder.path().to_owned(), 7).unwrap();
        let mut draft = items.begin().unwrap();
        draft.write(b"coming").unwrap();
        let left = folder.path().join(format!("{PARTIAL}dead-0"));
        std::fs::write(&left, b"half").unwrap();
        Disk::open(folder.path().to_owned(), 8).unwrap();
        assert!(!left.exists());
        assert!(draft.keep().is_ok());
    }

    #[test]
    fn what_is_set_aside_is_read_until_it_is_forgotten_and_comes_back_when_it_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let items = Disk::open(folder.path().to_owned(), 7).unwrap();
        let hash = items.put(b"the trail").unwrap();
        let read = || items.read(hash).map(|file| std::io::read_to_string(file).unwrap());
        for _ in 0..2 {
            items.set_aside(hash).unwrap();
            assert_eq!(read().unwrap(), "the trail");
            assert!(!items.path(hash).exists());
        }
        items.put_back(hash).unwrap();
        assert_eq!(items.get(hash).unwrap(), b"the trail");
        // Who keeps the same meanwhile has bytes that nobody forgets.
        items.set_aside(hash).unwrap();
        assert_eq!(items.put(b"the trail").unwrap(), hash);
        items.put_back(hash).unwrap();
        assert_eq!(items.get(hash).unwrap(), b"the trail");
        items.set_aside(hash).unwrap();
        items.put(b"the trail").unwrap();
        items.forget(hash).unwrap();
        assert_eq!(items.get(hash).unwrap(), b"the trail");
        for _ in 0..2 {
            items.set_aside(hash).unwrap();
            items.forget(hash).unwrap();
            assert!(read().is_err());
        }
        let names = std::fs::read_dir(folder.path()).unwrap();
        let is_aside = |name: &str| name.starts_with(ASIDE);
        let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert!(!names.any(|name| is_aside(&name)));
    }

    #[test]
    fn nothing_half_written_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let items = Disk::open(folder.path().to_owned(), 7).unwrap();
        let hash = items.put(b"x").unwrap();
        let names: Vec<_> =
            std::fs::read_dir(items.path(hash).parent().unwrap()).unwrap().collect();
        assert_eq!(names.len(), 1);
    }
}
