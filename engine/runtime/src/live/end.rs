//! Where a run stands after what happened: it goes on, it falls asleep, or it is over.

use serde_json::json;
use stanch_engine_core::command::{Verb, summary};
use stanch_engine_core::error_code;
use stanch_engine_core::id::{InboxId, RunId};
use stanch_engine_core::journal::{ByPerson, Ended, Event, Parked, RunError};
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;
use stanch_engine_core::run::{ParkReason, RunStatus};
use stanch_engine_core::run_state::OpenStep;
use stanch_engine_core::step::{StepKey, StepStatus};
use stanch_engine_core::time::Timestamp;
use stanch_engine_script::Standing as ScriptStanding;
use stanch_engine_store::inbox::{Fact, FactKind};
use stanch_engine_store::runs::Standing;

use super::Live;
use super::facts::{ChildEnded, Wish};
use crate::projection::Projection;
use crate::shared::Shared;

impl Live {
    /// Decides where the run stands, once the script has come as far as it can.
    pub(super) fn settle(&mut self, shared: &Shared) {
        if let Some(ended) = self.state.ended.clone() {
            if !self.is_leaving() {
                self.stand(ended.status, None, None, Some(outcome_of(&ended)));
            }
            return;
        }
        if let Some(limit) = self.state.limit_reached()
            && self.ended.is_none()
        {
            self.hot = None;
            self.ended = Some(ScriptStanding::Limit(limit));
        }
        if !self.running.is_empty() {
            return;
        }
        if self.state.stopped_at.is_some() {
            self.settle_stopped(shared);
            return;
        }
        match self.ended.clone() {
            Some(ended) => self.settle_ended(shared, ended),
            None => self.fall_asleep(shared),
        }
    }

    /// Where a run stands whose playbook was stopped: it ends once what it deferred is done, or
    /// can't be.
    fn settle_stopped(&mut self, shared: &Shared) {
        let undone = |why: String| RunError {
            code: "not_done".to_owned(),
            message: format!("what was deferred was not done: {why}"),
            position: Default::default(),
        };
        let is_parked = self.state.park_reason().is_some_and(|r| r != ParkReason::InDoubt);
        let failure = match self.ended.clone() {
            Some(ScriptStanding::Stopped(failure)) => failure,
            Some(ScriptStanding::Limit(why)) => Some(undone(why)),
            Some(ScriptStanding::Diverged(divergence)) => Some(undone(divergence.to_string())),
            None if self.state.cancels > 1 || is_parked => None,
            None => return self.fall_asleep(shared),
            // It had come to its end before it was stopped.
            Some(_) => None,
        };
        let (status, code, mut message) = match &self.state.cancelling {
            Some(ByPerson { by, reason, .. }) if !self.state.is_timed_out => {
                (RunStatus::Cancelled, "cancelled", format!("{by}: {reason}"))
            }
            _ => (RunStatus::Failed, "timeout", "the run took longer than it may".to_owned()),
        };
        if let Some(failure) = failure {
            message = format!("{message}; and what was deferred failed: {failure}");
            if status == RunStatus::Cancelled {
                let message = format!("{} was cancelled: {message}", self.who.playbook);
                self.page(shared, "deferred", error_code::RUN_FAILED.code, message);
            }
        }
        let error = RunError { code: code.to_owned(), message, position: Default::default() };
        self.end(shared, status, None, Some(error));
    }

    fn settle_ended(&mut self, shared: &Shared, ended: ScriptStanding) {
        match ended {
            ScriptStanding::Finished(result) if !self.has_sides() => {
                let result = bounded(result);
                self.end(shared, RunStatus::Succeeded, Some(result), None);
            }
            ScriptStanding::Continued(inputs) if !self.has_sides() && !self.state.is_paused => {
                self.continue_as_new(shared, &inputs);
            }
            ScriptStanding::Finished(_)
            | ScriptStanding::Continued(_)
            | ScriptStanding::Stopped(_)
            | ScriptStanding::Blocked => self.fall_asleep(shared),
            ScriptStanding::Failed(error) => self.end(shared, RunStatus::Failed, None, Some(error)),
            ScriptStanding::Limit(limit) => self.park(shared, ParkReason::Limit, limit),
            ScriptStanding::Diverged(divergence) => {
                self.park(shared, ParkReason::Diverged, divergence.to_string());
            }
        }
    }

