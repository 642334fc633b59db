//! KPIs from outside: by hand, and against a computation that shares nothing with them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

mod golden;
mod oracle;
