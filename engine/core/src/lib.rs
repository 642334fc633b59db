//! The nouns of Stanch and the laws that hold between them.
//!
//! Owns: what an alert, an incident, a run, a step, an approval, a piece of evidence *is*, which
//! changes of status are legal, and every decision that can be made without looking outside.
//!
//! Must never: do IO, read a clock, draw randomness, or contain `async`. Time, ids and randomness
//! are parameters.
//!
//! Start reading at [`alert`], follow one alert through [`correlation`] and [`trigger`] to a
//! [`run`], whose [`journal`] is the only memory that a playbook has.

pub mod dense;
pub mod digest;
pub mod error_code;
pub mod foreign_time;
pub mod id;
pub mod json;
pub mod limits;
pub mod metric;
pub mod span;
pub mod time;
pub mod world;

pub mod alert;
pub mod alert_filter;
pub mod drill;
pub mod raise;
pub mod severity;

pub mod cooldown;
pub mod correlation;
pub mod duty;
pub mod echo;
pub mod incident;
pub mod noise;
pub mod notify;
pub mod reconcile;
pub mod review;
pub mod silence;
pub mod storm;
pub mod suppression;
pub mod update;
pub mod write_back;

pub mod header;
pub mod playbook;
pub mod schedule;
pub mod signature;
pub mod suggest;
pub mod trigger;

pub mod command;
pub mod each;
pub mod generation;
pub mod journal;
pub mod open_step;
pub mod retry;
pub mod run;
pub mod run_state;
pub mod scope;
pub mod sealed;
pub mod step;
pub mod stored;
pub mod summary;
pub mod trail_audit;
pub mod turn;

pub mod approval;
pub mod containment;
pub mod effect;
pub mod guard;
pub mod operation;
pub mod plan;
pub mod probe;

pub mod audit;
pub mod chain;
pub mod custody;
pub mod kpi;
pub mod ledger;
pub mod ocsf;
pub mod origin;
pub mod report;
