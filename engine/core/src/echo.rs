//! Echoes: what detectors see of the work of our own runs. A session of ours bears the incident and
//! the run in its name, and stands on a role that is configured.
//!
//! A name proves nothing, since whoever takes a role chooses it. What counts is the role, and
//! that the run named has asked for the very call; else an attacker hides behind it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::alert::{Alert, Resource};
use crate::id::{IncidentId, RunId};
use crate::journal::{Entry, Event};
use crate::severity::Severity;
use crate::time::Timestamp;

/// By how much the clocks of AWS and of a node may differ, in milliseconds.
const CLOCKS_MS: i64 = 5 * 60_000;

/// The roles that sessions of ours have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnRoles {
    /// The ARNs of accounts that name their own.
    pub accounts: BTreeMap<String, Vec<String>>,
    /// The ARNs of all others, with `{account}` for the account.
    pub pattern: Vec<String>,
}

/// What an alert says of the session that did what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The account of the session's role.
    pub account: String,
    /// The role: its ARN, or, where only that is told, its name.
    pub role: String,
    /// The session's name.
    pub session: String,
    /// The session's source identity, where it is told.
    pub source_identity: Option<String>,
    /// The call, without its service, such as `UpdateAccessKey`.
    pub call: String,
}

/// Who a session says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// The incident.
    pub incident: IncidentId,
    /// The run.
    pub run: RunId,
}

impl OwnRoles {
    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.pattern.is_empty() && self.accounts.is_empty()
    }

    /// Whether the role of a claim is one of them.
    pub fn has(&self, claim: &Claim) -> bool {
        let of_pattern = self.pattern.iter().map(|arn| arn.replace("{account}", &claim.account));
        let own = self.accounts.get(&claim.account).into_iter().flatten().cloned();
        own.chain(of_pattern).any(|arn| {
            let name = arn.rsplit('/').next().unwrap_or_default();
            if claim.role.starts_with("arn:") { arn == claim.role } else { name == claim.role }
        })
    }
}

impl Claim {
    /// The incident and the run, if the session is named as ours are.
    pub fn named(&self) -> Option<Named> {
        let (incident, run) = self.session.split_once('.')?;
        // What carries another identity was taken by somebody else.
        if self.source_identity.as_ref().is_some_and(|identity| *identity != self.session) {
            return None;
        }
        Some(Named { incident: incident.parse().ok()?, run: run.parse().ok()? })
    }
}

/// What an alert says of a session, if it is one that may be an echo. A critical alert never is,
/// and of GuardDuty's only what is about a change or about unusual calls: stolen credentials are an
/// attack, also when they are ours.
pub fn claim(alert: &Alert) -> Option<Claim> {
    if alert.severity == Severity::Critical {
        return None;
    }
    let of: fn(&Alert, &Value) -> Option<Claim> = match alert.source.as_str() {
        "cloudtrail" => |_, record| of_record(record),
        "guardduty" if may_be_seen_of_us(&alert.kind) => of_finding,
        _ => return None,
    };
    let raw = alert.raw.value();
    of(alert, raw.get("detail").unwrap_or(&raw))
}

fn may_be_seen_of_us(kind: &str) -> bool {
    let is_about_a_change = kind.starts_with("Policy:") || kind.starts_with("Stealth:");
    is_about_a_change || kind.ends_with("/AnomalousBehavior")
}

