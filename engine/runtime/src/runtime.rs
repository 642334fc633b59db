//! A node at work: started, asked, stopped.

use std::sync::Arc;
use std::time::Duration;

use stanch_engine_core::world::World;
use stanch_engine_store::{Store, StoreError, nodes};
use stanch_plugins_sdk::Catalogue;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::dispatcher::{self, Bundles, Dispatcher};
use crate::evidence::{ItemError, Items, KeyError, Keys};
use crate::seal::{SealKeyError, Seals};
use crate::settings::Settings;
use crate::shard::{self, Message, ShardHandle, Watch};
use crate::shared::{Parts, Shared};
use crate::{heartbeat, pager, queues, scheduler};

/// How often shards look at their runs' timers, and scripts are watched.
const TICK: Duration = Duration::from_secs(1);

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The evidence folder.
    #[error(transparent)]
    Items(#[from] ItemError),
    /// The signing key.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The keys that secrets are sealed with.
    #[error(transparent)]
    Seals(#[from] SealKeyError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No thread.
    #[error("no thread for a shard: {0}")]
    Thread(#[from] std::io::Error),
}

/// A node at work. Clones are the same node.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) shared: Arc<Shared>,
    pub(crate) shards: Arc<Vec<ShardHandle>>,
    pub(crate) bundles: Bundles,
    stop: watch::Sender<bool>,
    tasks: Arc<std::sync::Mutex<Vec<JoinHandle<()>>>>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("node", &self.shared.node).finish_non_exhaustive()
    }
}

impl Runtime {
    /// Starts a node. It must be called inside a Tokio runtime with several threads.
    ///
    /// # Errors
    /// [`StartError`] says what is missing.
    pub async fn start(
        world: World,
        settings: Settings,
        store: Store,
        catalogue: Catalogue,
    ) -> Result<Self, StartError> {
        let items = Items::open(settings.data_dir.join("evidence"))?;
        let keys = Keys::open(&settings.data_dir.join("keys"), &world)?;
        let seals = Seals::open(&settings.data_dir.join("keys"), &world)?;
        let parts = Parts { world, settings, store, catalogue, items, keys, seals };
        let shared = Arc::new(Shared::new(parts));
        dispatcher::join(&shared).await?;
        shared.look_at_halt().await?;
        shared.look_at_playbooks().await?;
        let (mut shards, mut watches) = (Vec::new(), Vec::new());
        for number in 0..shared.settings.shards.max(1) {
            let (handle, watch) = shard::start(shared.clone(), number)?;
            shards.push(handle);
            watches.push(watch);
        }
        let (stop, stopped) = watch::channel(false);
        let bundles = Bundles::default();
        let dispatcher = Dispatcher {
            shared: shared.clone(),
            shards: shards.clone(),
            bundles: bundles.clone(),
            looked_at: shared.world.now(),
        };
        let tasks = vec![
            spawn(dispatcher.work(stopped.clone())),
            spawn(dispatcher::hold_leases(shared.clone(), stopped.clone())),
            spawn(tick(shards.clone(), watches, stopped.clone())),
            spawn(pager::work(shared.clone(), stopped.clone())),
            spawn(scheduler::work(shared.clone(), stopped.clone())),
            spawn(heartbeat::work(shared.clone(), stopped)),
        ];
        let (shards, tasks) = (Arc::new(shards), Arc::new(std::sync::Mutex::new(tasks)));
        Ok(Self { shared, shards, bundles, stop, tasks })
    }

    /// Begins to take alerts from the queues of the settings. To be called once, and after the
    /// playbooks are published that the alerts are to start.
    pub fn take_from_queues(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for queue in &self.shared.settings.queues {
            let stopped = self.stop.subscribe();
            tasks.push(spawn(queues::work(self.shared.clone(), queue.clone(), stopped)));
        }
    }

    /// The database, for reading.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// The actions and sources.
    pub fn catalogue(&self) -> &Catalogue {
        &self.shared.catalogue
    }

    /// What it was told.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// The clock and the dice.
    pub fn world(&self) -> &World {
        &self.shared.world
    }

    /// The public half of the key that signs evidence, in PEM.
    pub fn public_key(&self) -> String {
        self.shared.keys.public_pem()
    }

    /// Looks for work at once.
    pub fn nudge(&self) {
        self.shared.nudge();
    }

    /// Hears which runs come to rest on this node.
    pub fn rested(&self) -> tokio::sync::broadcast::Receiver<stanch_engine_core::id::RunId> {
        self.shared.rested.subscribe()
    }

    /// Runs that are in memory.
    pub fn residents(&self) -> usize {
        let each =
            self.shards.iter().map(|s| s.residents.load(std::sync::atomic::Ordering::Relaxed));
        each.sum()
    }

    /// Stops in order: takes no more work, waits for what is under way within its grace, gives
    /// the rest back to the queue, and leaves nothing unwritten.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let tasks = {
            let mut tasks = self.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        for task in tasks {
            let _ = task.await;
        }
        let mut drained = Vec::new();
        for shard in self.shards.iter() {
            let (done, when) = oneshot::channel();
            shard.tell(Message::Drain(done));
            drained.push(when);
        }
        let all = futures_util::future::join_all(drained);
        let grace = self.shared.settings.grace.duration();
        if tokio::time::timeout(grace, all).await.is_err() {
            tracing::warn!("actions are still under way; their runs go on from their journals");
        }
        for shard in self.shards.iter() {
            shard.tell(Message::Abandon);
        }
        if let Err(error) = self.leave().await {
            tracing::error!(%error, "the node could not leave in order");
        }
        self.shared.store.clone().close().await;
    }

    async fn leave(&self) -> Result<(), StoreError> {
        dispatcher::release_orphans(&self.shared).await?;
        let node = self.shared.node;
        self.shared
            .store
            .write(move |tx| {
                Box::pin(async move {
                    stanch_engine_store::runs::release_node(tx, node).await?;
                    nodes::leave(tx, node).await
                })
            })
            .await
    }
}

fn spawn(task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::task::spawn(task)
}

async fn tick(shards: Vec<ShardHandle>, watches: Vec<Watch>, mut stop: watch::Receiver<bool>) {
    let mut interval = tokio::time::interval(TICK);
    let mut rounds = 0_u32;
    while !*stop.borrow() {
        tokio::select! {
            _ = interval.tick() => {}
            _ = stop.changed() => {}
        }
        watches.iter().for_each(Watch::look);
        rounds = rounds.wrapping_add(1);
        if rounds.is_multiple_of(60) {
            shards.iter().for_each(|shard| shard.tell(Message::Tick));
        }
    }
}
