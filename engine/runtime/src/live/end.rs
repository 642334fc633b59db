//! Where a run stands after what happened: it goes on, it falls asleep, or it is over.

use serde_json::json;
use stanch_engine_core::command::{Verb, summary};
use stanch_engine_core::error_code;
use stanch_engine_core::id::{InboxId, RunId};
use stanch_engine_core::journal::{ByPerson, Ended, Event, Parked, RunError};
use stanch_engine_core::json::Json;
use stanch_engine_core::run::{ParkReason, RunStatus};
use stanch_engine_core::run_state::OpenStep;
use stanch_engine_core::step::StepStatus;
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
        if self.state.ended.is_some() {
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
        if let Some(ByPerson { by, reason, .. }) = self.state.cancelling.clone() {
            let (code, message) = ("cancelled".to_owned(), format!("{by}: {reason}"));
            let error = RunError { code, message, position: Default::default() };
            self.end(shared, RunStatus::Cancelled, None, Some(error));
            return;
        }
        match self.ended.clone() {
            Some(ended) => self.settle_ended(shared, ended),
            None => self.fall_asleep(shared),
        }
    }

    fn settle_ended(&mut self, shared: &Shared, ended: ScriptStanding) {
        match ended {
            ScriptStanding::Finished(result) if !self.has_sides() => {
                self.end(shared, RunStatus::Succeeded, Some(result), None);
            }
            ScriptStanding::Finished(_) | ScriptStanding::Blocked => self.fall_asleep(shared),
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

    fn end(
        &mut self,
        shared: &Shared,
        status: RunStatus,
        result: Option<Json>,
        error: Option<RunError>,
    ) {
        if self.asks_people() {
            self.project(Projection::WithdrawAll(self.who.id, self.now));
        }
        self.cancel_children(shared);
        if let Some(parent) = self.who.parent.clone() {
            let (run, result, error) = (self.who.id, result.clone(), error.clone());
            let child = Json::of(&ChildEnded { run, status, result, error });
            self.tell(shared, parent.run, FactKind::ChildEnded, child);
        }
        if let (RunStatus::Failed, Some(error)) = (status, &error) {
            let message = format!("{} failed: {error} (at {})", self.who.playbook, error.position);
            self.page(shared, "failed", error_code::RUN_FAILED.code, message);
        }
        self.tell_doubts(shared);
        let outcome = match (&result, &error) {
            (_, Some(error)) => json!({"error": error}),
            (result, None) => json!({"result": result.as_ref().map(Json::value)}),
        };
        self.record(Event::Ended(Ended { status, result, error }));
        self.stand(status, None, None, Some(Json::canonical(&outcome)));
    }

    /// A run that ends with a doubt that no one has heard of says so.
    fn tell_doubts(&mut self, shared: &Shared) {
        if self.state.parked.is_none()
            && let Some(detail) = self.doubt()
        {
            let message = format!("{} ends in doubt: {detail}", self.who.playbook);
            self.page(shared, "doubt", error_code::IN_DOUBT.code, message);
        }
    }

    /// The first step in doubt, in words.
    fn doubt(&self) -> Option<String> {
        let doubts = |step: &OpenStep| step.status == StepStatus::InDoubt;
        let (key, step) = self.state.open.iter().find(|(_, step)| doubts(step))?;
        let why = step.error.as_ref().map(ToString::to_string).unwrap_or_default();
        let what = summary(step.head.verb, &step.head.args.value());
        Some(format!("step {key} ({what}): {why}"))
    }

    /// Ends the runs that this one waits for: nobody wants their results any more.
    fn cancel_children(&mut self, shared: &Shared) {
        let open = self.state.open.values().filter(|s| s.head.verb == Verb::RunPlaybook);
        let ids: Vec<_> = open.filter_map(|step| step.waits_for.as_ref()?.parse().ok()).collect();
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
        if self.state.is_paused {
            self.stand(RunStatus::Paused, None, None, None);
            return;
        }
        if let Some(detail) = self.doubt() {
            self.park(shared, ParkReason::InDoubt, detail);
            return;
        }
        if let Some(Parked { reason, detail }) = self.state.parked.clone() {
            self.park(shared, reason, detail);
            return;
        }
        let wake_at = self.state.wake_at();
        self.stand(RunStatus::Waiting, None, wake_at, None);
    }

    fn stand(
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
        let key = format!("{}/{what}", self.who.id);
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
