//! A run in memory: what its journal says, where its script stands, and what it is about to
//! commit. Nothing here does IO: events go in, and what is to be written and done comes out.

mod end;
pub(crate) mod facts;
pub(crate) mod generation;
mod identity;
mod outbox;
#[cfg(test)]
pub(crate) mod simulated;
mod time;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use stanch_engine_core::command::{Command, Verb};
use stanch_engine_core::id::{InboxId, IncidentId};
use stanch_engine_core::incident::Milestone;
use stanch_engine_core::journal::{
    Entry, Event, Head, Started, StepFailed, StepScheduled, StepSucceeded,
};
use stanch_engine_core::json::Json;
use stanch_engine_core::run::ParkReason;
use stanch_engine_core::run_state::{OpenStep, RunState};
use stanch_engine_core::step::{StepError, StepKey};
use stanch_engine_core::time::Timestamp;
use stanch_engine_script::{
    Answer, Delivery, Hot, Issued, Program, Standing as ScriptStanding, Turn,
};
use stanch_engine_store::inbox::{Fact, FactKind};
use stanch_engine_store::runs::NewRun;

pub(crate) use identity::{About, Identity};
pub(crate) use outbox::{Happening, Outbox};

use crate::executor::large::{Bodies, with_bodies};
use crate::job::{Job, Work};
use crate::projection::Projection;
use crate::shared::Shared;
use crate::steps;

/// A run in memory.
pub(crate) struct Live {
    pub(crate) who: Identity,
    pub(crate) about: About,
    pub(crate) state: RunState,
    program: Rc<Program>,
    /// The script, where it stands; nothing while the run is paused or parked.
    hot: Option<Hot>,
    /// Steps whose jobs are under way.
    running: BTreeSet<StepKey>,
    /// What steps were asked that have no entry in the journal yet.
    unwritten: BTreeMap<StepKey, Head>,
    /// How the script ended; the run ends when its side steps have.
    ended: Option<ScriptStanding>,
    /// Facts that were taken since the run was loaded.
    taken: BTreeSet<InboxId>,
    /// What the script has not heard of, in the order of the journal.
    deliveries: Vec<Delivery>,
    pub(crate) outbox: Outbox,
    now: Timestamp,
}

impl Live {
    /// A run that was claimed, with its journal and the facts of its inbox.
    ///
    /// # Errors
    /// In words, when the journal contradicts itself.
    pub(crate) fn load(
        shared: &Shared,
        program: Rc<Program>,
        who: Identity,
        (entries, bodies): (&[Entry], &Bodies),
        facts: Vec<Fact>,
    ) -> Result<Self, String> {
        let state = RunState::of(entries).map_err(|error| error.to_string())?;
        let about = state.started.as_ref().map(About::of).unwrap_or_default();
        let mut live = Self::blank(shared, program, who, about, state);
        let (reruns, facts): (Vec<_>, Vec<_>) =
            facts.into_iter().partition(|fact| fact.kind == FactKind::Rerun);
        reruns.iter().for_each(|fact| live.run_again(fact, entries));
        live.take_facts(shared, facts);
        if live.state.ended.is_none() {
            live.pass_time(shared);
            live.recover(shared);
        }
        if !live.is_resting() {
            let mut journal = with_bodies(entries, bodies);
            journal.extend(live.outbox.entries.iter().cloned());
            live.begin(shared, &journal);
        }
        live.settle(shared);
        Ok(live)
    }

    /// A run that is parked without its script being run.
    ///
    /// # Errors
    /// In words, when the journal contradicts itself.
    pub(crate) fn park_unseen(
        shared: &Shared,
        program: Rc<Program>,
        who: Identity,
        entries: &[Entry],
        why: (ParkReason, String),
    ) -> Result<Self, String> {
        let state = RunState::of(entries).map_err(|error| error.to_string())?;
        let mut live = Self::blank(shared, program, who, About::default(), state);
        live.park(shared, why.0, why.1);
        Ok(live)
    }

    /// A run that does not exist yet.
    pub(crate) fn create(
        shared: &Shared,
        program: Rc<Program>,
        who: Identity,
        new: NewRun,
        started: Started,
    ) -> Self {
        let about = About::of(&started);
        let mut live = Self::blank(shared, program, who, about, RunState::default());
        live.outbox.create = Some(Box::new(new));
        live.record(Event::Started(started));
        let journal = live.outbox.entries.clone();
        live.begin(shared, &journal);
        live.settle(shared);
        live
    }

