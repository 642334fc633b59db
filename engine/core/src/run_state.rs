//! What a journal adds up to. Recovery is recording every entry again through the same function
//! that recorded it the first time.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use crate::command::{ApprovalArgs, ExecuteArgs, Verb, WaitSignalArgs};
use crate::digest::Sha256;
use crate::guard::is_would_call;
use crate::journal::{ByPerson, Entry, Event, Head, Parked, Signalled, Started};
use crate::json::Json;
use crate::limits;
use crate::plan::Plan;
use crate::run::{ParkReason, RunStatus};
use crate::step::{StepError, StepEvent, StepKey, StepStatus};
use crate::time::Timestamp;

/// A run, as its journal tells it.
#[derive(Debug, Default)]
pub struct RunState {
    /// The place of the next entry.
    pub next_seq: u32,
    /// Bytes of all entries so far.
    pub bytes: usize,
    /// How it began.
    pub started: Option<Started>,
    /// Steps that have no result yet.
    pub open: BTreeMap<StepKey, OpenStep>,
    /// Steps that have one.
    pub closed: HashSet<StepKey>,
    /// Steps that don't count: what an `each` says at its end.
    pub uncounted: HashSet<StepKey>,
    /// Digests of the plans that people approved, with the approval that did it.
    pub approved: HashMap<Sha256, String>,
    /// Plans that the guard let begin, by their digests. An approval is spent here: it is for one
    /// execution.
    pub begun: HashMap<Sha256, BegunPlan>,
    /// Signals that nothing has waited for yet, by age.
    pub signals: VecDeque<(Timestamp, Signalled)>,
    /// Whether a person has stopped it for a while.
    pub is_paused: bool,
    /// Whether, and why, it can't go on.
    pub parked: Option<Parked>,
    /// Who wants it to end, and why.
    pub cancelling: Option<ByPerson>,
    /// How it ended.
    pub ended: Option<RunStatus>,
}

/// A plan that is being carried out, or was.
#[derive(Clone, Debug, PartialEq)]
pub struct BegunPlan {
    /// The plan, as the guard saw it.
    pub plan: Plan,
    /// The approval that let it begin, where one was needed.
    pub approval: Option<String>,
}

/// A step that has no result yet.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenStep {
    /// What it was asked to do.
    pub head: Head,
    /// Where it stands.
    pub status: StepStatus,
    /// Whether its intent is journaled, so that it may have taken place.
    pub is_intended: bool,
    /// When its first entry was written.
    pub since: Timestamp,
    /// Failed attempts so far.
    pub attempts: u32,
    /// What it waits for: an approval, a child run.
    pub waits_for: Option<String>,
    /// What the action wants to be told when it is looked at again.
    pub progress: Option<Json>,
    /// When it is looked at again.
    pub wake_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub error: Option<StepError>,
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
        for entry in entries {
            state.record(entry, 0)?;
        }
        Ok(state)
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
            }
            Event::Ended(ended) => self.ended = Some(ended.status),
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
        if entry.event.head().is_some_and(|head| head.verb == Verb::Each) {
            self.uncounted.insert(key.clone());
        }
        if status.is_final() {
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
        let deadline = self.started.as_ref().map(|s| s.deadline_at);
        let waits = self.open.values().filter(|s| s.status != StepStatus::InDoubt);
        waits.filter_map(|s| s.wake_at).chain(deadline).min()
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
        None
    }
}

impl OpenStep {
    fn new(head: Head, since: Timestamp) -> Self {
        Self {
            head,
            status: StepStatus::Running,
            is_intended: false,
            since,
            attempts: 0,
            waits_for: None,
            progress: None,
            wake_at: None,
            error: None,
        }
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::StepGated(e) => {
                self.waits_for = Some(e.approval.clone());
                self.wake_at = Some(e.wake_at);
            }
            Event::StepScheduled(e) => {
                self.is_intended = true;
                self.waits_for.clone_from(&e.waits_for);
                self.wake_at = e.wake_at;
            }
            Event::StepProgressed(e) => {
                self.progress = Some(e.state.clone());
                self.wake_at = Some(e.wake_at);
            }
            Event::StepRetried(e) => {
                self.attempts = e.attempt;
                self.error = Some(e.error.clone());
                self.wake_at = Some(e.wake_at);
            }
            Event::StepAttempted(_) => self.wake_at = None,
            Event::StepDoubted(e) => {
                self.error = Some(e.error.clone());
                self.wake_at = None;
            }
            Event::StepRepeated(_) => {
                self.attempts = 0;
                self.wake_at = None;
            }
            _ => {}
        }
    }
}

fn step_event(event: &Event) -> Option<StepEvent> {
    Some(match event {
        Event::StepGated(_) => StepEvent::Gated,
        Event::StepScheduled(_) => StepEvent::Scheduled,
        Event::StepProgressed(_) => StepEvent::Progressed,
        Event::StepRetried(_) => StepEvent::Retried,
        Event::StepAttempted(_) => StepEvent::Attempted,
        Event::StepDoubted(_) => StepEvent::Doubted,
        Event::StepRepeated(_) => StepEvent::Repeated,
        Event::StepSucceeded(_) => StepEvent::Succeeded,
        Event::StepFailed(_) => StepEvent::Failed,
        _ => return None,
    })
}