fn text(value: &Value, path: &[&str]) -> Option<String> {
    let found = path.iter().try_fold(value, |at, name| {
        let mut initial = name.chars();
        let upper: String = initial.next()?.to_uppercase().chain(initial).collect();
        at.get(name).or_else(|| at.get(upper))
    })?;
    found.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>
fn of_record(record: &Value) -> Option<Claim> {
    let identity = record.get("userIdentity")?;
    if text(identity, &["type"])? != "AssumedRole" {
        return None;
    }
    let arn = text(identity, &["arn"])?;
    let mut parts = arn.splitn(6, ':');
    let (account, assumed) = (parts.nth(4)?.to_owned(), parts.next()?);
    let (_, session) = assumed.strip_prefix("assumed-role/")?.rsplit_once('/')?;
    Some(Claim {
        account,
        role: text(identity, &["sessionContext", "sessionIssuer", "arn"])?,
        session: session.to_owned(),
        source_identity: text(identity, &["sessionContext", "sourceIdentity"]),
        call: text(record, &["eventName"])?,
    })
}

/// A finding names the role, and behind the principal's id the session.
fn of_finding(alert: &Alert, finding: &Value) -> Option<Claim> {
    let key = |name: &str| text(finding, &["resource", "accessKeyDetails", name]);
    let principal = key("principalId")?;
    let (_, session) = principal.split_once(':')?;
    Some(Claim {
        account: alert.account.clone()?,
        role: key("userName")?,
        session: session.to_owned(),
        source_identity: None,
        call: text(finding, &["service", "action", "awsApiCallAction", "api"])?,
    })
}

/// Whether a moment lies in the life of a run, as far as clocks agree.
pub fn is_within(at: Option<Timestamp>, began: Timestamp, ended: Option<Timestamp>) -> bool {
    at.is_none_or(|at| {
        at >= began.plus_ms(-CLOCKS_MS) && ended.is_none_or(|ended| at <= ended.plus_ms(CLOCKS_MS))
    })
}

/// Whether one of a run's entries asked for the call that an alert is about, on a thing that it is
/// about.
pub fn asked_for(entries: &[Entry], claim: &Claim, alert: &Alert) -> bool {
    entries.iter().filter_map(|entry| Some(head_of(&entry.event)?.args.value())).any(|args| {
        let mut asked = false;
        each_call(&args, &mut |operation, params| {
            asked |= is_call(operation, &claim.call) && names_one_of(params, alert, claim);
        });
        asked
    })
}

fn head_of(event: &Event) -> Option<&crate::journal::Head> {
    match event {
        Event::StepGated(gated) => Some(&gated.head),
        Event::StepScheduled(scheduled) => scheduled.head.as_ref(),
        _ => None,
    }
}

/// Every call that a step asks for. A probe looks, and an inverse is made by another step.
fn each_call(args: &Value, heard: &mut impl FnMut(&str, &Value)) {
    let Some(members) = args.as_object() else { return };
    if let Some(operation) = members.get("operation").and_then(Value::as_str) {
        heard(operation, members.get("params").unwrap_or(&Value::Null));
    }
    for (name, value) in members {
        if !matches!(name.as_str(), "probe" | "inverse" | "before" | "params") {
            each_call(value, heard);
        }
    }
}

/// CloudTrail writes some names with the date of their API behind them.
fn is_call(operation: &str, call: &str) -> bool {
    let name = operation.split_once(':').map_or(operation, |(_, name)| name);
    let rest = call.strip_prefix(name);
    rest.is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == 'v' || c == '_'))
}

/// What an alert is about, beside the session itself.
fn names_one_of(params: &Value, alert: &Alert, claim: &Claim) -> bool {
    let is_the_session = |resource: &&Resource| {
        let by_role = resource.arn.as_ref() == Some(&claim.role) || resource.id == claim.role;
        by_role || resource.kind == "AwsIamAccessKey" && resource.id.starts_with("ASIA")
    };
    let mut about = alert.resources.iter().filter(|it| !is_the_session(it)).peekable();
    about.peek().is_none() || about.any(|resource| says(params, resource))
}

