//! Proves a bundle, offline: against keys and anchors that the verifier has by another way.

mod anchors;
mod approvals;
mod evidence;
mod scan;
mod signers;
mod stamps;
mod story;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read, Seek};

use serde::Serialize;
use serde_json::Value;
use stanch_engine_core::chain::{ChainFault, Walked};
use stanch_engine_core::custody::{CustodyAction, Record, verify_chain, verify_details};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::time::Timestamp;

use super::bundle::{
    ANCHORS, APPROVALS, AUDIT, CHAIN, CHECKPOINT, Checkpoint, DETAILS, EVIDENCE, FORMAT, HANDOVERS,
    ITEMS, MANIFEST, Manifest, STAMPS, Statement,
};
use super::stamps::{Authorities, StampError};
use scan::Scanned;
use signers::Signers;
pub use stamps::Stamped;
pub use words::whose;

/// What a verifier brings, by another way than the bundle's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Brought<'a> {
    /// Public keys of the installation, in PEM: any that it has or had, when those that it had
    /// handed over to the next.
    pub keys: &'a [&'a str],
    /// What was laid down outside of the installation, an entry a line.
    pub anchors: Option<&'a str>,
    /// Whose time-stamps count; those of the bundle are not looked at unless it is said.
    pub authorities: Option<&'a Authorities>,
}

/// A bundle that is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The incident.
    pub incident: IncidentId,
    /// When the last record of its chain was made: the export, unless it is of an earlier end.
    pub exported_at: Timestamp,
    /// Custody records.
    pub records: usize,
    /// Items of evidence.
    pub items: usize,
    /// Items that retention has deleted, as the chain says.
    pub deleted: usize,
    /// Files in all.
    pub files: usize,
    /// Files that are left out, and of which there are the hashes.
    pub withheld: usize,
    /// Whether the signature was checked against a key that the verifier brought.
    pub is_authenticated: bool,
    /// Where the installation says that the checkpoint was laid down outside.
    pub anchor: Option<String>,
    /// How many records the last anchor vouches for that the verifier brought.
    pub anchored_records: u64,
    /// The last end of the chain that is stamped with its time, by an authority that the verifier
    /// trusts.
    pub stamped: Option<Stamped>,
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
    /// The end of its chain had been changed when it was exported, and it says so.
    #[error("checkpoint.json: it was broken when it was exported: {0}")]
    Broken(String),
    /// A key did not hand over to another one.
    #[error("keys.jsonl: line {line} is not signed by the key that it names, or was changed")]
    Handover {
        /// The line, from 1 on.
        line: usize,
    },
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
    /// The records of the audit log.
    #[error("audit.jsonl: {0}")]
    Audit(ChainFault),
    /// A decision that the chain knows nothing of, or knows another of.
    #[error("approvals.json: what {person} is to have said to {approval} is in no record")]
    Decision {
        /// Who.
        person: String,
        /// To what.
        approval: String,
    },
    /// What is said of an approval, or was said to it, is not what a record has.
    #[error("approvals.json: {0}")]
    Approval(String),
    /// What an item of evidence is said to be is not what a record has.
    #[error("evidence.json: {0}")]
    Evidence(String),
    /// Another file.
    #[error("{path} {what}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// What was laid down outside is not what it was.
    #[error("{path}: line {line} {what}")]
    Anchor {
        /// The file in the bundle, or `the anchors`.
        path: &'static str,
        /// The line, from 1 on.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A time-stamp proves nothing.
    #[error("timestamps.jsonl: line {line}: {why}")]
    Stamp {
        /// The line, from 1 on.
        line: usize,
        /// Why.
        why: StampError,
    },
    /// The chain went on in another way than it once had.
    #[error("chain.jsonl: record {seq} is not the one that was anchored at {at}{}", still(*.same))]
    Forked {
        /// The record.
        seq: u64,
        /// When another one stood in its place.
        at: Timestamp,
        /// The last record before it that was anchored and still is what it was.
        same: Option<u64>,
    },
    /// The chain ends before it did once.
    #[error(
        "chain.jsonl: record {seq} is the first that is missing: {count} were anchored at {at}"
    )]
    Short {
        /// The record.
        seq: u64,
        /// How many there were.
        count: u64,
        /// When.
        at: Timestamp,
    },
}

fn still(same: Option<u64>) -> String {
    same.map_or_else(String::new, |seq| format!("; record {seq} still is"))
}

/// Proves a bundle that is in memory, against one key.
///
/// # Errors
/// As [`prove`].
pub fn verify(bundle: &[u8], public_key_pem: Option<&str>) -> Result<Verified, Fault> {
    let keys: Vec<&str> = public_key_pem.into_iter().collect();
    prove(Cursor::new(bundle), &Brought { keys: &keys, ..Brought::default() })
}

