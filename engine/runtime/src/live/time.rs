//! What time does to a run: waits that are over, and what a crash left behind.

use stanch_engine_core::command::Verb;
use stanch_engine_core::effect::RetrySafety;
use stanch_engine_core::journal::{Event, RunError, TimedOut};
use stanch_engine_core::json::Json;
use stanch_engine_core::run_state::OpenStep;
use stanch_engine_core::step::{StepKey, StepStatus};
use stanch_engine_core::time::Timestamp;
use stanch_engine_script::{Standing as ScriptStanding, Stop};

use super::Live;
use crate::shared::Shared;
use crate::steps;

impl Live {
    /// Ends every wait whose time has come.
    pub(super) fn pass_time(&mut self, shared: &Shared) {
        let now = self.now;
        for (key, step) in self.idle_steps(|step| step.wake_at.is_some_and(|at| at <= now)) {
            if !self.state.is_abandoned(&key) {
                self.wake_step(shared, key, &step);
            }
        }
        let is_late = self.state.deadline_at().is_some_and(|at| at <= now);
        if is_late && self.ended.is_none() {
            self.run_late(shared);
        }
    }

    /// The run has taken as long as it may, or what it deferred has.
    fn run_late(&mut self, shared: &Shared) {
        if self.state.stopped_at.is_none() && self.state.closing_since.is_none() {
            self.stop(shared, Event::TimedOut(TimedOut {}), Stop::TimedOut);
            return;
        }
        self.hot = None;
        let error = RunError {
            code: "timeout".to_owned(),
            message: "what was deferred took longer than it may".to_owned(),
            position: Default::default(),
        };
        self.ended = Some(match self.state.stopped_at {
            Some(_) => ScriptStanding::Stopped(Some(error)),
            None => ScriptStanding::Failed(error),
        });
    }

    fn wake_step(&mut self, shared: &Shared, key: StepKey, step: &OpenStep) {
        match (step.head.verb, step.status) {
            (_, StepStatus::InDoubt) => {}
            (_, StepStatus::Pending) | (Verb::Approval, _) => {
                steps::approval::expire(self, shared, key, step);
            }
            (Verb::Sleep, _) => self.succeed(key, Json::null(), None),
            (Verb::WaitSignal, _) => steps::signal::time_out(self, key, step),
            (Verb::RunPlaybook, _) => steps::child_timed_out(self, shared, key, step),
            _ => steps::wake(self, shared, key, step),
        }
    }

    /// Takes up the steps that were under way when the run's last node let go of it.
    pub(super) fn recover(&mut self, shared: &Shared) {
        let was_interrupted = |step: &OpenStep| {
            step.status == StepStatus::Running && step.wake_at.is_none() && step.waits_for.is_none()
        };
        for (key, step) in self.idle_steps(was_interrupted) {
            let may_be_repeated = match steps::safety_of(self, shared, &step) {
                RetrySafety::Natural | RetrySafety::Token => {
                    !steps::restored::may_have_changed(self, shared, &step)
                }
                RetrySafety::Lookup | RetrySafety::Never => false,
            };
            match may_be_repeated {
                true => steps::repeat(self, shared, key, &step),
                false => steps::find_out(self, shared, key, &step),
            }
        }
    }

    /// The open steps without a job that are as asked for.
    fn idle_steps(&self, is_wanted: impl Fn(&OpenStep) -> bool) -> Vec<(StepKey, OpenStep)> {
        let open = self.state.open.iter();
        let idle = open.filter(|(key, step)| !self.running.contains(*key) && is_wanted(step));
        idle.map(|(key, step)| (key.clone(), step.clone())).collect()
    }

    /// The next time that something of a run that stays in memory is due.
    pub(crate) fn next_wake(&self) -> Option<Timestamp> {
        let waits = self
            .state
            .open
            .iter()
            .filter(|(key, _)| !self.running.contains(*key) && !self.state.is_abandoned(key));
        waits.filter_map(|(_, step)| step.wake_at).chain(self.state.deadline_at()).min()
    }
}
