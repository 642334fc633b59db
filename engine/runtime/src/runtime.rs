//! A node at work: started, asked, stopped.

use std::sync::Arc;
use std::time::Duration;

use stanch_engine_core::error_code;
use stanch_engine_core::id::NodeId;
use stanch_engine_core::world::World;
use stanch_engine_store::{Store, StoreError, nodes};
use stanch_plugins_sdk::{Catalogue, Ear};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::deaths::{self, Death, Life};
use crate::dispatcher::{self, Bundles, Dispatcher, Loader};
use crate::evidence::rotation::{self, RotateError};
use crate::evidence::{Bucket, ItemError, Items, KeyError, Keys, anchor, upkeep};
use crate::peers::{self, Welcome};
use crate::seal::{SealKeyError, Seals};
use crate::settings::Settings;
use crate::shard::{self, Message, ShardHandle, Watch};
use crate::shared::{Parts, Shared};
use crate::{
    audit, containments, ears, heartbeat, kpis, ocsf_out, pager, queues, reconciler, retention,
    scheduler, silence, trail_audit, updates, write_back,
};

/// How often shards look at their runs' timers, and scripts are watched.
const TICK: Duration = Duration::from_secs(1);

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Where evidence is kept.
    #[error(transparent)]
    Items(#[from] ItemError),
    /// The signing key.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// Which key signs.
    #[error(transparent)]
    Rotation(#[from] RotateError),
    /// The keys that secrets are sealed with.
    #[error(transparent)]
    Seals(#[from] SealKeyError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The evidence of the nodes that live lies elsewhere.
    #[error(
        "{}: {}. Give this node the folder that the others have, or stop them; \
         `stanch explain {}` says more",
        error_code::EVIDENCE_ELSEWHERE.code,
        error_code::EVIDENCE_ELSEWHERE.title,
        error_code::EVIDENCE_ELSEWHERE.code
    )]
    EvidenceElsewhere,
    /// No thread, or no word in the data folder that the node lives.
    #[error("the machine said no when the node started: {0}")]
    Machine(#[from] std::io::Error),
}

type Tasks = Arc<std::sync::Mutex<Vec<JoinHandle<()>>>>;

/// A node at work. Clones are the same node.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) shared: Arc<Shared>,
    pub(crate) shards: Arc<Vec<ShardHandle>>,
    pub(crate) bundles: Bundles,
    pub(crate) loader: Loader,
    stop: watch::Sender<bool>,
    left: watch::Sender<bool>,
    tasks: Tasks,
    lease_tasks: Tasks,
    _life: Option<Arc<Life>>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("node", &self.shared.node).finish_non_exhaustive()
    }
}

/// Where evidence is kept. What a simulation captures is none, and goes into no bucket.
fn items(
    settings: &Settings,
    node: NodeId,
    (world, catalogue): (&World, &Catalogue),
) -> Result<Items, ItemError> {
    match settings.bucket.clone().filter(|_| settings.simulation.is_none()) {
        None => Items::open(settings.data_dir.join("evidence"), world.entropy.next()),
        Some(bucket) => {
            Ok(Items::in_bucket(Bucket::new(bucket, node, world.clone(), catalogue.clone())))
        }
    }
}

