//! What a run already knows: the journal's steps by key, and the answers that came since.
//!
//! A tape belongs to one run and is shared by the coroutines of its branches, all on one thread.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet, VecDeque};

use stanch_engine_core::command::{Command, Position, Verb};
use stanch_engine_core::generation::GenerationCause;
use stanch_engine_core::journal::{Entry, Event, Head, RunError};
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;
use stanch_engine_core::step::{StepError, StepKey};
use stanch_engine_core::time::Timestamp;

use crate::closing::Deferred;
use crate::turn::{Divergence, Issued};

/// How a step ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// With a result.
    Result(Json),
    /// With an error.
    Error(StepError),
}

/// What reaches a run from outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivery {
    /// The answer to a step.
    Answer(StepKey, Answer),
    /// It is to come to its end: only what it deferred is still done.
    Stop(Stop),
}

/// Why a run is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A person wants it.
    Cancelled,
    /// It took longer than it may.
    TimedOut,
}

/// What was handed to the script.
pub(crate) enum Handed {
    /// The answer to a step.
    Answer,
    /// The end.
    Stop(Stop),
}

/// What the playbook may know of its run without asking.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// The alert's account.
    pub(crate) account: Option<String>,
    /// The alert's region.
    pub(crate) region: Option<String>,
    /// The alert's resources of the header's subject type.
    pub(crate) subjects: Vec<Json>,
    /// The header's subject type.
    pub(crate) subject: Option<String>,
    /// Makes `uuid()` this run's own.
    pub(crate) seed: String,
}

#[derive(Default)]
pub(crate) struct Tape {
    pub(crate) around: Surroundings,
    /// Steps of the journal that the playbook has not asked for again.
    recorded: RefCell<HashMap<StepKey, Head>>,
    /// What the playbook has not heard of, in the order of the journal.
    queue: RefCell<VecDeque<Delivery>>,
    /// Answers that it may have where it asks for them.
    answers: RefCell<HashMap<StepKey, Answer>>,
    /// The step whose answer came last.
    answered: RefCell<Option<StepKey>>,
    issued: RefCell<Vec<Issued>>,
    divergence: RefCell<Option<Divergence>>,
    limit: RefCell<Option<String>>,
    now: Cell<Timestamp>,
    steps: Cell<u32>,
    operations: Cell<u64>,
    operations_at_step: Cell<u64>,
    refusing: Cell<Option<&'static str>>,
    deferred: RefCell<Vec<Deferred>>,
    is_closing: Cell<bool>,
    has_waited: Cell<bool>,
    /// The inputs with which it begins again, once it wants to.
    next_inputs: RefCell<Option<Json>>,
}

impl Tape {
    /// A tape of what a journal holds.
    pub(crate) fn of(around: Surroundings, entries: &[Entry]) -> Self {
        let mut recorded: HashMap<StepKey, Head> = HashMap::new();
        let (mut queue, mut answers) = (VecDeque::new(), HashMap::new());
        for event in entries.iter().map(|entry| &entry.event) {
            match event {
                Event::CancelRequested(_) => queue.push_back(Delivery::Stop(Stop::Cancelled)),
                Event::TimedOut(_) => queue.push_back(Delivery::Stop(Stop::TimedOut)),
                Event::GenerationStarted(generation) => {
                    let drops: HashSet<&StepKey> = generation.drops.iter().collect();
                    let is_kept = |key: &StepKey| {
                        generation.cause == GenerationCause::Rerun && !drops.contains(key)
                    };
                    recorded.retain(|key, _| is_kept(key));
                    answers.retain(|key, _| is_kept(key));
                    queue.retain(|delivery| match delivery {
                        Delivery::Answer(key, _) => is_kept(key),
                        Delivery::Stop(_) => false,
                    });
                }
                _ => {}
            }
            let Some(key) = event.step() else { continue };
            if let Some(head) = event.head() {
                recorded.entry(key.clone()).or_insert_with(|| head.clone());
            }
            let verb = recorded.get(key).map(|head| head.verb);
            match (answer_of(event), verb) {
                // Nobody waits for a side step, so that its answer is nobody's either.
                (Some(_), Some(verb)) if verb.is_side() => {}
                (Some(answer), Some(verb)) if verb.is_fact() => {
                    answers.insert(key.clone(), answer);
                }
                (Some(answer), Some(_)) => {
                    queue.push_back(Delivery::Answer(key.clone(), answer));
                }
                _ => {}
            }
        }
        Self {
            around,
            recorded: RefCell::new(recorded),
            queue: RefCell::new(queue),
            answers: RefCell::new(answers),
            ..Self::default()
        }
    }

