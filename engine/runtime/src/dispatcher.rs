//! Claims runs and hands them to shards, delivers facts to the runs that are in memory, and holds
//! the leases.
//!
//! A lease is held until a time, and renewed at a third of it. The node that holds it writes under
//! the lease's epoch; when it has slept for longer than its lease, another node takes over with the
//! next epoch, and every write of the sleeper touches no row. Nothing depends on the clock but how
//! soon a dead node's runs go on. A node that is alone, on SQLite, holds its leases for ever, and
//! takes over from its dead self when it starts: the data folder's lock says that it is alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, StreamExt as _};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::RunId;
use stanch_engine_core::limits;
use stanch_engine_core::playbook::Bundle;
use stanch_engine_core::time::Timestamp;
use stanch_engine_core::turn::{self, Waiting};
use stanch_engine_store::inbox::{self, Fact};
use stanch_engine_store::runs::{self, Claimed};
use stanch_engine_store::{StoreError, journal, nodes, playbooks};
use tokio::sync::watch;

use crate::executor::large;
use crate::peers::lease_until;
use crate::recent::Recent;
use crate::room::Place;
use crate::shard::{Begin, Message, ShardHandle};
use crate::shared::Shared;
use crate::unreadable::{self, Stuck};

/// The usual pause between two looks. What this node does itself rings at once, and other nodes give
/// hints; this is for the hints that got lost.
const POLL_MS: i64 = 500;

/// The pause between two looks at which leases this node has.
const COUNT_MS: i64 = 15_000;

/// Runs that are claimed at once.
const CLAIMS: usize = 256;

/// Journals that are read beside each other: as many as there are connections to read by.
const LOADS: usize = 8;

/// Entries that are read at once.
const ENTRIES: u32 = 2_000;

/// Claims runs until it is told to stop.
pub(crate) struct Dispatcher {
    pub(crate) shared: Arc<Shared>,
    pub(crate) loader: Loader,
    /// When the switches that other nodes may throw were last looked at.
    pub(crate) looked_at: Timestamp,
    /// When the leases that this node has were last held against what it works on.
    pub(crate) counted_at: Timestamp,
}

/// The texts of the playbooks that were used last, by digest.
#[derive(Clone)]
pub(crate) struct Bundles(Arc<Mutex<Recent<Sha256, Arc<Bundle>>>>);

impl Default for Bundles {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Recent::of(limits::PLAYBOOKS_KEPT))))
    }
}

impl Bundles {
    /// The text with this digest.
    ///
    /// # Errors
    /// [`StoreError`] of the database; a text that is not there is inconsistent.
    pub(crate) async fn get(
        &self,
        shared: &Shared,
        digest: Sha256,
    ) -> Result<Arc<Bundle>, StoreError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&digest);
        if let Some(bundle) = known {
            return Ok(bundle);
        }
        let bundle = shared.store.read(|conn| Box::pin(playbooks::bundle(conn, digest))).await?;
        let missing = || StoreError::Inconsistent {
            table: "playbook_texts",
            column: "digest",
            what: format!("no text for {digest}"),
        };
        let bundle = Arc::new(bundle.ok_or_else(missing)?);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.put(digest, bundle.clone());
        Ok(bundle)
    }
}

/// The shard of a run.
pub(crate) fn shard_of(shards: &[ShardHandle], run: RunId) -> Option<&ShardHandle> {
    shards.get(number_of(shards, run))
}

fn number_of(shards: &[ShardHandle], run: RunId) -> usize {
    let number = run.bits() % (shards.len().max(1) as u128);
    usize::try_from(number).unwrap_or_default()
}

/// Takes runs up whose lease this node has.
#[derive(Clone)]
pub(crate) struct Loader {
    pub(crate) shared: Arc<Shared>,
    pub(crate) shards: Arc<Vec<ShardHandle>>,
    pub(crate) bundles: Bundles,
}

