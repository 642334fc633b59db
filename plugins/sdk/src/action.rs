//! An action: one thing that the engine can do to the world, or ask of it.

use std::fmt::Display;
use std::pin::Pin;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use stanch_engine_core::effect::{Effect, RetrySafety};
use stanch_engine_core::guard::target::{Surveyed, Targets, Wants};
use stanch_engine_core::id::{IncidentId, RunId};
use stanch_engine_core::json::{Json, kept};
use stanch_engine_core::span::Span;
use stanch_engine_core::step::{ErrorKind, StepError};
use stanch_engine_core::time::Timestamp;
use uuid::Uuid;

use crate::{Patience, Sink};

/// A future that a trait object returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One thing that the engine can do, by name and JSON.
pub trait Action: Send + Sync + 'static {
    /// Its name in the catalogue, such as `aws.call`.
    fn name(&self) -> &'static str;

    /// How far this input reaches and what may be done when its outcome is unknown. Looks at
    /// nothing but the input, and refuses one that can't be right before anything is journaled.
    ///
    /// # Errors
    /// [`ErrorKind::Permanent`], with what is wrong and what would be right.
    fn classify(&self, input: &Value) -> Result<Nature, ActionError>;

    /// Does it, once. The engine owns retries, deadlines and the journal.
    fn run<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Outcome, ActionError>>;

    /// Does it, once, with content beside the JSON: `body` becomes that of the call, and the content of
    /// the answer goes to `sink` as it comes and stands nowhere in the result. After an error what
    /// was given to the sink is nothing.
    ///
    /// # Errors
    /// As those of [`Action::run`]; [`ErrorKind::Permanent`] for an input that has no content.
    fn carry<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
        body: Option<Bytes>,
        sink: &'a mut dyn Sink,
    ) -> BoxFuture<'a, Result<Done, ActionError>> {
        let (_, _, _, _) = (context, input, body, sink);
        let why = format!("{} has no content beside its result", self.name());
        Box::pin(std::future::ready(Err(ActionError::permanent("no_content", why))))
    }

    /// Whether it sends what it is given. Only then it is given secrets in clear; else it sees
    /// [`stanch_engine_core::sealed::SHOWN`] in their places.
    fn takes_secrets(&self) -> bool {
        true
    }

    /// Finds out whether an earlier attempt took place. Only asked of what is
    /// [`RetrySafety::Lookup`].
    fn look_up<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<LookUp, ActionError>> {
        let (_, _) = (context, input);
        Box::pin(std::future::ready(Ok(LookUp::Unknown)))
    }

    /// Finds out what the guard must know of a change's targets, and who runs Stanch. What can't
    /// be found out is an error: the change is then refused.
    fn survey<'a>(
        &'a self,
        context: &'a ActionContext,
        targets: &'a Targets,
        wants: Wants,
    ) -> BoxFuture<'a, Result<Surveyed, ActionError>> {
        let (_, _, _) = (context, targets, wants);
        Box::pin(std::future::ready(Ok(Surveyed::default())))
    }
}

/// What the engine has to know of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nature {
    /// How far it reaches.
    pub effect: Effect,
    /// What may be done when its outcome is unknown.
    pub safety: RetrySafety,
}

/// All that an action may know of the run that it serves.
#[derive(Clone, Debug)]
pub struct ActionContext {
    /// The incident, if there is one.
    pub incident: Option<IncidentId>,
    /// The run, if there is one.
    pub run: Option<RunId>,
    /// The step's key within the run.
    pub step: String,
    /// The idempotency token: the same for every attempt of the step.
    pub token: Uuid,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// The account to act in.
    pub account: Option<String>,
    /// The region to act in.
    pub region: Option<String>,
    /// The role to act in, by ARN or by name; else the one that the account is read or changed in.
    pub role: Option<String>,
    /// How soon it is wanted, where calls have to wait for each other.
    pub urgency: Urgency,
    /// The time that it spends waiting for its turn.
    pub patience: Patience,
    /// The farthest effect that the guard has allowed. An action that would reach farther
    /// refuses itself.
    pub granted: Effect,
    /// The operations of the plan that this change is a part of; empty for what changes nothing.
    pub plan: Vec<String>,
    /// How long this attempt may take.
    pub timeout: Span,
    /// The time now.
    pub now: Timestamp,
    /// What the action said at [`Outcome::Again`], when it is looked at again.
    pub state: Option<Value>,
}

impl ActionContext {
    /// Refuses a call that reaches farther than the guard has allowed.
    ///
    /// # Errors
    /// Denied, as `not_granted`.
    pub fn must_grant(&self, effect: Effect, what: impl Display) -> Result<(), ActionError> {
        if effect <= self.granted {
            return Ok(());
        }
        let (effect, granted) = (effect.as_str(), self.granted.as_str());
        let why =
            format!("{what} is of the effect `{effect}`, and no more than `{granted}` was granted");
        Err(ActionError::denied("not_granted", why))
    }
}

/// How soon a call is wanted. What responds never waits behind what only collects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// A run waits for it: a change, a probe, a read on the way to them.
    Response,
    /// Evidence that is collected beside the run.
    Collection,
}

/// How an attempt went.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is done.
    Done(Done),
    /// It is under way and is to be looked at again. The engine journals the state and waits
    /// durably, without a thread.
    Again {
        /// What the action wants to be told then.
        state: Value,
        /// The pause until then.
        after: Span,
    },
}

/// What came of an action.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done {
    /// The result, as the callee gave it.
    pub value: Value,
    /// Where secrets stand in it, as JSON pointers (RFC 6901), none within another. The engine seals
    /// them before anything is written down: a playbook gets them as what it can hand on, and not
    /// read.
    pub secrets: Vec<String>,
    /// How the call went, for the journal and for evidence.
    pub call: CallRecord,
}

/// How a call went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CallRecord {
    /// The callee's id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The identity that called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The account that was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The region that was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The callee's clock minus ours, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_offset_ms: Option<i64>,
    /// What the result lacks: truncated, sampled, redacted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caveats: Vec<String>,
    /// The HTTP status of an error that the callee answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What the callee says of an error beside its code and message, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

/// Whether an earlier attempt took place.
#[derive(Clone, Debug, PartialEq)]
pub enum LookUp {
    /// It did, with this result.
    Happened(Value),
    /// It did, and is to be followed to its end: as [`Outcome::Again`].
    UnderWay {
        /// What the action wants to be told then.
        state: Value,
        /// The pause until then.
        after: Span,
    },
    /// It did not.
    DidNotHappen,
    /// It can't be told.
    Unknown,
}

/// Why an attempt failed. Its kind alone decides about a retry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ActionError {
    /// What may be done about it.
    pub kind: ErrorKind,
    /// A short name of the cause: AWS's error code, where it is AWS's error.
    pub code: String,
    /// One line for people; never a secret.
    pub message: String,
    /// How the call went, as far as it went.
    pub call: Box<CallRecord>,
}

impl ActionError {
    /// An error of a kind.
    pub fn new(kind: ErrorKind, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, code: code.into(), message: message.into(), call: Box::default() }
    }

    /// An error that no repetition mends.
    pub fn permanent(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Permanent, code, message)
    }

    /// A refusal.
    pub fn denied(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Denied, code, message)
    }
}

impl From<ActionError> for StepError {
    fn from(error: ActionError) -> Self {
        let CallRecord { request_id, details, .. } = *error.call;
        let details = details.map(|details| Json::canonical(&kept(details)).value());
        Self { kind: error.kind, code: error.code, message: error.message, request_id, details }
    }
}
