//! What a plugin imports.
//!
//! Owns: the two seams between the engine and the world, [`Action`] (the engine acts) and
//! [`Source`] (the world tells), and the [`Catalogue`] that lists what a binary has of both.
//!
//! Must never: know the store, a run's script or another plugin. A plugin sees its
//! [`ActionContext`] and nothing else.
//!
//! Start reading at [`Action`].

mod action;
mod catalogue;
mod source;

pub use action::{
    Action, ActionContext, ActionError, BoxFuture, CallRecord, Done, LookUp, Nature, Outcome,
    Urgency,
};
pub use catalogue::Catalogue;
pub use source::{Source, SourceError};
pub use stanch_engine_core as core;