    fn blank(
        shared: &Shared,
        program: Rc<Program>,
        who: Identity,
        about: About,
        state: RunState,
    ) -> Self {
        Self {
            who,
            about,
            state,
            program,
            hot: None,
            running: BTreeSet::new(),
            unwritten: BTreeMap::new(),
            ended: None,
            taken: BTreeSet::new(),
            deliveries: Vec::new(),
            outbox: Outbox::default(),
            now: shared.world.now(),
        }
    }

    /// Takes in what happened, and lets the script go on as far as it comes.
    pub(crate) fn handle(&mut self, shared: &Shared, happenings: Vec<Happening>) {
        self.now = shared.world.now();
        for happening in happenings {
            match happening {
                Happening::Done(done) => {
                    self.running.remove(&done.key);
                    steps::take_outcome(self, shared, done);
                }
                Happening::Facts(facts) => self.take_facts(shared, facts),
                Happening::Time => {}
            }
        }
        self.pass_time(shared);
        self.resume(shared);
        self.settle(shared);
    }

    fn begin(&mut self, shared: &Shared, journal: &[Entry]) {
        if self.state.step_count() == 0 && !crate::write_back::is_one(self) {
            self.mark_if_incident(Milestone::FirstAutomatedAt);
        }
        self.deliveries.clear();
        match Hot::begin(&self.program, self.who.id, journal, self.now) {
            Ok((hot, turn)) => {
                self.hot = Some(hot);
                self.absorb(shared, turn);
                self.resume(shared);
            }
            Err(error) => self.ended = Some(ScriptStanding::Failed(error)),
        }
    }

    /// Hands answers to the script until it asks for something that has none.
    fn resume(&mut self, shared: &Shared) {
        while !self.deliveries.is_empty() && !self.is_resting() {
            let deliveries = std::mem::take(&mut self.deliveries);
            let Some(hot) = &mut self.hot else { return };
            let turn = hot.resume(deliveries, self.now);
            self.absorb(shared, turn);
        }
    }

    fn absorb(&mut self, shared: &Shared, turn: Turn) {
        for issued in turn.issued {
            match issued {
                Issued::Fact(command, result) => self.note_fact(command, result),
                Issued::Command(command) => steps::start(self, shared, command),
            }
        }
        match turn.standing {
            ScriptStanding::Blocked => {}
            ended => {
                self.hot = None;
                self.ended = Some(ended);
            }
        }
    }

    /// Whether the script is not to run now.
    fn is_resting(&self) -> bool {
        let parked = self.state.park_reason().is_some_and(|reason| reason != ParkReason::InDoubt);
        let is_paused = self.state.is_paused && self.state.stopped_at.is_none();
        let is_over = self.ended.is_some() || self.state.ended.is_some();
        parked || is_paused || self.state.cancels > 1 || is_over
    }

    fn note_fact(&mut self, command: Command, result: Json) {
        let value = command.args.value();
        let text =
            |name: &str| value.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
        if let Some(incident) = self.who.incident {
            match command.verb {
                Verb::Phase => self.project(Projection::Phase(incident, text("value"))),
                Verb::Milestone => {
                    if let Ok(milestone) = text("value").parse() {
                        self.mark(incident, milestone);
                    }
                }
                Verb::Verdict => {
                    if let Ok(verdict) = text("value").parse() {
                        self.project(Projection::Verdict(incident, verdict, text("reason")));
                        self.mark(incident, Milestone::VerdictAt);
                    }
                }
                Verb::Severity => {
                    if let Ok(severity) = text("value").parse() {
                        self.project(Projection::Severity(incident, severity));
                    }
                }
                _ => {}
            }
        }
        let head = Some(head_of(&command));
        self.record(Event::StepSucceeded(StepSucceeded {
            key: command.key,
            head,
            result,
            call: None,
        }));
    }

    /// Writes an event into the journal to be. An event that can't follow is the engine's own
    /// fault; the run then fails rather than guess.
    pub(crate) fn record(&mut self, event: Event) {
        let entry = Entry { seq: self.state.next_seq, at: self.now, event };
        let bytes = size_of(&entry.event);
        match self.state.record(&entry, bytes) {
            Ok(()) => self.outbox.entries.push(entry),
            Err(error) => {
                tracing::error!(run.id = %self.who.id, %error, "an event does not fit its journal");
                self.ended = Some(ScriptStanding::Limit(error.to_string()));
            }
        }
    }

    pub(crate) fn project(&mut self, projection: Projection) {
        self.outbox.projections.push(projection);
    }

    pub(crate) fn mark(&mut self, incident: IncidentId, milestone: Milestone) {
        let source = self.who.id.to_string();
        self.project(Projection::Mark { incident, milestone, at: self.now, source });
    }