    /// Whether side steps are still to come to their end.
    fn has_sides(&self) -> bool {
        self.state.open.values().any(|step| step.head.verb.is_side())
    }

    pub(super) fn end(
        &mut self,
        shared: &Shared,
        status: RunStatus,
        result: Option<Json>,
        error: Option<RunError>,
    ) {
        self.withdraw(shared);
        if let Some(parent) = self.who.parent.clone() {
            let ended = (status, result.clone(), error.clone());
            let child = Json::of(&self.ended_for(shared, parent.run, ended));
            self.tell(shared, parent.run, FactKind::ChildEnded, child);
        }
        if let (RunStatus::Failed, Some(error)) = (status, &error) {
            let message = format!("{} failed: {error} (at {})", self.who.playbook, error.position);
            self.page(shared, "failed", error_code::RUN_FAILED.code, message);
        }
        self.tell_doubts(shared);
        if let Some(incident) = self.who.incident {
            self.project(Projection::Recount(incident));
            if let Some(plan) = &shared.settings.trail_audit {
                let (run, due_at) = (self.who.id, shared.world.now().plus_ms(plan.delay.ms));
                self.project(Projection::Audit { run, incident, due_at });
            }
        }
        let ended = Ended { status, result, error };
        let outcome = outcome_of(&ended);
        self.record(Event::Ended(ended));
        self.stand(status, None, None, Some(outcome));
    }

    /// What the run that waits for this one hears of its end: what is sealed in its result opens
    /// there.
    fn ended_for(
        &self,
        shared: &Shared,
        parent: RunId,
        (status, result, error): (RunStatus, Option<Json>, Option<RunError>),
    ) -> ChildEnded {
        let run = self.who.id;
        let hand_over = |value| shared.seals.hand_over(&shared.world, value, (run, parent));
        match result.map(|result| hand_over(result.value())).transpose() {
            Ok(result) => {
                ChildEnded { run, status, result: result.as_ref().map(Json::canonical), error }
            }
            Err(why) => {
                let code = "unsealable".to_owned();
                let error = RunError { code, message: why.told(), position: Default::default() };
                ChildEnded { run, status: RunStatus::Failed, result: None, error: Some(error) }
            }
        }
    }

    /// Nobody waits any more for what the run waits for: for people, and for other runs.
    pub(super) fn withdraw(&mut self, shared: &Shared) {
        if self.asks_people() {
            self.project(Projection::WithdrawAll(self.who.id, self.now));
        }
        self.cancel_children(shared);
    }

    /// A run that ends with a doubt that no one has heard of says so.
    fn tell_doubts(&mut self, shared: &Shared) {
        if self.state.parked.is_none()
            && let Some(detail) = self.doubt(|_| true)
        {
            let message = format!("{} ends in doubt: {detail}", self.who.playbook);
            self.page(shared, "doubt", error_code::IN_DOUBT.code, message);
        }
    }

    /// The first step in doubt, in words.
    fn doubt(&self, counts: impl Fn(&StepKey) -> bool) -> Option<String> {
        let doubts = |step: &OpenStep| step.status == StepStatus::InDoubt;
        let mut open = self.state.open.iter();
        let (key, step) = open.find(|(key, step)| doubts(step) && counts(key))?;
        let why = step.error.as_ref().map(ToString::to_string).unwrap_or_default();
        let what = summary(step.head.verb, &step.head.args.value());
        Some(format!("step {key} ({what}): {why}"))
    }

    /// Ends the runs that this one waits for: nobody wants their results any more.
    fn cancel_children(&mut self, shared: &Shared) {
        let is_child = |(key, step): &(&StepKey, &OpenStep)| {
            step.head.verb == Verb::RunPlaybook && !self.state.is_abandoned(key)
        };
        let open = self.state.open.iter().filter(is_child);
        let ids: Vec<_> =
            open.filter_map(|(_, step)| step.waits_for.as_ref()?.parse().ok()).collect();
        for id in ids {
            self.cancel_child(shared, id, "the run that waited has ended");
        }
    }

