//! What one transaction takes.

use tokio::sync::oneshot;

use super::{Part, RunCommit, SinkId, Unit};
use crate::dialect::Dialect;
use crate::journal;

/// What waits for one transaction.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) appends: Vec<(SinkId, RunCommit)>,
    pub(super) units: Vec<Unit>,
    pub(super) drains: Vec<oneshot::Sender<()>>,
}

impl Batch {
    pub(super) fn of(parts: impl IntoIterator<Item = Part>) -> Self {
        let mut batch = Self::default();
        for part in parts {
            match part {
                Part::Append(sink, commits) => {
                    batch.appends.extend(commits.into_iter().map(|commit| (sink, commit)));
                }
                Part::Unit(unit) => batch.units.push(unit),
                Part::Drain(done) => batch.drains.push(done),
            }
        }
        batch
    }

    /// What runs append.
    pub(super) fn commits(&self) -> Vec<&RunCommit> {
        self.appends.iter().map(|(_, commit)| commit).collect()
    }

    pub(super) fn is_single(&self) -> bool {
        self.appends.len() + self.units.len() == 1
    }

    /// The one closure of the batch, when it is all there is.
    pub(super) fn lone_unit(&mut self) -> Option<&mut Unit> {
        match self.units.as_mut_slice() {
            [unit] if self.appends.is_empty() => Some(unit),
            _ => None,
        }
    }

    /// The one append of the batch, when it is all there is and one statement writes it.
    pub(super) fn lone_append(&self, dialect: Dialect) -> Option<&RunCommit> {
        match self.appends.as_slice() {
            [(_, commit)] if self.units.is_empty() && commit.is_one_statement(dialect) => {
                Some(commit)
            }
            _ => None,
        }
    }
}

impl RunCommit {
    /// Whether one statement writes all of it.
    fn is_one_statement(&self, dialect: Dialect) -> bool {
        let takes = !self.consumed.is_empty() && dialect == Dialect::Sqlite;
        let more = self.create.is_some() || self.standing.is_some() || takes;
        !more && (1..=journal::ROWS_AT_ONCE).contains(&self.entries.len())
    }
}
