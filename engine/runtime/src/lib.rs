//! The loops of a node.
//!
//! Owns: what happens when. Alerts come in, runs are claimed, scripts advance, actions are called,
//! people are asked and paged, evidence is kept. The only home of zip and of signing.
//!
//! Must never: spell SQL, speak HTTP, or know a concrete plugin.
//!
//! Start reading at [`Runtime`], then follow one run: `dispatcher` claims it, `shard` gives it a
//! thread, `live` is the run itself, `executor` does what it asks for.

mod deaths;
mod dispatcher;
mod ears;
mod executor;
mod first_act;
mod heartbeat;
mod job;
mod live;
mod notify;
mod ocsf_out;
mod own_call;
mod pager;
mod peers;
mod projection;
mod queues;
mod rails;
mod recent;
mod retention;
mod room;
mod rounds;
mod runtime;
mod scheduler;
mod seal;
mod shard;
mod shared;
mod silence;
mod steps;
mod trail_audit;
mod unreadable;
mod write_back;

pub mod absences;
pub mod approvals;
pub mod audit;
pub mod backup;
pub mod collecting;
pub mod containments;
pub mod correlators;
pub mod elsewhere;
pub mod everybody;
pub mod evidence;
pub mod health;
pub mod incident_work;
pub mod intake;
pub mod kpis;
pub mod leaving;
pub mod links;
pub mod metrics;
pub mod migration;
pub mod noise;
pub mod offline;
pub mod oidc;
pub mod parts;
pub mod people;
pub mod playbooks;
pub mod reconciler;
pub mod regroup;
pub mod report;
pub mod reruns;
pub mod reviews;
pub mod runs;
pub mod schedules;
pub mod scopes;
pub mod scripted;
pub mod secret_file;
pub mod sessions;
pub mod settings;
pub mod slack;
pub mod suppressions;
pub mod system;
pub mod timeline;
pub mod trace;
pub mod updates;

pub use runtime::{Runtime, StartError};
pub use seal::SealKeyError;
