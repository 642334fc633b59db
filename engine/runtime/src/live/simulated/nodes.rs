//! Nodes around one run, and the row and journal that they share: what a shard does, one turn at a time
//! and in any order.

use std::rc::Rc;

use serde_json::json;
use stanch_engine_core::id::{InboxId, RunId};
use stanch_engine_core::journal::{Entry, Event};
use stanch_engine_core::json::Json;
use stanch_engine_core::run::ParkReason;
use stanch_engine_core::run_state::RunState;
use stanch_engine_core::step::StepStatus;
use stanch_engine_core::time::Timestamp;
use stanch_engine_script::Program;
use stanch_engine_store::inbox::{Fact, FactKind};
use stanch_engine_store::runs::Standing;
use stanch_engine_store::writer::RunCommit;
use stanch_tests::chance::Chance;

use super::ledger::Ledger;
use super::surroundings::{Surroundings, claimed};
use crate::executor::large::Bodies;
use crate::job::{Job, JobDone, Work};
use crate::live::{Happening, Identity, Live};

const NODES: usize = 3;

/// Turns in which every simulation comes to its end when it is left alone.
const CALM_TURNS: usize = 4_000;

/// Longer than anything in the playbook waits.
const LONGEST_WAIT_MS: i64 = 1_100 * 3_600_000;

/// Rounds in which nothing is left to be done but to wait.
const IDLE_ROUNDS: usize = 3;

/// What the database knows of the run.
pub(super) struct Row {
    pub(super) journal: Vec<Entry>,
    inbox: Vec<Fact>,
    epoch: i64,
    /// The node that has the lease.
    holder: Option<usize>,
    /// Where it stands while nobody has it.
    standing: Option<Standing>,
}

/// A run in the memory of a node.
struct Resident {
    live: Live,
    commit: Option<RunCommit>,
    is_leaving: bool,
    backlog: Vec<Happening>,
    /// Begun after the commit.
    jobs: Vec<Job>,
    running: Vec<Job>,
}

/// All of it.
pub(super) struct Simulation<'a> {
    around: &'a Surroundings,
    program: Rc<Program>,
    pub(super) row: Row,
    pub(super) ledger: Ledger,
    nodes: [Option<Resident>; NODES],
    has_said: bool,
    pub(super) disturbances: usize,
}

impl<'a> Simulation<'a> {
    pub(super) fn new(around: &'a Surroundings, program: Rc<Program>) -> Self {
        around.clock.begin_again();
        let at = around.shared.world.now();
        let started = Entry { seq: 0, at, event: Event::Started(around.started()) };
        let row = Row {
            journal: vec![started],
            inbox: Vec::new(),
            epoch: 0,
            holder: None,
            standing: None,
        };
        Self {
            around,
            program,
            row,
            ledger: Ledger::default(),
            nodes: Default::default(),
            has_said: false,
            disturbances: 0,
        }
    }

    /// One thing happens, good or bad.
    pub(super) fn disturbed_turn(&mut self, chance: &mut Chance) {
        let node = chance.below(NODES);
        match chance.below(16) {
            0 => self.crash(node),
            1 => self.lapse(),
            2 => self.jump(chance),
            3 => self.say(),
            4 => self.rest(chance),
            5 => self.hand_facts(node),
            6 => self.hold_lease(node),
            _ => self.work(node, false, chance),
        }
    }

    /// Nothing bad happens any more, and time passes as soon as nobody has anything to do.
    pub(super) fn come_to_an_end(&mut self, chance: &mut Chance) {
        self.say();
        self.tell(FactKind::Resume, json!({"by": "mia", "reason": "go on"}));
        let mut idle_rounds = 0;
        for _ in 0..CALM_TURNS {
            if self.has_ended() {
                return self.nothing_follows(chance);
            }
            let before = self.idle_mark();
            for node in 0..NODES {
                self.hold_lease(node);
                self.hand_facts(node);
                self.work(node, true, chance);
            }
            idle_rounds = if before == self.idle_mark() { idle_rounds + 1 } else { 0 };
            if idle_rounds == IDLE_ROUNDS {
                self.let_time_pass();
                idle_rounds = 0;
            }
        }
        panic!(
            "it does not come to its end; the last of {}: {:?}",
            self.row.journal.len(),
            self.row.journal.last()
        );
    }

    /// Whoever still believes to have the run writes nothing more.
    fn nothing_follows(&mut self, chance: &mut Chance) {
        let length = self.row.journal.len();
        for node in 0..NODES {
            self.work(node, true, chance);
            self.work(node, true, chance);
        }
        assert_eq!(self.row.journal.len(), length, "after its end: {:?}", self.row.journal.last());
    }

