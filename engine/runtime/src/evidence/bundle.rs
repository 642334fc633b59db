//! The bundle: everything about an incident in one zip, signed, that proves itself without us.
//!
//! | file | what |
//! |---|---|
//! | `checkpoint.json` | the signed statement: the end of the chain and the hash of the manifest |
//! | `manifest.json` | every other file with its SHA-256 |
//! | `chain.jsonl` | the custody records, one a line, as they were sealed |
//! | `details.jsonl` | the texts that the records have the hashes of, one a line |
//! | `keys.jsonl`, `anchors.jsonl` | which key handed over to which; what was laid down outside |
//! | `timestamps.jsonl` | what an authority stamped with its time |
//! | `audit.jsonl` | the records of the audit log that are about the incident, as they were sealed |
//! | `items/HASH` | the evidence, each item under its hash |
//! | `report.md`, `report.html` | what `stanch report` says at that end of the chain |
//! | the others | the story: `bundle/story.rs` |
//!
//! It is made for one end of the chain, and made again for the same end it has the same bytes, as
//! long as nothing more has happened. Nothing of it is ever in memory as a whole.

mod packing;
mod story;
mod then;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use stanch_engine_core::chain::Head;
use stanch_engine_core::custody::CustodyAction;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::ledger::Signed;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::custody::{self, NewRecord, Stored};
use stanch_engine_store::ledger::{self, Kept};
use stanch_engine_store::ledger_stamps::{self, Stamped};
use stanch_engine_store::{StoreError, audit, incidents};

use super::keys::Keys;
use super::rotation;
use super::stamps::Line;
use crate::runtime::Runtime;

/// The version of the format.
pub const FORMAT: u32 = 2;

pub(super) const CHECKPOINT: &str = "checkpoint.json";
pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const CHAIN: &str = "chain.jsonl";
pub(super) const DETAILS: &str = "details.jsonl";
pub(super) const HANDOVERS: &str = "keys.jsonl";
pub(super) const ANCHORS: &str = "anchors.jsonl";
pub(super) const STAMPS: &str = "timestamps.jsonl";
pub(super) const AUDIT: &str = "audit.jsonl";
pub(super) const APPROVALS: &str = "approvals.json";
pub(super) const EVIDENCE: &str = "evidence.json";
pub(super) const ITEMS: &str = "items/";

/// The report, for people: as Markdown, and as HTML.
const REPORTS: [&str; 2] = ["report.md", "report.html"];

/// What stays in a redacted bundle: nothing that a person, a playbook or AWS has worded.
const STAYS: &[&str] = &[CHAIN, HANDOVERS, ANCHORS, STAMPS, "kpis.json", "milestones.json"];

/// The signed statement.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Checkpoint {
    /// The text that is signed, a [`Statement`] in JSON.
    pub(super) statement: String,
    /// The Ed25519 signature over the text's bytes, in hexadecimal digits.
    pub(super) signature: String,
}

/// What is signed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Statement {
    pub(super) format: u32,
    pub(super) incident: IncidentId,
    /// When the last record of the chain was made.
    pub(super) at: Timestamp,
    pub(super) chain: Head,
    pub(super) manifest: Sha256,
    /// Where the last checkpoint of the chain was laid down outside of the installation; without
    /// an anchor a restored database could have forked unseen.
    pub(super) anchor: Option<String>,
    /// What was wrong with the end of the chain when this was exported all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) broken: Option<String>,
}

/// What is in the bundle.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: u32,
    pub(super) incident: IncidentId,
    pub(super) tool: String,
    /// Whether files are withheld.
    pub(super) redacted: bool,
    pub(super) files: BTreeMap<String, FileEntry>,
    /// Items that the chain names and that could not be read.
    pub(super) missing: Vec<String>,
}

