//! The harness of the tests: what stands around a Stanch that is tested.
//!
//! Owns: databases, a moto that plays AWS, a browser, processes that are started and killed.
//!
//! Must never: depend on a crate of the workspace, sleep, or skip a test. What is missing is a
//! panic that says to run `cargo xtask test`, which sets everything up.
//!
//! Start reading at [`postgres::Database`] or [`process::Process`].

#![expect(clippy::expect_used, clippy::panic, reason = "a harness fails the test that uses it")]

pub mod botocore;
pub mod browser;
pub mod chance;
pub mod moto;
pub mod own_postgres;
pub mod ports;
pub mod postgres;
pub mod process;

mod environment;
mod waiting;

pub use environment::{python, variable, variable_if_set};
pub use waiting::eventually;
