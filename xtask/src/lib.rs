//! What a contributor and CI run: `cargo xtask ci | tidy | test | bench | aws-models`.
//!
//! Owns: the checks of the repository that no linter makes, the set-up that the tests need
//! (Python with moto, a throwaway Postgres, a browser), and the benchmark that is published.
//!
//! Must never: depend on a crate of the workspace, or leave anything behind on the machine, but for
//! the browser that root installs where there is none.
//!
//! Start reading at [`test`], which is what CI runs, or at [`tidy`].

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks to a terminal")]

pub mod test;

pub mod botocore;
pub mod browser;
pub mod cargo;
pub mod interrupt;
pub mod postgres;
pub mod python;
pub mod runner;

pub mod tidy;
pub mod workspace;

pub mod bench;
pub mod ci;
pub mod database;

pub mod aws_models;