impl Dispatcher {
    /// Works until `stop` is set.
    pub(crate) async fn work(mut self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let until = match self.round().await {
                Ok(until) => until,
                Err(error) => {
                    tracing::error!(%error, "the dispatcher can't reach the database");
                    self.shared.world.now().plus_ms(POLL_MS)
                }
            };
            tokio::select! {
                () = self.shared.work.notified() => {}
                () = self.shared.world.clock.sleep_until(until) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// One look at everything; gives the time of the next.
    async fn round(&mut self) -> Result<Timestamp, StoreError> {
        let now = self.shared.world.now();
        let poll = now.plus_ms(self.poll_ms());
        if now >= self.looked_at.plus_ms(POLL_MS) {
            self.looked_at = now;
            self.shared.look_at_halt().await?;
            self.shared.look_at_playbooks().await?;
        }
        if now >= self.counted_at.plus_ms(COUNT_MS) {
            self.counted_at = now;
            self.count().await?;
        }
        let shared = &self.shared;
        release_orphans(shared).await?;
        self.deliver().await?;
        if shared.room.is_full() {
            return Ok(poll);
        }
        let waiting = self.waiting(now).await?;
        if !waiting.is_empty() {
            let places = shared.room.take(CLAIMS);
            let most = u32::try_from(places.len()).unwrap_or(u32::MAX);
            let shares = turn::shares(&waiting, now, most);
            let claimed = self.claim(waiting.into_iter().zip(shares).collect()).await?;
            let is_more_likely = claimed.len() >= places.len();
            let handing = stream::iter(claimed.into_iter().zip(places));
            handing
                .for_each_concurrent(LOADS, |(run, place)| self.loader.hand_over(run, place))
                .await;
            if is_more_likely {
                return Ok(now);
            }
        }
        let next = shared.store.read(|conn| Box::pin(runs::next_wake(conn))).await?;
        Ok(next.map_or(poll, |next| next.min(poll)))
    }

    /// What could be claimed, once those are admitted that their limits have room for.
    async fn waiting(&self, now: Timestamp) -> Result<Vec<Waiting>, StoreError> {
        let store = &self.shared.store;
        let look = store.read(|conn| {
            Box::pin(async move {
                let admits = runs::has_admissible(conn).await?;
                Ok((admits, runs::waiting(conn, now).await?))
            })
        });
        let (admits, waiting) = look.await?;
        if !admits {
            return Ok(waiting);
        }
        store.write(move |tx| Box::pin(async move { runs::admit(tx, now).await })).await?;
        store.read(|conn| Box::pin(runs::waiting(conn, now))).await
    }

    /// Until the next look: never at the same moment on all nodes.
    fn poll_ms(&self) -> i64 {
        let chance = self.shared.world.entropy.next() % 100;
        POLL_MS - POLL_MS / 5 + POLL_MS / 5 * i64::try_from(chance).unwrap_or_default() / 50
    }

    async fn claim(&self, shares: Vec<(Waiting, u32)>) -> Result<Vec<Claimed>, StoreError> {
        let (node, now) = (self.shared.node, self.shared.world.now());
        let (lease, shares) = (self.shared.settings.lease, Arc::new(shares));
        self.shared
            .store
            .write(move |tx| {
                let shares = shares.clone();
                Box::pin(async move {
                    let until = lease_until(lease, nodes::clock(tx, now).await?);
                    runs::claim_shares(tx, node, until, now, &shares).await
                })
            })
            .await
    }

    /// Tells the shards of which of their runs this node has the lease.
    async fn count(&self) -> Result<(), StoreError> {
        let node = self.shared.node;
        let held = self.shared.store.read(|conn| Box::pin(runs::held(conn, node))).await?;
        let shards = &self.loader.shards;
        for (number, shard) in shards.iter().enumerate() {
            let its = held.iter().filter(|(run, _)| number_of(shards, *run) == number);
            shard.tell(Message::Held(its.copied().collect()));
        }
        Ok(())
    }

    /// Facts for the runs that are in memory here.
    async fn deliver(&self) -> Result<(), StoreError> {
        let node = self.shared.node;
        let facts = self.shared.store.read(|conn| Box::pin(inbox::of_node(conn, node))).await?;
        let mut by_run: HashMap<RunId, Vec<Fact>> = HashMap::new();
        for fact in facts {
            by_run.entry(fact.run).or_default().push(fact);
        }
        for (run, facts) in by_run {
            if let Some(shard) = shard_of(&self.loader.shards, run) {
                shard.tell(Message::Facts(run, facts));
            }
        }
        Ok(())
    }
}

impl Loader {
    /// Reads what there is of a run and hands it to its shard.
    pub(crate) async fn hand_over(&self, claimed: Claimed, place: Place) {
        let (run, epoch) = (claimed.id, claimed.epoch);
        let stuck = Stuck::of(&claimed);
        match self.load(claimed, place).await {
            Ok(begin) => {
                if let Some(shard) = shard_of(&self.shards, run) {
                    shard.tell(Message::Begin(Box::new(begin)));
                }
            }
            Err(StoreError::Unavailable(error)) => {
                tracing::error!(run.id = %run, %error, "a run can't be loaded");
                let mut orphans =
                    self.shared.orphans.lock().unwrap_or_else(PoisonError::into_inner);
                orphans.push((run, epoch));
            }
            Err(error) => unreadable::park(self.shared.clone(), stuck, error.to_string()).await,
        }
    }

    async fn load(&self, claimed: Claimed, place: Place) -> Result<Begin, StoreError> {
        let (shared, run) = (&self.shared, claimed.id);
        let bundle = self.bundles.get(shared, claimed.digest).await?;
        let mut entries = Vec::new();
        let facts = loop {
            let read = entries.len();
            let from = u32::try_from(read).unwrap_or(u32::MAX);
            let from = claimed.base_seq.saturating_add(from);
            // With the last of the journal the inbox is read: a way less to the database and back.
            let look = shared.store.read(|conn| {
                Box::pin(async move {
                    let more = journal::load(conn, run, from, ENTRIES).await?;
                    let is_last = more.len() < ENTRIES as usize
                        || read + more.len() > limits::STEPS_PER_RUN as usize * 8;
                    let facts = match is_last {
                        true => Some(inbox::of_run(conn, run).await?),
                        false => None,
                    };
                    Ok((more, facts))
                })
            });
            let (more, facts) = look.await?;
            entries.extend(more);
            if let Some(facts) = facts {
                break facts;
            }
        };
        let bodies = large::load(shared, &entries)
            .await
            .map_err(|what| StoreError::Inconsistent { table: "journal", column: "body", what })?;
        Ok(Begin::Claimed { claimed, place, bundle, entries, bodies, facts })
    }
}

/// Gives runs back to the queue whose commit did not come about.
pub(crate) async fn release_orphans(shared: &Shared) -> Result<(), StoreError> {
    let orphans =
        std::mem::take(&mut *shared.orphans.lock().unwrap_or_else(PoisonError::into_inner));
    if orphans.is_empty() {
        return Ok(());
    }
    let released = Arc::new(orphans.clone());
    let release = shared.store.write(move |tx| {
        let orphans = released.clone();
        Box::pin(async move {
            for (run, epoch) in orphans.iter() {
                runs::release(tx, *run, *epoch).await?;
            }
            Ok(())
        })
    });
    if let Err(error) = release.await {
        shared.orphans.lock().unwrap_or_else(PoisonError::into_inner).extend(orphans);
        return Err(error);
    }
    Ok(())
}
