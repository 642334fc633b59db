//! Why a call failed, and what the engine may do about it.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use stanch_plugins_sdk::ActionError;
use stanch_plugins_sdk::core::effect::Effect;
use stanch_plugins_sdk::core::step::ErrorKind;

use super::body::{ANSWER_BYTES, CutOff, find, is_too_large};
use super::checksum::Mismatch;
use super::fault::{Fault, request_id};
use super::whole::Wrong;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There is nothing to sign with.
    NoCredentials(String),
    /// No request could be made of it.
    Unsendable(String),
    /// Nothing reached AWS.
    NotSent(String),
    /// It may have reached AWS, and no answer came.
    Silent(String),
    /// AWS did it, and its answer is larger than what is read.
    TooLarge {
        /// AWS's id of the request.
        request_id: Option<String>,
    },
    /// AWS did it, and its answer can't be read.
    Unreadable {
        /// What is wrong with it.
        why: String,
        /// AWS's id of the request.
        request_id: Option<String>,
    },
    /// AWS did it, and its answer was damaged.
    Damaged {
        /// What is wrong with it.
        why: String,
        /// AWS's id of the request.
        request_id: Option<String>,
    },
    /// AWS says no.
    Fault(Fault),
}

/// Codes that ask to come more slowly. The list is the one of AWS's own clients
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>), without
/// `LimitExceededException`, which many services say of a quota that does not pass by waiting.
const THROTTLING: [&str; 15] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "ThrottlingExceptionV2",
    "TooManyRequests",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// Codes by which a service says that it did nothing and may do it later.
const UNAVAILABLE: [&str; 3] =
    ["InsufficientInstanceCapacity", "RequestTimeout", "RequestTimeoutException"];

/// Codes by which a service says that it failed inside, which it may say with a status that is no
/// error (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>).
/// That a service is not available, it may say after it has begun.
const FAILED_INSIDE: [&str; 8] = [
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServiceError",
    "ServiceFailure",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Unavailable",
];

/// Codes about who calls, beside every code that begins with `AccessDenied`
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html> and the same page of
/// other services).
const DENIED: [&str; 23] = [
    "AuthFailure",
    "AuthorizationError",
    "AuthorizationErrorException",
    "Blocked",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "PendingVerification",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
    "SubscriptionRequiredException",
];

/// Codes that come with the status of a denial and say that the account does not use the service
/// (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_DescribeHub.html>).
const NOT_IN_USE: [&str; 1] = ["InvalidAccessException"];

impl Failure {
    /// Reads what an orchestrator of AWS's crates says.
    pub(crate) fn of<E: Error + 'static>(error: SdkError<E, HttpResponse>) -> Self {
        let too_large = is_too_large(&error);
        let damaged = find::<Mismatch>(&error).map(Mismatch::to_string).or_else(|| {
            match find::<Wrong>(&error)? {
                Wrong::NotWhole(why) => Some((*why).to_owned()),
                Wrong::NoXml(_) => None,
            }
        });
        let cut_off = find::<CutOff>(&error).is_some();
        match error {
            SdkError::ConstructionFailure(_) => Self::Unsendable(chain(&error)),
            SdkError::TimeoutError(_) => Self::Silent("no answer came in time".to_owned()),
            SdkError::DispatchFailure(_) if too_large => Self::TooLarge { request_id: None },
            SdkError::DispatchFailure(_) if never_connected(&error) => Self::NotSent(chain(&error)),
            SdkError::DispatchFailure(_) => Self::Silent(chain(&error)),
            SdkError::ResponseError(broken) => {
                let request_id = request_id(broken.raw());
                let done = broken.raw().status().is_success();
                let why = chain(&SdkError::<E, _>::ResponseError(broken));
                match damaged {
                    _ if too_large => Self::TooLarge { request_id },
                    _ if cut_off => Self::Silent(why),
                    Some(why) => Self::Damaged { why, request_id },
                    None if done => Self::Unreadable { why, request_id },
                    None => Self::Silent(why),
                }
            }
            SdkError::ServiceError(said) => Self::Fault(Fault::read(said.raw())),
            other => Self::Silent(chain(&other)),
        }
    }

    /// What the engine may do about it, for a call of that effect.
    pub(crate) fn kind(&self, effect: Effect) -> ErrorKind {
        let unknown = if effect.is_guarded() { ErrorKind::InDoubt } else { ErrorKind::Transient };
        match self {
            Self::NoCredentials(_) => ErrorKind::Denied,
            Self::Unsendable(_) => ErrorKind::Permanent,
            Self::NotSent(_) => ErrorKind::Transient,
            Self::Silent(_) | Self::Damaged { .. } => unknown,
            // A read that is repeated answers the same again. A change took place, and what it
            // answered is lost: that is for a person or a look-up, not a failure.
            Self::TooLarge { .. } | Self::Unreadable { .. } if effect.is_guarded() => unknown,
            Self::TooLarge { .. } | Self::Unreadable { .. } => ErrorKind::Permanent,
            Self::Fault(fault) => kind_of_fault(fault, unknown),
        }
    }

    /// The short name of the cause.
    pub(crate) fn code(&self) -> String {
        match self {
            Self::NoCredentials(_) => "no_credentials".to_owned(),
            Self::Unsendable(_) => "request_not_built".to_owned(),
            Self::NotSent(_) => "not_connected".to_owned(),
            Self::Silent(_) => "no_answer".to_owned(),
            Self::TooLarge { .. } => "response_too_large".to_owned(),
            Self::Unreadable { .. } => "response_unreadable".to_owned(),
            Self::Damaged { .. } => "response_damaged".to_owned(),
            Self::Fault(fault) => {
                fault.code.clone().unwrap_or_else(|| format!("http_{}", fault.status))
            }
        }
    }

    pub(crate) fn message(&self) -> String {
        match self {
            Self::NoCredentials(why) | Self::Unsendable(why) => why.clone(),
            Self::NotSent(why) => format!("nothing was sent: {why}"),
            Self::Silent(why) => format!("it may have been sent, and no answer came: {why}"),
            Self::TooLarge { .. } => {
                format!(
                    "the answer is larger than {ANSWER_BYTES} bytes: ask for less at a time (a \
                     filter, smaller pages, a `Range` of an object)"
                )
            }
            Self::Unreadable { why, .. } => format!("the answer can't be read: {why}"),
            Self::Damaged { why, .. } => format!("the answer was not taken: {why}"),
            Self::Fault(fault) if fault.message.is_empty() => {
                format!("AWS answered {} and said no more", fault.status)
            }
            Self::Fault(fault) => fault.message.clone(),
        }
    }

    fn request_id(&self) -> Option<String> {
        match self {
            Self::TooLarge { request_id }
            | Self::Unreadable { request_id, .. }
            | Self::Damaged { request_id, .. } => request_id.clone(),
            Self::Fault(fault) => fault.request_id.clone(),
            _ => None,
        }
    }

    /// The error of a step that called for that effect.
    pub(crate) fn into_error(self, effect: Effect) -> ActionError {
        let mut error = ActionError::new(self.kind(effect), self.code(), self.message());
        error.call.request_id = self.request_id();
        if let Self::Fault(fault) = self {
            error.call.status = Some(fault.status);
            error.call.details = fault.details;
        }
        error
    }
}

