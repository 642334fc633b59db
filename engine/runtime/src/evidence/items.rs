//! The bytes of items, each under its own hash: in a folder, or in a bucket of S3.
//!
//! A name that is there always has all of its bytes; keeping the same bytes again changes nothing.
//! Whatever its size, an item passes through memory a piece at a time. All that is done here blocks:
//! it is for threads that may.

mod bucket;
mod disk;

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use stanch_engine_core::digest::Sha256;

pub(crate) use bucket::Bucket;
use disk::Disk;
pub(crate) use disk::FOLDER_ID;

/// What is read and written at once.
pub(crate) const PIECE: usize = 256 << 10;

/// Why an item can't be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum ItemError {
    /// The disk says no.
    #[error("the evidence can't be kept or read: {0}")]
    Disk(#[from] std::io::Error),
    /// The bucket says no.
    #[error("the evidence in {place}: {why}")]
    Bucket {
        /// Which.
        place: String,
        /// What it says.
        why: String,
    },
    /// It has more bytes than can be sent to a bucket in parts.
    #[error(
        "an item in a bucket has {0} bytes at most: copy what is larger there, and add a note of it"
    )]
    TooLarge(u64),
    /// The bytes are not those that were kept.
    #[error("the item {0} has been changed where it lies")]
    Changed(Sha256),
}

/// An item that is kept: the name and number of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Their hash.
    pub sha256: Sha256,
    /// How many.
    pub bytes: u64,
}

/// Where the items are.
#[derive(Clone, Debug)]
pub struct Items(Place);

#[derive(Clone, Debug)]
enum Place {
    Disk(Disk),
    Bucket(Bucket),
}

impl Items {
    /// The items in a folder, which is made if it is not there, and is then named by `chance`.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn open(folder: PathBuf, chance: u128) -> Result<Self, ItemError> {
        Ok(Self(Place::Disk(Disk::open(folder, chance)?)))
    }

    /// The items in a bucket.
    pub(crate) fn in_bucket(bucket: Bucket) -> Self {
        Self(Place::Bucket(bucket))
    }

    /// The bucket, where they are in one.
    pub(crate) fn bucket(&self) -> Option<&Bucket> {
        match &self.0 {
            Place::Disk(_) => None,
            Place::Bucket(bucket) => Some(bucket),
        }
    }

    /// The name of where they are: nodes that see the same name keep their evidence in the same
    /// place. That of a folder goes with it wherever it is mounted.
    pub fn name(&self) -> &str {
        match &self.0 {
            Place::Disk(disk) => disk.name(),
            Place::Bucket(bucket) => bucket.name(),
        }
    }

    /// Begins an item whose bytes are still to come.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn begin(&self) -> Result<Draft, ItemError> {
        let coming = match &self.0 {
            Place::Disk(disk) => Coming::Disk(disk.begin()?),
            Place::Bucket(bucket) => Coming::Bucket(bucket.begin()),
        };
        Ok(Draft { coming, bytes: 0 })
    }

    /// Keeps bytes, durably, and gives their name.
    ///
    /// # Errors
    /// When the disk or the bucket says no; nothing is kept then.
    pub fn put(&self, bytes: &[u8]) -> Result<Sha256, ItemError> {
        match &self.0 {
            Place::Disk(disk) => disk.put(bytes),
            Place::Bucket(bucket) => {
                let mut draft = bucket.begin();
                draft.write(bytes)?;
                draft.keep().map(|kept| kept.sha256)
            }
        }
    }

    /// The bytes with this name, whatever they are by now, to be read piece by piece.
    ///
    /// # Errors
    /// When the disk or the bucket says no.
    pub fn read(&self, hash: Sha256) -> Result<Reading, ItemError> {
        match &self.0 {
            Place::Disk(disk) => {
                let file = disk.read(hash)?;
                Ok(Reading { bytes: file.metadata()?.len(), source: Source::Disk(file) })
            }
            Place::Bucket(bucket) => {
                let object = bucket.read(hash)?;
                Ok(Reading { bytes: object.length(), source: Source::Bucket(object) })
            }
        }
    }

    /// Where they are, in words.
    pub fn place(&self) -> String {
        match &self.0 {
            Place::Disk(disk) => format!("the folder {}", disk.name()),
            Place::Bucket(bucket) => bucket.name().to_owned(),
        }
    }

    /// The names of all of them.
    ///
    /// # Errors
    /// When the disk or the bucket says no.
    pub(crate) fn all(&self) -> Result<Vec<Sha256>, ItemError> {
        match &self.0 {
            Place::Disk(disk) => disk.all(),
            Place::Bucket(bucket) => bucket.all(),
        }
    }

    /// Removes the bytes with this name, which lie elsewhere, too.
    ///
    /// # Errors
    /// When the disk says no, and in a bucket, where nothing is deleted.
    pub(crate) fn remove(&self, hash: Sha256) -> Result<(), ItemError> {
        self.disk()?.remove(hash)
    }

    /// Sets bytes aside that are to go: they are read until they are forgotten, and can be put back.
    ///
    /// # Errors
    /// When the disk says no, and in a bucket, where nothing is deleted.
    pub(crate) fn set_aside(&self, hash: Sha256) -> Result<(), ItemError> {
        self.disk()?.set_aside(hash)
    }

    /// Puts back what was set aside.
    ///
    /// # Errors
    /// As [`Items::set_aside`].
    pub(crate) fn put_back(&self, hash: Sha256) -> Result<(), ItemError> {
        self.disk()?.put_back(hash)
    }

    /// Removes what was set aside.
    ///
    /// # Errors
    /// As [`Items::set_aside`].
    pub(crate) fn forget(&self, hash: Sha256) -> Result<(), ItemError> {
        self.disk()?.forget(hash)
    }

    fn disk(&self) -> Result<&Disk, ItemError> {
        match &self.0 {
            Place::Disk(disk) => Ok(disk),
            Place::Bucket(bucket) => Err(ItemError::Bucket {
                place: bucket.name().to_owned(),
                why: "nothing is deleted there".to_owned(),
            }),
        }
    }

    /// The bytes with this name, if they still are what they were.
    ///
    /// # Errors
    /// When the disk or the bucket says no, or the bytes were changed.
    pub fn get(&self, hash: Sha256) -> Result<Vec<u8>, ItemError> {
        let mut bytes = Vec::new();
        self.read(hash)?.read_to_end(&mut bytes)?;
        if Sha256::of(&bytes) == hash { Ok(bytes) } else { Err(ItemError::Changed(hash)) }
    }
}

