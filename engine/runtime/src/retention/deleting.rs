//! Evidence of incidents that have been over for long is deleted, and the custody chain says so.
//!
//! First the record and the row, in one commit; then the bytes, which are set aside before they go: who
//! keeps the same bytes in that moment found them there, and gets them back.

use std::sync::Arc;

use serde_json::json;
use stanch_engine_core::custody::CustodyAction;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::span::Span;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::custody::{self, NewRecord};
use stanch_engine_store::evidence::Item;
use stanch_engine_store::item_deletions::{self, Pending};
use stanch_engine_store::{StoreError, run_items};
use tokio::sync::watch;

use crate::evidence::{ItemError, Items};
use crate::shared::Shared;

/// Items of one look at the database.
const BATCH: u32 = 100;

/// How long bytes lie aside, in milliseconds: longer than anybody needs between finding them there and
/// committing the row that names them.
const ASIDE_MS: i64 = 30 * 60_000;

const DAY_MS: i64 = 24 * 60 * 60_000;

/// Notes what journals need that were written before that was noted: once, before anything is deleted.
pub(super) async fn learn(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let needed = shared.store.read(|conn| Box::pin(run_items::journaled(conn))).await?;
    let needed = Arc::new(needed);
    let noted = shared.store.write(move |tx| {
        let needed = needed.clone();
        Box::pin(async move {
            for (item, run) in needed.iter() {
                run_items::need(tx, *item, *run).await?;
            }
            Ok(())
        })
    });
    noted.await
}

/// Deletes what has been kept for as long as it is kept, and gives how many items.
pub(super) async fn sweep(
    shared: &Arc<Shared>,
    keep: Span,
    stop: &watch::Receiver<bool>,
) -> Result<u32, String> {
    let told = |error: StoreError| error.to_string();
    let before = shared.world.now().plus_ms(-keep.ms);
    let mut deleted = 0;
    loop {
        let due = shared.store.read(|conn| Box::pin(item_deletions::due(conn, before, BATCH)));
        let due = due.await.map_err(told)?;
        let (found, so_far) = (due.len(), deleted);
        for item in due {
            if *stop.borrow() {
                return Ok(deleted);
            }
            deleted += u32::from(delete(shared, item, (before, keep)).await.map_err(told)?);
        }
        // What is kept after all would be found again at once.
        if found < BATCH as usize || deleted == so_far {
            break;
        }
    }
    let pending = shared.store.read(|conn| Box::pin(item_deletions::pending(conn))).await;
    for one in pending.map_err(told)? {
        if *stop.borrow() {
            break;
        }
        carry_on(shared, one).await?;
    }
    Ok(deleted)
}

/// Writes down that an item is deleted; false when something keeps it after all.
async fn delete(
    shared: &Arc<Shared>,
    item: Sha256,
    (before, keep): (Timestamp, Span),
) -> Result<bool, StoreError> {
    let now = shared.world.now();
    let written = shared.store.write(move |tx| {
        Box::pin(async move {
            let rows = item_deletions::rows(tx, item).await?;
            if rows.is_empty() || item_deletions::is_kept(tx, item, before).await? {
                return Ok(false);
            }
            for row in &rows {
                custody::append(tx, &record(row, now, keep)).await?;
            }
            // The ends of the chains are locked now: whoever lays a hold has been before, or comes after.
            if item_deletions::is_kept(tx, item, before).await? {
                return Err(StoreError::Conflict(format!("{item} is kept after all")));
            }
            item_deletions::begin(tx, item, now).await?;
            Ok(true)
        })
    });
    written.await
}

fn record(row: &Item, at: Timestamp, keep: Span) -> NewRecord {
    let days = keep.ms / DAY_MS;
    NewRecord {
        incident: row.incident,
        at,
        actor: "retention".to_owned(),
        action: CustodyAction::DeletedByRetention,
        item: Some(row.sha256),
        detail: json!({
            "evidence": row.id, "label": row.label, "bytes": row.bytes,
            "reason": format!("evidence is kept for {days} days after its incident is closed"),
            "tool": {"name": "stanch", "version": env!("CARGO_PKG_VERSION")},
        }),
    }
}

/// Takes the bytes a step further on their way out, or back.
async fn carry_on(shared: &Arc<Shared>, Pending { item, aside_at }: Pending) -> Result<(), String> {
    let told = |error: StoreError| error.to_string();
    let now = shared.world.now();
    let is_needed = shared.store.read(|conn| Box::pin(item_deletions::is_needed(conn, item))).await;
    let is_needed = is_needed.map_err(told)?;
    let step: fn(&Items, Sha256) -> Result<(), ItemError> = match aside_at {
        _ if is_needed => Items::put_back,
        None => Items::set_aside,
        Some(at) if at.plus_ms(ASIDE_MS) <= now => Items::forget,
        Some(_) => return Ok(()),
    };
    let items = shared.items.clone();
    let done = tokio::task::spawn_blocking(move || step(&items, item)).await;
    done.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    let is_aside = aside_at.is_none() && !is_needed;
    let noted = shared.store.write(move |tx| {
        Box::pin(async move {
            match is_aside {
                true => item_deletions::aside(tx, item, now).await,
                false => item_deletions::end(tx, item).await,
            }
        })
    });
    noted.await.map_err(told)
}
