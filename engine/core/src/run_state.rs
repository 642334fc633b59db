//! What a journal adds up to. Recovery is recording every entry again through the same function
//! that recorded it the first time.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use crate::command::{ApprovalArgs, ChangeArgs, ExecuteArgs, Verb, WaitSignalArgs};
use crate::digest::Sha256;
use crate::generation::GenerationCause;
use crate::guard::is_would_call;
use crate::journal::{
    ByPerson, Ended, Entry, Event, GenerationStarted, Head, Parked, Signalled, Started,
};
use crate::json::Json;
use crate::limits;
pub use crate::open_step::OpenStep;
use crate::open_step::step_event;
use crate::plan::Plan;
use crate::run::ParkReason;
use crate::step::{StepKey, StepStatus};
use crate::stored::Stored;
use crate::time::Timestamp;

/// A run, as its journal tells it.
#[derive(Debug, Default)]
pub struct RunState {
    /// The place of the next entry.
    pub next_seq: u32,
    /// Bytes of all entries so far.
    pub bytes: usize,
    /// Bytes of its results that lie in the evidence store.
    pub stored_bytes: u64,
    /// How it began.
    pub started: Option<Started>,
    /// Steps that have no result yet.
    pub open: BTreeMap<StepKey, OpenStep>,
    /// Steps that have one.
    pub closed: HashSet<StepKey>,
    /// Steps that don't count: what is said at the end of an `each` and of a run.
    pub uncounted: HashSet<StepKey>,
    /// Digests of the plans that people approved, with the approval that did it.
    pub approved: HashMap<Sha256, String>,
    /// Plans that the guard let begin, by their digests. An approval is spent here: it is for one
    /// execution.
    pub begun: HashMap<Sha256, BegunPlan>,
    /// Approvals whose plan was begun in an earlier generation: they let none begin any more.
    pub spent: HashSet<String>,
    /// What earlier generations made and what is asked for anew: the approval that it was made under,
    /// and its place in the plan.
    pub made: HashSet<(String, usize)>,
    /// Signals that nothing has waited for yet, by age.
    pub signals: VecDeque<(Timestamp, Signalled)>,
    /// Whether a person has stopped it for a while.
    pub is_paused: bool,
    /// Whether, and why, it can't go on.
    pub parked: Option<Parked>,
    /// Who wants it to end, and why.
    pub cancelling: Option<ByPerson>,
    /// How often that was wanted.
    pub cancels: u32,
    /// Whether it took longer than it may.
    pub is_timed_out: bool,
    /// When its playbook was stopped: what it deferred may still be done.
    pub stopped_at: Option<Timestamp>,
    /// When what it deferred began to be done.
    pub closing_since: Option<Timestamp>,
    /// How it ended.
    pub ended: Option<Ended>,
}

/// A plan that is being carried out, or was.
#[derive(Clone, Debug, PartialEq)]
pub struct BegunPlan {
    /// The plan, as the guard saw it.
    pub plan: Plan,
    /// The approval that let it begin, where one was needed.
    pub approval: Option<String>,
}

/// An entry that can't follow the ones before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq} (`{kind}`) can't follow what the journal says before it: {why}")]
pub struct IllegalEvent {
    /// The entry's place.
    pub seq: u32,
    /// Its kind.
    pub kind: &'static str,
    /// What is wrong.
    pub why: String,
}

impl RunState {
    /// Records a whole journal.
    ///
    /// # Errors
    /// [`IllegalEvent`] at the first entry that can't follow.
    pub fn of(entries: &[Entry]) -> Result<Self, IllegalEvent> {
        let mut state = Self::default();
        let mut kept: Vec<&Entry> = Vec::new();
        for entry in entries {
            match &entry.event {
                Event::GenerationStarted(generation) => {
                    state = state.renewed(entry, generation, &mut kept)?;
                }
                _ => state.record(entry, 0)?,
            }
            if entry.event.step().is_some() || matches!(entry.event, Event::Signalled(_)) {
                kept.push(entry);
            }
        }
        Ok(state)
    }

    /// The state in which a generation begins, of what is kept of the entries before.
    fn renewed(
        &self,
        entry: &Entry,
        generation: &GenerationStarted,
        kept: &mut Vec<&Entry>,
    ) -> Result<Self, IllegalEvent> {
        let illegal = |why: String| IllegalEvent { seq: entry.seq, kind: entry.event.kind(), why };
        let is_again = generation.cause == GenerationCause::Rerun;
        if self.started.is_some() && entry.seq != self.next_seq {
            return Err(illegal(format!("the next place is {}", self.next_seq)));
        }
        if self.ended.is_some() != is_again {
            return Err(illegal("only what has ended is run again, and only that".to_owned()));
        }
        let drops: HashSet<&StepKey> = generation.drops.iter().collect();
        let made = self.made_before(kept, &drops);
        kept.retain(|e| is_again && !e.event.step().is_some_and(|key| drops.contains(key)));
        let mut state = Self {
            started: Some(generation.started.clone()),
            signals: generation.signals.iter().cloned().collect(),
            spent: self.spent.clone(),
            made,
            ..Self::default()
        };
        for entry in kept {
            match &entry.event {
                Event::Signalled(signal) => state.signals.push_back((entry.at, signal.clone())),
                _ => state.record_step(entry).map_err(illegal)?,
            }
        }
        state.spend(&self.begun);
        state.next_seq = entry.seq + 1;
        Ok(state)
    }

