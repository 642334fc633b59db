//! What every part of a node shares.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use stanch_engine_core::id::{NodeId, PageId, RunId};
use stanch_engine_core::time::Timestamp;
use stanch_engine_core::world::World;
use stanch_engine_store::playbooks::Active;
use stanch_engine_store::{Store, StoreError, pages, playbooks, restored, settings};
use stanch_plugins_sdk::Catalogue;
use tokio::sync::{Notify, broadcast};

use crate::evidence::{Items, Keys};
use crate::metrics::Metrics;
use crate::peers::lease_until;
use crate::room::Room;
use crate::seal::Seals;
use crate::settings::Settings;

/// Runs at rest that a slow listener may fall behind; it then looks them up.
const RESTED: usize = 65_536;

/// What every part of a node shares.
pub(crate) struct Shared {
    pub(crate) node: NodeId,
    pub(crate) world: World,
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) catalogue: Catalogue,
    pub(crate) items: Items,
    pub(crate) keys: Keys,
    pub(crate) seals: Seals,
    /// Places for the runs that are in memory.
    pub(crate) room: Arc<Room>,
    /// Rung when there may be something to claim or to deliver.
    pub(crate) work: Notify,
    /// Rung when there may be a page to send.
    pub(crate) paging: Notify,
    /// Rung when a schedule may have changed.
    pub(crate) scheduling: Notify,
    /// Rung when detectors may have something to hear.
    pub(crate) writing_back: Notify,
    /// Rung when a legal hold was laid or lifted.
    pub(crate) holding: Notify,
    /// Rung when every list of findings is to be compared now.
    pub(crate) reconciling: Notify,
    pub(crate) is_reconcile_asked: AtomicBool,
    /// Says which runs have come to rest here: they wait, are parked or paused, or have ended.
    pub(crate) rested: broadcast::Sender<RunId>,
    /// Runs whose commit did not come about, with their epoch: they go back to the queue once the
    /// database can be written.
    pub(crate) orphans: Mutex<Vec<(RunId, i64)>>,
    /// Rung when other nodes may want to look.
    pub(crate) hinting: Notify,
    /// Whether other nodes live, as of the last look.
    pub(crate) has_peers: AtomicBool,
    /// By how much the database's clock is ahead of this node's, in microseconds.
    clock_ahead_us: AtomicI64,
    /// When the database was restored from a backup, in microseconds; 0 when it never was.
    restored_at_us: AtomicI64,
    is_halted: AtomicBool,
    pub(crate) metrics: Metrics,
    active: RwLock<Arc<Vec<Active>>>,
    /// Held while one looks at what the node then knows by itself: a look that began before a change must
    /// not say what it saw after one that began later.
    looking: tokio::sync::Mutex<()>,
}

/// What a [`Shared`] is made of.
pub(crate) struct Parts {
    pub(crate) node: NodeId,
    pub(crate) world: World,
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) catalogue: Catalogue,
    pub(crate) items: Items,
    pub(crate) keys: Keys,
    pub(crate) seals: Seals,
}

impl Shared {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { node, world, settings, store, catalogue, items, keys, seals } = parts;
        let (rested, _) = broadcast::channel(RESTED);
        let (work, paging, scheduling, orphans, is_halted, active) = Default::default();
        let (hinting, has_peers, clock_ahead_us, restored_at_us, looking) = Default::default();
        let (reconciling, is_reconcile_asked, writing_back, holding) = Default::default();
        let metrics = Metrics::default();
        let room = Room::of(settings.hot_runs);
        Self {
            node,
            world,
            settings,
            store,
            catalogue,
            items,
            keys,
            seals,
            room,
            work,
            paging,
            scheduling,
            writing_back,
            holding,
            reconciling,
            is_reconcile_asked,
            rested,
            orphans,
            hinting,
            has_peers,
            clock_ahead_us,
            restored_at_us,
            is_halted,
            metrics,
            active,
            looking,
        }
    }

    /// Has every loop look for work at once.
    pub(crate) fn nudge(&self) {
        self.work.notify_one();
        self.paging.notify_one();
        self.scheduling.notify_one();
        self.writing_back.notify_one();
        self.hint();
    }

    /// Notes what the database's clock said when this node's said `now`.
    pub(crate) fn clock_is(&self, now: Timestamp, database: Timestamp) {
        let ahead = database.micros().saturating_sub(now.micros());
        self.clock_ahead_us.store(ahead, Ordering::Relaxed);
    }

    /// Until when a lease holds that is taken now.
    pub(crate) fn lease_until(&self) -> Timestamp {
        let now = self.world.now().micros();
        let ahead = self.clock_ahead_us.load(Ordering::Relaxed);
        lease_until(self.settings.lease, Timestamp::from_micros(now.saturating_add(ahead)))
    }

    /// Tells the other nodes that there may be something to do.
    pub(crate) fn hint(&self) {
        self.hinting.notify_one();
    }

    /// Whether the kill switch was thrown, as of the last look.
    pub(crate) fn is_halted(&self) -> bool {
        self.is_halted.load(Ordering::Relaxed)
    }

    /// Looks at the kill switch.
    pub(crate) async fn look_at_halt(&self) -> Result<bool, StoreError> {
        let _alone = self.looking.lock().await;
        let halt = self.store.read(|conn| Box::pin(settings::get(conn, settings::HALT))).await?;
        self.is_halted.store(halt.is_some(), Ordering::Relaxed);
        Ok(halt.is_some())
    }

    /// Looks whether, and when, the database was restored. That happens only while no node works.
    pub(crate) async fn look_at_restored(&self) -> Result<(), StoreError> {
        let at = self.store.read(|conn| Box::pin(restored::restored_at(conn))).await?;
        self.restored_at_us.store(at.map_or(0, Timestamp::micros), Ordering::Relaxed);
        Ok(())
    }

    /// When the database was restored, if that is later than `about_at`: what happened then may have
    /// been seen before, after the backup was made.
    pub(crate) fn restored_after(&self, about_at: Option<Timestamp>) -> Option<Timestamp> {
        let at = Timestamp::from_micros(self.restored_at_us.load(Ordering::Relaxed));
        (at.micros() > 0 && about_at.is_some_and(|about| about <= at)).then_some(at)
    }

    /// The active playbooks, as of the last look.
    pub(crate) fn active(&self) -> Arc<Vec<Active>> {
        self.active.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The active playbook of this name.
    pub(crate) fn playbook(&self, name: &str) -> Option<Active> {
        self.active().iter().find(|active| active.header.name == name).cloned()
    }

    /// Looks at what is active.
    pub(crate) async fn look_at_playbooks(&self) -> Result<(), StoreError> {
        let _alone = self.looking.lock().await;
        let active = self.store.read(|conn| Box::pin(playbooks::active(conn))).await?;
        *self.active.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(active);
        Ok(())
    }

    /// A page that goes out at once, to `to` and then up the chain.
    pub(crate) fn page(
        &self,
        key: String,
        to: Vec<String>,
        code: &str,
        message: String,
    ) -> pages::Page {
        let mut chain = to;
        for who in &self.settings.notify.escalate {
            if !chain.contains(who) {
                chain.push(who.clone());
            }
        }
        let now = self.world.now();
        pages::Page {
            id: self.world.id(PageId::new),
            dedup_key: key,
            incident: None,
            run: None,
            code: code.to_owned(),
            message,
            chain,
            level: 0,
            deliveries: 0,
            last_error: None,
            raised_at: now,
            repeat_ms: self.settings.notify.repeat_every().ms,
            next_at: Some(now),
            taken_at: None,
            taken_by: None,
        }
    }
}
