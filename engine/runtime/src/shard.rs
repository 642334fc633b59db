//! A thread that runs scripts. A run belongs to one shard for as long as it is in memory.
//!
//! One commit of a run is under way at a time; what happens meanwhile waits and is taken in
//! together. Jobs begin after the commit that holds their intent.

mod jobs;
#[cfg(test)]
mod leases;
mod leave;
mod message;
mod watch;

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, mpsc};

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::RunId;
use stanch_engine_core::journal::Entry;
use stanch_engine_core::limits;
use stanch_engine_core::playbook::Bundle;
use stanch_engine_core::run::ParkReason;
use stanch_engine_core::time::Timestamp;
use stanch_engine_script::Program;
use stanch_engine_store::inbox::Fact;
use stanch_engine_store::runs::Claimed;
use stanch_engine_store::writer::{self, Committed, RunCommit, SinkId};
use stanch_engine_store::{StoreError, Tx};
use tokio::sync::oneshot;

use crate::executor::large::Bodies;
use crate::job::{Job, JobDone};
use crate::live::{Happening, Identity, Live};
use crate::projection;
use crate::recent::Recent;
use crate::room::Place;
use crate::shared::Shared;
use crate::trace;
use crate::unreadable::Stuck;

use message::Outcomes;
pub(crate) use message::{Begin, Message, ShardHandle};
pub(crate) use watch::Watch;

/// How far ahead a run in memory is woken by a timer of its own; later than that, the next tick
/// looks again.
const AHEAD_MS: i64 = 120_000;

/// A run in memory, and what it waits for.
struct Resident {
    live: Live,
    is_committing: bool,
    is_leaving: bool,
    /// Whether its commit may give somebody else something to do.
    rings: bool,
    backlog: Vec<Happening>,
    jobs: Vec<Job>,
    timer_at: Option<Timestamp>,
    created: Option<oneshot::Sender<Result<(), StoreError>>>,
    /// Given back when the run leaves.
    _place: Place,
}

/// The shard's own side.
struct Shard {
    shared: Arc<Shared>,
    handle: ShardHandle,
    sink: SinkId,
    runtime: tokio::runtime::Handle,
    watch: Watch,
    programs: Recent<Sha256, Rc<Program>>,
    residents: HashMap<RunId, Resident>,
    /// Jobs that ended as soon as they began.
    ready: VecDeque<(RunId, i64, JobDone)>,
    /// Appends that go to the writer together.
    appends: Vec<RunCommit>,
    /// Leases of runs that nobody here works on, and since when that is known.
    missed: HashMap<(RunId, i64), Timestamp>,
    /// Said when every commit is through and every job has ended.
    draining: Option<oneshot::Sender<()>>,
}

/// Starts a shard.
///
/// # Errors
/// When there is no thread for it.
pub(crate) fn start(shared: Arc<Shared>, number: usize) -> std::io::Result<(ShardHandle, Watch)> {
    let (messages, inbox) = mpsc::channel();
    let handle = ShardHandle { messages: messages.clone() };
    let sink = shared.store.register(Arc::new(Outcomes(messages)));
    let (runtime, watch) = (tokio::runtime::Handle::current(), Watch::default());
    let (its_handle, its_watch) = (handle.clone(), watch.clone());
    let body = move || {
        let _context = runtime.enter();
        let shard = Shard {
            shared,
            handle: its_handle,
            sink,
            runtime: runtime.clone(),
            watch: its_watch,
            programs: Recent::of(limits::PLAYBOOKS_KEPT),
            residents: HashMap::new(),
            ready: VecDeque::new(),
            appends: Vec::new(),
            missed: HashMap::new(),
            draining: None,
        };
        shard.work(&inbox);
    };
    std::thread::Builder::new().name(format!("stanch-shard-{number}")).spawn(body)?;
    Ok((handle, watch))
}

impl Shard {
    fn work(mut self, inbox: &mpsc::Receiver<Message>) {
        while let Ok(message) = inbox.recv() {
            let mut goes_on = self.hear(message);
            while goes_on && let Ok(message) = inbox.try_recv() {
                goes_on = self.hear(message);
            }
            while let Some((run, epoch, done)) = self.ready.pop_front() {
                self.done(run, epoch, done);
            }
            if !self.appends.is_empty() {
                self.shared.store.append(self.sink, std::mem::take(&mut self.appends));
            }
            if !goes_on {
                return;
            }
            self.say_when_drained();
        }
    }

