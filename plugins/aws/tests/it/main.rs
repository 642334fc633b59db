//! The plugin against something that answers: moto, the sandbox, and servers that misbehave.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper fails the test that uses it"
)]

mod automation;
mod checksums;
mod command;
mod compliance;
mod content;
mod context;
mod database_token;
mod envelopes;
mod errors;
mod guardduty;
mod hostile;
mod kinds;
mod listener;
mod lookups;
mod lossy;
mod moto;
mod page;
mod reading;
mod repeat;
mod roles;
mod sandbox;
mod scene;
mod services;
mod skew;
mod sources;
mod sweep;
mod undo;