/// A file of the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileEntry {
    pub(super) sha256: Sha256,
    pub(super) bytes: u64,
    /// It is not in this bundle, and these are what it has in a whole one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) withheld: bool,
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no such incident.
    #[error("there is no incident {0}")]
    NotFound(IncidentId),
    /// It can't be asked for.
    #[error("{0}")]
    BadRequest(String),
    /// The end of the chain is not what it must be.
    #[error(
        "the custody chain can't be exported as a whole one: {0}; somebody changed it past Stanch. \
         `stanch export --broken` gives what is there, marked as broken"
    )]
    Broken(String),
    /// The key that signs is not the one that should.
    #[error(transparent)]
    Key(#[from] rotation::RotateError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be packed.
    #[error("the bundle can't be packed: {0}")]
    Pack(String),
}

/// What bundle is wanted.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Who wants it.
    pub person: String,
    /// Without the items and whatever somebody has worded; their hashes stay.
    pub redact: bool,
    /// Of the chain when it had so many records: what was exported before, once more.
    pub head: Option<u64>,
    /// Also where the end of the chain was changed: what is there, marked as broken. Nothing can be added to
    /// such a chain, so that only the audit log has the export.
    pub broken: bool,
}

/// A bundle that can be written.
pub struct Prepared {
    runtime: Runtime,
    incident: IncidentId,
    head: Head,
    /// When the last of its records was made.
    at: Timestamp,
    redact: bool,
    records: Vec<Stored>,
    /// How many records the audit log had; nothing where that was not noted.
    audited: Option<u64>,
    entries: Entries,
    /// What is wrong with the end of the chain.
    broken: Option<String>,
    /// What signs it.
    keys: Keys,
}

/// What of the ledger goes along.
#[derive(Default)]
struct Entries {
    keys: String,
    anchors: String,
    stamps: String,
    anchor: Option<String>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("incident", &self.incident).finish_non_exhaustive()
    }
}

/// Prepares the export of an incident. The export itself goes into the chain first; the bundle is of
/// the chain with that record, unless an earlier end was asked for.
///
/// # Errors
/// [`ExportError`] says what is missing.
pub async fn prepare(
    runtime: &Runtime,
    incident: IncidentId,
    wish: &Wish,
) -> Result<Prepared, ExportError> {
    let store = runtime.store();
    let found = store.read(|conn| Box::pin(incidents::get(conn, incident))).await?;
    found.ok_or(ExportError::NotFound(incident))?;
    let ends = store.read(|conn| Box::pin(custody::ends(conn, incident))).await?;
    let broken = ends.fault();
    if let Some(why) = broken.clone().filter(|_| !wish.broken) {
        return Err(ExportError::Broken(why));
    }
    let before = ends.found();
    if let Some(wanted) = wish.head.filter(|wanted| !(1..=before.count).contains(wanted)) {
        let why = format!("`head`: the chain has {} records, and no {wanted}", before.count);
        return Err(ExportError::BadRequest(why));
    }
    if wish.redact {
        can_be_redacted(runtime, incident).await?;
    }
    let (head, audited) = match &broken {
        None => {
            let appended = record_export(runtime, incident, wish).await?;
            let count = wish.head.unwrap_or(appended.count);
            let head = store.read(|conn| Box::pin(custody::head_at(conn, incident, count))).await?;
            (head.unwrap_or(appended), audited(runtime, incident, count).await?)
        }
        Some(_) if wish.head.is_some() => {
            let why =
                "`head`: of a chain whose end was changed there is no earlier end: leave it out";
            return Err(ExportError::BadRequest(why.to_owned()));
        }
        Some(_) => {
            let audited = store.read(|conn| Box::pin(audit::head(conn))).await?.count;
            (before, Some(audited))
        }
    };
    let count = head.count;
    let records = store.read(|conn| Box::pin(custody::records(conn, incident, count))).await?;
    let last = records.last().and_then(Stored::read).map(|(record, _)| record.at);
    let at = last.unwrap_or_else(|| runtime.world().now());
    // A key that hands over after this is of no matter here: the one before signs.
    let keys = rotation::current(&runtime.shared).await?;
    let entries = of_ledger(runtime, incident, head, at).await?;
    let (redact, runtime) = (wish.redact, runtime.clone());
    Ok(Prepared { runtime, incident, head, at, redact, records, audited, entries, broken, keys })
}

