//! What comes of letting a playbook run as far as it can.

use stanch_engine_core::command::Command;
use stanch_engine_core::journal::{Head, RunError};
use stanch_engine_core::json::Json;
use stanch_engine_core::step::StepKey;

/// How far a playbook came.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// What it asked for that the journal does not hold yet, in order.
    pub issued: Vec<Issued>,
    /// Where it stands.
    pub standing: Standing,
}

/// One new thing that a playbook asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Issued {
    /// Something that is true at once and is only written down, with its result.
    Fact(Command, Json),
    /// Something that is to be done.
    Command(Command),
}

/// Where a playbook stands after a turn.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It waits for answers.
    Blocked,
    /// It came to its end.
    Finished(Json),
    /// It was stopped, and what it deferred is done; the first error of that.
    Stopped(Option<RunError>),
    /// It wants to begin again, with these inputs.
    Continued(Json),
    /// It threw an error that nothing caught.
    Failed(RunError),
    /// It hit a limit.
    Limit(String),
    /// It asked for something else than the journal holds.
    Diverged(Divergence),
}

/// Where a replay left its journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Divergence {
    /// The place.
    pub key: StepKey,
    /// What the journal holds there.
    pub recorded: Option<Head>,
    /// What the playbook asks for there; nothing when it ended without asking.
    pub asked: Option<Command>,
    /// The error that it ended with instead, if it did.
    pub error: Option<RunError>,
}
