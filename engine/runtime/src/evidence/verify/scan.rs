//! Going once through all files of a bundle: each is hashed, and what has to be read is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read, Seek, SeekFrom};

use stanch_engine_core::digest::{Hasher, Sha256};
use zip::ZipReadOptions;

use super::Fault;
use crate::evidence::bundle::{
    ANCHORS, APPROVALS, AUDIT, CHAIN, CHECKPOINT, DETAILS, EVIDENCE, HANDOVERS, MANIFEST, STAMPS,
};
use crate::evidence::items::{PIECE, pour};

/// Files that are read, and not only hashed.
const READ: &[&str] =
    &[CHECKPOINT, MANIFEST, CHAIN, DETAILS, HANDOVERS, ANCHORS, STAMPS, AUDIT, APPROVALS, EVIDENCE];

/// Bytes that are kept to be read, at most: a small file could hold an endless one. A million
/// records have half of it.
const READ_BYTES: u64 = 1 << 30;

/// What is known of the files of a bundle.
#[derive(Default)]
pub(super) struct Scanned {
    files: BTreeMap<String, (Sha256, u64)>,
    texts: BTreeMap<String, Vec<u8>>,
}

impl Scanned {
    /// The hash and length of a file.
    pub(super) fn get(&self, path: &str) -> Option<(Sha256, u64)> {
        self.files.get(path).copied()
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &String> {
        self.files.keys()
    }

    pub(super) fn count(&self) -> usize {
        self.files.len()
    }

    /// The text of a file that must be there.
    pub(super) fn text(&self, path: &str) -> Result<&str, Fault> {
        let missing = || Fault::File { path: path.to_owned(), what: "is missing" };
        let bytes = self.texts.get(path).ok_or_else(missing)?;
        let garbled = |_| Fault::File { path: path.to_owned(), what: "was changed: it is no text" };
        std::str::from_utf8(bytes).map_err(garbled)
    }

    /// The text of a file that is there or not.
    pub(super) fn optional(&self, path: &str) -> Result<&str, Fault> {
        if self.texts.contains_key(path) { self.text(path) } else { Ok("") }
    }
}

pub(super) fn scan(bundle: impl Read + Seek) -> Result<Scanned, Fault> {
    let bad = |error: zip::result::ZipError| Fault::NotABundle(error.to_string());
    let bundle = BufReader::with_capacity(PIECE, bundle);
    let mut zip = zip::ZipArchive::new(bundle).map_err(bad)?;
    if zip.has_duplicate_names() {
        let start = zip.central_directory_start();
        let unread = |error: std::io::Error| Fault::NotABundle(error.to_string());
        let path = twice(zip.into_inner(), start).map_err(unread)?;
        return Err(Fault::File { path, what: "is there twice" });
    }
    let (mut scanned, mut left) = (Scanned::default(), READ_BYTES);
    for number in 0..zip.len() {
        let path = zip.name_for_index(number).transpose().map_err(bad)?.unwrap_or_default();
        let path = path.into_owned();
        // What stands before the bytes must say the same as the directory at the end: others unpack by it.
        let strictly = ZipReadOptions::new().enforce_header_consistency(true);
        let changed =
            |_| Fault::File { path: path.clone(), what: "can't be unpacked: it was changed" };
        let mut file = zip.by_index_with_options(number, strictly).map_err(changed)?;
        let is_read = READ.contains(&path.as_str());
        let (mut hasher, mut bytes, mut text) = (Hasher::default(), 0, Vec::new());
        let mut is_endless = false;
        let poured = pour(&mut file, |piece| {
            hasher.update(piece);
            bytes += piece.len() as u64;
            if is_read {
                is_endless = left < piece.len() as u64;
                left = left.saturating_sub(piece.len() as u64);
                text.extend_from_slice(piece);
            }
            if is_endless { Err(std::io::Error::other("endless")) } else { Ok(()) }
        });
        let fault = |what| Fault::File { path: path.clone(), what };
        if is_endless {
            return Err(fault("is longer than a verifier reads"));
        }
        poured.map_err(|_| fault("can't be unpacked: it was changed"))?;
        scanned.files.insert(path.clone(), (hasher.finish(), bytes));
        if is_read {
            scanned.texts.insert(path, text);
        }
    }
    Ok(scanned)
}

/// The first path that the directory of the bundle, which begins at `start`, names again. (`ZipArchive`
/// keeps the last of them alone, and others who unpack may keep the first.)
fn twice(mut bundle: impl Read + Seek, start: u64) -> std::io::Result<String> {
    bundle.seek(SeekFrom::Start(start))?;
    let mut seen = BTreeSet::new();
    loop {
        // Of each file 46 bytes, in which are the lengths of its name and of two fields behind it.
        let mut head = [0; 46];
        bundle.read_exact(&mut head)?;
        let length = |low: u8, high: u8| u16::from_le_bytes([low, high]);
        let mut path = vec![0; usize::from(length(head[28], head[29]))];
        bundle.read_exact(&mut path)?;
        let behind = [length(head[30], head[31]), length(head[32], head[33])];
        bundle.seek(SeekFrom::Current(behind.into_iter().map(i64::from).sum()))?;
        let path = String::from_utf8_lossy(&path).into_owned();
        if !seen.insert(path.clone()) {
            return Ok(path);
        }
    }
}