    fn idle_mark(&self) -> (usize, usize, i64, usize) {
        let under_way = |n: &Resident| n.running.len() + n.jobs.len() + n.backlog.len();
        let busy = self.nodes.iter().flatten().map(under_way).sum();
        (self.row.journal.len(), self.row.inbox.len(), self.row.epoch, busy)
    }

    fn let_time_pass(&mut self) {
        let waking = self.nodes.iter().flatten().filter_map(|node| node.live.next_wake());
        let asleep = self.row.standing.as_ref().and_then(|standing| standing.wake_at);
        let Some(at) = waking.chain(asleep).min() else { return };
        let now = self.around.shared.world.now();
        assert!(
            at.ms_since(now) < LONGEST_WAIT_MS,
            "nobody goes on: {:?}, {:?}, {:?}",
            self.row.standing,
            self.row.inbox,
            self.row.journal
        );
        self.around.clock.jump_to(at);
    }

    fn has_ended(&self) -> bool {
        self.row.journal.last().is_some_and(|entry| matches!(entry.event, Event::Ended(_)))
    }

    /// A node goes on with what it has, or takes the run if it may.
    fn work(&mut self, node: usize, calm: bool, chance: &mut Chance) {
        let Some(resident) = &mut self.nodes[node] else { return self.claim(node, chance) };
        if resident.commit.is_some() {
            return self.commit(node);
        }
        if !resident.running.is_empty() {
            let job = resident.running.swap_remove(chance.below(resident.running.len()));
            self.intent_is_written(&job);
            let outcome = self.ledger.perform(&job, calm, chance);
            // The effect is there; whether anybody learns of it is another matter.
            if !calm && chance.once_in(8) {
                return self.crash(node);
            }
            return self.happen(node, Happening::Done(JobDone { key: job.key, outcome }));
        }
        let now = self.around.shared.world.now();
        let is_due = resident.live.next_wake().is_some_and(|at| at <= now);
        if is_due || !resident.backlog.is_empty() {
            self.happen(node, Happening::Time);
        }
    }

    /// Whoever changes the world has said so before.
    fn intent_is_written(&self, job: &Job) {
        if matches!(job.work, Work::Action(_)) {
            let is_intent = |entry: &Entry| {
                entry.event.step() == Some(&job.key)
                    && matches!(entry.event, Event::StepScheduled(_) | Event::StepAttempted(_))
            };
            assert!(self.row.journal.iter().any(is_intent), "{} without an intent", job.key);
        }
    }

    fn happen(&mut self, node: usize, happening: Happening) {
        let Some(resident) = &mut self.nodes[node] else { return };
        resident.backlog.push(happening);
        if resident.commit.is_none() {
            let backlog = std::mem::take(&mut resident.backlog);
            resident.live.handle(&self.around.shared, backlog);
            self.send_out(node);
        }
    }

    fn send_out(&mut self, node: usize) {
        let Some(resident) = &mut self.nodes[node] else { return };
        resident.is_leaving = resident.live.is_leaving();
        let who = resident.live.who.clone();
        let outbox = &mut resident.live.outbox;
        resident.jobs.append(&mut outbox.jobs);
        if outbox.is_empty() {
            resident.running.append(&mut resident.jobs);
            return;
        }
        outbox.projections.clear();
        resident.commit = Some(outbox.commit(&who));
    }

    fn commit(&mut self, node: usize) {
        let Some(resident) = &mut self.nodes[node] else { return };
        let Some(commit) = resident.commit.take() else { return };
        let expected = u32::try_from(self.row.journal.len()).unwrap();
        if commit.epoch != self.row.epoch {
            // Fenced: the run is another node's.
            self.nodes[node] = None;
            return;
        }
        self.row.holder = Some(node);
        if let Some(first) = commit.entries.first() {
            assert_eq!(first.seq, expected, "the holder of the lease knows the whole journal");
        }
        self.row.journal.extend(commit.entries);
        self.row.inbox.retain(|fact| !commit.consumed.contains(&fact.id));
        if resident.is_leaving {
            self.row.standing = commit.standing.map(|standing| *standing);
            self.row.holder = None;
            self.nodes[node] = None;
            return;
        }
        resident.running.append(&mut resident.jobs);
        if !resident.backlog.is_empty() {
            self.happen(node, Happening::Time);
        }
    }

