//! Faults on order.

use super::reply::{Dialect, Refusal};

/// A fault that is to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The operation that it happens to, such as `iam:UpdateAccessKey`, or `*` for any.
    pub operation: String,
    /// What happens.
    pub kind: FaultKind,
    /// How often.
    pub times: u32,
}

/// What can happen to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Too many calls.
    Throttle,
    /// It is not allowed.
    Denied,
    /// Something inside of AWS broke; nothing was done.
    ServerError,
    /// The connection is cut, and nothing was done.
    CutBefore,
    /// It is done, and the connection is cut before the answer.
    CutAfterApply,
    /// It is accepted, and does nothing.
    AcceptWithoutEffect,
}

impl FaultKind {
    /// What AWS says of it, in the words of each protocol's services.
    pub(super) fn refusal(self, dialect: Dialect) -> Refusal {
        let (status, code, message) = match (self, dialect) {
            (Self::Throttle, Dialect::Ec2) => (503, "RequestLimitExceeded", "Rate exceeded"),
            (Self::Throttle, Dialect::Query) => (400, "Throttling", "Rate exceeded"),
            (Self::Throttle, _) => (400, "ThrottlingException", "Rate exceeded"),
            (Self::Denied, Dialect::Ec2) => (403, "UnauthorizedOperation", NOT_ALLOWED),
            (Self::Denied, Dialect::Query) => (403, "AccessDenied", NOT_ALLOWED),
            (Self::Denied, _) => (400, "AccessDeniedException", NOT_ALLOWED),
            (_, Dialect::Ec2) => (500, "InternalError", BROKEN),
            (_, Dialect::Query) => (500, "InternalFailure", BROKEN),
            _ => (500, "InternalServerError", BROKEN),
        };
        Refusal::new(status, code, message)
    }
}

const NOT_ALLOWED: &str = "the caller is not authorized to perform this operation";
const BROKEN: &str = "an internal error has occurred";

/// Takes the next fault that is to happen to an operation, and counts it.
pub(super) fn take(faults: &mut Vec<Fault>, operation: &str) -> Option<FaultKind> {
    let fits = |fault: &Fault| fault.operation == operation || fault.operation == "*";
    let at = faults.iter().position(|fault| fits(fault) && fault.times > 0)?;
    let fault = faults.get_mut(at)?;
    fault.times -= 1;
    let kind = fault.kind;
    faults.retain(|fault| fault.times > 0);
    Some(kind)
}
