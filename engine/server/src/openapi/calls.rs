//! What there is to say about each call beside who may make it. Members are written as `members` of the
//! parent reads them. A call that is not here is in the document all the same, and says less.

mod alerts;
mod people;
mod runs;

/// Method, path, summary, query, body, and the status and content of the answer: `[X]` is a page of X,
/// and what holds a `/` is a media type.
#[derive(Clone, Copy)]
pub(super) struct Call(
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) &'static str,
);

/// The body of a wish.
const WHY: &str = "reason!";

/// What there is to say about a call.
pub(super) fn find(method: &str, path: &str) -> Option<Call> {
    let mut all = alerts::CALLS.iter().chain(people::CALLS).chain(runs::CALLS);
    all.find(|call| (call.0, call.1) == (method, path)).copied()
}
