//! Jobs begin and end. Each is looked at once where it is: one that ends at once, as many do, needs no
//! task.

use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt as _;
use stanch_engine_core::effect::Effect;
use stanch_engine_core::id::RunId;
use stanch_engine_core::step::{ErrorKind, StepError};

use super::{Message, Shard};
use crate::executor;
use crate::job::{Job, JobDone, JobOutcome, Work};
use crate::live::Happening;

impl Shard {
    pub(super) fn begin_jobs(&mut self, run: RunId) {
        let Some(resident) = self.residents.get_mut(&run) else { return };
        let epoch = resident.live.who.epoch;
        for job in std::mem::take(&mut resident.jobs) {
            let (key, changes) = (job.key.clone(), changes(&job));
            let crashed = move |_| JobOutcome::failed(crashed(changes));
            let work = executor::work(self.shared.clone(), job);
            let mut work = AssertUnwindSafe(work).catch_unwind();
            match work.poll_unpin(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(outcome) => {
                    let outcome = outcome.unwrap_or_else(crashed);
                    self.ready.push_back((run, epoch, JobDone { key, outcome }));
                }
                Poll::Pending => {
                    let messages = self.handle.messages.clone();
                    self.runtime.spawn(async move {
                        let outcome = work.await.unwrap_or_else(crashed);
                        drop(messages.send(Message::Done(run, epoch, JobDone { key, outcome })));
                    });
                }
            }
        }
    }

    /// A job came to an end. What was begun under a lease that was lost since is not waited for any more:
    /// the run went on from its journal, as after a crash, and has done what that asks for.
    pub(super) fn done(&mut self, run: RunId, epoch: i64, done: JobDone) {
        if self.residents.get(&run).is_some_and(|resident| resident.live.who.epoch == epoch) {
            self.happen(run, Happening::Done(done));
        }
    }
}

/// Whether a job may change something outside.
fn changes(job: &Job) -> bool {
    matches!(&job.work, Work::Action(call) if call.effect >= Effect::Change)
}

/// The error of a job that panics: a fault in an action, which must not bring the node down.
fn crashed(changes: bool) -> StepError {
    let kind = if changes { ErrorKind::InDoubt } else { ErrorKind::Permanent };
    StepError::new(kind, "crashed", "the action crashed: this is a fault in Stanch or in a plugin")
}
