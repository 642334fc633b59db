//! The one writer: everything that is written waits in one line and shares its commit with
//! whatever else is waiting.
//!
//! Appends to journals, which are nearly everything, go in as one statement for all runs of a
//! batch. Everything else is a closure behind a savepoint. When a shared transaction fails, each
//! of its parts is tried again in a transaction of its own, so that nobody suffers for a
//! neighbour.

mod batch;
mod measured;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::{AnyConnection, Connection as _};
use stanch_engine_core::id::{InboxId, RunId};
use stanch_engine_core::journal::Entry;
use stanch_engine_core::world::Entropy;
use tokio::sync::{mpsc, oneshot};

use crate::dialect::Dialect;
use crate::error::StoreError;
use crate::journal;
use crate::one_core::keep_to_one_core;
use crate::open::{CommitHook, CommitPoint, Connect};
use crate::runs::{self, NewRun, Standing};
use crate::store::BoxFuture;
use crate::tx::{Conn, Tx};

use batch::Batch;
pub use measured::Written;

/// How many waiting parts one transaction takes at most: enough for full speed, and few enough
/// that nobody waits long.
const BATCH: usize = 1_024;

/// How often a closure is tried again when somebody else was first.
const TRIES: usize = 5;

/// New entries of a run's journal, and where the run stands after them.
#[derive(Clone, Debug, PartialEq)]
pub struct RunCommit {
    /// The run.
    pub run: RunId,
    /// The lease under which it is written; the commit fails if it was lost.
    pub epoch: i64,
    /// The run's row, when this is its first commit.
    pub create: Option<Box<NewRun>>,
    /// The entries, in order.
    pub entries: Vec<Entry>,
    /// Where the run stands then; nothing when it goes on running.
    pub standing: Option<Box<Standing>>,
    /// The facts of its inbox that the entries take in.
    pub consumed: Vec<InboxId>,
    /// Given back with the outcome.
    pub ticket: u64,
}

/// The outcome of an append.
#[derive(Debug)]
pub struct Committed {
    /// The run.
    pub run: RunId,
    /// The ticket of the append.
    pub ticket: u64,
    /// How it went.
    pub result: Result<(), StoreError>,
}

/// Hears of the outcomes of appends, all of a transaction at once.
pub trait CommitSink: Send + Sync {
    /// Called from the writer; it must not block.
    fn committed(&self, outcomes: Vec<Committed>);
}

/// A sink that was registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SinkId(usize);

/// How each closure of a transaction went.
type Outcomes = Vec<Result<(), StoreError>>;

type Body = Box<dyn for<'a> FnMut(&'a mut Tx<'_>) -> BoxFuture<'a, Result<(), StoreError>> + Send>;

/// A closure that waits for its turn.
struct Unit {
    body: Body,
    done: oneshot::Sender<Result<(), StoreError>>,
}

enum Part {
    Append(SinkId, Vec<RunCommit>),
    Unit(Unit),
    Drain(oneshot::Sender<()>),
}

/// The handle of the writer.
pub(crate) struct Writer {
    parts: mpsc::UnboundedSender<Part>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    sinks: Mutex<Vec<Arc<dyn CommitSink>>>,
    commits: AtomicU64,
    failing: Mutex<Option<String>>,
    written: Written,
}

impl Shared {
    fn committed(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Writer {
    pub(crate) fn start(
        dialect: Dialect,
        connect: Connect,
        connection: AnyConnection,
        hook: Option<CommitHook>,
        entropy: Option<Arc<dyn Entropy>>,
    ) -> std::io::Result<Self> {
        let (parts, waiting) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::default());
        let connection = Some(connection);
        let (is_suspect, shared_too) = (false, shared.clone());
        let mut lane =
            Lane { dialect, connect, connection, is_suspect, hook, entropy, shared: shared_too };
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        // SQLite's driver has a thread of its own: without sockets to watch, waking up is cheaper.
        let runtime = match dialect {
            Dialect::Sqlite => runtime.enable_time().build()?,
            Dialect::Postgres => runtime.enable_all().build()?,
        };
        std::thread::Builder::new().name("stanch-writer".to_owned()).spawn(move || {
            runtime.block_on(async {
                if dialect == Dialect::Sqlite {
                    keep_to_one_core();
                    // The next one is made here, and its thread stays on the same core.
                    lane.connection = None;
                }
                lane.work(waiting).await;
            });
        })?;
        Ok(Self { parts, shared })
    }

    pub(crate) fn register(&self, sink: Arc<dyn CommitSink>) -> SinkId {
        let mut sinks = self.shared.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        sinks.push(sink);
        SinkId(sinks.len() - 1)
    }

    pub(crate) fn append(&self, sink: SinkId, commits: Vec<RunCommit>) {
        // The writer ends only with the process.
        drop(self.parts.send(Part::Append(sink, commits)));
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        mut body: impl for<'a> FnMut(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, StoreError>>
        + Send
        + 'static,
    ) -> Result<T, StoreError> {
        let gone = || StoreError::Unavailable("the writer has ended".to_owned());
        let slot = Arc::new(Mutex::new(None));
        let filled = slot.clone();
        let body: Body = Box::new(move |tx| {
            let (work, slot) = (body(tx), filled.clone());
            Box::pin(async move {
                let value = work.await?;
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
                Ok(())
            })
        });
        let (done, outcome) = oneshot::channel();
        self.parts.send(Part::Unit(Unit { body, done })).map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())??;
        slot.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(gone)
    }