    /// Whether a run is worked on under a later lease: what is begun under this one comes too late.
    fn is_overtaken(&self, claimed: &Claimed) -> bool {
        let resident = self.residents.get(&claimed.id);
        resident.is_some_and(|resident| resident.live.who.epoch > claimed.epoch)
    }

    /// Takes a message in; false when it was the last.
    fn hear(&mut self, message: Message) -> bool {
        match message {
            Message::Begin(begin) => self.begin(*begin),
            Message::Committed(outcomes) => {
                outcomes.into_iter().for_each(|outcome| self.committed(outcome));
            }
            Message::Done(run, epoch, done) => self.done(run, epoch, done),
            Message::Facts(run, facts) => self.happen(run, Happening::Facts(facts)),
            Message::Wake(run) => {
                if let Some(resident) = self.residents.get_mut(&run) {
                    resident.timer_at = None;
                }
                self.happen(run, Happening::Time);
            }
            Message::Held(leases) => self.look_for_missed(leases),
            Message::Tick => {
                let runs: Vec<RunId> = self.residents.keys().copied().collect();
                runs.into_iter().for_each(|run| self.set_timer(run));
            }
            Message::Drain(done) => self.draining = Some(done),
            Message::Abandon => return false,
        }
        true
    }

    fn begin(&mut self, begin: Begin) {
        match begin {
            Begin::Claimed { claimed, place, bundle, entries, bodies, facts } => {
                if self.is_overtaken(&claimed) {
                    return;
                }
                if self.draining.is_some() {
                    self.let_go(claimed.id, claimed.epoch);
                    return;
                }
                self.load((claimed, place), &bundle, (&entries, &bodies), facts);
            }
            Begin::New { new, started, bundle, created, place } => {
                let run = new.id;
                match self.program(new.digest, &bundle) {
                    Ok(program) => {
                        let who = Identity::of_new(&new);
                        let shared = self.shared.clone();
                        let begin = || Live::create(&shared, program, who, new, started);
                        match self.watch.during(begin) {
                            Ok(live) => self.admit(live, place, Some(created)),
                            Err(why) => {
                                let _ = created.send(Err(StoreError::Conflict(why)));
                            }
                        }
                    }
                    Err(why) => {
                        let why = format!("{run} can't begin: {why}");
                        let _ = created.send(Err(StoreError::Conflict(why)));
                    }
                }
            }
        }
    }

    fn load(
        &mut self,
        (claimed, place): (Claimed, Place),
        bundle: &Bundle,
        (entries, bodies): (&[Entry], &Bodies),
        facts: Vec<Fact>,
    ) {
        let stuck = Stuck::of(&claimed);
        let digest = claimed.digest;
        let is_poison = claimed.recoveries > limits::RECOVERIES;
        let who = Identity::of_claimed(claimed);
        // It was begun by what started it, and is worked on for the first time.
        if entries.len() == 1 {
            self.shared.metrics.grew(&who.playbook, entries);
        }
        let shared = self.shared.clone();
        let program = match self.program(digest, bundle) {
            Ok(program) => program,
            Err(why) => return self.give_up(stuck, format!("its playbook can't be read: {why}")),
        };
        let loaded = if is_poison {
            Live::park_unseen(
                &shared,
                program,
                who,
                entries,
                (ParkReason::Poison, POISON.to_owned()),
            )
        } else {
            self.watch
                .during(|| Live::load(&shared, program, who, (entries, bodies), facts))
                .flatten()
        };
        match loaded {
            Ok(live) => self.admit(live, place, None),
            Err(why) => self.give_up(stuck, format!("its journal can't be read: {why}")),
        }
    }

    fn program(&mut self, digest: Sha256, bundle: &Bundle) -> Result<Rc<Program>, String> {
        if let Some(program) = self.programs.get(&digest) {
            return Ok(program);
        }
        let program =
            Program::compile(bundle, self.watch.interrupt()).map_err(|e| e.to_string())?;
        self.programs.put(digest, program.clone());
        Ok(program)
    }

    fn admit(
        &mut self,
        live: Live,
        place: Place,
        created: Option<oneshot::Sender<Result<(), StoreError>>>,
    ) {
        let run = live.who.id;
        let (is_committing, is_leaving, rings, backlog, jobs, timer_at) = Default::default();
        let resident = Resident {
            live,
            is_committing,
            is_leaving,
            rings,
            backlog,
            jobs,
            timer_at,
            created,
            _place: place,
        };
        self.residents.insert(run, resident);
        self.send_out(run);
    }

