//! CloudTrail: records of calls and of sign-ins, bare, in files or in EventBridge's events, and
//! Insights
//! (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference.html>).
//!
//! A record has no severity: it says what was done, not that it was wrong. It is informational,
//! and a trigger on its type makes it matter.

mod columns;
mod insight;

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Actor, Alert, Resource};
use stanch_plugins_sdk::payload::{at, items, member, text, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError, id_of_content};

use super::event::{Event, account};
use super::{kind, named};
use stanch_plugins_sdk::payload::arn::{self, Arn};

const NAME: &str = "cloudtrail";

/// CloudTrail.
pub(crate) struct CloudTrail;

impl Source for CloudTrail {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        let record = Event::of(payload).detail;
        if columns::is_one(record) {
            let record = columns::restored(record);
            return insight::is_insight(&record) || is_record(&record);
        }
        insight::is_insight(record) || is_record(record)
    }

    fn read(&self, payload: &Value, around: &Around) -> Vec<Result<Alert, SourceError>> {
        let event = Event::of(payload);
        let restored = columns::is_one(event.detail).then(|| columns::restored(event.detail));
        let event = restored.as_ref().map_or(event, |record| event.saying(record));
        vec![if insight::is_insight(event.detail) {
            insight::read(&event, around)
        } else {
            read(&event, around)
        }]
    }
}

/// S3's notifications have members of the same names; their source is `aws:s3`. Tools that send records
/// on leave members out.
fn is_record(record: &Value) -> bool {
    let source = record.get("eventSource").and_then(Value::as_str).unwrap_or_default();
    let has = |name: &str| record.get(name).is_some_and(Value::is_string);
    has("eventName")
        && !source.is_empty()
        && !source.starts_with("aws:")
        && (has("eventTime")
            || has("eventVersion")
            || (has("awsRegion") && source.ends_with(".amazonaws.com")))
}

fn read(event: &Event<'_>, around: &Around) -> Result<Alert, SourceError> {
    let record = event.detail;
    let operation = event.needed("eventName")?;
    let service = event.needed("eventSource")?;
    let service = service.split('.').next().unwrap_or_default();
    let id = text(record, &["eventID"]).unwrap_or_else(|| id_of_content(record));
    let actor = actor(record);
    let by = actor.user.as_deref().map(|user| format!(" by {user}")).unwrap_or_default();
    let failed = text(record, &["errorCode"]).or_else(|| text(record, &["errorMessage"]));
    let failed = failed.map(|code| format!(": {code}")).unwrap_or_default();
    let draft = Draft {
        title: Some(format!("{service}:{operation}{by}{failed}")),
        description: text(record, &["errorMessage"]).or_else(|| sign_in(record)),
        account: account(record, &["recipientAccountId"])
            .or_else(|| account(record, &["userIdentity", "accountId"]))
            .or_else(|| event.account(&[], None, around)),
        region: event.region(&["awsRegion"], None, around),
        resources: resources(record, service),
        actor: Some(actor),
        occurred_at: at(record, &["eventTime"]).and_then(time),
        detected_at: event.time(),
        ..Draft::new(id, format!("{service}:{operation}"))
    };
    draft.alert(NAME, event.whole)
}

/// How a sign-in went, which is not in `errorCode`.
fn sign_in(record: &Value) -> Option<String> {
    let outcome = text(record, &["responseElements", "ConsoleLogin"])?;
    let factor = text(record, &["additionalEventData", "MFAUsed"]);
    Some(match factor {
        Some(used) => format!("ConsoleLogin: {outcome}; MFAUsed: {used}"),
        None => format!("ConsoleLogin: {outcome}"),
    })
}

pub(super) fn actor(record: &Value) -> Actor {
    let address = text(record, &["sourceIPAddress"]);
    Actor {
        ip: address.filter(|address| is_address(address)),
        user: member(record, "userIdentity").and_then(user),
        user_agent: text(record, &["userAgent"]),
    }
}

/// Calls between services have a name here. Anonymised records have addresses that nobody has.
fn is_address(text: &str) -> bool {
    let is_number = |part: &str| {
        part.len() <= 3 && !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())
    };
    let is_v4 = text.split('.').count() == 4 && text.split('.').all(is_number);
    is_v4 || text.parse::<std::net::IpAddr>().is_ok()
}

/// Who it was: a user's name, `root`, or a role and its session.
fn user(identity: &Value) -> Option<String> {
    let arn = text(identity, &["arn"]);
    let session =
        arn.as_deref().and_then(|arn| arn.split_once(":assumed-role/")).map(|(_, who)| who);
    if let Some(session) = session {
        return Some(session.to_owned());
    }
    if text(identity, &["type"]).as_deref() == Some("Root") {
        return Some("root".to_owned());
    }
    text(identity, &["userName"])
        .or_else(|| text(identity, &["sessionContext", "sessionIssuer", "userName"]))
        .or_else(|| text(identity, &["onBehalfOf", "userId"]))
        .or_else(|| text(identity, &["invokedBy"]))
        .or_else(|| arn.as_deref().map(|arn| arn::own_part(arn).to_owned()))
        .or_else(|| text(identity, &["principalId"]))
}

/// What the record names as its resources, what its parameters and answer name, or else the
/// identity that was used.
fn resources(record: &Value, service: &str) -> Vec<Resource> {
    let listed = items(record, &["resources"]).iter().filter_map(listed);
    let values = ["requestParameters", "responseElements", "serviceEventDetails"];
    let values = values.iter().filter_map(|name| member(record, name));
    let found: Vec<_> = listed.chain(named::all(values, service)).collect();
    if found.is_empty() {
        member(record, "userIdentity").and_then(identity).into_iter().collect()
    } else {
        found
    }
}

fn listed(resource: &Value) -> Option<Resource> {
    let arn = text(resource, &["ARN"]).or_else(|| text(resource, &["arn"]))?;
    let found = arn::resource(&arn)?;
    let said = text(resource, &["type"]).map(|said| kind::of_cloudformation(&said));
    let kind = said.filter(|_| found.kind == "Other").unwrap_or(found.kind);
    Some(Resource { kind, ..found })
}

fn identity(identity: &Value) -> Option<Resource> {
    let arn = text(identity, &["arn"]);
    let by_arn = arn.as_deref().filter(|arn| Arn::parse(arn).is_some()).and_then(arn::resource);
    if let Some(found) = by_arn {
        // An assumed role's ARN is the session's.
        let issuer = text(identity, &["sessionContext", "sessionIssuer", "arn"]);
        let arn = issuer.filter(|_| found.kind == "AwsIamRole").or(found.arn);
        return Some(Resource { arn, ..found });
    }
    let name = text(identity, &["userName"])?;
    (text(identity, &["type"]).as_deref() == Some("IAMUser"))
        .then(|| arn::plain("AwsIamUser", &name, None))
}
