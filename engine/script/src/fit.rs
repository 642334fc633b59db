//! Whether a run can go on with another version of its playbook: a dry replay.

use std::rc::Rc;

use stanch_engine_core::id::RunId;
use stanch_engine_core::journal::{Entry, RunError};
use stanch_engine_core::time::Timestamp;

use crate::program::Program;
use crate::run::Hot;
use crate::turn::{Divergence, Standing};

/// Why a version does not fit a journal.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Misfit {
    /// It would have asked for something else.
    #[error("{0}")]
    Diverged(Box<Divergence>),
    /// It fails where the run stands.
    #[error("it fails where the run stands: {0}")]
    Failed(RunError),
    /// It takes more than a run may.
    #[error("{0}")]
    Limit(String),
}

/// Replays a journal with a version, and changes nothing.
///
/// # Errors
/// [`Misfit`]: the run would not go on with it as it went so far.
pub fn fits(
    program: &Rc<Program>,
    run: RunId,
    journal: &[Entry],
    now: Timestamp,
) -> Result<(), Misfit> {
    let (hot, turn) = Hot::begin(program, run, journal, now).map_err(Misfit::Failed)?;
    match turn.standing {
        Standing::Diverged(divergence) => Err(Misfit::Diverged(Box::new(divergence))),
        Standing::Failed(error) => Err(Misfit::Failed(error)),
        Standing::Limit(limit) => Err(Misfit::Limit(limit)),
        // What the journal holds and it has not asked for, it will not ask for any more.
        Standing::Blocked => match hot.left_over() {
            Some(divergence) => Err(Misfit::Diverged(Box::new(divergence))),
            None => Ok(()),
        },
        Standing::Finished(_) | Standing::Stopped(_) | Standing::Continued(_) => Ok(()),
    }
}
