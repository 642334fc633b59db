//! The bytes of items, on disk, each under its own hash.
//!
//! A file is written under another name, synced, and then renamed, so that a name that is there
//! always has all of its bytes. Writing the same bytes again changes nothing.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use stanch_engine_core::digest::Sha256;

/// Why an item can't be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum ItemError {
    /// The disk says no.
    #[error("the evidence folder: {0}")]
    Disk(#[from] std::io::Error),
    /// The bytes are not those that were kept.
    #[error("the item {0} has been changed on disk")]
    Changed(Sha256),
}

/// The folder of the items.
#[derive(Clone, Debug)]
pub struct Items {
    folder: PathBuf,
    name: String,
}

/// The file that says which folder this is, wherever it is mounted.
pub(crate) const FOLDER_ID: &str = "folder.id";

impl Items {
    /// The items in a folder, which is made if it is not there, and is then named by `chance`.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn open(folder: PathBuf, chance: u128) -> Result<Self, ItemError> {
        std::fs::create_dir_all(&folder)?;
        let name = name_of(&folder, &format!("{chance:032x}"))?;
        Ok(Self { folder, name })
    }

    /// The folder's name, which goes with it wherever it is mounted: nodes that see the same name
    /// keep their evidence in the same place.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn path(&self, hash: Sha256) -> PathBuf {
        let name = hash.to_string();
        let (start, rest) = name.split_at(2);
        self.folder.join(start).join(rest)
    }

    /// Keeps bytes, durably, and gives their name. It blocks.
    ///
    /// # Errors
    /// When the disk says no; nothing is kept then.
    pub fn put(&self, bytes: &[u8]) -> Result<Sha256, ItemError> {
        let hash = Sha256::of(bytes);
        let path = self.path(hash);
        if path.exists() && self.get(hash).is_ok() {
            return Ok(hash);
        }
        let folder = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(folder)?;
        let aside = folder.join(format!(".{hash}.{}", std::process::id()));
        let written = write_synced(&aside, bytes).and_then(|()| std::fs::rename(&aside, &path));
        if let Err(error) = written {
            let _ = std::fs::remove_file(&aside);
            return Err(error.into());
        }
        sync_folder(folder)?;
        sync_folder(&self.folder)?;
        Ok(hash)
    }

    /// The bytes with this name, if they still are what they were. It blocks.
    ///
    /// # Errors
    /// When the disk says no, or the bytes were changed.
    pub fn get(&self, hash: Sha256) -> Result<Vec<u8>, ItemError> {
        let bytes = std::fs::read(self.path(hash))?;
        if Sha256::of(&bytes) == hash { Ok(bytes) } else { Err(ItemError::Changed(hash)) }
    }
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
        let items = Items::open(folder.path().join("evidence"), 7).unwrap();
        let hash = items.put(b"the trail").unwrap();
        assert_eq!(items.get(hash).unwrap(), b"the trail");
        assert_eq!(items.put(b"the trail").unwrap(), hash);
        std::fs::write(items.path(hash), b"the trial").unwrap();
        assert!(matches!(items.get(hash), Err(ItemError::Changed(_))));
        assert_eq!(items.put(b"the trail").unwrap(), hash, "a damaged item is written anew");
        assert_eq!(items.get(hash).unwrap(), b"the trail");
    }

    #[test]
    fn nothing_half_written_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let items = Items::open(folder.path().to_owned(), 7).unwrap();
        let hash = items.put(b"x").unwrap();
        let names: Vec<_> =
            std::fs::read_dir(items.path(hash).parent().unwrap()).unwrap().collect();
        assert_eq!(names.len(), 1);
    }
}
