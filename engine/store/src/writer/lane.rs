//! One connection that writes, and how it works off what waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use sqlx::{AnyConnection, Connection as _};
use stanch_engine_core::world::Entropy;
use tokio::sync::{RwLock, mpsc};

use super::batch::Batch;
use super::{Body, Committed, Outcomes, Part, RunCommit, Shared, SinkId, append};
use crate::dialect::Dialect;
use crate::error::StoreError;
use crate::open::{CommitHook, CommitPoint, Connect};
use crate::tx::{Conn, Tx};
use crate::{journal, runs};

/// How many waiting parts one transaction takes at most: enough for full speed, and few enough
/// that nobody waits long.
const BATCH: usize = 1_024;

/// How often a closure is tried again when what it wants is there already: once that may have come in the same
/// moment, and it is seen the next time.
const TRIES: usize = 4;

/// How often a closure is tried again when others change the same rows. Each time somebody else has got on, and
/// among several nodes it may be somebody else many times.
const RACES: usize = 100;

/// A connection, and the work on it.
pub(super) struct Lane {
    pub(super) dialect: Dialect,
    connect: Connect,
    /// None until it is wanted.
    pub(super) connection: Option<AnyConnection>,
    /// What its connection is set to before anything else.
    pub(super) setting: Option<&'static str>,
    /// How its transactions begin.
    pub(super) begin: &'static str,
    /// How many parts one of them takes at most.
    pub(super) most: usize,
    /// Held by whoever writes, and alone by whoever lost a race.
    turn: Arc<RwLock<()>>,
    /// Whether the connection may be dead: the last transaction did not come about.
    is_suspect: bool,
    hook: Option<CommitHook>,
    entropy: Option<Arc<dyn Entropy>>,
    shared: Arc<Shared>,
}

