//! What actions do in a simulation: what only looks may go to AWS or to a record of it; everything
//! else goes to the stand-in, or nowhere.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::{Value, json};
use stanch_engine_core::effect::Effect;
use stanch_engine_core::guard::target::{Surveyed, Targets, Wants};
use stanch_engine_core::id::RunId;
use stanch_engine_core::operation::Operations;
use stanch_engine_core::time::Clock as _;
use stanch_engine_runtime::system::SystemClock;
use stanch_plugins_aws::sandbox::Sandbox;
use stanch_plugins_sdk::{
    Action, ActionContext, ActionError, BoxFuture, Catalogue, Done, LookUp, Nature, Outcome, Sink,
};

use super::recording::{Recording, Wish};

/// Actions that look into files of this machine, and call nobody: they are asked themselves.
const LOCAL: &str = "intel.";

/// Who answered a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answerer {
    /// Whoever would answer it in reality.
    Live,
    /// A record of that.
    Recorded,
    /// The stand-in for AWS.
    StandIn,
    /// Nobody.
    Nobody,
}

impl Answerer {
    /// The word for it in reports.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Recorded => "recorded",
            Self::StandIn => "stand_in",
            Self::Nobody => "not_sent",
        }
    }
}

/// Where looks go.
pub(super) enum Reads {
    /// To the stand-in.
    StandIn,
    /// To AWS, and into a record where one is wanted.
    Live(Option<Mutex<Recording>>),
    /// To a record.
    Recorded(Mutex<Recording>),
}

/// Every call of a simulation.
pub(super) struct Calls {
    pub(super) reads: Reads,
    /// What is changed in the stand-in before it can run a document that was pinned in AWS.
    pub(super) sandbox: Arc<Sandbox>,
    /// Whether what is waited for is taken to have come: it waits for changes that were not made.
    pub(super) assumes_arrival: bool,
    pub(super) operations: Arc<dyn Operations>,
    answered: Mutex<BTreeMap<(RunId, String), Answerer>>,
}

impl Calls {
    pub(super) fn new(
        reads: Reads,
        sandbox: Arc<Sandbox>,
        assumes_arrival: bool,
        operations: Arc<dyn Operations>,
    ) -> Self {
        Self { reads, sandbox, assumes_arrival, operations, answered: Mutex::default() }
    }

    /// Who answered a step.
    pub(super) fn answerer(&self, run: RunId, step: &str) -> Option<Answerer> {
        self.answered().get(&(run, step.to_owned())).copied()
    }

    fn answered(&self) -> MutexGuard<'_, BTreeMap<(RunId, String), Answerer>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, context: &ActionContext, answerer: Answerer) {
        if let Some(run) = context.run {
            self.answered().insert((run, context.step.clone()), answerer);
        }
    }
}

/// The actions of a catalogue as they are in a simulation; the stand-in's have the same names.
pub(super) fn simulated(real: Catalogue, of_stand_in: &Catalogue, calls: &Arc<Calls>) -> Catalogue {
    let actions: Vec<Arc<dyn Action>> = real.actions().cloned().collect();
    actions.into_iter().fold(real, |catalogue, real| {
        let name = real.name();
        let played = |name: &str| of_stand_in.action(name).ok().cloned();
        let simulated = Simulated {
            stand_in: played(name).filter(|_| name.starts_with("aws.")),
            look: played("aws.call").filter(|_| name == "aws.wait"),
            real,
            calls: Arc::clone(calls),
        };
        catalogue.with_action(Arc::new(simulated))
    })
}

/// An action.
struct Simulated {
    real: Arc<dyn Action>,
    stand_in: Option<Arc<dyn Action>>,
    /// Of `aws.wait`: what it looks with, in the stand-in.
    look: Option<Arc<dyn Action>>,
    calls: Arc<Calls>,
}

impl Simulated {
    async fn answer(&self, context: &ActionContext, input: &Value) -> Result<Outcome, ActionError> {
        let outcome = self.answer_of(context, input).await?;
        match (outcome, &self.look) {
            (Outcome::Again { .. }, Some(look)) if self.calls.assumes_arrival => {
                self.arrived(context, input, look.as_ref()).await
            }
            (outcome, _) => Ok(outcome),
        }
    }

