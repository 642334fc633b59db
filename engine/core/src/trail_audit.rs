//! CloudTrail against the journal of a run: each change that the run says it made is in AWS's own log, and
//! each change that AWS logged under the run's session is one that the run asked for.
//!
//! A session of a run bears the incident and the run in its name. AWS's id of the request ties a call
//! to its event; where the journal has none, because the answer was lost or a look came after it,
//! the operation and the time do.

mod claims;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use claims::claims;

use crate::id::{IncidentId, RunId};
use crate::span::Span;
use crate::step::StepKey;
use crate::time::Timestamp;

/// By how much the clocks of AWS and of a node may differ, in milliseconds.
const CLOCKS_MS: i64 = 5 * 60_000;

/// When and how often it is looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrailAudit {
    /// How long after the end of a run: CloudTrail lists an event within about 15 minutes.
    pub delay: Span,
    /// How often, `delay` apart, before what is not listed counts as missing.
    pub looks: u32,
}

/// The name of the session that a run acts under.
pub fn session(incident: IncidentId, run: RunId) -> String {
    format!("{incident}.{run}")
}

/// A call that the journal says was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The step.
    pub step: StepKey,
    /// The operation, such as `iam:UpdateAccessKey`.
    pub operation: String,
    /// The account that it was sent to.
    pub account: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// AWS's id of the request, where the journal has the change's own.
    pub request_id: Option<String>,
    /// When it was first about to be sent.
    pub from: Timestamp,
    /// When it was known what came of it.
    pub to: Timestamp,
    /// Whether it is more than a look.
    pub is_change: bool,
    /// Whether it is a change that surely took place, so that AWS must have logged it.
    pub is_certain: bool,
}

/// A change that CloudTrail lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// CloudTrail's id of the event.
    pub event_id: String,
    /// The operation without its service.
    pub name: String,
    /// The service, such as `iam.amazonaws.com`.
    pub source: String,
    /// When.
    pub at: Option<Timestamp>,
    /// The account.
    pub account: String,
    /// The region that lists it.
    pub region: String,
    /// AWS's id of the request.
    pub request_id: Option<String>,
    /// AWS's no, if it was one.
    pub error: Option<String>,
    /// From where.
    pub address: Option<String>,
    /// The service that called in the session's name, if one did.
    pub invoked_by: Option<String>,
}

/// What differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// How many of the calls are in the log.
    pub agreed: usize,
    /// Calls that surely took place and are not in the log.
    pub missing: Vec<Claim>,
    /// Changes in the log that the run has not asked for.
    pub unclaimed: Vec<Listed>,
    /// Calls of which nobody knows whether they took place, and that are not in the log.
    pub uncertain: Vec<Claim>,
    /// Changes that a service made in the session's name, for a call that the run asked for.
    pub on_behalf: Vec<Listed>,
    /// Operations that were called and that the event history of CloudTrail does not list.
    pub unlisted: BTreeSet<String>,
    /// Operations that were called without a session of the run: their events bear another name.
    pub without_session: BTreeSet<String>,
}

impl Difference {
    /// Whether log and journal say the same, as far as they can be compared.
    pub fn is_none(&self) -> bool {
        self.missing.is_empty() && self.unclaimed.is_empty()
    }

    /// It in a line.
    pub fn summary(&self) -> String {
        let mut parts = vec![format!("{} of our changes are in the log", self.agreed)];
        let names = |operations: &BTreeSet<String>| {
            operations.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
        };
        if !self.missing.is_empty() {
            let missing = self.missing.iter().map(|claim| claim.operation.clone()).collect();
            parts.push(format!("{} are MISSING ({})", self.missing.len(), names(&missing)));
        }
        if !self.unclaimed.is_empty() {
            let of = |listed: &Listed| format!("{} of {}", listed.name, listed.source);
            let unclaimed = self.unclaimed.iter().map(of).collect();
            let count = self.unclaimed.len();
            parts.push(format!("{count} in the log are NOT OURS ({})", names(&unclaimed)));
        }
        for (count, says) in [
            (self.uncertain.len(), "are in doubt and not in the log"),
            (self.on_behalf.len(), "were made by AWS on their behalf"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {says}"));
            }
        }
        for (operations, says) in [
            (&self.unlisted, "CloudTrail's event history does not list"),
            (&self.without_session, "no session of the run called"),
        ] {
            if !operations.is_empty() {
                parts.push(format!("{says} {}", names(operations)));
            }
        }
        parts.join("; ")
    }
}

/// What `cloudtrail:LookupEvents` answered of one event, if it is a change made under the session.
pub fn listed(event: &Value, session: &str) -> Option<Listed> {
    let whole: Value = serde_json::from_str(event.get("CloudTrailEvent")?.as_str()?).ok()?;
    let text = |path: &str| whole.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let is_read = event.get("ReadOnly").and_then(Value::as_str) == Some("true")
        || whole.get("readOnly") == Some(&Value::Bool(true));
    let is_ours =
        text("/userIdentity/arn").is_some_and(|arn| arn.ends_with(&format!("/{session}")));
    if is_read || !is_ours {
        return None;
    }
    Some(Listed {
        event_id: text("/eventID")?,
        name: text("/eventName")?,
        source: text("/eventSource").unwrap_or_default(),
        at: text("/eventTime").and_then(|at| at.parse().ok()),
        account: text("/recipientAccountId")
            .or_else(|| text("/userIdentity/accountId"))
            .unwrap_or_default(),
        region: text("/awsRegion").unwrap_or_default(),
        request_id: text("/requestID"),
        error: text("/errorCode"),
        address: text("/sourceIPAddress"),
        invoked_by: text("/userIdentity/invokedBy"),
    })
}

