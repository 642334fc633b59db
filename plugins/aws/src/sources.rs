//! What AWS's services send, made into alerts: one file for each sender.
//!
//! Must never: guess. What a payload does not say is null, and a payload without what an alert
//! can't be without is refused, so that it becomes a dead letter.

mod event;
mod field;
mod guardduty;

pub(crate) use guardduty::GuardDuty;