/// An item that is read piece by piece.
#[derive(Debug)]
pub struct Reading {
    bytes: u64,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Disk(File),
    Bucket(bucket::Object),
}

impl Reading {
    /// How many bytes there are.
    pub fn length(&self) -> u64 {
        self.bytes
    }
}

impl Read for Reading {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match &mut self.source {
            Source::Disk(file) => file.read(into),
            Source::Bucket(object) => object.read(into),
        }
    }
}

/// An item whose bytes are coming. Whoever drops it before it is kept leaves nothing.
pub struct Draft {
    coming: Coming,
    bytes: u64,
}

enum Coming {
    Disk(disk::Draft),
    Bucket(bucket::Draft),
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Draft {
    /// Takes in more bytes.
    ///
    /// # Errors
    /// When the disk or the bucket says no.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ItemError> {
        match &mut self.coming {
            Coming::Disk(draft) => draft.write(bytes)?,
            Coming::Bucket(draft) => draft.write(bytes)?,
        }
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Bytes that came so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Keeps what came, durably. Bytes of this name that were there already are replaced by these
    /// where somebody changed them.
    ///
    /// # Errors
    /// When the disk or the bucket says no; nothing is kept then.
    pub fn keep(self) -> Result<Kept, ItemError> {
        match self.coming {
            Coming::Disk(draft) => draft.keep(),
            Coming::Bucket(draft) => draft.keep(),
        }
    }
}

/// Has bytes go by in pieces.
///
/// # Errors
/// When they can't be read, or whoever takes them says no.
pub(crate) fn pour<E: From<std::io::Error>>(
    source: &mut impl Read,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = source.read(&mut piece)?;
        let Some(part) = piece.get(..read).filter(|part| !part.is_empty()) else { return Ok(()) };
        take(part)?;
    }
}