    /// What a waiter ends with that is taken to have seen what it waits for: what it sees.
    async fn arrived(
        &self,
        context: &ActionContext,
        input: &Value,
        look: &dyn Action,
    ) -> Result<Outcome, ActionError> {
        let waiter = input.get("waiter").and_then(Value::as_str).unwrap_or_default();
        let operation = self.calls.operations.waiter(waiter);
        let operation = operation.map_err(|why| ActionError::permanent("unknown_waiter", why))?;
        let params = input.get("params").cloned().unwrap_or_else(|| json!({}));
        let seen = look.run(context, &json!({"operation": operation, "params": params})).await;
        let mut done = match seen {
            Ok(Outcome::Done(done)) => done,
            Ok(Outcome::Again { .. }) | Err(_) => {
                let value = self.calls.operations.blank_answer(&operation);
                Done { value, ..Done::default() }
            }
        };
        done.call.caveats.push("that it has come to be is assumed".to_owned());
        Ok(Outcome::Done(done))
    }

    async fn answer_of(
        &self,
        context: &ActionContext,
        input: &Value,
    ) -> Result<Outcome, ActionError> {
        let is_look = self.real.classify(input)?.effect == Effect::Read;
        if self.real.name().starts_with(LOCAL) {
            self.calls.note(context, Answerer::Live);
            return self.real.run(context, input).await;
        }
        match &self.calls.reads {
            Reads::Live(record) if is_look => {
                self.calls.note(context, Answerer::Live);
                // AWS goes by its own clock, whatever time it is in the simulation.
                let really = ActionContext { now: SystemClock.now(), ..context.clone() };
                let outcome = self.real.run(&really, input).await;
                if let Some(record) = record {
                    let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
                    record.add(self.wish(context, input), &outcome);
                }
                outcome
            }
            Reads::Recorded(record) if is_look => {
                let found = {
                    let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
                    record.take(&self.wish(context, input))
                };
                match found {
                    Some(outcome) => {
                        self.calls.note(context, Answerer::Recorded);
                        outcome
                    }
                    None => self.stand_in(context, input).await,
                }
            }
            _ => self.stand_in(context, input).await,
        }
    }

    fn wish<'a>(&'a self, context: &'a ActionContext, input: &'a Value) -> Wish<'a> {
        Wish { action: self.real.name(), context, input }
    }

    async fn stand_in(
        &self,
        context: &ActionContext,
        input: &Value,
    ) -> Result<Outcome, ActionError> {
        let Some(stand_in) = &self.stand_in else {
            self.calls.note(context, Answerer::Nobody);
            // What `http.request` answers, with nothing in it.
            let value = json!({"status": 200, "headers": {}, "body": null});
            return Ok(Outcome::Done(Done { value, ..Done::default() }));
        };
        self.calls.note(context, Answerer::StandIn);
        if let Some(hash) = input.pointer("/document/hash").and_then(Value::as_str) {
            self.calls.sandbox.change_document(hash);
        }
        stand_in.run(context, input).await
    }
}

impl Action for Simulated {
    fn name(&self) -> &'static str {
        self.real.name()
    }

    fn classify(&self, input: &Value) -> Result<Nature, ActionError> {
        self.real.classify(input)
    }

    fn run<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Outcome, ActionError>> {
        Box::pin(self.answer(context, input))
    }

    /// As it would be answered, with no content: that is neither fetched nor made up.
    fn carry<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
        _body: Option<Bytes>,
        _sink: &'a mut dyn Sink,
    ) -> BoxFuture<'a, Result<Done, ActionError>> {
        Box::pin(async move {
            let Outcome::Done(mut done) = self.answer(context, input).await? else {
                return Err(ActionError::permanent("not_a_look", "it is not over at once"));
            };
            done.call.caveats.push("a simulation fetches no content".to_owned());
            Ok(done)
        })
    }

    fn takes_secrets(&self) -> bool {
        self.real.takes_secrets()
    }

    fn look_up<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<LookUp, ActionError>> {
        match &self.stand_in {
            Some(stand_in) => stand_in.look_up(context, input),
            None => Box::pin(std::future::ready(Ok(LookUp::DidNotHappen))),
        }
    }

    fn survey<'a>(
        &'a self,
        context: &'a ActionContext,
        targets: &'a Targets,
        wants: Wants,
    ) -> BoxFuture<'a, Result<Surveyed, ActionError>> {
        match (&self.calls.reads, &self.stand_in) {
            (Reads::Live(_), _) => self.real.survey(context, targets, wants),
            (_, Some(stand_in)) => stand_in.survey(context, targets, wants),
            (_, None) => Box::pin(std::future::ready(Ok(Surveyed::default()))),
        }
    }
}