/// How many records the audit log had when the chain was first exported with so many records, or
/// with more: what is in the log later changes nothing of the bundle.
async fn audited(
    runtime: &Runtime,
    incident: IncidentId,
    count: u64,
) -> Result<Option<u64>, StoreError> {
    let store = runtime.store();
    let rows = store.read(|conn| Box::pin(custody::records(conn, incident, u64::MAX))).await?;
    let from = usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX);
    let exported = |row: &Stored| {
        let (record, detail) = row.read()?;
        (record.action == CustodyAction::Exported).then_some(detail)
    };
    let detail = rows.iter().skip(from).find_map(exported);
    Ok(detail.and_then(|detail| detail.get("audited")?.as_u64()))
}

async fn can_be_redacted(runtime: &Runtime, incident: IncidentId) -> Result<(), ExportError> {
    let store = runtime.store();
    let rows = store.read(|conn| Box::pin(custody::records(conn, incident, u64::MAX))).await?;
    let Some(seq) = rows.iter().position(|row| row.detail.is_none()) else { return Ok(()) };
    let why = format!(
        "record {seq} was sealed before what is said was kept beside it: this incident can be exported \
         as a whole only"
    );
    Err(ExportError::BadRequest(why))
}

/// The entries of the ledger that were there when the last record was made: what is laid down later
/// does not change what the bundle is.
async fn of_ledger(
    runtime: &Runtime,
    incident: IncidentId,
    head: Head,
    at: Timestamp,
) -> Result<Entries, StoreError> {
    let line = |kept: &Kept| serde_json::to_string(&kept.signed).unwrap_or_default() + "\n";
    let store = runtime.store();
    let handovers = store.read(|conn| Box::pin(ledger::handovers(conn))).await?;
    let laid =
        store.read(|conn| Box::pin(ledger::of_incident(conn, incident, head.count, at))).await?;
    let stamped = store
        .read(|conn| Box::pin(ledger_stamps::of_incident(conn, incident, head.count, at)))
        .await?;
    let last = laid.last().and_then(|kept| kept.signed.anchored.as_ref());
    Ok(Entries {
        keys: handovers.iter().map(bare).map(|kept| line(&kept)).collect(),
        anchors: laid.iter().map(line).collect(),
        stamps: stamped.into_iter().map(stamp_line).collect(),
        anchor: last.map(|anchored| anchored.place.clone()),
    })
}

fn stamp_line(stamped: Stamped) -> String {
    let Stamped { signed: Signed { statement, signature, .. }, nonce, token } = stamped;
    let line = Line { statement, signature, nonce, token };
    serde_json::to_string(&line).unwrap_or_default() + "\n"
}

/// Where a handover was laid down is for nobody to look up, and comes later.
fn bare(kept: &Kept) -> Kept {
    let signed = Signed { anchored: None, ..kept.signed.clone() };
    Kept { signed, ..kept.clone() }
}

async fn record_export(
    runtime: &Runtime,
    incident: IncidentId,
    wish: &Wish,
) -> Result<Head, StoreError> {
    let audited = runtime.store().read(|conn| Box::pin(audit::head(conn))).await?.count;
    let record = Arc::new(NewRecord {
        incident,
        at: runtime.world().now(),
        actor: wish.person.clone(),
        action: CustodyAction::Exported,
        item: None,
        detail: json!({
            "format": FORMAT, "redacted": wish.redact, "head": wish.head, "audited": audited,
            "tool": {"name": "stanch", "version": env!("CARGO_PKG_VERSION")},
        }),
    });
    let appended = runtime.store().write(move |tx| {
        let record = record.clone();
        Box::pin(async move { custody::append(tx, &record).await })
    });
    appended.await
}

impl Prepared {
    /// The incident.
    pub fn incident(&self) -> IncidentId {
        self.incident
    }

    /// Writes the bundle, piece by piece, and waits for whoever takes it.
    ///
    /// # Errors
    /// [`ExportError`]; what was written then is no bundle, and says so when it is opened.
    pub async fn write(self, out: impl Write + Send + 'static) -> Result<(), ExportError> {
        packing::write(self, out).await
    }
}

fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
