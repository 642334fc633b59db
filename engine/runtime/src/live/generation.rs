//! Runs that begin again: from one of their steps, because a person wants it, or as new, because
//! their playbook does.

use serde::{Deserialize, Serialize};
use stanch_engine_core::generation::GenerationCause;
use stanch_engine_core::journal::{ByPerson, Entry, Event, GenerationStarted, RunError, Started};
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;
use stanch_engine_core::run::RunStatus;
use stanch_engine_core::run_state::RunState;
use stanch_engine_core::step::StepKey;
use stanch_engine_store::inbox::Fact;

use super::Live;
use crate::projection::Projection;
use crate::shared::Shared;
use crate::steps;

/// A person wants a run that has ended to be run again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rerun {
    pub(crate) by: String,
    pub(crate) reason: String,
    /// The steps that are asked again.
    pub(crate) drops: Vec<StepKey>,
}

impl Live {
    /// The idempotency token of a step.
    pub(crate) fn token(&self, key: &StepKey) -> uuid::Uuid {
        let open = self.state.open.get(key).and_then(|step| step.token);
        open.unwrap_or_else(|| {
            stanch_engine_core::run::step_token(self.who.id, self.generation(), key)
        })
    }

    /// Which generation of the run this is.
    pub(crate) fn generation(&self) -> u32 {
        self.state.started.as_ref().map_or(1, |started| started.generation)
    }

    /// The key of a page about something of this generation.
    pub(crate) fn page_key(&self, what: &str) -> String {
        match self.generation() {
            1 => format!("{}/{what}", self.who.id),
            number => format!("{}/{number}/{what}", self.who.id),
        }
    }

    /// Begins a generation with what is kept of the journal.
    pub(super) fn run_again(&mut self, fact: &Fact, journal: &[Entry]) {
        self.taken.insert(fact.id);
        self.outbox.consumed.push(fact.id);
        let Some(started) = self.state.started.clone().filter(|_| self.state.ended.is_some())
        else {
            tracing::warn!(run.id = %self.who.id, "what has not ended is not run again");
            return;
        };
        let Ok(Rerun { by, reason, drops }) = fact.body.read() else {
            tracing::error!(run.id = %self.who.id, fact.id = %fact.id, "a fact can't be read");
            return;
        };
        let by = Some(ByPerson { key: None, by, reason });
        let cause = GenerationCause::Rerun;
        let started = self.next_generation(started);
        let generation = GenerationStarted { started, cause, by, drops, signals: Vec::new() };
        self.renew(generation, journal, self.who.base_seq);
    }

    /// Begins the playbook again, with new inputs and an empty journal. The run lets go of its node
    /// first, so that one which begins again and again holds nobody up.
    pub(super) fn continue_as_new(&mut self, shared: &Shared, inputs: &Json) {
        let Some(started) = self.state.started.clone() else { return };
        let inputs = inputs.value().as_object().cloned().unwrap_or_default();
        let inputs = match steps::inputs_of(self.header(), inputs) {
            Ok(inputs) => inputs,
            Err(why) => {
                let code = "wrong_inputs".to_owned();
                let error = RunError { code, message: why, position: Default::default() };
                self.end(shared, RunStatus::Failed, None, Some(error));
                return;
            }
        };
        let mut scope = started.scope.value();
        if let Some(members) = scope.as_object_mut() {
            members.insert("inputs".to_owned(), inputs);
        }
        let started = Started { scope: Json::canonical(&scope), ..self.next_generation(started) };
        let generation = GenerationStarted {
            started,
            cause: GenerationCause::ContinueAsNew,
            by: None,
            drops: Vec::new(),
            signals: self.state.signals.iter().cloned().collect(),
        };
        self.renew(generation, &[], self.state.next_seq);
        self.ended = None;
        self.stand(RunStatus::Waiting, None, Some(self.now), None);
    }

    fn next_generation(&self, started: Started) -> Started {
        let timeout_ms = self.header().timeout.map_or(limits::RUN_TIMEOUT_MS, |timeout| timeout.ms);
        let deadline_at = self.now.plus_ms(timeout_ms);
        Started { generation: started.generation + 1, deadline_at, ..started }
    }

    /// Writes the generation down. `journal` is what is stored of the one before.
    fn renew(&mut self, generation: GenerationStarted, journal: &[Entry], base_seq: u32) {
        let (run, number) = (self.who.id, generation.started.generation);
        let event = Event::GenerationStarted(Box::new(generation));
        let entry = Entry { seq: self.state.next_seq, at: self.now, event };
        let mut whole = journal.to_vec();
        whole.push(entry.clone());
        match RunState::of(&whole) {
            Ok(state) => {
                self.state = state;
                self.outbox.entries.push(entry);
                self.project(Projection::Generation { run, generation: number, base_seq });
            }
            Err(error) => {
                tracing::error!(run.id = %run, %error, "a generation does not fit its journal");
            }
        }
    }
}
