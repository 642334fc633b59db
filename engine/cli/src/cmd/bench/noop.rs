//! An action that does nothing, and notes when it was called.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use stanch_engine_core::effect::{Effect, RetrySafety};
use stanch_engine_core::id::RunId;
use stanch_engine_core::operation::{IamActions, Operations};
use stanch_plugins_sdk::{Action, ActionContext, ActionError, BoxFuture, Done, Nature, Outcome};

/// `bench.noop`: gives back what it was given.
#[derive(Clone, Default)]
pub(super) struct Noop {
    calls: Arc<Mutex<Calls>>,
    /// Whether a call that says `hold` never comes back.
    holds: bool,
}

#[derive(Default)]
struct Calls {
    first: HashMap<RunId, Instant>,
    last: HashMap<RunId, Instant>,
    pauses: Vec<Duration>,
    held: u32,
}

impl Noop {
    /// One whose calls that say `hold` never come back.
    pub(super) fn holding() -> Self {
        Self { holds: true, ..Self::default() }
    }

    /// Calls that it holds.
    pub(super) fn held(&self) -> u32 {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).held
    }

    /// When a run called it first.
    pub(super) fn first(&self, run: RunId) -> Option<Instant> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).first.get(&run).copied()
    }

    /// When a run called it last.
    pub(super) fn last(&self, run: RunId) -> Option<Instant> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).last.get(&run).copied()
    }

    /// How many runs called it, and when the last of them did so last.
    pub(super) fn callers(&self) -> (usize, Option<Instant>) {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        (calls.last.len(), calls.last.values().max().copied())
    }

    fn hold(&self) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).held += 1;
    }

    /// The time from each step of a run to its next one, sorted.
    pub(super) fn pauses(&self) -> Vec<Duration> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pauses = std::mem::take(&mut calls.pauses);
        pauses.sort_unstable();
        pauses
    }

    fn note(&self, run: RunId) {
        let now = Instant::now();
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.first.entry(run).or_insert(now);
        if let Some(before) = calls.last.insert(run, now) {
            calls.pauses.push(now - before);
        }
    }
}

impl Action for Noop {
    fn name(&self) -> &'static str {
        "bench.noop"
    }

    fn classify(&self, _: &Value) -> Result<Nature, ActionError> {
        Ok(Nature { effect: Effect::Read, safety: RetrySafety::Natural })
    }

    fn run<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Outcome, ActionError>> {
        if let Some(run) = context.run {
            self.note(run);
        }
        if self.holds && input.get("hold").is_some() {
            self.hold();
            return Box::pin(std::future::pending());
        }
        let done = Done { value: input.clone(), ..Done::default() };
        Box::pin(std::future::ready(Ok(Outcome::Done(done))))
    }
}

/// An API without operations.
pub(super) struct NoOperations;

impl Operations for NoOperations {
    fn effect(&self, operation: &str) -> Result<Effect, String> {
        Err(format!("there is no operation `{operation}`"))
    }

    fn check(&self, _: &str, _: &Value) -> Result<(), Vec<String>> {
        Ok(())
    }

    fn waiter(&self, waiter: &str) -> Result<String, String> {
        Err(format!("there is no waiter `{waiter}`"))
    }

    fn iam_actions(&self, _: &str) -> Option<IamActions> {
        None
    }

    fn blank_answer(&self, _: &str) -> Value {
        Value::Null
    }
}