    pub(crate) fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }

    pub(crate) fn written(&self) -> &Written {
        &self.shared.written
    }

    pub(crate) fn failing(&self) -> Option<String> {
        self.shared.failing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) async fn drain(&self) {
        let (done, drained) = oneshot::channel();
        if self.parts.send(Part::Drain(done)).is_ok() {
            let _ = drained.await;
        }
    }
}

/// The writer's own side: its connection, and the work on it.
struct Lane {
    dialect: Dialect,
    connect: Connect,
    connection: Option<AnyConnection>,
    /// Whether the connection may be dead: the last transaction did not come about.
    is_suspect: bool,
    hook: Option<CommitHook>,
    entropy: Option<Arc<dyn Entropy>>,
    shared: Arc<Shared>,
}

impl Lane {
    async fn work(&mut self, mut waiting: mpsc::UnboundedReceiver<Part>) {
        let mut parts = Vec::with_capacity(BATCH);
        while waiting.recv_many(&mut parts, BATCH).await > 0 {
            let batch = Batch::of(parts.drain(..));
            self.commit(batch).await;
        }
    }

    async fn commit(&mut self, mut batch: Batch) {
        if !batch.appends.is_empty() || !batch.units.is_empty() {
            match self.together(&mut batch).await {
                Ok(outcomes) => self.report(batch, Ok(outcomes)),
                Err(error) if batch.is_single() && !error.is_worth_another_try() => {
                    self.report(batch, Err(error));
                }
                Err(_) => self.one_by_one(batch).await,
            }
            return;
        }
        for done in batch.drains {
            let _ = done.send(());
        }
    }

    /// Everything in one transaction. A closure that fails is undone to its savepoint and the
    /// rest goes on; anything else that fails undoes everything.
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
        if let Some(commit) = batch.lone_append() {
            return self.alone(commit).await;
        }
        let (dialect, hook, entropy) = (self.dialect, self.hook.clone(), self.entropy.clone());
        let connection = self.connected().await?;
        let mut transaction = connection.begin_with(dialect.begin()).await?;
        let mut tx = Tx(Conn { connection: &mut transaction, dialect, entropy });
        if !batch.appends.is_empty() {
            let commits: Vec<&RunCommit> = batch.appends.iter().map(|(_, commit)| commit).collect();
            append(&mut tx, &commits).await?;
        }
        let mut outcomes = Vec::with_capacity(batch.units.len());
        for unit in &mut batch.units {
            outcomes.push(in_savepoint(&mut tx, &mut unit.body).await?);
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
        journal::append(&mut tx, &[commit]).await?;
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
            for _ in 1..TRIES {
                match &result {
                    Ok(_) => break,
                    Err(error) if !error.is_worth_another_try() => break,
                    _ => result = self.together(&mut alone).await,
                }
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
            let outcome = Committed { run: commit.run, ticket: commit.ticket, result };
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
            none => Ok(none.insert(self.connect.writer().await?)),
        }
    }
}

/// Writes what runs append, as a part of a closure that writes more with it.
///
/// # Errors
/// [`StoreError::Fenced`] when the lease was lost.
pub async fn append_one(tx: &mut Tx<'_>, commit: &RunCommit) -> Result<(), StoreError> {
    append(tx, &[commit]).await
}

async fn append(tx: &mut Tx<'_>, commits: &[&RunCommit]) -> Result<(), StoreError> {
    let created: Vec<&NewRun> = commits.iter().filter_map(|c| c.create.as_deref()).collect();
    runs::insert_many(tx, &created).await?;
    journal::append(tx, commits).await?;
    runs::stand(tx, commits).await
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
