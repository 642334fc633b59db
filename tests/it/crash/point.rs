//! Where a process is killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Signal, getpid, kill_process};
use serde_json::Value;
use stanch_engine_store::{CommitHook, CommitPoint};
use stanch_plugins_sdk::{
    Action, ActionContext, ActionError, BoxFuture, Catalogue, LookUp, Nature, Outcome,
};

/// A kind of point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    /// All is written, and nothing is durable.
    BeforeCommit,
    /// All is durable, and nobody knows.
    AfterCommit,
    /// A call was answered, and the answer is in no journal.
    AfterCall,
}

impl Point {
    pub(super) const ALL: [Self; 3] = [Self::BeforeCommit, Self::AfterCommit, Self::AfterCall];
}

/// Kills this process at the so many-th point of a kind.
#[derive(Clone)]
pub(super) struct Killer {
    order: Option<(Point, u32)>,
    passed: Arc<AtomicU32>,
}

impl Killer {
    pub(super) fn new(order: Option<(Point, u32)>) -> Self {
        Self { order, passed: Arc::default() }
    }

    fn pass(&self, point: Point) {
        let Some((_, at)) = self.order.filter(|(ordered, _)| *ordered == point) else { return };
        if self.passed.fetch_add(1, Ordering::SeqCst) + 1 == at {
            kill_process(getpid(), Signal::KILL).unwrap();
            loop {
                std::thread::park();
            }
        }
    }

    pub(super) fn on_commit(&self) -> CommitHook {
        let killer = self.clone();
        Arc::new(move |point| {
            killer.pass(match point {
                CommitPoint::Before => Point::BeforeCommit,
                CommitPoint::After => Point::AfterCommit,
            });
        })
    }

    /// Stands behind every action.
    pub(super) fn behind(&self, catalogue: Catalogue) -> Catalogue {
        let actions: Vec<_> = catalogue.actions().cloned().collect();
        actions.into_iter().fold(catalogue, |catalogue, action| {
            catalogue.with_action(Arc::new(Deadly { action, killer: self.clone() }))
        })
    }
}

/// An action that the process may not survive.
struct Deadly {
    action: Arc<dyn Action>,
    killer: Killer,
}

impl Action for Deadly {
    fn name(&self) -> &'static str {
        self.action.name()
    }

    fn takes_secrets(&self) -> bool {
        self.action.takes_secrets()
    }

    fn classify(&self, input: &Value) -> Result<Nature, ActionError> {
        self.action.classify(input)
    }

    fn run<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Outcome, ActionError>> {
        Box::pin(async move {
            let outcome = self.action.run(context, input).await;
            self.killer.pass(Point::AfterCall);
            outcome
        })
    }

    fn look_up<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<LookUp, ActionError>> {
        self.action.look_up(context, input)
    }
}