impl Lane {
    pub(super) fn of(
        dialect: Dialect,
        connect: Connect,
        hook: Option<CommitHook>,
        entropy: Option<Arc<dyn Entropy>>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            dialect,
            connect,
            connection: None,
            setting: None,
            begin: dialect.begin(),
            most: BATCH,
            turn: Arc::default(),
            is_suspect: false,
            hook,
            entropy,
            shared,
        }
    }

    /// Another beside it, with a connection of its own. `turn` is shared with those whose transactions
    /// meet its own.
    pub(super) fn another(&self, turn: Arc<RwLock<()>>) -> Self {
        let (connect, hook, entropy) =
            (self.connect.clone(), self.hook.clone(), self.entropy.clone());
        Self { turn, ..Self::of(self.dialect, connect, hook, entropy, self.shared.clone()) }
    }

    pub(super) async fn work(&mut self, mut waiting: mpsc::UnboundedReceiver<Part>) {
        let mut parts = Vec::with_capacity(self.most);
        while waiting.recv_many(&mut parts, self.most).await > 0 {
            let batch = Batch::of(parts.drain(..));
            self.commit(batch).await;
        }
    }

    async fn commit(&mut self, mut batch: Batch) {
        if !batch.appends.is_empty() || !batch.units.is_empty() {
            let turn = self.turn.clone();
            let first = {
                let _among_others = turn.read().await;
                self.together(&mut batch).await
            };
            match first {
                Ok(outcomes) => self.report(batch, Ok(outcomes)),
                Err(error) if batch.is_single() && !error.is_worth_another_try() => {
                    self.report(batch, Err(error));
                }
                Err(_) => {
                    let _by_itself = turn.write().await;
                    self.one_by_one(batch).await;
                }
            }
            return;
        }
        for done in batch.drains {
            let _ = done.send(());
        }
    }

    /// Everything in one transaction. A closure that fails is undone to its savepoint and the
    /// rest goes on; anything else that fails undoes everything. One that is alone needs no
    /// savepoint, which spares two ways to the database.
    async fn together(&mut self, batch: &mut Batch) -> Result<Outcomes, StoreError> {
        let began = std::time::Instant::now();
        let result = self.try_together(batch).await;
        if result.is_ok() {
            self.shared.written.committed(batch, began);
        }
        self.is_suspect = matches!(result, Err(StoreError::Unavailable(_)));
        if matches!(result, Err(StoreError::Stale)) {
            self.connection = None;
        }
        result
    }

    async fn try_together(&mut self, batch: &mut Batch) -> Result<Outcomes, StoreError> {
        if let Some(commit) = batch.lone_append(self.dialect) {
            return self.alone(commit).await;
        }
        let (dialect, begin) = (self.dialect, self.begin);
        let (hook, entropy) = (self.hook.clone(), self.entropy.clone());
        let connection = self.connected().await?;
        let mut transaction = connection.begin_with(begin).await?;
        let mut tx = Tx(Conn { connection: &mut transaction, dialect, entropy });
        if !batch.appends.is_empty() {
            append(&mut tx, &batch.commits()).await?;
        }
        let mut outcomes = Vec::with_capacity(batch.units.len());
        if let Some(unit) = batch.lone_unit() {
            match (unit.body)(&mut tx).await {
                Ok(()) => outcomes.push(Ok(())),
                Err(error) => {
                    transaction.rollback().await?;
                    return if error.is_worth_another_try() {
                        Err(error)
                    } else {
                        Ok(vec![Err(error)])
                    };
                }
            }
        } else {
            for unit in &mut batch.units {
                outcomes.push(in_savepoint(&mut tx, &mut unit.body).await?);
            }
            // The rows of runs come last: see `stand_one`.
            runs::stand(&mut tx, &batch.commits()).await?;
        }
        if let Some(hook) = &hook {
            hook(CommitPoint::Before);
        }
        transaction.commit().await?;
        if let Some(hook) = &hook {
            hook(CommitPoint::After);
        }
        self.shared.committed();
        Ok(outcomes)
    }

    /// One statement is a transaction by itself, and spares the ways to the database and back
    /// that begin and end one. Its rows share one fence: all of them are written, or none is.
    async fn alone(&mut self, commit: &RunCommit) -> Result<Outcomes, StoreError> {
        let (dialect, hook) = (self.dialect, self.hook.clone());
        let mut tx = Tx(Conn { connection: self.connected().await?, dialect, entropy: None });
        if let Some(hook) = &hook {
            hook(CommitPoint::Before);
        }
        journal::append_alone(&mut tx, commit).await?;
        if let Some(hook) = &hook {
            hook(CommitPoint::After);
        }
        self.shared.committed();
        Ok(Vec::new())
    }

    /// Each part in a transaction of its own; a closure that came second is tried again.
    async fn one_by_one(&mut self, batch: Batch) {
        for append in batch.appends {
            let mut alone = Batch { appends: vec![append], ..Batch::default() };
            let result = self.together(&mut alone).await;
            self.report(alone, result);
        }
        for unit in batch.units {
            let mut alone = Batch { units: vec![unit], ..Batch::default() };
            let mut result = self.together(&mut alone).await;
            let (mut tries, mut races) = (0, 0);
            loop {
                match &result {
                    Err(StoreError::Overtaken(_)) if races < RACES => races += 1,
                    Err(error) if error.is_worth_another_try() && tries < TRIES => tries += 1,
                    _ => break,
                }
                result = self.together(&mut alone).await;
            }
            self.report(alone, result);
        }
        for done in batch.drains {
            let _ = done.send(());
        }
    }

    fn report(&self, batch: Batch, result: Result<Outcomes, StoreError>) {
        if let Err(StoreError::Unavailable(why)) = &result {
            *self.shared.failing.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.clone());
        }
        let mut by_sink: BTreeMap<SinkId, Vec<Committed>> = BTreeMap::new();
        for (sink, commit) in batch.appends {
            let result = result.as_ref().map(|_| ()).map_err(Clone::clone);
            let outcome = Committed { run: commit.run, epoch: commit.epoch, result };
            by_sink.entry(sink).or_default().push(outcome);
        }
        for (sink, outcomes) in by_sink {
            let sinks = self.shared.sinks.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(sink) = sinks.get(sink.0) {
                sink.committed(outcomes);
            }
        }
        let mut outcomes = result.as_ref().map(|outcomes| outcomes.clone().into_iter());
        for unit in batch.units {
            let outcome = match &mut outcomes {
                Ok(outcomes) => outcomes.next().unwrap_or(Ok(())),
                Err(error) => Err((*error).clone()),
            };
            let _ = unit.done.send(outcome);
        }
        for done in batch.drains {
            let _ = done.send(());
        }
    }

    async fn connected(&mut self) -> Result<&mut AnyConnection, StoreError> {
        if self.is_suspect {
            self.is_suspect = false;
            let alive = match &mut self.connection {
                Some(connection) => connection.ping().await.is_ok(),
                None => false,
            };
            if !alive {
                self.connection = None;
            }
        }
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => {
                let mut connection = self.connect.writer().await?;
                if let Some(setting) = self.setting {
                    sqlx::query(setting).execute(&mut connection).await?;
                }
                Ok(none.insert(connection))
            }
        }
    }
}

/// The outer error is the transaction's, the inner one the closure's own.
async fn in_savepoint(
    tx: &mut Tx<'_>,
    body: &mut Body,
) -> Result<Result<(), StoreError>, StoreError> {
    tx.run(sqlx::query("SAVEPOINT part")).await?;
    let outcome = body(tx).await;
    let end = if outcome.is_ok() { "RELEASE SAVEPOINT part" } else { "ROLLBACK TO SAVEPOINT part" };
    tx.run(sqlx::query(end)).await?;
    match outcome {
        Err(error) if error.is_worth_another_try() => Err(error),
        outcome => Ok(outcome),
    }
}
