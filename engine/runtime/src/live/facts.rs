//! Facts that reach a run from outside.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stanch_engine_core::approval::{ApprovalStatus, Decision};
use stanch_engine_core::command::Verb;
use stanch_engine_core::custody::CustodyAction;
use stanch_engine_core::id::{ApprovalId, RunId};
use stanch_engine_core::journal::{ByPerson, Event, RunError, Signalled};
use stanch_engine_core::json::{Json, kept};
use stanch_engine_core::run::{ParkReason, RunStatus};
use stanch_engine_core::step::{StepError, StepKey, StepStatus};
use stanch_engine_script::{Delivery, Stop};
use stanch_engine_store::inbox::{Fact, FactKind};

use super::Live;
use crate::shared::Shared;
use crate::steps;

/// The signal by which a run hears of further alerts about its subject.
pub(crate) const ALERT: &str = "alert";

/// An approval was decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Decided {
    pub(crate) approval: ApprovalId,
    pub(crate) status: ApprovalStatus,
    pub(crate) decisions: Vec<Decision>,
}

/// A child run ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ChildEnded {
    pub(crate) run: RunId,
    pub(crate) status: RunStatus,
    pub(crate) result: Option<Json>,
    pub(crate) error: Option<RunError>,
}

/// A person wants something.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Wish {
    pub(crate) by: String,
    pub(crate) reason: String,
}

/// Something happened that the run may want to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Signal {
    pub(crate) name: String,
    pub(crate) payload: Json,
    #[serde(default)]
    pub(crate) by: Option<String>,
}

/// A person says what became of a step in doubt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Retry {
    pub(crate) by: String,
    pub(crate) reason: String,
    pub(crate) step: StepKey,
    pub(crate) outcome: DoubtOutcome,
    #[serde(default)]
    pub(crate) result: Value,
}

/// What a person says about a step in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoubtOutcome {
    /// It took place.
    Succeeded,
    /// It did not, and is not to.
    Failed,
    /// It did not, and is to be tried again.
    Repeat,
}

impl Live {
    /// Takes facts in. One that is delivered twice is taken once.
    pub(super) fn take_facts(&mut self, shared: &Shared, facts: Vec<Fact>) {
        for fact in facts {
            if self.taken.insert(fact.id) {
                self.outbox.consumed.push(fact.id);
                self.take_fact(shared, &fact);
            }
        }
    }

    fn take_fact(&mut self, shared: &Shared, fact: &Fact) {
        let body = &fact.body;
        let taken = match fact.kind {
            FactKind::Decided => body.read().map(|decided| self.take_decision(shared, &decided)),
            FactKind::ChildEnded => body.read().map(|child| self.take_child(child)),
            FactKind::Cancel => body.read().map(|Wish { by, reason }| {
                let event = Event::CancelRequested(ByPerson { key: None, by, reason });
                self.stop(shared, event, Stop::Cancelled);
            }),
            FactKind::Pause => body.read().map(|wish| self.pause(wish)),
            FactKind::Resume => body.read().map(|wish| self.unrest(wish)),
            FactKind::Retry => body.read().map(|retry| self.take_retry(shared, &retry)),
            // It is taken where the run is loaded: a run in memory has not ended.
            FactKind::Rerun => Ok(()),
            FactKind::Signal => body.read().map(|signal: Signal| {
                let Signal { name, payload, by } = signal;
                steps::signal::take(self, Signalled { name, payload, by });
            }),
        };
        if let Err(error) = taken {
            tracing::error!(run.id = %self.who.id, fact.id = %fact.id, %error, "a fact can't be read");
        }
    }

    /// The open step that waits for something with this id.
    fn waiting_for(&self, id: &str) -> Option<StepKey> {
        let waits = |waits_for: &Option<String>| waits_for.as_deref() == Some(id);
        let found = self.state.open.iter().find(|(_, step)| waits(&step.waits_for));
        found.map(|(key, _)| key.clone())
    }