    /// Something happened to a run: now, or after the commit that is under way.
    fn happen(&mut self, run: RunId, happening: Happening) {
        let Some(resident) = self.residents.get_mut(&run) else { return };
        resident.backlog.push(happening);
        if !resident.is_committing {
            self.take_in(run);
        }
    }

    fn take_in(&mut self, run: RunId) {
        let Some(resident) = self.residents.get_mut(&run) else { return };
        let backlog = std::mem::take(&mut resident.backlog);
        match self.watch.during(|| resident.live.handle(&self.shared, backlog)) {
            Ok(()) => self.send_out(run),
            Err(why) => {
                if let Some(resident) = self.residents.remove(&run) {
                    self.give_up(Stuck::from(&resident.live.who), why);
                }
            }
        }
    }

    /// Writes what a run wants written, and begins the jobs that need no commit before them.
    fn send_out(&mut self, run: RunId) {
        let Some(resident) = self.residents.get_mut(&run) else { return };
        resident.is_leaving = resident.live.is_leaving();
        let outbox = &mut resident.live.outbox;
        resident.jobs.append(&mut outbox.jobs);
        if outbox.is_empty() {
            self.begin_jobs(run);
            self.set_timer(run);
            return;
        }
        resident.is_committing = true;
        let projections = std::mem::take(&mut outbox.projections);
        let falls_asleep = outbox.standing.as_ref().is_some_and(|s| !s.status.is_final());
        resident.rings = falls_asleep || !projections.is_empty() || resident.live.who.is_limited;
        let commit = outbox.commit(&resident.live.who);
        let who = &resident.live.who;
        self.shared.metrics.grew(&who.playbook, &commit.entries);
        trace::grew(&self.shared, who, &commit.entries);
        if projections.is_empty() {
            self.appends.push(commit);
            return;
        }
        let (store, messages) = (self.shared.store.clone(), self.handle.messages.clone());
        let epoch = commit.epoch;
        let parts = Arc::new((commit, projections));
        self.runtime.spawn(async move {
            let write = store.write(move |tx: &mut Tx<'_>| {
                let parts = parts.clone();
                Box::pin(async move {
                    let (commit, projections) = &*parts;
                    writer::append_one(tx, commit).await?;
                    projection::apply(tx, run, projections).await?;
                    writer::stand_one(tx, commit).await
                })
            });
            let result = write.await;
            drop(messages.send(Message::Committed(vec![Committed { run, epoch, result }])));
        });
    }

    /// A commit came about, or did not. What became of one under a lease that was lost since says nothing
    /// of the run as it was taken up again.
    fn committed(&mut self, Committed { run, epoch, result }: Committed) {
        let resident = self.residents.get_mut(&run).filter(|it| it.live.who.epoch == epoch);
        let Some(resident) = resident else { return };
        resident.is_committing = false;
        if let Some(created) = resident.created.take() {
            let _ = created.send(result.clone());
        }
        if let Err(error) = result {
            self.evict(run, &error);
            return;
        }
        let (rings, is_leaving) = (resident.rings, resident.is_leaving);
        let is_scarce = self.shared.room.is_scarce();
        if is_leaving {
            self.residents.remove(&run);
        }
        // After its place has been given back, so that whoever hears of it finds it.
        if rings || (is_leaving && is_scarce) {
            self.shared.work.notify_one();
        }
        if rings {
            self.shared.paging.notify_one();
            self.shared.hint();
        }
        if is_leaving {
            let _ = self.shared.rested.send(run);
            return;
        }
        self.begin_jobs(run);
        match self.residents.get(&run).is_some_and(|resident| !resident.backlog.is_empty()) {
            true => self.take_in(run),
            false => self.set_timer(run),
        }
    }

    fn set_timer(&mut self, run: RunId) {
        let Some(resident) = self.residents.get_mut(&run) else { return };
        let Some(at) = resident.live.next_wake() else { return };
        let is_set = resident.timer_at.is_some_and(|set| set <= at);
        if is_set || at > self.shared.world.now().plus_ms(AHEAD_MS) {
            return;
        }
        resident.timer_at = Some(at);
        let (clock, messages) = (self.shared.world.clock.clone(), self.handle.messages.clone());
        self.runtime.spawn(async move {
            clock.sleep_until(at).await;
            drop(messages.send(Message::Wake(run)));
        });
    }
}

const POISON: &str = "it was taken over again and again without getting any further";
