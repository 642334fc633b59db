//! Playbooks run as their authors will meet them: one file for each law of the language.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

mod aws;
mod check;
mod divergence;
mod each;
mod ending;
mod golden;
mod imports;
mod limits;
mod parallel;
mod plans;
mod play;
mod sequential;
mod suspension;