fn kind_of_fault(fault: &Fault, unknown: ErrorKind) -> ErrorKind {
    let code = fault.code.as_deref().unwrap_or_default();
    if THROTTLING.contains(&code) || fault.status == 429 {
        ErrorKind::Throttle
    } else if UNAVAILABLE.contains(&code) {
        ErrorKind::Transient
    } else if fault.status >= 500 || FAILED_INSIDE.contains(&code) {
        unknown
    } else if DENIED.contains(&code)
        || code.starts_with("AccessDenied")
        || matches!(fault.status, 401 | 403) && !NOT_IN_USE.contains(&code)
    {
        ErrorKind::Denied
    } else {
        ErrorKind::Permanent
    }
}

/// Whether it failed while a connection was made, a host was looked up or a handshake was held.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    find::<hyper_util::client::legacy::Error>(error).is_some_and(|error| error.is_connect())
}

/// The causes of an error, in one line. No part of AWS's crates puts a credential there, but one
/// may show a request, with all that it holds.
fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (**error).source());
    let mut words: Vec<String> = causes.map(ToString::to_string).collect();
    words.dedup();
    let words = words.join(": ");
    let shown = words.split("Request {").next().unwrap_or_default();
    shown.chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, code: Option<&str>, effect: Effect) -> ErrorKind {
        let fault = Fault {
            status,
            code: code.map(str::to_owned),
            message: String::new(),
            request_id: None,
            details: None,
        };
        Failure::Fault(fault).kind(effect)
    }

    #[test]
    fn a_no_of_aws_is_told_apart_by_its_code_and_then_by_its_status() {
        for (status, code, expected) in [
            (400, Some("ThrottlingException"), ErrorKind::Throttle),
            (503, Some("SlowDown"), ErrorKind::Throttle),
            (429, None, ErrorKind::Throttle),
            (503, Some("InsufficientInstanceCapacity"), ErrorKind::Transient),
            (403, Some("AccessDenied"), ErrorKind::Denied),
            (400, Some("AccessDeniedException"), ErrorKind::Denied),
            (403, Some("UnauthorizedOperation"), ErrorKind::Denied),
            (400, Some("ExpiredTokenException"), ErrorKind::Denied),
            (403, None, ErrorKind::Denied),
            (401, Some("InvalidAccessException"), ErrorKind::Permanent),
            (404, Some("NoSuchEntity"), ErrorKind::Permanent),
            (409, Some("LimitExceeded"), ErrorKind::Permanent),
            (400, Some("MalformedPolicyDocument"), ErrorKind::Permanent),
            (404, None, ErrorKind::Permanent),
        ] {
            for effect in [Effect::Read, Effect::Change] {
                assert_eq!(kind(status, code, effect), expected, "{status} {code:?}");
            }
        }
    }

    #[test]
    fn a_change_that_failed_inside_of_aws_is_in_doubt() {
        for (status, code) in [
            (500, Some("InternalFailure")),
            (500, None),
            (502, None),
            (200, Some("InternalError")),
            (503, Some("ServiceUnavailable")),
            (400, Some("ServiceUnavailableException")),
        ] {
            assert_eq!(kind(status, code, Effect::Read), ErrorKind::Transient);
            assert_eq!(kind(status, code, Effect::Notify), ErrorKind::Transient);
            assert_eq!(kind(status, code, Effect::Change), ErrorKind::InDoubt);
            assert_eq!(kind(status, code, Effect::Destroy), ErrorKind::InDoubt);
        }
    }

    #[test]
    fn an_answer_that_is_lost_is_no_failure_of_a_change() {
        let lost = Failure::TooLarge { request_id: None };
        assert_eq!(lost.kind(Effect::Read), ErrorKind::Permanent);
        assert_eq!(lost.kind(Effect::Change), ErrorKind::InDoubt);
    }
}