fn says(value: &Value, resource: &Resource) -> bool {
    match value {
        Value::String(text) => {
            let names = [Some(&resource.id), resource.arn.as_ref(), resource.name.as_ref()];
            let mut names = names.into_iter().flatten();
            names.any(|name| text == name || name.ends_with(&format!("/{text}")))
                || text.ends_with(&format!("/{}", resource.id))
        }
        Value::Array(items) => items.iter().any(|item| says(item, resource)),
        Value::Object(members) => members.values().any(|member| says(member, resource)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::alert::tests::alert;
    use crate::command::{Position, Verb};
    use crate::journal::{Head, StepScheduled};
    use crate::json::Json;
    use crate::step::StepKey;

    const ROLE: &str = "arn:aws:iam::111122223333:role/ir/stanch-contain";

    fn named() -> Named {
        let at = Timestamp::default();
        Named { incident: IncidentId::new(at, 1), run: RunId::new(at, 2) }
    }

    fn session() -> String {
        format!("{}.{}", named().incident, named().run)
    }

    fn record() -> Alert {
        let (session, arn) = (session(), "arn:aws:sts::111122223333:assumed-role/stanch-contain");
        let detail = json!({
            "eventName": "UpdateAccessKey", "eventSource": "iam.amazonaws.com",
            "userIdentity": {"type": "AssumedRole", "arn": format!("{arn}/{session}"),
                "sessionContext": {"sessionIssuer": {"arn": ROLE}, "sourceIdentity": session}},
        });
        let source = "cloudtrail".to_owned();
        Alert { source, raw: Json::of(&json!({"detail": detail})), ..alert() }
    }

    fn roles() -> OwnRoles {
        let pattern = "arn:aws:iam::{account}:role/ir/stanch-contain".to_owned();
        OwnRoles { pattern: vec![pattern], ..OwnRoles::default() }
    }

    #[test]
    fn a_session_of_ours_names_its_incident_and_run_and_stands_on_our_role() {
        let told = claim(&record()).unwrap();
        assert_eq!(told.named(), Some(named()));
        assert!(roles().has(&told));
        let other = Claim { role: ROLE.replace("ir/", ""), ..told.clone() };
        assert!(!roles().has(&other), "the same name on another path is another role");
        let elsewhere = Claim { account: "444455556666".into(), ..told.clone() };
        assert!(!roles().has(&elsewhere), "the role of one account is none of another");
        let lent = Claim { source_identity: Some("mallory".into()), ..told };
        assert_eq!(lent.named(), None);
    }

    #[test]
    fn what_is_critical_or_tells_of_stolen_credentials_is_no_echo() {
        assert!(claim(&Alert { severity: Severity::Critical, ..record() }).is_none());
        let finding = json!({"resource": {"accessKeyDetails": {
            "principalId": format!("AROA1:{}", session()), "userName": "stanch-contain"}},
            "service": {"action": {"awsApiCallAction": {"api": "UpdateAccessKey"}}}});
        let of = |kind: &str| Alert { kind: kind.to_owned(), raw: Json::of(&finding), ..alert() };
        let told = claim(&of("Stealth:IAMUser/CloudTrailLoggingDisabled")).unwrap();
        assert!(roles().has(&told) && told.named() == Some(named()));
        for kind in [
            "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS",
            "UnauthorizedAccess:IAMUser/MaliciousIPCaller",
            "CredentialAccess:IAMUser/CompromisedCredentials",
        ] {
            assert!(claim(&of(kind)).is_none(), "{kind}");
        }
    }

    fn entry(args: Value) -> Entry {
        let head = Head {
            verb: Verb::Change,
            args: Json::canonical(&args),
            position: Position::default(),
        };
        let event = Event::StepScheduled(StepScheduled {
            key: StepKey::from("1"),
            head: Some(head),
            token: None,
            waits_for: None,
            wake_at: None,
        });
        Entry { seq: 1, at: Timestamp::default(), event }
    }

    #[test]
    fn only_the_call_that_the_run_asked_for_on_what_it_named_is_its_own() {
        let change = json!({"change": {"operation": "iam:UpdateAccessKey", "params": {"AccessKeyId": "AKIA1"},
            "inverse": {"operation": "iam:DeleteUser", "params": {"UserName": "AKIA1"}}}});
        let (entries, told) = ([entry(change)], claim(&record()).unwrap());
        assert!(asked_for(&entries, &told, &record()));
        let mut other = record();
        other.resources[0].id = "AKIA2".into();
        assert!(!asked_for(&entries, &told, &other), "another key");
        let undone = Claim { call: "DeleteUser".into(), ..told.clone() };
        assert!(!asked_for(&entries, &undone, &record()), "an inverse is only planned");
        let longer = Claim { call: "UpdateAccessKeyOwner".into(), ..told.clone() };
        assert!(!asked_for(&entries, &longer, &record()));
        let dated = Claim { call: "UpdateAccessKey20150331v2".into(), ..told };
        assert!(asked_for(&entries, &dated, &record()));
    }

    #[test]
    fn a_session_outlives_its_run_but_its_echo_does_not() {
        let at = |minutes: i64| Timestamp::default().plus_ms(minutes * 60_000);
        assert!(is_within(Some(at(3)), at(1), None));
        assert!(is_within(None, at(1), Some(at(2))));
        assert!(is_within(Some(at(6)), at(1), Some(at(2))));
        assert!(!is_within(Some(at(8)), at(1), Some(at(2))));
        assert!(!is_within(Some(at(1)), at(7), Some(at(9))));
    }
}