/// Compares what was claimed with what is listed.
pub fn compare(claims: Vec<Claim>, listed: Vec<Listed>, mut difference: Difference) -> Difference {
    let mut rest: Vec<Listed> = Vec::new();
    let mut seen = BTreeSet::new();
    rest.extend(listed.into_iter().filter(|one| seen.insert(one.event_id.clone())));
    let services: BTreeSet<String> = claims.iter().map(|claim| service(&claim.operation)).collect();
    let (exact, mut by_name): (Vec<_>, Vec<_>) =
        claims.into_iter().partition(|claim| claim.request_id.is_some());
    for claim in exact {
        // AWS said no to an attempt, such as for its rate, and yes to the one that the journal has.
        rest.retain(|one| {
            let is_attempt = one.error.is_some() && one.request_id != claim.request_id;
            !(is_attempt && fits(&claim, one))
        });
        let found = rest.iter().position(|one| one.request_id == claim.request_id);
        settle(claim, found, &mut rest, &mut difference);
    }
    // What may be a look takes what no change has taken.
    by_name.sort_by_key(|claim| !claim.is_change);
    for claim in by_name {
        // It may have been sent several times.
        let fits: Vec<usize> = (0..rest.len())
            .rev()
            .filter(|at| rest.get(*at).is_some_and(|one| fits(&claim, one)))
            .collect();
        let (found, others) = match fits.split_last() {
            Some((first, others)) => (Some(*first), others),
            None => (None, &[][..]),
        };
        for at in others {
            rest.remove(*at);
        }
        settle(claim, found, &mut rest, &mut difference);
    }
    for one in rest {
        let by_service = one.invoked_by.as_ref().is_some_and(|by| {
            let by = by.split('.').next().unwrap_or_default();
            services.contains(by)
        });
        match by_service {
            true => difference.on_behalf.push(one),
            false => difference.unclaimed.push(one),
        }
    }
    difference
}

fn settle(claim: Claim, found: Option<usize>, rest: &mut Vec<Listed>, difference: &mut Difference) {
    match found {
        Some(at) => {
            rest.remove(at);
            difference.agreed += usize::from(claim.is_change);
        }
        None if !claim.is_change => {}
        None if !is_listed(&claim.operation) => {
            difference.unlisted.insert(claim.operation);
        }
        None if claim.is_certain => difference.missing.push(claim),
        None => difference.uncertain.push(claim),
    }
}

fn service(operation: &str) -> String {
    operation.split(':').next().unwrap_or_default().to_owned()
}

/// Whether an event may be that of a call whose request id is not known.
fn fits(claim: &Claim, listed: &Listed) -> bool {
    let name = claim.operation.split_once(':').map_or(&*claim.operation, |(_, name)| name);
    // CloudTrail writes some names with the date of their API behind them.
    let rest = listed.name.strip_prefix(name);
    let is_name =
        rest.is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == 'v' || c == '_'));
    let is_when = listed
        .at
        .is_none_or(|at| at >= claim.from.plus_ms(-CLOCKS_MS) && at <= claim.to.plus_ms(CLOCKS_MS));
    is_name && is_when && claim.account.as_ref().is_none_or(|account| *account == listed.account)
}

/// Changes that the event history of CloudTrail does not list: they are events of data, which only a
/// trail writes that was told to
/// (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html>).
const OF_DATA: &[&str] = &[
    "cloudwatch:PutMetricData",
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteItem",
    "dynamodb:PutItem",
    "dynamodb:TransactWriteItems",
    "dynamodb:UpdateItem",
    "events:PutEvents",
    "firehose:PutRecord",
    "kinesis:PutRecord",
    "lambda:Invoke",
    "logs:PutLogEvents",
    "s3:CompleteMultipartUpload",
    "s3:CopyObject",
    "s3:CreateMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectTagging",
    "s3:DeleteObjects",
    "s3:PutObject",
    "s3:PutObjectAcl",
    "s3:PutObjectLegalHold",
    "s3:PutObjectRetention",
    "s3:PutObjectTagging",
    "s3:RestoreObject",
    "s3:UploadPart",
    "sns:Publish",
    "sns:PublishBatch",
    "sqs:DeleteMessage",
    "sqs:ReceiveMessage",
    "sqs:SendMessage",
];

/// Whether the event history of CloudTrail lists an operation.
pub fn is_listed(operation: &str) -> bool {
    !OF_DATA.contains(&operation)
}

/// The region that lists what belongs to no region, such as IAM, beside a region of the same
/// partition.
pub fn home_region(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "cn-north-1",
        region if region.starts_with("us-gov-") => "us-gov-west-1",
        _ => "us-east-1",
    }
}

#[cfg(test)]
mod tests;
