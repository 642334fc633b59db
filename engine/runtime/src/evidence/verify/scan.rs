//! Going once through all files of a bundle: each is hashed, and what has to be read is kept.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Seek};

use stanch_engine_core::digest::{Hasher, Sha256};

use super::Fault;
use crate::evidence::bundle::{
    ANCHORS, APPROVALS, AUDIT, CHAIN, CHECKPOINT, DETAILS, HANDOVERS, MANIFEST, STAMPS,
};
use crate::evidence::items::{PIECE, pour};

/// Files that are read, and not only hashed.
const READ: &[&str] =
    &[CHECKPOINT, MANIFEST, CHAIN, DETAILS, HANDOVERS, ANCHORS, STAMPS, AUDIT, APPROVALS];

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
    let (mut scanned, mut left) = (Scanned::default(), READ_BYTES);
    for number in 0..zip.len() {
        let mut file = zip.by_index(number).map_err(bad)?;
        let path = file.name().map_err(bad)?.into_owned();
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
        if scanned.files.insert(path.clone(), (hasher.finish(), bytes)).is_some() {
            return Err(Fault::File { path, what: "is there twice" });
        }
        if is_read {
            scanned.texts.insert(path, text);
        }
    }
    Ok(scanned)
}
