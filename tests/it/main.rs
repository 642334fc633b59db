//! The engine as a whole: everything that is shipped, wired as the binary wires it, against real
//! databases and an AWS that is called over HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops where it fails"
)]

mod caller;
mod catalogue;
mod clock;
mod deaf;
mod stage;

mod access;
mod approval_rules;
mod audit;
mod background;
mod baseline;
mod browser;
mod bundle;
mod channels;
mod collect;
mod command;
mod configured_people;
mod console;
mod contain;
mod containments;
mod correlators;
mod crash;
mod cut_off;
mod decisions;
mod digests;
mod documents;
mod doubts;
mod drill;
mod echoes;
mod effectiveness;
mod endings;
mod enrich;
mod entrusted;
mod feedback;
mod first_act;
mod guard;
mod guard_limits;
mod heartbeat;
mod incident_work;
mod intake;
mod intel;
mod kpis;
mod large;
mod leases;
mod leaving;
mod links;
mod metrics;
mod moto;
mod no_way_around;
mod noise;
mod notification;
mod ocsf_out;
mod offline;
mod oidc;
mod openapi;
mod options;
mod organization;
mod origins;
mod over;
mod own;
mod packed;
mod parked;
mod parts;
mod pressure;
mod protect;
mod publishing;
mod reconcile;
mod replay;
mod report;
mod retention;
mod reviews;
mod run_events;
mod runs;
mod schedules;
mod scopes;
mod sealed;
mod senders;
mod ses;
mod signals;
mod slack;
mod socket_mode;
mod traces;
mod trail_audit;
mod unapproved;
mod undo;
mod updates;
mod vouched;
mod whole;
mod write_back;
