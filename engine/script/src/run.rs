//! A run of a playbook on this thread: from its journal, or from where it stands.

use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult, Scope};
use stanch_engine_core::generation::GenerationCause;
use stanch_engine_core::id::RunId;
use stanch_engine_core::journal::{Entry, Event, RunError, Started};
use stanch_engine_core::json::Json;
use stanch_engine_core::time::Timestamp;

use crate::closing::{Outcome, close};
use crate::codec;
use crate::error::uncaught;
use crate::hot::Strand;
use crate::program::Program;
use crate::tape::{Delivery, Handed, Stop, Surroundings, Tape};
use crate::turn::{Standing, Turn};

type Ending = Result<Json, RunError>;

/// A run that stands where it waits. It belongs to its thread, and costs its stack.
pub struct Hot {
    strand: Strand<'static, Ending>,
    program: Rc<Program>,
    tape: Rc<Tape>,
    has_begun: bool,
    /// Set when its playbook does not come to its end by itself.
    leaving: Option<Leaving>,
    ending: Option<Ending>,
}

/// Why a playbook does not come to its end by itself.
enum Leaving {
    /// It was stopped.
    Stopped,
    /// It begins again.
    Continued(Json),
}

/// How far a playbook comes with a journal: the pure function that everything else is measured
/// by. `now` is what the playbook reads as the time where it asks for it anew.
///
/// # Errors
/// When the journal does not begin with `started`, or there is no memory for a stack.
pub fn advance(
    program: &Rc<Program>,
    run: RunId,
    journal: &[Entry],
    now: Timestamp,
) -> Result<Turn, RunError> {
    Hot::begin(program, run, journal, now).map(|(_, turn)| turn)
}

impl Hot {
    /// Runs a playbook from its first line with what its journal holds, as far as it comes.
    ///
    /// # Errors
    /// When the journal does not begin with `started`, or there is no memory for a stack.
    pub fn begin(
        program: &Rc<Program>,
        run: RunId,
        journal: &[Entry],
        now: Timestamp,
    ) -> Result<(Self, Turn), RunError> {
        let Some(started) = journal.iter().rev().find_map(started) else {
            return Err(broken("the journal does not begin with `started`"));
        };
        let around = surroundings(program, run, started, journal);
        let tape = Rc::new(Tape::of(around, journal));
        let (scope, player) = (started.scope.clone(), program.clone());
        let body = move || play(&player, &scope);
        let strand = Strand::new(tape.clone(), String::new(), body).map_err(no_memory)?;
        let program = program.clone();
        let (has_begun, leaving, ending) = Default::default();
        let mut hot = Self { strand, program, tape, has_begun, leaving, ending };
        let turn = hot.turn(now);
        Ok((hot, turn))
    }

    /// Goes on with what has reached it, in the order of its journal.
    pub fn resume(
        &mut self,
        deliveries: impl IntoIterator<Item = Delivery>,
        now: Timestamp,
    ) -> Turn {
        for delivery in deliveries {
            self.tape.deliver(delivery);
        }
        self.turn(now)
    }

    fn turn(&mut self, now: Timestamp) -> Turn {
        self.tape.set_now(now);
        if !std::mem::replace(&mut self.has_begun, true) {
            self.go_on();
        }
        while self.ending.is_none()
            && let Some(handed) = self.tape.hand_out()
        {
            match handed {
                Handed::Answer => self.go_on(),
                Handed::Stop(Stop::Cancelled) => self.leave(Leaving::Stopped, "cancelled"),
                Handed::Stop(Stop::TimedOut) => self.leave(Leaving::Stopped, "timed_out"),
            }
        }
        let standing = self.standing();
        Turn { issued: self.tape.take_issued(), standing }
    }

    fn go_on(&mut self) {
        self.ending = self.strand.resume();
        if self.ending.is_none()
            && let Some(inputs) = self.tape.take_next_inputs()
        {
            self.leave(Leaving::Continued(inputs), "continued");
        }
    }

    /// Drops the playbook where it stands, and does what it deferred. What was deferred is done
    /// once, whatever comes while it is.
    fn leave(&mut self, leaving: Leaving, status: &'static str) {
        if self.tape.is_closing() {
            return;
        }
        if matches!(leaving, Leaving::Stopped) {
            self.tape.forget_commands();
        }
        self.leaving = Some(leaving);
        let program = self.program.clone();
        let body = move || match close(&program, &Outcome { status, error: None }) {
            None => Ok(Json::null()),
            Some(error) => Err(error),
        };
        match Strand::new(self.tape.clone(), String::new(), body) {
            Ok(strand) => {
                self.strand = strand;
                self.ending = self.strand.resume();
            }
            Err(error) => self.ending = Some(Err(no_memory(error))),
        }
    }

