//! The bundle: everything about an incident in one zip, signed, that proves itself without us.
//!
//! | file | what |
//! |---|---|
//! | `checkpoint.json` | the signed statement: the end of the chain and the hash of the manifest |
//! | `manifest.json` | every other file with its SHA-256 |
//! | `chain.jsonl` | the custody records, one a line, as they were sealed |
//! | `items/HASH` | the evidence, each item under its hash |
//! | `evidence.json` | what the items are |
//! | `alerts.json`, `runs.json`, `journal/RUN.jsonl`, `approvals.json`, `timeline.json`, `kpis.json` | the story |

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use stanch_engine_core::custody::{CustodyAction, Head, Record, Sealed};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::custody::NewRecord;
use stanch_engine_store::{
    StoreError, alerts, approvals, custody, evidence, incidents, payloads, runs,
};
use zip::write::SimpleFileOptions;

use crate::runtime::Runtime;
use crate::{kpis, timeline};

/// The version of the format.
pub const FORMAT: u32 = 1;

pub(super) const CHECKPOINT: &str = "checkpoint.json";
pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const CHAIN: &str = "chain.jsonl";
pub(super) const ITEMS: &str = "items/";

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
    pub(super) at: Timestamp,
    pub(super) chain: Head,
    pub(super) manifest: Sha256,
    /// Where the checkpoint was laid down outside of the installation; without an anchor a
    /// restored database could have forked unseen.
    pub(super) anchor: Option<String>,
}

/// What is in the bundle.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: u32,
    pub(super) incident: IncidentId,
    pub(super) tool: String,
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
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no such incident.
    #[error("there is no incident {0}")]
    NotFound(IncidentId),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be packed.
    #[error("the bundle can't be packed: {0}")]
    Pack(String),
}

type Files = BTreeMap<String, Vec<u8>>;

/// Exports an incident. The export itself goes into the chain first.
///
/// # Errors
/// [`ExportError`] says what is missing.
pub async fn export(
    runtime: &Runtime,
    incident: IncidentId,
    person: &str,
) -> Result<Vec<u8>, ExportError> {
    let found = runtime.store().read(|conn| Box::pin(incidents::get(conn, incident))).await?;
    found.ok_or(ExportError::NotFound(incident))?;
    record_export(runtime, incident, person).await?;
    let bodies = runtime.store().read(|conn| Box::pin(custody::bodies(conn, incident))).await?;
    let mut files = story(runtime, incident).await?;
    let missing = items(runtime, &bodies, &mut files).await?;
    let mut chain = bodies.join("\n");
    chain.push('\n');
    files.insert(CHAIN.to_owned(), chain.into_bytes());
    let manifest = pretty(&Manifest {
        format: FORMAT,
        incident,
        tool: format!("stanch {}", env!("CARGO_PKG_VERSION")),
        files: files.iter().map(|(path, bytes)| (path.clone(), entry(bytes))).collect(),
        missing,
    });
    let statement = Statement {
        format: FORMAT,
        incident,
        at: runtime.world().now(),
        chain: head_of(&bodies),
        manifest: Sha256::of(&manifest),
        anchor: None,
    };
    let statement = serde_json::to_string(&statement).unwrap_or_default();
    let signature = runtime.shared.keys.sign(statement.as_bytes());
    files.insert(CHECKPOINT.to_owned(), pretty(&Checkpoint { statement, signature }));
    files.insert(MANIFEST.to_owned(), manifest);
    pack(&files).map_err(|error| ExportError::Pack(error.to_string()))
}

async fn record_export(
    runtime: &Runtime,
    incident: IncidentId,
    person: &str,
) -> Result<(), StoreError> {
    let record = Arc::new(NewRecord {
        incident,
        at: runtime.world().now(),
        actor: person.to_owned(),
        action: CustodyAction::Exported,
        item: None,
        detail: json!({"format": FORMAT, "tool": {"name": "stanch", "version": env!("CARGO_PKG_VERSION")}}),
    });
    runtime
        .store()
        .write(move |tx| {
            let record = record.clone();
            Box::pin(async move { custody::append(tx, &record).await.map(drop) })
        })
        .await
}

/// The head of the chain that is exported, computed from what is exported.
fn head_of(bodies: &[String]) -> Head {
    bodies.iter().fold(Head::EMPTY, |head, body| {
        head.after(&Sealed { body: String::new(), hash: Sha256::of(body) })
    })
}

