//! What goes into a run, and what comes out of it.

use stanch_engine_core::id::InboxId;
use stanch_engine_core::journal::Entry;
use stanch_engine_store::inbox::Fact;
use stanch_engine_store::runs::{NewRun, Standing};
use stanch_engine_store::writer::RunCommit;

use super::Identity;
use crate::job::{Job, JobDone};
use crate::projection::Projection;

/// Something that happened to a run.
pub(crate) enum Happening {
    /// A job came to an end.
    Done(JobDone),
    /// Facts came into its inbox.
    Facts(Vec<Fact>),
    /// Time has passed.
    Time,
}

/// What a run wants written and then done.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) create: Option<Box<NewRun>>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) projections: Vec<Projection>,
    pub(crate) consumed: Vec<InboxId>,
    pub(crate) standing: Option<Box<Standing>>,
    /// Begun after the commit.
    pub(crate) jobs: Vec<Job>,
}

impl Outbox {
    /// Whether there is anything to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
            && self.projections.is_empty()
            && self.consumed.is_empty()
            && self.standing.is_none()
            && self.create.is_none()
    }

    /// The part of it that goes into the journal.
    pub(crate) fn commit(&mut self, who: &Identity) -> RunCommit {
        RunCommit {
            run: who.id,
            epoch: who.epoch,
            create: self.create.take(),
            entries: std::mem::take(&mut self.entries),
            standing: self.standing.take(),
            consumed: std::mem::take(&mut self.consumed),
        }
    }
}