    fn take_decision(&mut self, shared: &Shared, decided: &Decided) {
        let Some(key) = self.waiting_for(&decided.approval.to_string()) else { return };
        let Some(step) = self.state.open.get(&key).cloned() else { return };
        match (step.head.verb, step.status, decided.status) {
            (Verb::Approval, _, _) => {
                let gate = steps::approval::gate(&step, decided);
                self.succeed(key, gate, None);
            }
            (_, StepStatus::Pending, ApprovalStatus::Approved) => {
                steps::action::begin_approved(self, shared, key, &step);
            }
            (_, StepStatus::Pending, status) => {
                let code = format!("approval_{}", status.as_str());
                let who = decided.decisions.iter();
                let who: Vec<_> = who.map(|d| format!("{}: {}", d.person, d.reason)).collect();
                let message = format!("{} by {}", status.as_str(), who.join("; "));
                self.fail(key, StepError::denied(&code, message), None);
            }
            _ => {}
        }
    }

    fn take_child(&mut self, child: ChildEnded) {
        let id = child.run.to_string();
        let Some(key) = self.waiting_for(&id) else { return };
        match (child.status, child.error) {
            (RunStatus::Succeeded, _) => {
                self.succeed(key, child.result.unwrap_or_else(Json::null), None);
            }
            (_, Some(error)) => {
                let message = format!("{id}: {}", error.message);
                self.fail(key, StepError::permanent(&error.code, message), None);
            }
            (status, None) => {
                let message = format!("{id} was {}", status.as_str());
                self.fail(key, StepError::permanent("child_ended", message), None);
            }
        }
    }

    /// Stops the playbook: nobody waits any more for what it waits for, and what it deferred is
    /// done. A second time there is nothing left to wait for.
    pub(super) fn stop(&mut self, shared: &Shared, event: Event, stop: Stop) {
        if self.state.stopped_at.is_none() {
            self.withdraw(shared);
        }
        self.record(event);
        self.deliveries.push(Delivery::Stop(stop));
    }

    fn pause(&mut self, wish: Wish) {
        if !self.state.is_paused {
            self.record(Event::Paused(ByPerson { key: None, by: wish.by, reason: wish.reason }));
        }
    }

    /// Lets a run go on that is paused or parked. A step in doubt stays so until a person says
    /// what became of it.
    fn unrest(&mut self, wish: Wish) {
        let person = ByPerson { key: None, by: wish.by, reason: wish.reason };
        if self.state.is_paused {
            self.record(Event::Resumed(person.clone()));
        }
        if self.state.park_reason().is_some_and(|reason| reason != ParkReason::InDoubt) {
            self.record(Event::Unparked(person));
        }
    }

    fn take_retry(&mut self, shared: &Shared, retry: &Retry) {
        let Some(step) = self.state.open.get(&retry.step).cloned() else { return };
        if step.status != StepStatus::InDoubt {
            return;
        }
        let key = retry.step.clone();
        let person = |key| ByPerson { key, by: retry.by.clone(), reason: retry.reason.clone() };
        let said = Json::of(&json!({"decided_by": retry.by, "reason": retry.reason}));
        match retry.outcome {
            DoubtOutcome::Repeat => {
                self.record(Event::StepRepeated(person(Some(key.clone()))));
                steps::repeat(self, shared, key, &step);
            }
            DoubtOutcome::Succeeded => {
                steps::note_change(self, shared, &key, CustodyAction::Changed, &said.value());
                self.succeed(key, Json::canonical(&kept(retry.result.clone())), Some(said));
            }
            DoubtOutcome::Failed => {
                let message =
                    format!("{} says that it did not take place: {}", retry.by, retry.reason);
                steps::note_change(self, shared, &key, CustodyAction::ChangeFailed, &said.value());
                self.fail(key, StepError::permanent("did_not_happen", message), Some(said));
            }
        }
        let doubts = self.state.open.values().any(|s| s.status == StepStatus::InDoubt);
        if !doubts && self.state.park_reason() == Some(ParkReason::InDoubt) {
            self.record(Event::Unparked(person(None)));
        }
    }
}
