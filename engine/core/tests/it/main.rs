//! From outside: KPIs by hand, and against a computation that shares nothing with them; approvals
//! against a small oracle.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

mod approvals;
mod golden;
mod oracle;