    pub(crate) fn mark_if_incident(&mut self, milestone: Milestone) {
        if let Some(incident) = self.who.incident {
            self.mark(incident, milestone);
        }
    }

    /// A step has its result.
    pub(crate) fn succeed(&mut self, key: StepKey, result: Json, call: Option<Json>) {
        self.succeed_with(key, result, None, call);
    }

    /// A step has its result; what the journal only names comes beside it, as `body`.
    pub(crate) fn succeed_with(
        &mut self,
        key: StepKey,
        result: Json,
        body: Option<Json>,
        call: Option<Json>,
    ) {
        let (head, answers) = (self.unwritten.remove(&key), !self.is_side(&key));
        let answer = Answer::Result(body.unwrap_or_else(|| result.clone()));
        self.record(Event::StepSucceeded(StepSucceeded { key: key.clone(), head, result, call }));
        if answers {
            self.deliveries.push(Delivery::Answer(key, answer));
        }
    }

    /// A step has failed for good.
    pub(crate) fn fail(&mut self, key: StepKey, error: StepError, call: Option<Json>) {
        let (head, answers) = (self.unwritten.remove(&key), !self.is_side(&key));
        let answer = Answer::Error(error.clone());
        self.record(Event::StepFailed(StepFailed { key: key.clone(), head, error, call }));
        if answers {
            self.deliveries.push(Delivery::Answer(key, answer));
        }
    }

    fn is_side(&self, key: &StepKey) -> bool {
        self.state.open.get(key).is_some_and(|step| step.head.verb.is_side())
    }

    /// A step was asked for, and nothing is in the journal about it yet.
    pub(crate) fn ask(&mut self, command: Command) -> StepKey {
        let head = head_of(&command);
        self.unwritten.insert(command.key.clone(), head);
        command.key
    }

    /// What a step was asked that has no entry yet, for the entry that is about to be written.
    pub(crate) fn take_head(&mut self, key: &StepKey) -> Option<Head> {
        self.unwritten.remove(key)
    }

    /// A step's intent is journaled; its work begins after the commit.
    pub(crate) fn intend(&mut self, key: StepKey, work: Work) {
        let (token, head) = (Some(self.token(&key)), self.unwritten.remove(&key));
        let event = StepScheduled { key: key.clone(), head, token, waits_for: None, wake_at: None };
        self.record(Event::StepScheduled(event));
        self.run_job(key, 1, work);
    }

    /// A step waits for something, and does nothing meanwhile.
    pub(crate) fn wait(
        &mut self,
        key: StepKey,
        waits_for: Option<String>,
        wake_at: Option<Timestamp>,
    ) {
        let head = self.unwritten.remove(&key);
        let event = StepScheduled { key, head, token: None, waits_for, wake_at };
        self.record(Event::StepScheduled(event));
    }

    /// Work begins after the commit.
    pub(crate) fn run_job(&mut self, key: StepKey, attempt: u32, work: Work) {
        let state = self.state.open.get(&key).and_then(|step| step.progress.clone());
        let token = self.token(&key);
        self.running.insert(key.clone());
        let (run, incident) = (self.who.id, self.who.incident);
        self.outbox.jobs.push(Job { key, run, incident, token, attempt, state, work });
    }

    /// The step, while it has no result.
    pub(crate) fn open_step(&self, key: &StepKey) -> Option<&OpenStep> {
        self.state.open.get(key)
    }

    /// Whether jobs are under way.
    pub(crate) fn has_jobs(&self) -> bool {
        !self.running.is_empty()
    }

    /// What a step was asked that has no entry yet.
    pub(crate) fn asked(&self, key: &StepKey) -> Option<Json> {
        self.unwritten.get(key).map(|head| head.args.clone())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn header(&self) -> &stanch_engine_core::header::Header {
        &self.program.header
    }
}

/// What a command asks, as the journal keeps it.
pub(crate) fn head_of(command: &Command) -> Head {
    Head { verb: command.verb, args: command.args.clone(), position: command.position }
}

/// Roughly, the bytes of an event in the journal.
fn size_of(event: &Event) -> usize {
    let head = event.head().map_or(0, |head| head.args.as_str().len() + 64);
    let body = match event {
        Event::Started(started) => started.scope.as_str().len(),
        Event::StepSucceeded(done) => done.result.as_str().len(),
        Event::StepProgressed(progressed) => progressed.state.as_str().len(),
        Event::Signalled(signal) => signal.payload.as_str().len(),
        Event::GenerationStarted(generation) => generation.started.scope.as_str().len(),
        _ => 0,
    };
    head + body + 64
}
