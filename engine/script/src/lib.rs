//! The playbook language: Rhai, as a pure function from a journal to the next commands.
//!
//! Owns: the sandbox, the verbs, compiling and checking, and [`advance`], which runs a playbook
//! from its journal as far as it comes; [`Hot`] is the same run left standing where it waits.
//! [`SourceScript`] is a script over a payload, without verbs. The only home of `rhai` and of
//! coroutines.
//!
//! Must never: do IO, read a clock, or let anything of the outside in but through the journal.
//!
//! Start reading at [`advance`], then `host/step.rs`: everything that a playbook asks for passes
//! there.

mod codec;
mod error;
mod fit;
mod fork;
mod hot;
mod tape;
mod turn;

mod host;
mod sandbox;
mod sealed;
mod sort;

mod calls;
mod check;
mod closing;
mod interrupt;
mod plain;
mod program;
mod run;
mod source;

pub use check::{Checked, check};
pub use error::{Diagnostic, DiagnosticSeverity, PlaybookError};
pub use fit::{Misfit, fits};
pub use interrupt::Interrupt;
pub use program::{Program, bundle};
pub use run::{Hot, advance};
pub use source::{SourceFailure, SourceScript};
pub use tape::{Answer, Delivery, Stop};
pub use turn::{Divergence, Issued, Standing, Turn};
