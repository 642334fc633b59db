//! The one writer: everything that is written waits in one line and shares its commit with
//! whatever else is waiting.
//!
//! Appends to journals, which are nearly everything, go in as one statement for all runs of a
//! batch. Everything else is a closure behind a savepoint. When a shared transaction fails, each
//! of its parts is tried again in a transaction of its own, so that nobody suffers for a
//! neighbour.
//!
//! On Postgres what many senders bring goes beside it, over connections of its own
//! ([`beside`]): there each statement waits for the network, and not for the disk. So does what can't
//! wait until others are done.

mod batch;
mod beside;
mod lane;
mod measured;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::AnyConnection;
use stanch_engine_core::id::{InboxId, RunId};
use stanch_engine_core::journal::Entry;
use stanch_engine_core::world::Entropy;
use tokio::sync::{mpsc, oneshot};

use crate::dialect::Dialect;
use crate::error::StoreError;
use crate::journal;
use crate::one_core::keep_to_one_core;
use crate::open::{CommitHook, Connect};
use crate::runs::{self, NewRun, Standing};
use crate::store::BoxFuture;
use crate::tx::Tx;

use beside::Beside;
use lane::Lane;
pub use measured::Written;

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
}

/// The outcome of an append.
#[derive(Debug)]
pub struct Committed {
    /// The run.
    pub run: RunId,
    /// The lease under which it was to be written.
    pub epoch: i64,
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
    beside: Beside,
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
        let mut lane = Lane::of(dialect, connect, hook, entropy, shared.clone());
        lane.connection = Some(connection);
        let (beside, others) = Beside::of(&lane);
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
                for (mut other, waiting) in others {
                    tokio::spawn(async move { other.work(waiting).await });
                }
                lane.work(waiting).await;
            });
        })?;
        Ok(Self { parts, beside, shared })
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
        body: impl for<'a> FnMut(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, StoreError>>
        + Send
        + 'static,
    ) -> Result<T, StoreError> {
        hand_in(&self.parts, body).await
    }

    /// Beside the writer, where there is room beside it.
    pub(crate) async fn write_beside<T: Send + 'static>(
        &self,
        key: &str,
        body: impl for<'a> FnMut(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, StoreError>>
        + Send
        + 'static,
    ) -> Result<T, StoreError> {
        hand_in(self.beside.lane(key).unwrap_or(&self.parts), body).await
    }

    /// Apart from all else, where there is room for it.
    pub(crate) async fn write_apart<T: Send + 'static>(
        &self,
        body: impl for<'a> FnMut(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, StoreError>>
        + Send
        + 'static,
    ) -> Result<T, StoreError> {
        hand_in(self.beside.apart().unwrap_or(&self.parts), body).await
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
        for parts in self.beside.lanes().chain([&self.parts]) {
            let (done, drained) = oneshot::channel();
            if parts.send(Part::Drain(done)).is_ok() {
                let _ = drained.await;
            }
        }
    }
}

/// Has a closure wait in a line for its turn, and gives what it said.
async fn hand_in<T: Send + 'static>(
    line: &mpsc::UnboundedSender<Part>,
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
    line.send(Part::Unit(Unit { body, done })).map_err(|_| gone())?;
    outcome.await.map_err(|_| gone())??;
    slot.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(gone)
}

/// Writes the entries of a run's journal, as the first part of a closure that writes more with it: whoever
/// has lost the lease learns it here. No row of a run is locked by it. [`stand_one`] is the last part.
///
/// # Errors
/// [`StoreError::Fenced`] when the lease was lost.
pub async fn append_one(tx: &mut Tx<'_>, commit: &RunCommit) -> Result<(), StoreError> {
    append(tx, &[commit]).await
}

/// Takes out of a run's inbox what [`append_one`] took in, and says where the run stands then. It is the last
/// part, since it locks the run's row: whoever tells a run something has its incident's row before.
///
/// # Errors
/// [`StoreError::Fenced`] when the lease was lost.
pub async fn stand_one(tx: &mut Tx<'_>, commit: &RunCommit) -> Result<(), StoreError> {
    runs::stand(tx, &[commit]).await
}

async fn append(tx: &mut Tx<'_>, commits: &[&RunCommit]) -> Result<(), StoreError> {
    let created: Vec<&NewRun> = commits.iter().filter_map(|c| c.create.as_deref()).collect();
    runs::insert_many(tx, &created).await?;
    journal::append(tx, commits).await
}