/// The items that the chain names; gives those that could not be read.
async fn items(
    runtime: &Runtime,
    bodies: &[String],
    files: &mut Files,
) -> Result<Vec<String>, StoreError> {
    let mut missing = Vec::new();
    let records = bodies.iter().filter_map(|body| serde_json::from_str::<Record>(body).ok());
    for hash in records.filter_map(|record| record.item) {
        let path = format!("{ITEMS}{hash}");
        if files.contains_key(&path) {
            continue;
        }
        let payload = runtime.store().read(|conn| Box::pin(payloads::get(conn, hash))).await?;
        match payload.map_or_else(|| runtime.shared.items.get(hash), |text| Ok(text.into_bytes())) {
            Ok(bytes) => drop(files.insert(path, bytes)),
            Err(error) => {
                tracing::error!(item = %hash, %error, "an item of evidence can't be read");
                missing.push(hash.to_string());
            }
        }
    }
    Ok(missing)
}

async fn story(runtime: &Runtime, id: IncidentId) -> Result<Files, StoreError> {
    let mut files = Files::new();
    let store = runtime.store();
    let alerts = store.read(|conn| Box::pin(alerts::of_incident(conn, id))).await?;
    let alerts: Vec<_> = alerts
        .iter()
        .map(|a| json!({"id": a.id, "received_at": a.received_at, "deliveries": a.deliveries, "alert": a.alert}))
        .collect();
    files.insert("alerts.json".to_owned(), pretty(&alerts));
    let items = store.read(|conn| Box::pin(evidence::of_incident(conn, id))).await?;
    let items: Vec<_> = items
        .iter()
        .map(|item| {
            json!({
                "id": item.id, "label": item.label, "sha256": item.sha256, "bytes": item.bytes,
                "media_type": item.media_type, "captured_at": item.captured_at,
                "captured_by": item.captured_by, "how": item.call,
            })
        })
        .collect();
    files.insert("evidence.json".to_owned(), pretty(&items));
    files.insert("approvals.json".to_owned(), pretty(&asked(runtime, id).await?));
    of_runs(runtime, id, &mut files).await?;
    files.insert("timeline.json".to_owned(), pretty(&timeline::of_incident(runtime, id).await?));
    files.insert("kpis.json".to_owned(), pretty(&kpis::of_incident(runtime, id).await?));
    Ok(files)
}

async fn asked(runtime: &Runtime, id: IncidentId) -> Result<Vec<serde_json::Value>, StoreError> {
    let mut asked = Vec::new();
    let approvals = runtime.store().read(|conn| Box::pin(approvals::of_incident(conn, id))).await?;
    for approval in approvals {
        let of = approval.id;
        let decisions = runtime.store().read(|conn| Box::pin(approvals::history(conn, of))).await?;
        asked.push(json!({
            "id": approval.id, "run": approval.run, "step": approval.step, "title": approval.title,
            "status": approval.status, "approvers": approval.approvers, "quorum": approval.quorum,
            "rules": approval.rules,
            "plan": approval.plan, "plan_sha256": approval.plan_digest,
            "requested_at": approval.requested_at, "expires_at": approval.expires_at,
            "decisions": decisions,
        }));
    }
    Ok(asked)
}

async fn of_runs(runtime: &Runtime, id: IncidentId, files: &mut Files) -> Result<(), StoreError> {
    let runs = runtime.store().read(|conn| Box::pin(runs::of_incident(conn, id))).await?;
    let rows: Vec<_> = runs
        .iter()
        .map(|run| {
            json!({
                "id": run.id, "playbook": run.playbook, "digest": run.digest, "status": run.status,
                "requester": run.requester, "created_at": run.created_at,
                "finished_at": run.finished_at, "outcome": run.outcome,
            })
        })
        .collect();
    files.insert("runs.json".to_owned(), pretty(&rows));
    for run in runs {
        let of = run.id;
        let entries = runtime.journal_of(of).await?;
        let mut lines = String::new();
        for entry in entries {
            lines.push_str(&serde_json::to_string(&entry).unwrap_or_default());
            lines.push('\n');
        }
        files.insert(format!("journal/{of}.jsonl"), lines.into_bytes());
    }
    Ok(())
}

fn entry(bytes: &[u8]) -> FileEntry {
    FileEntry { sha256: Sha256::of(bytes), bytes: bytes.len() as u64 }
}

fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn pack(files: &Files) -> zip::result::ZipResult<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
    for (path, bytes) in files {
        zip.start_file(path.as_str(), options)?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}