    /// Takes the run, if nobody has it and there is something to do.
    fn claim(&mut self, node: usize, chance: &mut Chance) {
        let now = self.around.shared.world.now();
        let is_due = match &self.row.standing {
            None => true,
            Some(standing) => {
                !self.row.inbox.is_empty() || standing.wake_at.is_some_and(|at| at <= now)
            }
        };
        if self.row.holder.is_some() || !is_due || self.has_ended() {
            return;
        }
        self.settle_calls_of_others(chance);
        self.row.epoch += 1;
        (self.row.holder, self.row.standing) = (Some(node), None);
        let (who, shared) = (self.identity(), &self.around.shared);
        let journal = (self.row.journal.as_slice(), &Bodies::default());
        let facts = self.row.inbox.clone();
        let live = Live::load(shared, self.program.clone(), who, journal, facts).unwrap();
        let (commit, is_leaving, backlog, jobs, running) = Default::default();
        self.nodes[node] = Some(Resident { live, commit, is_leaving, backlog, jobs, running });
        self.send_out(node);
    }

    fn identity(&self) -> Identity {
        Identity::of_claimed(claimed(self.program.digest, self.row.epoch))
    }

    /// A node is gone, at whatever it was; its calls came through before that or never will.
    fn crash(&mut self, node: usize) {
        if self.nodes[node].take().is_some() {
            self.disturbances += 1;
        }
        if self.row.holder == Some(node) {
            self.row.holder = None;
        }
    }

    /// The holder's lease is over, and it does not know. Until somebody takes the run it may write.
    fn lapse(&mut self) {
        if self.row.holder.take().is_some() {
            self.disturbances += 1;
        }
    }

    /// A node looks after its lease: it holds it on, or learns that another has taken the run.
    fn hold_lease(&mut self, node: usize) {
        match &self.nodes[node] {
            Some(resident) if resident.live.who.epoch == self.row.epoch => {
                self.row.holder = Some(node);
            }
            _ => self.nodes[node] = None,
        }
    }

    /// Calls are shorter than leases: those of a node that lost the run came through by now, or never
    /// will.
    fn settle_calls_of_others(&mut self, chance: &mut Chance) {
        for resident in self.nodes.iter_mut().flatten() {
            for job in resident.running.drain(..) {
                if chance.once_in(2) {
                    let outcome = self.ledger.perform(&job, false, chance);
                    resident.backlog.push(Happening::Done(JobDone { key: job.key, outcome }));
                }
            }
        }
    }

    fn jump(&mut self, chance: &mut Chance) {
        self.disturbances += 1;
        let far = i64::try_from(chance.below(90_000)).unwrap();
        let ms = if chance.once_in(4) { -far / 9 } else { far };
        self.around.clock.jump_ms(ms);
    }

    /// The signal for which the playbook waits or will wait.
    fn say(&mut self) {
        if !std::mem::replace(&mut self.has_said, true) {
            let body = json!({"name": "go", "payload": "said", "by": "mia"});
            self.tell(FactKind::Signal, body);
        }
    }

    /// Somebody pauses the run, or lets it go on, or says what became of a step in doubt.
    fn rest(&mut self, chance: &mut Chance) {
        self.disturbances += 1;
        let wish = json!({"by": "mia", "reason": "a test"});
        match chance.below(2) {
            0 => self.tell(FactKind::Pause, wish),
            _ => self.tell(FactKind::Resume, wish),
        }
    }

    fn tell(&mut self, kind: FactKind, body: serde_json::Value) {
        if self.has_ended() {
            return;
        }
        let world = &self.around.shared.world;
        let run = RunId::new(Timestamp::from_micros(1), 1);
        let (id, at) = (world.id(InboxId::new), world.now());
        self.row.inbox.push(Fact { id, run, at, kind, body: Json::of(&body) });
    }

    /// Hands a node all that lies in the inbox, be it for the second time.
    fn hand_facts(&mut self, node: usize) {
        self.settle_doubts();
        if self.nodes[node].is_some() && !self.row.inbox.is_empty() {
            let facts = self.row.inbox.clone();
            self.happen(node, Happening::Facts(facts));
        }
    }

    /// A person looks at the world, and says what became of the steps in doubt.
    fn settle_doubts(&mut self) {
        let state = RunState::of(&self.row.journal).unwrap();
        let is_asked = self.row.inbox.iter().any(|fact| fact.kind == FactKind::Retry);
        if state.park_reason() != Some(ParkReason::InDoubt) || is_asked {
            return;
        }
        for (key, step) in state.open.iter().filter(|(_, s)| s.status == StepStatus::InDoubt) {
            let truth = self.ledger.truth(&step.head.args.value()["input"]);
            let outcome = if truth.is_some() { "succeeded" } else { "repeat" };
            let body = json!({"by": "mia", "reason": "I looked", "step": key, "outcome": outcome,
                "result": truth});
            self.tell(FactKind::Retry, body);
        }
    }
}