    pub(crate) fn deliver(&self, delivery: Delivery) {
        self.queue.borrow_mut().push_back(delivery);
    }

    /// Hands the next delivery out, an answer to whoever waits for it or will ask for it.
    pub(crate) fn hand_out(&self) -> Option<Handed> {
        match self.queue.borrow_mut().pop_front()? {
            Delivery::Answer(key, answer) => {
                self.answers.borrow_mut().insert(key.clone(), answer);
                self.answered.replace(Some(key));
                Some(Handed::Answer)
            }
            Delivery::Stop(stop) => Some(Handed::Stop(stop)),
        }
    }

    /// The next answer, when it is the one to this step.
    pub(crate) fn take_next(&self, key: &StepKey) -> Option<Answer> {
        let mut queue = self.queue.borrow_mut();
        match queue.pop_front_if(|next| matches!(next, Delivery::Answer(k, _) if k == key))? {
            Delivery::Answer(_, answer) => Some(answer),
            Delivery::Stop(_) => None,
        }
    }

    /// Has something done at the end; false when there is too much of it.
    pub(crate) fn defer(&self, deferred: Deferred) -> bool {
        let mut all = self.deferred.borrow_mut();
        let has_room = all.len() < limits::DEFERRED;
        if has_room {
            all.push(deferred);
        }
        has_room
    }

    /// Begins the end, and gives what is to be done in it.
    pub(crate) fn begin_closing(&self) -> Vec<Deferred> {
        self.is_closing.set(true);
        self.deferred.take()
    }