    /// What was made under approvals, with those changes that were made and are asked for anew.
    fn made_before(&self, kept: &[&Entry], drops: &HashSet<&StepKey>) -> HashSet<(String, usize)> {
        let mut changes: HashMap<&StepKey, ChangeArgs> = HashMap::new();
        let mut made = self.made.clone();
        for event in kept.iter().map(|entry| &entry.event) {
            let Some(key) = event.step().filter(|key| drops.contains(*key)) else { continue };
            if let Some(head) = event.head().filter(|head| head.verb == Verb::Change)
                && let Ok(args) = head.args.read::<ChangeArgs>()
            {
                changes.insert(key, args);
            }
            if let (Event::StepSucceeded(_), Some(args)) = (event, changes.get(key)) {
                let approval = self.begun.get(&args.plan).and_then(|plan| plan.approval.clone());
                made.extend(approval.map(|approval| (approval, args.item)));
            }
        }
        made
    }

    /// An approval is for one execution, whichever generation that was in.
    fn spend(&mut self, begun: &HashMap<Sha256, BegunPlan>) {
        let Self { approved, spent, .. } = self;
        let before = begun.values().filter_map(|plan| plan.approval.as_ref());
        spent.extend(before.filter(|one| approved.values().any(|has| has == *one)).cloned());
        approved.retain(|_, approval| !spent.contains(approval.as_str()));
    }

    /// Whether a change was made before, under the approval that its plan was begun with.
    pub fn is_made(&self, plan: &BegunPlan, item: usize) -> bool {
        let made = |approval: &String| self.made.contains(&(approval.clone(), item));
        plan.approval.as_ref().is_some_and(made)
    }

    /// Why the run can't go on by itself, if it can't.
    pub fn park_reason(&self) -> Option<ParkReason> {
        self.parked.as_ref().map(|parked| parked.reason)
    }

    /// Records one entry of `bytes` bytes.
    ///
    /// # Errors
    /// [`IllegalEvent`] when it can't follow; the state is then unchanged.
    pub fn record(&mut self, entry: &Entry, bytes: usize) -> Result<(), IllegalEvent> {
        let illegal = |why: &str| IllegalEvent {
            seq: entry.seq,
            kind: entry.event.kind(),
            why: why.to_owned(),
        };
        if entry.seq != self.next_seq {
            return Err(illegal(&format!("the next place is {}", self.next_seq)));
        }
        if self.ended.is_some() {
            return Err(illegal("the run has ended"));
        }
        match &entry.event {
            Event::Started(started) if self.started.is_none() && entry.seq == 0 => {
                self.started = Some(started.clone());
            }
            Event::Started(_) => return Err(illegal("a run begins once")),
            _ if self.started.is_none() => return Err(illegal("the run has not begun")),
            Event::Signalled(signal) => self.signals.push_back((entry.at, signal.clone())),
            Event::Paused(_) => self.is_paused = true,
            Event::Resumed(_) => self.is_paused = false,
            Event::Parked(parked) => self.parked = Some(parked.clone()),
            Event::Unparked(_) => self.parked = None,
            Event::CancelRequested(by) => {
                self.cancelling.get_or_insert_with(|| by.clone());
                self.cancels += 1;
                self.stopped_at.get_or_insert(entry.at);
            }
            Event::TimedOut(_) => {
                self.is_timed_out = self.stopped_at.is_none();
                self.stopped_at.get_or_insert(entry.at);
            }
            Event::Ended(ended) => self.ended = Some(ended.clone()),
            Event::GenerationStarted(_) => {
                return Err(illegal("a generation begins with the whole journal before it"));
            }
            _ => self.record_step(entry).map_err(|why| illegal(&why))?,
        }
        self.next_seq += 1;
        self.bytes += bytes;
        Ok(())
    }