    /// Ends a run that this one has begun.
    pub(crate) fn cancel_child(&mut self, shared: &Shared, child: RunId, why: &str) {
        let (by, reason) = (self.who.id.to_string(), why.to_owned());
        self.tell(shared, child, FactKind::Cancel, Json::of(&Wish { by, reason }));
    }

    fn tell(&mut self, shared: &Shared, run: RunId, kind: FactKind, body: Json) {
        let fact = Fact { id: shared.world.id(InboxId::new), run, at: self.now, kind, body };
        self.project(Projection::Tell(Box::new(fact)));
    }

    /// The run can't go on until a person has looked at it.
    pub(crate) fn park(&mut self, shared: &Shared, reason: ParkReason, detail: String) {
        let code = match reason {
            ParkReason::Diverged => error_code::DIVERGED,
            ParkReason::Poison => error_code::POISON,
            ParkReason::Limit => error_code::LIMIT,
            ParkReason::InDoubt => error_code::IN_DOUBT,
        };
        let outcome = json!({"parked": {"reason": reason, "code": code.code, "detail": detail}});
        if self.state.parked.is_none() {
            let message = format!("{}: {}: {detail}", self.who.playbook, code.title);
            let key = format!("parked/{}", self.state.next_seq);
            self.page(shared, &key, code.code, message);
            self.record(Event::Parked(Parked { reason, detail }));
        }
        self.stand(RunStatus::Parked, Some(reason), None, Some(Json::canonical(&outcome)));
    }

    /// When everything that the run does is wait, it lets go of its node.
    fn fall_asleep(&mut self, shared: &Shared) {
        let is_stopped = self.state.stopped_at.is_some();
        if self.state.is_paused && !is_stopped {
            self.stand(RunStatus::Paused, None, None, None);
            return;
        }
        if let Some(detail) = self.doubt(|key| !self.state.is_abandoned(key)) {
            self.park(shared, ParkReason::InDoubt, detail);
            return;
        }
        if let Some(Parked { reason, detail }) = self.state.parked.clone().filter(|_| !is_stopped) {
            self.park(shared, reason, detail);
            return;
        }
        // It rested when it was loaded, and was told to go on while its last calls were under way: its
        // script stands nowhere, and begins where the run is loaded anew, which is at once.
        let is_unbegun = self.hot.is_none();
        let wake_at = if is_unbegun { Some(self.now) } else { self.state.wake_at() };
        self.stand(RunStatus::Waiting, None, wake_at, None);
    }

    pub(super) fn stand(
        &mut self,
        status: RunStatus,
        parked: Option<ParkReason>,
        wake_at: Option<Timestamp>,
        outcome: Option<Json>,
    ) {
        self.hot = None;
        let standing = Standing { status, parked, wake_at, outcome, at: self.now };
        self.outbox.standing = Some(Box::new(standing));
    }

    /// Pages the people who respond.
    pub(crate) fn page(&mut self, shared: &Shared, what: &str, code: &str, message: String) {
        let key = self.page_key(what);
        let to = vec!["role:responder".to_owned()];
        let mut page = shared.page(key, to, code, message);
        page.incident = self.who.incident;
        page.run = Some(self.who.id);
        self.project(Projection::Raise(Box::new(page)));
    }

    /// Whether the run's last commit lets go of it.
    pub(crate) fn is_leaving(&self) -> bool {
        self.outbox.standing.is_some()
    }

    /// Whether a step asks people.
    fn asks_people(&self) -> bool {
        let asks = |verb: Verb, status| verb == Verb::Approval || status == StepStatus::Pending;
        self.state.open.values().any(|step| asks(step.head.verb, step.status))
    }
}

/// What the row says of how a run ended.
fn outcome_of(ended: &Ended) -> Json {
    Json::canonical(&match (&ended.result, &ended.error) {
        (_, Some(error)) => json!({"error": error}),
        (result, None) => json!({"result": result.as_ref().map(Json::value)}),
    })
}

/// What a run keeps of what its playbook returned.
fn bounded(result: Json) -> Json {
    let (bytes, most) = (result.as_str().len(), limits::RESULT_JOURNAL_BYTES);
    if bytes <= most {
        return result;
    }
    let why = format!("the playbook returned {bytes} bytes, and a run keeps {most}");
    Json::of(&json!({ "omitted": why }))
}
