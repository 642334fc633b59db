//! The time as AWS has it, for signatures: a machine whose clock is wrong by more than a few minutes is
//! refused, and told the right time with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::{SystemTimeSource, TimeSource};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::fault::Fault;

/// What AWS lets a signature be off is a quarter of an hour for most services and five minutes for
/// some: below four minutes it is not the clock that is refused.
const SKEW_MS: i64 = 4 * 60 * 1_000;

/// Codes that may be about the time of a signature
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>).
const ABOUT_TIME: [&str; 7] = [
    "AuthFailure",
    "InvalidSignatureException",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "SignatureExpired",
];

/// The time as AWS has it, as far as it has said so.
#[derive(Clone, Debug, Default)]
pub(super) struct AwsClock {
    /// AWS's clock minus this machine's.
    offset_ms: Arc<AtomicI64>,
}

impl TimeSource for AwsClock {
    fn now(&self) -> SystemTime {
        let offset_ms = self.offset_ms.load(Ordering::Relaxed);
        let offset = Duration::from_millis(offset_ms.unsigned_abs());
        let now = SystemTimeSource::new().now();
        let moved = match offset_ms {
            0.. => now.checked_add(offset),
            _ => now.checked_sub(offset),
        };
        moved.unwrap_or(now)
    }
}

impl AwsClock {
    /// Whether an error says that the clock is wrong, by how much, and this was not known. AWS did
    /// nothing then.
    pub(super) fn learns_of(&self, error: &SdkError<Fault, HttpResponse>) -> bool {
        let SdkError::ServiceError(said) = error else { return false };
        let code = said.err().code.as_deref().unwrap_or_default();
        let date = said.raw().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        let date = date.and_then(|date| date.to_millis().ok());
        let Some(date_ms) = date.filter(|_| ABOUT_TIME.contains(&code)) else { return false };
        let of = |time: SystemTime| {
            let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        };
        if (date_ms - of(self.now())).abs() < SKEW_MS {
            return false;
        }
        self.offset_ms.store(date_ms - of(SystemTimeSource::new().now()), Ordering::Relaxed);
        true
    }
}
