//! A step that has no result yet, as the journal tells it.

use uuid::Uuid;

use crate::journal::{Event, Head};
use crate::json::Json;
use crate::step::{StepError, StepEvent, StepStatus};
use crate::time::Timestamp;

/// A step that has no result yet.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenStep {
    /// What it was asked to do.
    pub head: Head,
    /// Where it stands.
    pub status: StepStatus,
    /// Whether its intent is journaled, so that it may have taken place.
    pub is_intended: bool,
    /// Its idempotency token, from the intent: another generation does not change it.
    pub token: Option<Uuid>,
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

impl OpenStep {
    /// A step of which nothing is known but what it asks.
    pub(crate) fn new(head: Head, since: Timestamp) -> Self {
        Self {
            head,
            status: StepStatus::Running,
            is_intended: false,
            token: None,
            since,
            attempts: 0,
            waits_for: None,
            progress: None,
            wake_at: None,
            error: None,
        }
    }

    /// Takes in an event about it.
    pub(crate) fn take(&mut self, event: &Event) {
        match event {
            Event::StepGated(e) => {
                self.waits_for = Some(e.approval.clone());
                self.wake_at = Some(e.wake_at);
            }
            Event::StepScheduled(e) => {
                self.is_intended = true;
                self.token = e.token;
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

/// What an event does to a step's status.
pub(crate) fn step_event(event: &Event) -> Option<StepEvent> {
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
