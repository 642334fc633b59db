//! How runs leave a shard: thrown out, given back, missed, drained.

use std::collections::HashMap;

use stanch_engine_core::id::RunId;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::StoreError;
use tokio::sync::oneshot;

use super::Shard;
use crate::unreadable::{self, Stuck};

/// Longer than any journal is read.
const LONGEST_LOAD_MS: i64 = 60_000;

impl Shard {
    /// Lets go of the leases of runs that nobody here has worked on for too long. When the database took a
    /// claim and the connection broke before it said so, nobody else knows of the lease, and it would be held
    /// for ever.
    pub(super) fn look_for_missed(&mut self, leases: Vec<(RunId, i64)>) {
        let now = self.shared.world.now();
        let is_at_work = |(run, epoch): &(RunId, i64)| {
            self.residents.get(run).is_some_and(|resident| resident.live.who.epoch >= *epoch)
        };
        let missed: HashMap<(RunId, i64), Timestamp> = leases
            .into_iter()
            .filter(|lease| !is_at_work(lease))
            .map(|lease| (lease, self.missed.get(&lease).copied().unwrap_or(now)))
            .collect();
        for ((run, epoch), since) in &missed {
            if now.ms_since(*since) >= LONGEST_LOAD_MS {
                tracing::warn!(run.id = %run, "nobody works on a run whose lease this node has; it is queued again");
                self.let_go(*run, *epoch);
            }
        }
        self.missed = missed;
    }

    /// A commit did not come about: what is in memory is not what is stored. The run is dropped
    /// and goes on from its journal.
    pub(super) fn evict(&mut self, run: RunId, error: &StoreError) {
        let Some(resident) = self.residents.remove(&run) else { return };
        match error {
            StoreError::Fenced => {
                tracing::warn!(run.id = %run, "another node has the run now");
            }
            error => {
                tracing::warn!(run.id = %run, %error, "a commit did not come about; the run goes on from its journal");
                self.let_go(run, resident.live.who.epoch);
            }
        }
    }

    /// Parks a run that can't be taken up here.
    pub(super) fn give_up(&self, stuck: Stuck, why: String) {
        self.runtime.spawn(unreadable::park(self.shared.clone(), stuck, why));
    }

    /// Gives a run back to the queue as soon as the database can be written.
    pub(super) fn let_go(&self, run: RunId, epoch: i64) {
        self.shared
            .orphans
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push((run, epoch));
        self.shared.work.notify_one();
    }

    /// Runs without a commit or a job under way are let go of while the shard drains.
    pub(super) fn say_when_drained(&mut self) {
        if self.draining.is_none() {
            return;
        }
        let idle: Vec<(RunId, i64)> = self
            .residents
            .iter()
            .filter(|(_, r)| !r.is_committing && !r.live.has_jobs())
            .map(|(run, r)| (*run, r.live.who.epoch))
            .collect();
        for (run, epoch) in idle {
            self.residents.remove(&run);
            self.let_go(run, epoch);
        }
        if self.residents.is_empty()
            && let Some(done) = self.draining.take()
        {
            let _ = done.send(());
            let (again, _) = oneshot::channel();
            self.draining = Some(again);
        }
    }
}
