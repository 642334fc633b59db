//! Proves a bundle, offline: against a key that the verifier has by another way.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

use serde::Serialize;
use stanch_engine_core::custody::{ChainFault, Record, verify_chain};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::time::Timestamp;

use super::bundle::{CHAIN, CHECKPOINT, Checkpoint, FORMAT, ITEMS, MANIFEST, Manifest, Statement};
use super::keys::{is_signed, read_public};

/// A bundle is unpacked up to this many bytes: a small file could hold an endless one.
const UNPACKED_BYTES: u64 = 8 << 30;

/// A bundle that is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The incident.
    pub incident: IncidentId,
    /// When it was exported.
    pub exported_at: Timestamp,
    /// Custody records.
    pub records: usize,
    /// Items of evidence.
    pub items: usize,
    /// Files in all.
    pub files: usize,
    /// Whether the signature was checked against a key that the verifier brought.
    pub is_authenticated: bool,
    /// Where the checkpoint was laid down outside of the installation.
    pub anchor: Option<String>,
}

/// The first thing that is wrong with a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is no bundle.
    #[error("it is no bundle: {0}")]
    NotABundle(String),
    /// The key is no key.
    #[error("the key can't be used: {0}")]
    Key(String),
    /// It was signed by somebody else, or the signed statement was changed.
    #[error("checkpoint.json is not signed by this key, or was changed")]
    Signature,
    /// The custody chain.
    #[error("chain.jsonl: {0}")]
    Chain(#[from] ChainFault),
    /// An item of evidence.
    #[error("record {seq} ({label}): the item {item} {what}")]
    Item {
        /// The record that names it.
        seq: u64,
        /// What people call it.
        label: String,
        /// Its hash.
        item: Sha256,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Another file.
    #[error("{path} {what}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Proves a bundle. Without a key only its consistency is proved, not who made it.
///
/// # Errors
/// [`Fault`] names the first record, item or file that was changed, removed, added or reordered.
pub fn verify(bundle: &[u8], public_key_pem: Option<&str>) -> Result<Verified, Fault> {
    let files = unpack(bundle)?;
    let statement = statement(&files, public_key_pem)?;
    let chain = text(&files, CHAIN)?;
    let records = verify_chain(chain.lines(), statement.chain)?;
    let stranger = records.iter().find(|record| record.incident != statement.incident);
    if let Some(record) = stranger {
        let why = "it belongs to another incident".to_owned();
        return Err(ChainFault::Changed { seq: record.seq, why }.into());
    }
    let items = verify_items(&files, &records)?;
    verify_manifest(&files, &statement)?;
    Ok(Verified {
        incident: statement.incident,
        exported_at: statement.at,
        records: records.len(),
        items,
        files: files.len(),
        is_authenticated: public_key_pem.is_some(),
        anchor: statement.anchor,
    })
}

type Files = BTreeMap<String, Vec<u8>>;

fn unpack(bundle: &[u8]) -> Result<Files, Fault> {
    let bad = |error: zip::result::ZipError| Fault::NotABundle(error.to_string());
    let mut zip = zip::ZipArchive::new(Cursor::new(bundle)).map_err(bad)?;
    let mut files = Files::new();
    let mut left = UNPACKED_BYTES;
    for number in 0..zip.len() {
        let mut file = zip.by_index(number).map_err(bad)?;
        let path = file.name().map_err(bad)?.into_owned();
        let mut bytes = Vec::new();
        let damaged =
            |_| Fault::File { path: path.clone(), what: "can't be unpacked: it was changed" };
        let read = (&mut file).take(left + 1).read_to_end(&mut bytes).map_err(damaged)?;
        left = left
            .checked_sub(read as u64)
            .ok_or_else(|| Fault::NotABundle("it unpacks to more than 8 GiB".to_owned()))?;
        if files.insert(path.clone(), bytes).is_some() {
            return Err(Fault::File { path, what: "is there twice" });
        }
    }
    Ok(files)
}

fn text<'a>(files: &'a Files, path: &str) -> Result<&'a str, Fault> {
    let missing = || Fault::File { path: path.to_owned(), what: "is missing" };
    let bytes = files.get(path).ok_or_else(missing)?;
    let garbled = |_| Fault::File { path: path.to_owned(), what: "was changed: it is no text" };
    std::str::from_utf8(bytes).map_err(garbled)
}

fn statement(files: &Files, public_key_pem: Option<&str>) -> Result<Statement, Fault> {
    let changed =
        |_| Fault::File { path: CHECKPOINT.to_owned(), what: "can't be read: it was changed" };
    let checkpoint: Checkpoint = serde_json::from_str(text(files, CHECKPOINT)?).map_err(changed)?;
    if let Some(pem) = public_key_pem {
        let key = read_public(pem).map_err(Fault::Key)?;
        if !is_signed(&key, checkpoint.statement.as_bytes(), &checkpoint.signature) {
            return Err(Fault::Signature);
        }
    }
    let statement: Statement = serde_json::from_str(&checkpoint.statement).map_err(changed)?;
    if statement.format != FORMAT {
        let message =
            format!("it is of format {}, and this verifier knows {FORMAT}", statement.format);
        return Err(Fault::NotABundle(message));
    }
    Ok(statement)
}

/// Every item that a record names is there, and is what it was.
fn verify_items(files: &Files, records: &[Record]) -> Result<usize, Fault> {
    let mut items = std::collections::BTreeSet::new();
    for record in records {
        let Some(item) = record.item else { continue };
        let label = record.detail.get("label").or_else(|| record.detail.get("title"));
        let label = label.and_then(|label| label.as_str()).unwrap_or("an item").to_owned();
        let fault = |what| Fault::Item { seq: record.seq, label: label.clone(), item, what };
        let bytes = files.get(&format!("{ITEMS}{item}")).ok_or_else(|| fault("is missing"))?;
        if Sha256::of(bytes) != item {
            return Err(fault("was changed"));
        }
        items.insert(item);
    }
    Ok(items.len())
}

/// Every file is the one that the signed manifest names, and there is no other.
fn verify_manifest(files: &Files, statement: &Statement) -> Result<(), Fault> {
    let fault = |path: &str, what| Fault::File { path: path.to_owned(), what };
    let bytes = files.get(MANIFEST).ok_or_else(|| fault(MANIFEST, "is missing"))?;
    if Sha256::of(bytes) != statement.manifest {
        return Err(fault(MANIFEST, "was changed"));
    }
    let manifest: Manifest =
        serde_json::from_slice(bytes).map_err(|_| fault(MANIFEST, "can't be read"))?;
    for (path, entry) in &manifest.files {
        let bytes = files.get(path).ok_or_else(|| fault(path, "is missing"))?;
        if Sha256::of(bytes) != entry.sha256 || bytes.len() as u64 != entry.bytes {
            return Err(fault(path, "was changed"));
        }
    }
    let is_known =
        |path: &str| path == MANIFEST || path == CHECKPOINT || manifest.files.contains_key(path);
    match files.keys().find(|path| !is_known(path)) {
        Some(path) => Err(fault(path, "was added")),
        None => Ok(()),
    }
}
