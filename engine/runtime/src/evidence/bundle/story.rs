//! The story of an incident in files: alerts, runs with their journals, approvals, timeline,
//! milestones, KPIs, what the items are, and the report that tells all of it to people.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Value, json};
use stanch_engine_core::id::{IncidentId, RunId};
use stanch_engine_core::report::{document, text};
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::approvals::{Approval, Given};
use stanch_engine_store::evidence::Item;
use stanch_engine_store::{
    StoreError, alerts, approvals, audit, evidence, journal, milestones, runs,
};

use super::then::Then;
use super::{APPROVALS, EVIDENCE, REPORTS, pretty};
use crate::report::{self, AsOf};
use crate::runtime::Runtime;
use crate::{kpis, timeline};

/// Entries of a journal that are in memory at a time: 25 MiB where each is as large as it may be.
const PAGE: u32 = 100;

/// Files, by their paths.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// The files of an incident but for its journals, and its runs. What is still open is counted up to
/// the end of the chain that they are of, so that the same story has the same bytes.
pub(super) async fn of_incident(
    runtime: &Runtime,
    id: IncidentId,
    as_of: AsOf,
) -> Result<(Files, Vec<RunId>), StoreError> {
    let at = as_of.at;
    let mut files = Files::new();
    let mut put = |path: &str, bytes: Vec<u8>| files.insert(path.to_owned(), bytes);
    let store = runtime.store();
    let alerts = store.read(|conn| Box::pin(alerts::of_incident(conn, id))).await?;
    let alerts: Vec<_> = alerts
        .iter()
        .map(|a| json!({"id": a.id, "received_at": a.received_at, "deliveries": a.deliveries, "alert": a.alert}))
        .collect();
    put("alerts.json", pretty(&alerts));
    let items = store.read(|conn| Box::pin(evidence::of_incident(conn, id))).await?;
    let questions = questions(runtime, id).await?;
    let then = Then::of(runtime, id, as_of.chain.count).await?;
    put(EVIDENCE, pretty(&kept(&items, &then)));
    put(APPROVALS, pretty(&asked(&questions, &then, at)));
    put("timeline.json", pretty(&timeline::of_incident(runtime, id).await?));
    put("kpis.json", pretty(&kpis::of_incident_at(runtime, id, at).await?));
    let marked = store.read(|conn| Box::pin(milestones::of_incident(conn, id))).await?;
    put("milestones.json", pretty(&marked));
    let runs = store.read(|conn| Box::pin(runs::of_incident(conn, id))).await?;
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
    put("runs.json", pretty(&rows));
    if let Some(told) = report::as_of(runtime, id, as_of).await? {
        let (blocks, [markdown, html]) = (document::of(&told), REPORTS);
        put(markdown, text::markdown(&blocks).into_bytes());
        put(html, text::html(&format!("Incident {id}"), &blocks).into_bytes());
    }
    Ok((files, runs.iter().map(|run| run.id).collect()))
}

/// What the items are that were captured until then.
fn kept(items: &[Item], then: &Then) -> Vec<Value> {
    let told = |item: &Item| {
        json!({
            "id": item.id, "label": item.label, "sha256": item.sha256, "bytes": item.bytes,
            "media_type": item.media_type, "captured_at": item.captured_at,
            "captured_by": item.captured_by, "how": item.call,
            "deleted_at": then.deleted_at(item.id, item.deleted_at),
        })
    };
    items.iter().filter(|item| then.has(item.id)).map(told).collect()
}

/// Everything that was asked, each with what was said to it.
async fn questions(
    runtime: &Runtime,
    id: IncidentId,
) -> Result<Vec<(Approval, Vec<Given>)>, StoreError> {
    let (store, mut rows) = (runtime.store(), Vec::new());
    for approval in store.read(|conn| Box::pin(approvals::of_incident(conn, id))).await? {
        let of = approval.id;
        let given = store.read(|conn| Box::pin(approvals::history(conn, of))).await?;
        rows.push((approval, given));
    }
    Ok(rows)
}

/// What was asked until then, and what was said to it.
fn asked(questions: &[(Approval, Vec<Given>)], then: &Then, until: Timestamp) -> Vec<Value> {
    let mut asked = Vec::new();
    for (approval, given) in questions {
        let of = approval.id.to_string();
        if approval.requested_at > until && !then.names(&of) {
            continue;
        }
        let decisions: Vec<Value> =
            given.iter().filter_map(|given| then.decision(&of, json!(given))).collect();
        asked.push(json!({
            "id": approval.id, "run": approval.run, "step": approval.step, "title": approval.title,
            "status": approval.status, "approvers": approval.approvers, "quorum": approval.quorum,
            "rules": approval.rules,
            "plan": approval.plan, "plan_sha256": approval.plan_digest,
            "requested_at": approval.requested_at, "expires_at": approval.expires_at,
            "decisions": decisions,
        }));
    }
    asked
}

/// A page of the records of the audit log about an incident, as they were sealed, one a line, and
/// where the next page begins; nothing after the last.
pub(super) async fn audit_page(
    runtime: &Runtime,
    incident: IncidentId,
    until: Timestamp,
    places: Range<u64>,
) -> Result<(Vec<u8>, Option<u64>), StoreError> {
    let read = runtime.store().read(|conn| {
        let places = places.clone();
        Box::pin(async move { audit::about(conn, incident, until, places, PAGE).await })
    });
    let records = read.await?;
    let next = (records.len() == PAGE as usize).then(|| records.last().map(|(seq, _)| seq + 1));
    let lines = records.into_iter().map(|(_, body)| body + "\n").collect::<String>();
    Ok((lines.into_bytes(), next.flatten()))
}

/// A page of a run's journal from an entry on, one entry a line, and where the next page begins;
/// nothing after the last.
pub(super) async fn journal_page(
    runtime: &Runtime,
    run: RunId,
    from: u32,
) -> Result<(Vec<u8>, Option<u32>), StoreError> {
    let mut entries =
        runtime.store().read(|conn| Box::pin(journal::load(conn, run, from, PAGE))).await?;
    let next = (entries.len() == PAGE as usize).then(|| entries.last().map(|last| last.seq + 1));
    if entries.is_empty() && from == 0 {
        // What is archived is one item, and as large as a journal may be.
        entries = runtime.journal_of(run).await?;
    }
    let mut lines = Vec::new();
    for entry in entries {
        lines.extend(serde_json::to_vec(&entry).unwrap_or_default());
        lines.push(b'\n');
    }
    Ok((lines, next.flatten()))
}
