//! What AWS's findings are wrapped in on their way here. A list and a text that is JSON need none
//! of these.

mod findings;
mod logs;
mod partner;
mod queue;
mod records;
mod topic;

pub(crate) use findings::Findings;
pub(crate) use logs::Logs;
pub(crate) use partner::Partner;
pub(crate) use queue::Queue;
pub(crate) use records::Records;
pub(crate) use topic::Topic;
pub(super) use topic::{around, is_message};
