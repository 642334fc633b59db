//! What evidence in a bucket needs beside: legal holds on the objects of incidents that are held, and
//! an end to the uploads of nodes that died over them.

use std::collections::BTreeSet;
use std::sync::Arc;

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::NodeId;
use stanch_engine_store::{StoreError, item_holds, nodes};
use tokio::sync::watch;

use super::items::Bucket;
use crate::shared::Shared;

/// How often it is looked for what is to be held, in milliseconds. A hold that is laid wakes it.
const LOOK_MS: i64 = 10_000;

/// Looks until uploads of the dead are looked for, which is at the first one, too.
const LOOKS_PER_CLEARING: u64 = 60;

/// Items that are held or let go before the next look.
const BATCH: u32 = 100;

/// Works until it is told to stop; at once when evidence lies in a folder.
pub(crate) async fn work(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let Some(bucket) = shared.items.bucket().cloned() else { return };
    let (mut looks, mut is_failing) = (0_u64, false);
    while !*stop.borrow() {
        let now = shared.world.now();
        let is_clearing = looks.is_multiple_of(LOOKS_PER_CLEARING);
        let done = tokio::select! {
            done = round(&shared, &bucket, is_clearing) => done,
            _ = stop.changed() => break,
        };
        match done {
            Ok(()) => {
                looks += 1;
                is_failing = false;
            }
            // Once, and not at every try.
            Err(why) if !std::mem::replace(&mut is_failing, true) => {
                tracing::error!(place = bucket.name(), %why, "the evidence is not as it should be");
            }
            Err(_) => {}
        }
        tokio::select! {
            () = shared.world.clock.sleep_until(now.plus_ms(LOOK_MS)) => {}
            () = shared.holding.notified() => {}
            _ = stop.changed() => {}
        }
    }
}

async fn round(shared: &Arc<Shared>, bucket: &Bucket, is_clearing: bool) -> Result<(), String> {
    if bucket.has_locks() {
        hold(shared, bucket).await?;
    }
    if is_clearing { clear(shared, bucket).await } else { Ok(()) }
}

/// Holds the objects of incidents that are held, and lets go of those that nothing holds any more.
async fn hold(shared: &Arc<Shared>, bucket: &Bucket) -> Result<(), String> {
    for is_on in [true, false] {
        loop {
            let due = match is_on {
                true => shared.store.read(|conn| Box::pin(item_holds::to_hold(conn, BATCH))).await,
                false => {
                    shared.store.read(|conn| Box::pin(item_holds::to_let_go(conn, BATCH))).await
                }
            };
            let due = due.map_err(|error| error.to_string())?;
            for hash in &due {
                bucket.hold(*hash, is_on).await?;
                note(shared, *hash, is_on).await.map_err(|error| error.to_string())?;
            }
            if due.len() < BATCH as usize {
                break;
            }
        }
    }
    Ok(())
}

async fn note(shared: &Arc<Shared>, hash: Sha256, is_on: bool) -> Result<(), StoreError> {
    let now = shared.world.now();
    let noted = shared.store.write(move |tx| {
        Box::pin(async move {
            match is_on {
                true => item_holds::held(tx, hash, now).await,
                false => item_holds::let_go(tx, hash).await,
            }
        })
    });
    noted.await
}

/// Gives up the uploads of nodes that take part no more.
async fn clear(shared: &Arc<Shared>, bucket: &Bucket) -> Result<(), String> {
    let unfinished = bucket.unfinished().await?;
    if unfinished.is_empty() {
        return Ok(());
    }
    // Whoever began an upload took part before: looked at after the uploads, none is missed.
    let living = shared.store.read(|conn| Box::pin(nodes::list(conn))).await;
    let living = living.map_err(|error| error.to_string())?;
    let living: BTreeSet<NodeId> = living.into_iter().map(|node| node.id).collect();
    for upload in &unfinished {
        if upload.node.is_some_and(|node| !living.contains(&node)) {
            tracing::info!(?upload, "gave up an upload whose node died over it");
            bucket.abort(upload).await?;
        }
    }
    Ok(())
}
