//! A run of a playbook on this thread: from its journal, or from where it stands.

use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult, Scope};
use stanch_engine_core::id::RunId;
use stanch_engine_core::journal::{Entry, Event, RunError, Started};
use stanch_engine_core::json::Json;
use stanch_engine_core::step::StepKey;
use stanch_engine_core::time::Timestamp;

use crate::codec;
use crate::error::uncaught;
use crate::hot::Strand;
use crate::program::Program;
use crate::tape::{Answer, Surroundings, Tape};
use crate::turn::{Standing, Turn};

type Ending = Result<Json, RunError>;

/// A run that stands where it waits. It belongs to its thread, and costs its stack.
pub struct Hot {
    strand: Strand<'static, Ending>,
    tape: Rc<Tape>,
    has_begun: bool,
    ending: Option<Ending>,
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
        let Some(Event::Started(started)) = journal.first().map(|entry| &entry.event) else {
            return Err(broken("the journal does not begin with `started`"));
        };
        let around = surroundings(program, run, started);
        let tape = Rc::new(Tape::of(around, journal));
        let (scope, program) = (started.scope.clone(), program.clone());
        let body = move || play(&program, &scope);
        let strand = Strand::new(tape.clone(), String::new(), body)
            .map_err(|error| broken(&format!("no memory for a stack: {error}")))?;
        let mut hot = Self { strand, tape, has_begun: false, ending: None };
        let turn = hot.turn(now);
        Ok((hot, turn))
    }

    /// Goes on with answers to steps that it waits for.
    pub fn resume(
        &mut self,
        answers: impl IntoIterator<Item = (StepKey, Answer)>,
        now: Timestamp,
    ) -> Turn {
        for (key, answer) in answers {
            self.tape.answer(key, answer);
        }
        self.turn(now)
    }

    fn turn(&mut self, now: Timestamp) -> Turn {
        self.tape.set_now(now);
        if !std::mem::replace(&mut self.has_begun, true) {
            self.ending = self.strand.resume();
        }
        while self.ending.is_none() && self.tape.hand_out() {
            self.ending = self.strand.resume();
        }
        let standing = self.standing();
        Turn { issued: self.tape.take_issued(), standing }
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
        match ending {
            Ok(result) => Standing::Finished(result.clone()),
            Err(error) => Standing::Failed(error.clone()),
        }
    }
}

fn broken(message: &str) -> RunError {
    RunError {
        code: "engine".to_owned(),
        message: message.to_owned(),
        position: Default::default(),
    }
}

fn surroundings(program: &Program, run: RunId, started: &Started) -> Surroundings {
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
        seed: format!("{run}/{}", started.generation),
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
    match program.engine.eval_ast_with_scope::<Dynamic>(&mut scope, &program.ast) {
        Ok(value) => result(program, &value),
        Err(error) => match *error {
            EvalAltResult::Exit(value, _) => result(program, &value),
            other => Err(uncaught(&other)),
        },
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
