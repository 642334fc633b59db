//! What a plugin imports.
//!
//! Owns: the seams between the engine and the world, [`Action`] (the engine acts) and [`Source`]
//! with [`Envelope`] (the world tells), [`Channel`] (people are told), the [`Catalogue`] that lists
//! what a binary has of them, and what every source needs: [`payload`] reads members and times, [`Draft`] becomes an alert.
//!
//! Must never: know the store, a run's script or another plugin. A plugin sees its
//! [`ActionContext`] and nothing else.
//!
//! Start reading at [`Action`].

mod action;
mod catalogue;
mod channel;
mod content;
mod draft;
mod envelope;
mod exchange;
mod line;
mod patience;
pub mod payload;
mod reading;
mod source;
mod verifier;

pub use action::{
    Action, ActionContext, ActionError, BoxFuture, CallRecord, Done, LookUp, Nature, Outcome,
    Urgency,
};
pub use catalogue::{Catalogue, Family};
pub use channel::{Ask, Channel, Message, OnDuty, Receipt, Recipient, Roster, Standing};
pub use content::Sink;
pub use draft::{Draft, id_of_content};
pub use envelope::{Around, Envelope, Part};
pub use exchange::{Exchange, Incoming, Outgoing};
pub use line::{Dial, Ear, Line, Take};
pub use patience::{Patience, Waiting};
pub use reading::{Reading, Refusal};
pub use source::{Source, SourceError};
pub use stanch_engine_core as core;
pub use verifier::{Denied, Fetch, Verified, Verifier};