    /// Whether the end has begun.
    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.get()
    }

    /// Notes that the playbook waits for a step.
    pub(crate) fn note_wait(&self) {
        self.has_waited.set(true);
    }

    /// Whether the playbook has waited for any step.
    pub(crate) fn has_waited(&self) -> bool {
        self.has_waited.get()
    }

    /// The playbook wants to begin again.
    pub(crate) fn go_on_as_new(&self, inputs: Json) {
        self.next_inputs.replace(Some(inputs));
    }

    /// The inputs with which the playbook wants to begin again.
    pub(crate) fn take_next_inputs(&self) -> Option<Json> {
        self.next_inputs.take()
    }

    /// Whether the script can't go on, whatever reaches it.
    pub(crate) fn is_stuck(&self) -> bool {
        self.limit.borrow().is_some() || self.divergence.borrow().is_some()
    }

    /// The branch below `prefix` that waits for the answer that came last.
    pub(crate) fn branch_to_go_on(&self, prefix: &str) -> Option<usize> {
        let answered = self.answered.borrow();
        let below = answered.as_ref()?.0.strip_prefix(prefix)?;
        below.split('.').next()?.parse().ok()
    }

    pub(crate) fn take_answer(&self, key: &StepKey) -> Option<Answer> {
        self.answers.borrow_mut().remove(key)
    }

    pub(crate) fn set_now(&self, now: Timestamp) {
        self.now.set(now);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now.get()
    }

    /// Whether the journal has a step, if it is the step that the playbook asks for now.
    pub(crate) fn recall(&self, command: &Command) -> Result<bool, ()> {
        let Some(recorded) = self.recorded.borrow_mut().remove(&command.key) else {
            return Ok(false);
        };
        if recorded.verb == command.verb && recorded.args == command.args {
            return Ok(true);
        }
        self.diverge(Divergence {
            key: command.key.clone(),
            recorded: Some(recorded),
            asked: Some(command.clone()),
            error: None,
        });
        Err(())
    }

    pub(crate) fn issue(&self, issued: Issued) {
        self.issued.borrow_mut().push(issued);
    }

    pub(crate) fn take_issued(&self) -> Vec<Issued> {
        self.issued.take()
    }

    /// What the playbook has asked for in this turn is not begun any more.
    pub(crate) fn forget_commands(&self) {
        self.issued.borrow_mut().retain(|issued| matches!(issued, Issued::Fact(..)));
    }

    fn diverge(&self, divergence: Divergence) {
        self.divergence.borrow_mut().get_or_insert(divergence);
    }

    pub(crate) fn take_divergence(&self) -> Option<Divergence> {
        self.divergence.take()
    }

    /// At the end of the playbook: a step that the journal holds and that nothing asked for.
    pub(crate) fn left_over(&self, error: Option<&RunError>) -> Option<Divergence> {
        let recorded = self.recorded.borrow();
        let (key, step) = recorded.iter().min_by_key(|(key, _)| key.place())?;
        let (key, recorded) = (key.clone(), Some(step.clone()));
        Some(Divergence { key, recorded, asked: None, error: error.cloned() })
    }

    /// Counts a step and begins the next stretch of operations.
    pub(crate) fn count_step(&self) -> bool {
        self.operations_at_step.set(self.operations.get());
        self.steps.set(self.steps.get().saturating_add(1));
        if self.steps.get() > limits::STEPS_PER_RUN {
            self.hit_limit(format!("a run may have {} steps", limits::STEPS_PER_RUN));
            return false;
        }
        true
    }

    /// Counts one operation of the script; false when it may not have any more.
    pub(crate) fn count_operation(&self) -> bool {
        let operations = self.operations.get() + 1;
        self.operations.set(operations);
        if operations - self.operations_at_step.get() > limits::OPERATIONS_BETWEEN_STEPS {
            self.hit_limit(format!(
                "a playbook may make {} operations between two steps: is there a loop without an end?",
                limits::OPERATIONS_BETWEEN_STEPS
            ));
        } else if operations > limits::OPERATIONS_PER_RUN {
            self.hit_limit(format!("a run may make {} operations", limits::OPERATIONS_PER_RUN));
        }
        self.limit.borrow().is_none()
    }

    pub(crate) fn hit_limit(&self, limit: String) {
        self.limit.borrow_mut().get_or_insert(limit);
    }

    pub(crate) fn limit(&self) -> Option<String> {
        self.limit.borrow().clone()
    }

    /// Why no step may be taken now, if so.
    pub(crate) fn refusing(&self) -> Option<&'static str> {
        self.refusing.get()
    }

    /// Refuses steps while `body` runs.
    pub(crate) fn refuse_during<T>(&self, why: &'static str, body: impl FnOnce() -> T) -> T {
        let before = self.refusing.replace(Some(why));
        let result = body();
        self.refusing.set(before);
        result
    }
}

fn answer_of(event: &Event) -> Option<Answer> {
    match event {
        Event::StepSucceeded(done) => Some(Answer::Result(done.result.clone())),
        Event::StepFailed(failed) => Some(Answer::Error(failed.error.clone())),
        _ => None,
    }
}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let line = |verb: Verb, args: &Json, position: Position| {
            let args: String = args.as_str().chars().take(2_000).collect();
            format!("{verb} {args} (at {position})")
        };
        let recorded = self.recorded.as_ref().map(|h| line(h.verb, &h.args, h.position));
        let asked = self.asked.as_ref().map(|c| line(c.verb, &c.args, c.position));
        writeln!(f, "step {}:", self.key)?;
        writeln!(f, "- journal:  {}", recorded.as_deref().unwrap_or("nothing"))?;
        match (asked, &self.error) {
            (Some(asked), _) => write!(f, "+ playbook: {asked}"),
            (None, Some(error)) => write!(f, "+ playbook: failed: {error} (at {})", error.position),
            (None, None) => write!(f, "+ playbook: ended without asking for it"),
        }
    }
}
