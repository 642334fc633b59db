//! The program as its user meets it: started, asked, filled to the brim, killed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

mod server;

mod afterwards;
mod backup;
mod bad_network;
mod bench;
mod break_glass;
mod browser;
mod bucket_evidence;
mod calls;
mod chaos;
mod check;
mod commands;
mod console_login;
mod correlators;
mod credentials;
mod demo;
mod deploy;
mod doctor;
mod drill;
mod faults;
mod large_evidence;
mod login;
mod models;
mod moving;
mod nodes;
mod others;
mod payloads;
mod playbook_docs;
mod queue;
mod readme;
mod refresh;
mod rolling;
mod sandbox;
mod scripts;
mod sealed;
mod secrets;
mod serve;
mod simulate;
mod storm;
mod turns;
