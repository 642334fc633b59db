//! The contract of the store: one body for each law, run on SQLite and on Postgres.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

mod approvals;
mod beside;
mod both;
mod chains;
mod differential;
mod inboxes;
mod leases;
#[cfg(target_os = "linux")]
mod one_core;
mod opening;
mod oracle;
mod passwords;
mod people;
mod renewals;
mod restored;
mod schedules;
mod turns;
mod writing;