    /// A step that the journal holds and the playbook has not asked for, if there is one.
    pub(crate) fn left_over(&self) -> Option<crate::turn::Divergence> {
        self.tape.left_over(None)
    }

    fn standing(&self) -> Standing {
        if let Some(divergence) = self.tape.take_divergence() {
            return Standing::Diverged(divergence);
        }
        if let Some(limit) = self.tape.limit() {
            return Standing::Limit(limit);
        }
        let Some(ending) = &self.ending else { return Standing::Blocked };
        if let Some(divergence) = self.tape.left_over(ending.as_ref().err()) {
            return Standing::Diverged(divergence);
        }
        match (&self.leaving, ending) {
            (Some(Leaving::Stopped), ending) => Standing::Stopped(ending.clone().err()),
            (Some(Leaving::Continued(inputs)), Ok(_)) => Standing::Continued(inputs.clone()),
            (None, Ok(result)) => Standing::Finished(result.clone()),
            (_, Err(error)) => Standing::Failed(error.clone()),
        }
    }
}

/// How the run, or its last generation, began.
fn started(entry: &Entry) -> Option<&Started> {
    match &entry.event {
        Event::Started(started) => Some(started),
        Event::GenerationStarted(generation) => Some(&generation.started),
        _ => None,
    }
}

fn no_memory(error: std::io::Error) -> RunError {
    broken(&format!("no memory for a stack: {error}"))
}

fn broken(message: &str) -> RunError {
    RunError {
        code: "engine".to_owned(),
        message: message.to_owned(),
        position: Default::default(),
    }
}

/// The generation that the last fresh start has: what is run again makes the same `uuid()`s, since
/// steps that are kept were asked with them.
fn fresh_generation(journal: &[Entry]) -> u32 {
    let fresh = |entry: &&Entry| match &entry.event {
        Event::GenerationStarted(generation) => generation.cause == GenerationCause::ContinueAsNew,
        _ => true,
    };
    let started = journal.iter().rev().filter(fresh).find_map(started);
    started.map_or(1, |started| started.generation)
}

fn surroundings(
    program: &Program,
    run: RunId,
    started: &Started,
    journal: &[Entry],
) -> Surroundings {
    let scope = started.scope.value();
    let of_alert = |name: &str| {
        scope.pointer(&format!("/alert/{name}")).and_then(|v| v.as_str()).map(str::to_owned)
    };
    let subject = program.header.subject.clone();
    let resources = scope.pointer("/alert/resources").and_then(|r| r.as_array());
    let subjects = resources.into_iter().flatten().filter(|resource| {
        subject.is_some() && resource.get("type").and_then(|t| t.as_str()) == subject.as_deref()
    });
    Surroundings {
        account: of_alert("account"),
        region: of_alert("region"),
        subjects: subjects.map(Json::canonical).collect(),
        subject,
        seed: format!("{run}/{}", fresh_generation(journal)),
    }
}

/// Runs the script to its end. It is called on a stack of its own and suspended inside.
fn play(program: &Program, variables: &Json) -> Ending {
    let mut scope = Scope::new();
    let variables =
        codec::decode(variables.as_str()).map_err(|error| broken(&error.to_string()))?;
    for (name, value) in variables.try_cast::<rhai::Map>().unwrap_or_default() {
        scope.push_constant_dynamic(name.as_str(), value);
    }
    let ending = match program.engine.eval_ast_with_scope::<Dynamic>(&mut scope, &program.ast) {
        Ok(value) => result(program, &value),
        Err(error) => match *error {
            EvalAltResult::Exit(value, _) => result(program, &value),
            other => Err(uncaught(&other)),
        },
    };
    let (status, error) = match &ending {
        Ok(_) => ("succeeded", None),
        Err(error) => ("failed", Some(error)),
    };
    match (close(program, &Outcome { status, error }), ending) {
        (None, ending) => ending,
        (Some(failed), Ok(_)) => {
            let message = format!("what was deferred failed: {}", failed.message);
            Err(RunError { message, ..failed })
        }
        (Some(failed), Err(error)) => {
            let message = format!("{}; and what was deferred failed: {failed}", error.message);
            Err(RunError { message, ..error })
        }
    }
}

/// What a run gives back: its last value, when that is a value that can be kept and the one that
/// the header promises.
fn result(program: &Program, value: &Dynamic) -> Ending {
    let broken = |code: &str, why: String| RunError {
        code: code.to_owned(),
        message: format!("the playbook's result: {why}"),
        position: Default::default(),
    };
    let json = codec::to_json(value).map_err(|error| broken("playbook", error.to_string()))?;
    if program.header.outputs.is_none() {
        return Ok(json);
    }
    let complete = program.header.complete_outputs(json.value());
    complete.map(|value| Json::canonical(&value)).map_err(|why| broken("wrong_outputs", why))
}
