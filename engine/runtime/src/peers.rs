//! What a node has to do with the others: it takes part, says that it lives, holds its leases by the
//! database's clock, takes over from the dead, gives hints and hears them.
//!
//! A hint only says that a look may be worth while. It goes out at most once in [`PAUSE`], and not
//! at all while a node is alone. Whoever hears none looks by himself soon enough.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use stanch_engine_core::id::NodeId;
use stanch_engine_core::span::Span;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::{Hints, StoreError, nodes, runs, settings};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};

use crate::shared::Shared;

/// What never ends, for a node that is alone.
const FOREVER: Timestamp = Timestamp::from_micros(i64::MAX / 2);

/// The pause between two hints of one node: a hundred a second are no load for Postgres, and ten
/// milliseconds no wait for people.
const PAUSE: Duration = Duration::from_millis(10);

/// The pause until a connection that hears is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// For how long a node that says nothing is still listed, so that people see that it is gone.
const LISTED_MS: i64 = 10 * 60 * 1_000;

/// The setting that names the folder in which the evidence of this database lies.
pub(crate) const EVIDENCE_FOLDER: &str = "evidence_folder";

/// The setting that nodes which start at once wait for.
const JOINING: &str = "joining";

/// How a node that wants to take part was received.
pub(crate) enum Welcome {
    /// It takes part.
    Joined,
    /// It takes part, and has a folder of evidence that is not the one that the last node had.
    ElsewhereAlone,
    /// Others live, and their evidence lies elsewhere.
    Elsewhere,
}

/// Until when a lease that is taken at `now` holds.
pub(crate) fn lease_until(lease: Option<Span>, now: Timestamp) -> Timestamp {
    lease.map_or(FOREVER, |lease| now.plus_ms(lease.ms))
}

/// Takes part, and takes over what the last node that was alone here had left, and what `dead` nodes have.
///
/// # Errors
/// [`StoreError`] of the database.
pub(crate) async fn join(shared: &Shared, dead: Vec<NodeId>) -> Result<Welcome, StoreError> {
    let (node, now, dead) = (shared.node, shared.world.now(), Arc::new(dead));
    let (lease, folder) = (shared.settings.lease, Arc::new(shared.items.name().to_owned()));
    let (welcome, clock) = shared
        .store
        .write(move |tx| {
            let (folder, dead) = (folder.clone(), dead.clone());
            Box::pin(async move {
                settings::set(tx, JOINING, &node.to_string()).await?;
                let clock = nodes::clock(tx, now).await?;
                let mut welcome = Welcome::Joined;
                if let Some(lease) = lease {
                    let known = settings::get(tx, EVIDENCE_FOLDER).await?;
                    let is_elsewhere = known.is_some_and(|known| known != *folder);
                    if is_elsewhere && nodes::others(tx, node, clock.plus_ms(-lease.ms)).await? > 0
                    {
                        return Ok((Welcome::Elsewhere, clock));
                    }
                    if is_elsewhere {
                        welcome = Welcome::ElsewhereAlone;
                    }
                    settings::set(tx, EVIDENCE_FOLDER, &folder).await?;
                }
                nodes::join(tx, node, env!("CARGO_PKG_VERSION"), clock).await?;
                for dead in dead.iter() {
                    runs::take_over_from(tx, *dead).await?;
                    nodes::leave(tx, *dead).await?;
                }
                if lease.is_none() {
                    nodes::forget(tx, clock).await?;
                    runs::take_over(tx, Timestamp::from_micros(i64::MAX)).await?;
                }
                Ok((welcome, clock))
            })
        })
        .await?;
    shared.clock_is(now, clock);
    Ok(welcome)
}

/// What was found while the leases were held.
struct Held {
    clock: Timestamp,
    others: i64,
    taken: u64,
    /// Whether leases are left that were to be held for longer: others had the runs' rows.
    is_behind: bool,
}

