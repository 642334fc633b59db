//! Work outside of the journal that a run has asked for, and what came of it.

use serde_json::Value;
use stanch_engine_core::alert::Alert;
use stanch_engine_core::command::{CollectArgs, StepOptions, UndoPlanArgs};
use stanch_engine_core::effect::{Effect, RetrySafety};
use stanch_engine_core::id::{ApprovalId, IncidentId, RunId};
use stanch_engine_core::json::Json;
use stanch_engine_core::plan::{Plan, Probe};
use stanch_engine_core::span::Span;
use stanch_engine_core::step::{StepError, StepKey};
use uuid::Uuid;

use crate::projection::Projection;

/// Work for one step. It begins only after everything before it is committed.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The step.
    pub(crate) key: StepKey,
    /// The run that it is for.
    pub(crate) run: RunId,
    /// The run's incident.
    pub(crate) incident: Option<IncidentId>,
    /// The idempotency token, the same for every attempt.
    pub(crate) token: Uuid,
    /// The number of this attempt, from 1.
    pub(crate) attempt: u32,
    /// What the action said when it asked to be looked at again.
    pub(crate) state: Option<Json>,
    /// What is to be done.
    pub(crate) work: Work,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// An action of the catalogue.
    Action(Call),
    /// Find out whether an earlier attempt of an action took place.
    LookUp(Call, Option<Probe>),
    /// Look whether a change is effective.
    Probe(Probe),
    /// Collect evidence.
    Collect(CollectArgs),
    /// Keep a value as evidence.
    Evidence { label: String, value: Value, caveats: Vec<String> },
    /// Take in an alert that the run raises.
    RaiseAlert(Box<Alert>),
    /// Tell somebody.
    Notify { to: String, message: String },
    /// Make the plan that undoes a run, or a step of it.
    UndoPlan(UndoPlanArgs),
    /// Read these tags of what a plan touches.
    Owners { plan: Box<Plan>, tags: Vec<String> },
}

/// A call of an action.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The action's name.
    pub(crate) action: String,
    /// What it reads; what is sealed is only shown.
    pub(crate) input: Value,
    /// The same as the journal keeps it, where something of it is sealed.
    pub(crate) kept: Option<Value>,
    /// What the engine reads.
    pub(crate) options: StepOptions,
    /// How far it may reach.
    pub(crate) effect: Effect,
    /// What may be done when its outcome is unknown.
    pub(crate) safety: RetrySafety,
    /// The operations of the plan that it is a part of, when it changes something.
    pub(crate) plan: Vec<String>,
    /// The approval that lets it be made, where one does.
    pub(crate) approval: Option<ApprovalId>,
}

/// What came of a job.
#[derive(Debug)]
pub(crate) struct JobDone {
    pub(crate) key: StepKey,
    pub(crate) outcome: JobOutcome,
}

/// How a job went.
#[derive(Debug)]
pub(crate) enum JobOutcome {
    /// It is done. Where the result is too large for the journal, the journal gets `result`, which
    /// names it, and the playbook `body`.
    Done { result: Json, body: Option<Json>, call: Option<Json>, projections: Vec<Projection> },
    /// It is under way.
    Again { state: Json, after: Span },
    /// It failed.
    Failed { error: StepError, call: Option<Json>, projections: Vec<Projection> },
    /// It was looked up: it had not taken place.
    HadNotHappened,
    /// It was looked up: nobody can tell.
    CanNotTell(StepError),
    /// It could not be looked up just now, and why.
    CanNotTellYet(StepError),
}

impl JobOutcome {
    pub(crate) fn done(result: Json) -> Self {
        Self::Done { result, body: None, call: None, projections: Vec::new() }
    }

    pub(crate) fn failed(error: StepError) -> Self {
        Self::Failed { error, call: None, projections: Vec::new() }
    }
}
