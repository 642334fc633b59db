//! Every SQL statement, and the one writer that carries them out.
//!
//! Owns: the database, its migrations, and what a row of each table is. One SQL text serves SQLite
//! and Postgres; where the two differ, a statement has two texts side by side. The only home of
//! `sqlx`.
//!
//! Must never: decide. What may happen next is decided by `core` and `runtime`; a statement here
//! either does as it is told or says that the world has moved on.
//!
//! Start reading at [`Store`], then [`writer`]: everything that is written passes there.

mod dialect;
mod error;
mod hints;
mod one_core;
mod open;
mod passwords;
mod row;
mod sql;
mod store;
mod tx;
pub mod writer;

pub mod absences;
pub mod alerts;
pub mod approvals;
pub mod assignments;
pub mod audit;
pub mod bare;
pub mod broken_glass;
pub mod containments;
pub mod cooldowns;
pub mod custody;
pub mod dead_letters;
pub mod deliveries;
pub mod evidence;
pub mod examine;
pub mod gauges;
pub mod guarded;
pub mod handovers;
pub mod heard_sources;
pub mod holds;
pub mod inbox;
pub mod incidents;
pub mod item_deletions;
pub mod item_holds;
pub mod item_moves;
pub mod journal;
pub mod kpis;
pub mod ledger;
pub mod ledger_stamps;
pub mod milestones;
pub mod nodes;
pub mod noise;
pub mod ocsf_out;
pub mod pages;
pub mod parts;
pub mod payloads;
pub mod people;
pub mod playbooks;
pub mod reconciliations;
pub mod restored;
pub mod retention;
pub mod reviews;
pub mod run_items;
pub mod runs;
pub mod schedules;
pub mod settings;
pub mod snapshot;
pub mod storms;
pub mod suppressions;
pub mod tokens;
pub mod trail_audits;
pub mod updates;
pub mod used_links;
pub mod vouched;
pub mod write_backs;

#[cfg(test)]
mod plans;

pub use dialect::Dialect;
pub use error::{OpenError, StoreError};
pub use hints::Hints;
pub use open::{CommitHook, CommitPoint, Options, sqlite_url};
pub use passwords::{Passwords, Place};
pub use store::{BoxFuture, Store};
pub use tx::{Conn, Tx};