/// Says that the node lives, holds its leases, and takes over from nodes that are dead.
pub(crate) async fn hold_leases(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let every_ms = shared.settings.lease.map_or(10_000, |lease| lease.ms / 3);
    while !*stop.borrow() {
        let now = shared.world.now();
        let held = hold(&shared, now).await;
        // Whatever stood in the way, there is time for some tries before the leases end.
        let pause_ms = match &held {
            Ok(held) if !held.is_behind => every_ms,
            _ => every_ms / 4,
        };
        match held {
            Ok(held) => {
                shared.clock_is(now, held.clock);
                shared.has_peers.store(held.others > 0, Ordering::Relaxed);
                if held.taken > 0 {
                    shared.metrics.lapses.add(held.taken);
                    tracing::warn!(
                        runs = held.taken,
                        "took over runs of a node that is dead or asleep"
                    );
                    shared.work.notify_one();
                }
            }
            Err(error) => tracing::error!(%error, "the leases can't be held"),
        }
        tokio::select! {
            () = shared.world.clock.sleep_until(now.plus_ms(pause_ms)) => {}
            _ = stop.changed() => {}
        }
    }
}

/// The node's own leases come first, and by themselves: who takes over others' may be busy for longer.
async fn hold(shared: &Shared, now: Timestamp) -> Result<Held, StoreError> {
    let (node, lease) = (shared.node, shared.settings.lease);
    let (clock, is_behind) = shared
        .store
        .write_apart(move |tx| {
            Box::pin(async move {
                let clock = nodes::clock(tx, now).await?;
                if !nodes::seen(tx, node, clock).await? {
                    nodes::join(tx, node, env!("CARGO_PKG_VERSION"), clock).await?;
                }
                let Some(lease) = lease else { return Ok((clock, false)) };
                let until = lease_until(Some(lease), clock);
                runs::renew(tx, node, until).await?;
                // Those that were held for longer a third of a lease ago, and not now.
                let passed_over = runs::passed_over(tx, node, until.plus_ms(-lease.ms / 4)).await?;
                Ok((clock, passed_over > 0))
            })
        })
        .await?;
    let Some(lease) = lease else { return Ok(Held { clock, others: 0, taken: 0, is_behind }) };
    let (others, taken) = shared
        .store
        .write_apart(move |tx| {
            Box::pin(async move {
                let taken = runs::take_over(tx, clock).await?;
                nodes::forget(tx, clock.plus_ms(-LISTED_MS)).await?;
                let others = nodes::others(tx, node, clock.plus_ms(-lease.ms)).await?;
                Ok((others, taken))
            })
        })
        .await?;
    Ok(Held { clock, others, taken, is_behind })
}

/// Gives the hints that are asked for, as one where they come together.
pub(crate) async fn give_hints(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut pause = every(PAUSE);
    while !*stop.borrow() {
        tokio::select! {
            () = shared.hinting.notified() => {}
            _ = stop.changed() => return,
        }
        if shared.has_peers.load(Ordering::Relaxed)
            && let Err(error) = shared.store.hint().await
        {
            tracing::debug!(%error, "a hint got lost");
        }
        pause.tick().await;
    }
}

/// Hears the hints of other nodes.
pub(crate) async fn hear_hints(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let (mut hints, mut again): (Option<Hints>, _) = (None, every(AGAIN));
    while !*stop.borrow() {
        let heard = async {
            match &mut hints {
                Some(open) => open.next().await.map(|()| true),
                closed => {
                    *closed = shared.store.hints().await?;
                    Ok(closed.is_some())
                }
            }
        };
        let heard: Result<bool, StoreError> = tokio::select! {
            heard = heard => heard,
            _ = stop.changed() => return,
        };
        match heard {
            Ok(true) => {
                shared.work.notify_one();
                shared.paging.notify_one();
                shared.scheduling.notify_one();
            }
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(%error, "hints of other nodes can't be heard; looking now and then");
                hints = None;
                tokio::select! {
                    _ = again.tick() => {}
                    _ = stop.changed() => return,
                }
            }
        }
    }
}

/// Ticks that lie at least so far apart.
fn every(pause: Duration) -> Interval {
    let mut ticks = tokio::time::interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
