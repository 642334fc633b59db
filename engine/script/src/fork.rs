//! Branches of a run beside each other, and the order in which they go on.
//!
//! Answers reach a run one at a time, in the order of the journal, whether it stands in memory or
//! is replayed; each lets one branch go on, the one that waits for it. So whatever depends on which
//! branch came first, such as when the next item of an `each` begins, is the same at every replay.

use std::collections::BTreeMap;
use std::rc::Rc;

use stanch_engine_core::step::StepKey;

use crate::hot::{Strand, suspend, with_fiber};
use crate::tape::Tape;

/// What a branch does.
pub(crate) type Body<'a, T> = Box<dyn FnOnce() -> T + 'a>;

/// The branches below one place.
pub(crate) struct Fork<'a, T> {
    tape: Rc<Tape>,
    prefix: String,
    live: BTreeMap<usize, Strand<'a, T>>,
}

impl<'a, T: 'a> Fork<'a, T> {
    /// Branches below the place `key`; nothing where no playbook runs.
    pub(crate) fn at(key: &StepKey) -> Option<Self> {
        let tape = with_fiber(|fiber| fiber.tape.clone())?;
        Some(Self { tape, prefix: format!("{key}."), live: BTreeMap::new() })
    }

    /// Begins a branch; gives what it ended with when it never waited.
    ///
    /// # Errors
    /// When there is no memory for its stack.
    pub(crate) fn begin(&mut self, number: usize, body: Body<'a, T>) -> std::io::Result<Option<T>> {
        let prefix = format!("{}{number}.", self.prefix);
        let mut strand = Strand::new(self.tape.clone(), prefix, body)?;
        let ended = strand.resume();
        if ended.is_none() {
            self.live.insert(number, strand);
        }
        Ok(ended)
    }

    /// Waits until a branch comes to its end; nothing when none is left.
    pub(crate) fn next(&mut self) -> Option<(usize, T)> {
        while !self.live.is_empty() {
            suspend();
            let Some(number) = self.tape.branch_to_go_on(&self.prefix) else { continue };
            let Some(strand) = self.live.get_mut(&number) else { continue };
            if let Some(value) = strand.resume() {
                self.live.remove(&number);
                return Some((number, value));
            }
        }
        None
    }
}