    fn record_step(&mut self, entry: &Entry) -> Result<(), String> {
        let key = entry.event.step().ok_or("it names no step")?;
        let event = step_event(&entry.event).ok_or("it is about no step")?;
        let before = match self.open.get(key) {
            Some(step) => Some(step.status),
            None if self.closed.contains(key) => Some(StepStatus::Succeeded),
            None => None,
        };
        let status = StepStatus::next(before, event).ok_or_else(|| {
            format!("step {key} is {}", before.map_or("unknown", StepStatus::as_str))
        })?;
        match entry.event.head().map(|head| head.verb) {
            Some(Verb::Each) => drop(self.uncounted.insert(key.clone())),
            Some(Verb::Closing) => {
                self.uncounted.insert(key.clone());
                self.closing_since.get_or_insert(entry.at);
            }
            _ => {}
        }
        if status.is_final() {
            if let Event::StepSucceeded(done) = &entry.event
                && let Some(stored) = Stored::of(&done.result)
            {
                self.stored_bytes = self.stored_bytes.saturating_add(stored.bytes);
            }
            let step = self.open.remove(key);
            if let Event::StepSucceeded(done) = &entry.event {
                let head = done.head.as_ref().or_else(|| step.as_ref().map(|step| &step.head));
                if let Some(head) = head.filter(|head| head.verb == Verb::Execute) {
                    self.note_begun(head, &done.result);
                }
                if let Some(head) = head.filter(|head| head.verb == Verb::WaitSignal) {
                    self.use_signal(head);
                }
                if let Some(step) = &step {
                    self.note_approval(step, &done.result);
                }
            }
            self.closed.insert(key.clone());
            return Ok(());
        }
        if before.is_none() {
            let head = entry.event.head().ok_or_else(|| format!("step {key} has no head"))?;
            self.open.insert(key.clone(), OpenStep::new(head.clone(), entry.at));
        }
        if let Some(step) = self.open.get_mut(key) {
            step.status = status;
            step.take(&entry.event);
        }
        Ok(())
    }

    /// A step that waited for a signal has one: nobody else gets it.
    fn use_signal(&mut self, head: &Head) {
        let names = head.args.read::<WaitSignalArgs>().map(|args| args.names).unwrap_or_default();
        if let Some(at) = self.signals.iter().position(|(_, signal)| names.contains(&signal.name)) {
            self.signals.remove(at);
        }
    }

    /// The oldest signal with one of these names that nothing has waited for yet.
    pub fn signal(&self, names: &[String]) -> Option<&(Timestamp, Signalled)> {
        self.signals.iter().find(|(_, signal)| names.contains(&signal.name))
    }

    fn note_approval(&mut self, step: &OpenStep, result: &Json) {
        if step.head.verb != Verb::Approval {
            return;
        }
        let approved = result.value().get("outcome").is_some_and(|o| o == "approved");
        let plan = step.head.args.read::<ApprovalArgs>().ok().and_then(|args| args.options.plan);
        if let (true, Some(plan)) = (approved, plan) {
            self.approved.insert(plan.digest(), step.waits_for.clone().unwrap_or_default());
        }
    }

    fn note_begun(&mut self, head: &Head, result: &Json) {
        let Ok(ExecuteArgs { plan, .. }) = head.args.read() else { return };
        let digest = plan.digest();
        // What is only observed spends nothing.
        let is_made = !is_would_call(&result.value());
        let approval = is_made.then(|| self.approved.remove(&digest)).flatten();
        self.begun.insert(digest, BegunPlan { plan, approval });
    }

    /// The next time that one of its waits is over.
    pub fn wake_at(&self) -> Option<Timestamp> {
        let waits = self
            .open
            .iter()
            .filter(|(key, step)| step.status != StepStatus::InDoubt && !self.is_abandoned(key));
        waits.filter_map(|(_, step)| step.wake_at).chain(self.deadline_at()).min()
    }

    /// When it must be over.
    pub fn deadline_at(&self) -> Option<Timestamp> {
        let closing = self.stopped_at.or(self.closing_since);
        let closing = closing.map(|since| since.plus_ms(limits::CLOSING_MS));
        closing.or_else(|| self.started.as_ref().map(|started| started.deadline_at))
    }

    /// Whether nobody waits for a step any more: the playbook was stopped, and it is no part of
    /// what was deferred.
    pub fn is_abandoned(&self, key: &StepKey) -> bool {
        self.stopped_at.is_some() && !key.0.starts_with("0.")
    }

    /// Steps begun so far.
    pub fn step_count(&self) -> usize {
        self.open.len() + self.closed.len() - self.uncounted.len()
    }

    /// Which limit the journal has reached, in words.
    pub fn limit_reached(&self) -> Option<String> {
        if self.step_count() > limits::STEPS_PER_RUN as usize {
            return Some(format!("a run may have {} steps", limits::STEPS_PER_RUN));
        }
        if self.bytes > limits::JOURNAL_BYTES {
            return Some(format!("a run's journal may have {} bytes", limits::JOURNAL_BYTES));
        }
        if self.stored_bytes > limits::RESULTS_STORED_BYTES {
            let most = limits::RESULTS_STORED_BYTES;
            return Some(format!("the large results of a run may have {most} bytes in all"));
        }
        None
    }
}
