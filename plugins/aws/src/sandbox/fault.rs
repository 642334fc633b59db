//! Faults on order.

use serde::Deserialize;

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

/// What can happen to a call. In a file or over HTTP a kind is written with underscores:
/// `cut_after_apply`, `{"late": {"after_ms": 500}}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Too many calls.
    Throttle,
    /// It is not allowed.
    Denied,
    /// The credentials have run out.
    Expired,
    /// Something inside of AWS broke; nothing was done.
    ServerError,
    /// The same, told by a page of HTML.
    Html,
    /// The connection is cut, and nothing was done.
    CutBefore,
    /// It is done, and the connection is cut before the answer.
    CutAfterApply,
    /// It is done, and the connection is cut in the middle of the answer.
    CutMidway,
    /// It is done, and what is answered is that something inside of AWS broke.
    ServerErrorAfterApply,
    /// It is accepted, and does nothing.
    AcceptWithoutEffect,
    /// It is done, and the answer takes its time.
    Late {
        /// For how long, in milliseconds.
        after_ms: u64,
    },
}

impl FaultKind {
    /// Whether the call takes place all the same.
    pub(super) fn applies(self) -> bool {
        matches!(
            self,
            Self::CutAfterApply
                | Self::CutMidway
                | Self::ServerErrorAfterApply
                | Self::AcceptWithoutEffect
                | Self::Late { .. }
        )
    }

    /// What AWS says of it, in the words of each protocol's services.
    pub(super) fn refusal(self, dialect: Dialect) -> Refusal {
        use Dialect::{Ec2, Query, RestXml};
        let (status, code, message) = match (self, dialect) {
            (Self::Html, _) => return Refusal::html(503),
            (Self::Throttle, Ec2) => (503, "RequestLimitExceeded", "Rate exceeded"),
            (Self::Throttle, Query) => (400, "Throttling", "Rate exceeded"),
            (Self::Throttle, RestXml) => (503, "SlowDown", "Please reduce your request rate."),
            (Self::Throttle, _) => (400, "ThrottlingException", "Rate exceeded"),
            (Self::Denied, Ec2) => (403, "UnauthorizedOperation", NOT_ALLOWED),
            (Self::Denied, Query | RestXml) => (403, "AccessDenied", NOT_ALLOWED),
            (Self::Denied, _) => (400, "AccessDeniedException", NOT_ALLOWED),
            (Self::Expired, Ec2) => (400, "RequestExpired", EXPIRED),
            (Self::Expired, Query) => (403, "ExpiredToken", EXPIRED),
            (Self::Expired, RestXml) => (400, "ExpiredToken", EXPIRED),
            (Self::Expired, _) => (400, "ExpiredTokenException", EXPIRED),
            (_, Ec2 | RestXml) => (500, "InternalError", BROKEN),
            (_, Query) => (500, "InternalFailure", BROKEN),
            _ => (500, "InternalServerError", BROKEN),
        };
        Refusal::new(status, code, message)
    }
}

const NOT_ALLOWED: &str = "the caller is not authorized to perform this operation";
const EXPIRED: &str = "the security token included in the request is expired";
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