async fn join(shared: &Shared, deaths: &[Death]) -> Result<(), StartError> {
    let dead = deaths.iter().map(|death| death.node).collect();
    match peers::join(shared, dead).await? {
        Welcome::Joined => {}
        Welcome::ElsewhereAlone => tracing::warn!(
            "the evidence that was captured before lies in another folder than this node's"
        ),
        Welcome::Elsewhere => return Err(StartError::EvidenceElsewhere),
    }
    Ok(())
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
        let node = world.id(NodeId::new);
        let is_real = settings.simulation.is_none();
        let items = items(&settings, node, (&world, &catalogue))?;
        let folder = settings.data_dir.join("keys");
        let keys = match settings.signing_key.as_ref().filter(|_| is_real) {
            None => Keys::open(&folder, &world)?,
            Some(arn) => Keys::in_kms(&folder, arn, (&world, &catalogue)).await?,
        };
        let seals = Seals::open(&settings.data_dir.join("keys"), &world)?;
        let parts = Parts { node, world, settings, store, catalogue, items, keys, seals };
        let shared = Arc::new(Shared::new(parts));
        // Where leases don't lapse all runs are taken over in any case.
        let (life, deaths) = match shared.settings.lease {
            Some(_) if is_real => {
                let (life, deaths) = deaths::look(&shared.settings.data_dir, node)?;
                (Some(Arc::new(life)), deaths)
            }
            _ => (None, Vec::new()),
        };
        join(&shared, &deaths).await?;
        drop(deaths);
        shared.look_at_halt().await?;
        shared.look_at_restored().await?;
        shared.look_at_playbooks().await?;
        rotation::begin(&shared).await?;
        kpis::projector::begin(&shared).await?;
        let (mut shards, mut watches) = (Vec::new(), Vec::new());
        for number in 0..shared.settings.shards.max(1) {
            let (handle, watch) = shard::start(shared.clone(), number)?;
            shards.push(handle);
            watches.push(watch);
        }
        let (stop, stopped) = watch::channel(false);
        let (left, has_left) = watch::channel(false);
        let (bundles, shards) = (Bundles::default(), Arc::new(shards));
        let loader =
            Loader { shared: shared.clone(), shards: shards.clone(), bundles: bundles.clone() };
        let dispatcher = Dispatcher {
            shared: shared.clone(),
            loader: loader.clone(),
            looked_at: shared.world.now(),
            counted_at: shared.world.now(),
        };
        let mut tasks = vec![
            spawn(dispatcher.work(stopped.clone())),
            spawn(tick(shards.clone(), watches, stopped.clone())),
            spawn(peers::hear_hints(shared.clone(), stopped.clone())),
        ];
        if shared.settings.simulation.is_none() {
            tasks.extend(loops(&shared, &stopped));
        }
        let lease_tasks = vec![
            spawn(peers::hold_leases(shared.clone(), has_left.clone())),
            spawn(peers::give_hints(shared.clone(), has_left)),
        ];
        let kept = |tasks| Arc::new(std::sync::Mutex::new(tasks));
        let (tasks, lease_tasks) = (kept(tasks), kept(lease_tasks));
        Ok(Self { shared, shards, bundles, loader, stop, left, tasks, lease_tasks, _life: life })
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

    /// Has a task waited for when the node stops.
    pub(crate) fn keep(&self, task: JoinHandle<()>) {
        self.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(task);
    }

    /// Begins to listen to a service that tells what people did there. To be called once for each.
    pub fn listen_to(&self, ear: Arc<dyn Ear>) {
        self.keep(spawn(ears::work(self.clone(), ear, self.stop.subscribe())));
    }

    /// The database, for reading.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// Its id, another one each time that it starts.
    pub fn node(&self) -> NodeId {
        self.shared.node
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

    /// The whole journal of a run, also where it was archived.
    ///
    /// # Errors
    /// [`StoreError`] of the database, and when the archive does not give it back.
    pub async fn journal_of(
        &self,
        run: stanch_engine_core::id::RunId,
    ) -> Result<Vec<stanch_engine_core::journal::Entry>, StoreError> {
        retention::journal_of(&self.shared, run).await
    }

    /// Looks for work at once.
    pub fn nudge(&self) {
        self.shared.nudge();
    }

    /// Hears when it takes up no more work.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Whether it takes up no more work.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Hears which runs come to rest on this node.
    pub fn rested(&self) -> tokio::sync::broadcast::Receiver<stanch_engine_core::id::RunId> {
        self.shared.rested.subscribe()
    }

    /// Runs that are in memory.
    pub fn residents(&self) -> usize {
        self.shared.room.taken()
    }

    /// Takes up no more work, gives back at once the runs that wait for nothing of this node, and
    /// waits for what is under way within its grace. Facts are still taken.
    pub async fn drain(&self) {
        let _ = self.stop.send(true);
        ended(&self.tasks).await;
        let mut drained = Vec::new();
        for shard in self.shards.iter() {
            let (done, when) = oneshot::channel();
            shard.tell(Message::Drain(done));
            drained.push(when);
        }
        let all = futures_util::future::join_all(drained);
        let grace = self.shared.settings.grace.duration();
        tokio::select! {
            done = tokio::time::timeout(grace, all) => if done.is_err() {
                tracing::warn!("actions are still under way; their runs go on from their journals");
            },
            () = self.give_back() => {}
        }
        self.give_back_once().await;
    }

    /// Gives back what its shards let go of, for as long as it is asked to.
    async fn give_back(&self) {
        loop {
            self.shared.work.notified().await;
            self.give_back_once().await;
        }
    }

    async fn give_back_once(&self) {
        match dispatcher::release_orphans(&self.shared).await {
            Ok(()) => self.shared.hint(),
            Err(error) => tracing::error!(%error, "runs could not be given back"),
        }
    }

    /// Stops in order: drains, gives the rest back to the queue, and leaves nothing unwritten.
    pub async fn stop(self) {
        if !self.is_stopping() {
            self.drain().await;
        }
        for shard in self.shards.iter() {
            shard.tell(Message::Abandon);
        }
        let _ = self.left.send(true);
        ended(&self.lease_tasks).await;
        if let Err(error) = self.leave().await {
            tracing::error!(%error, "the node could not leave in order");
        }
        if let Err(error) = self.shared.store.hint().await {
            tracing::debug!(%error, "a hint got lost");
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

/// Waits for tasks that were told to end.
async fn ended(tasks: &Tasks) {
    let tasks = {
        let mut tasks = tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::take(&mut *tasks)
    };
    for task in tasks {
        let _ = task.await;
    }
}

/// The loops that work by themselves, and that a simulation does without.
fn loops(shared: &Arc<Shared>, stopped: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    let mut tasks = vec![
        spawn(pager::work(shared.clone(), stopped.clone())),
        spawn(scheduler::work(shared.clone(), stopped.clone())),
        spawn(silence::work(shared.clone(), stopped.clone())),
        spawn(retention::work(shared.clone(), stopped.clone())),
        spawn(reconciler::work(shared.clone(), stopped.clone())),
        spawn(anchor::work(shared.clone(), stopped.clone())),
        spawn(trail_audit::work(shared.clone(), stopped.clone())),
        spawn(upkeep::work(shared.clone(), stopped.clone())),
        spawn(write_back::work(shared.clone(), stopped.clone())),
        spawn(kpis::projector::work(shared.clone(), stopped.clone())),
        spawn(audit::work(shared.clone(), stopped.clone())),
        spawn(containments::work(shared.clone(), stopped.clone())),
        spawn(updates::work(shared.clone(), stopped.clone())),
        spawn(heartbeat::work(shared.clone(), stopped.clone())),
    ];
    for sink in shared.settings.ocsf_out.clone() {
        tasks.push(spawn(ocsf_out::work(shared.clone(), sink, stopped.clone())));
    }
    tasks
}

fn spawn(task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::task::spawn(task)
}

async fn tick(shards: Arc<Vec<ShardHandle>>, watches: Vec<Watch>, mut stop: watch::Receiver<bool>) {
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