/// Proves a bundle, a piece at a time, whatever its size. Without a key only its consistency is
/// proved, not who made it.
///
/// # Errors
/// [`Fault`] names the first record, item or file that was changed, removed, added or reordered.
pub fn prove(bundle: impl Read + Seek, brought: &Brought<'_>) -> Result<Verified, Fault> {
    let files = scan::scan(bundle)?;
    let signers = Signers::of(brought.keys, files.optional(HANDOVERS)?)?;
    let statement = statement(&files, &signers)?;
    let walked = verify_chain(files.text(CHAIN)?.lines(), statement.incident, statement.chain)?;
    let manifest = manifest(&files, &statement)?;
    let told = match manifest.files.get(DETAILS).is_some_and(|entry| entry.withheld) {
        true => Vec::new(),
        false => verify_details(&walked, files.text(DETAILS)?.lines())?,
    };
    let (items, deleted) = verify_items(&files, &manifest, &walked, &told)?;
    verify_files(&files, &manifest)?;
    story::compare(&files, &walked, &told)?;
    anchors::compare((ANCHORS, files.optional(ANCHORS)?), &walked, &statement, &signers)?;
    let brought_anchors = ("the anchors", brought.anchors.unwrap_or_default());
    let anchored = anchors::compare(brought_anchors, &walked, &statement, &signers)?;
    let stamps = files.optional(STAMPS)?;
    let stamped = stamps::compare(stamps, brought.authorities, &walked, &statement, &signers)?;
    Ok(Verified {
        incident: statement.incident,
        exported_at: statement.at,
        records: walked.len(),
        items,
        deleted,
        files: files.count(),
        withheld: manifest.files.values().filter(|entry| entry.withheld).count(),
        is_authenticated: !brought.keys.is_empty(),
        anchor: statement.anchor,
        anchored_records: anchored,
        stamped,
    })
}

fn statement(files: &Scanned, signers: &Signers) -> Result<Statement, Fault> {
    let changed =
        |_| Fault::File { path: CHECKPOINT.to_owned(), what: "can't be read: it was changed" };
    let checkpoint: Checkpoint = serde_json::from_str(files.text(CHECKPOINT)?).map_err(changed)?;
    if !signers.is_signed(&checkpoint.statement, &checkpoint.signature) {
        return Err(Fault::Signature);
    }
    let statement: Statement = serde_json::from_str(&checkpoint.statement).map_err(changed)?;
    if statement.format != FORMAT {
        let message =
            format!("it is of format {}, and this verifier knows {FORMAT}", statement.format);
        return Err(Fault::NotABundle(message));
    }
    match statement.broken {
        Some(what) => Err(Fault::Broken(what)),
        None => Ok(statement),
    }
}

fn manifest(files: &Scanned, statement: &Statement) -> Result<Manifest, Fault> {
    let fault = |what| Fault::File { path: MANIFEST.to_owned(), what };
    let (hash, _) = files.get(MANIFEST).ok_or_else(|| fault("is missing"))?;
    if hash != statement.manifest {
        return Err(fault("was changed"));
    }
    serde_json::from_str(files.text(MANIFEST)?).map_err(|_| fault("can't be read: it was changed"))
}

/// Every item that a record names is there, and is what it was; or it is withheld under its hash; or a
/// later record says that retention has deleted it. Gives how many there are, and how many are deleted.
fn verify_items(
    files: &Scanned,
    manifest: &Manifest,
    walked: &[Walked<Record>],
    told: &[Value],
) -> Result<(usize, usize), Fault> {
    let (mut items, mut deleted) = (BTreeSet::new(), BTreeSet::new());
    let mut gone = BTreeMap::new();
    for Walked { record, .. } in walked {
        if let (Some(item), CustodyAction::DeletedByRetention) = (record.item, record.action) {
            gone.insert(item, record.seq);
        }
    }
    for (at, Walked { record, .. }) in walked.iter().enumerate() {
        let Some(item) = record.item else { continue };
        let detail = told.get(at).unwrap_or(&Value::Null);
        let label = detail.get("label").or_else(|| detail.get("title"));
        let label = label.and_then(|label| label.as_str()).unwrap_or("an item").to_owned();
        let fault = |what| Fault::Item { seq: record.seq, label: label.clone(), item, what };
        let path = format!("{ITEMS}{item}");
        let withheld = manifest.files.get(&path).filter(|entry| entry.withheld);
        let found = withheld.map(|entry| entry.sha256).or(files.get(&path).map(|(hash, _)| hash));
        match found {
            Some(found) if found == item => {
                items.insert(item);
            }
            Some(_) => return Err(fault("was changed")),
            None if gone.get(&item).is_some_and(|until| record.seq <= *until) => {
                deleted.insert(item);
            }
            None => return Err(fault("is missing")),
        }
    }
    Ok((items.len(), deleted.len()))
}

/// Every file is the one that the signed manifest names, and there is no other.
fn verify_files(files: &Scanned, manifest: &Manifest) -> Result<(), Fault> {
    let fault = |path: &str, what| Fault::File { path: path.to_owned(), what };
    let here = |path: &&String| manifest.files.get(*path).is_some_and(|entry| !entry.withheld);
    for path in manifest.files.keys().filter(here) {
        let found = files.get(path).ok_or_else(|| fault(path, "is missing"))?;
        if manifest.files.get(path).is_none_or(|entry| found != (entry.sha256, entry.bytes)) {
            return Err(fault(path, "was changed"));
        }
    }
    let is_known = |path: &String| path == MANIFEST || path == CHECKPOINT || here(&path);
    match files.paths().find(|path| !is_known(path)) {
        Some(path) => Err(fault(path, "was added")),
        None => Ok(()),
    }
}
