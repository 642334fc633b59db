//! OCSF's findings, classes 2001 to 2007, from Security Hub's second version, Security Lake and
//! whoever else writes them (<https://schema.ocsf.io/categories/findings>).

use std::collections::BTreeMap;

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Actor, Alert, AlertStatus, Resource};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{
    at, items, member, number, scalar, severity_of_word, text, time,
};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError};

use super::event::{Event, account};
use super::kind;
use stanch_plugins_sdk::payload::arn::{self, Arn};

const NAME: &str = "ocsf";

/// Anybody's findings in OCSF.
pub(crate) struct Ocsf;

impl Source for Ocsf {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        is_finding(Event::of(payload).detail)
    }

    fn read(&self, payload: &Value, around: &Around) -> Vec<Result<Alert, SourceError>> {
        let event = Event::of(payload);
        vec![read(NAME, event.detail, payload, &event, around)]
    }
}

/// Whether it is of one of the classes of findings.
pub(super) fn is_finding(value: &Value) -> bool {
    let class = number(value, &["class_uid"]).unwrap_or_default();
    (2001.0..=2007.0).contains(&class) && value.get("metadata").is_some()
}

pub(super) fn read(
    source: &str,
    finding: &Value,
    raw: &Value,
    event: &Event<'_>,
    around: &Around,
) -> Result<Alert, SourceError> {
    // Class 2001, which is deprecated, has `finding`; class 2005 lists several.
    let info = ["finding_info", "finding"].iter().find_map(|name| member(finding, name));
    let info =
        info.or_else(|| items(finding, &["finding_info_list"]).first()).unwrap_or(&Value::Null);
    let id = scalar(info, &["uid"])
        .or_else(|| scalar(finding, &["metadata", "uid"]))
        .ok_or_else(|| event.missing("finding_info.uid", "a text"))?;
    let severity = severity(finding).ok_or_else(|| event.missing("severity_id", "a severity"))?;
    let kind = kind(finding, info).ok_or_else(|| event.missing("class_name", "a text"))?;
    let resources = resources(finding);
    let owner = || {
        let all = items(finding, &["resources"]).iter().chain(member(finding, "resource"));
        all.into_iter().find_map(|it| account(it, &["owner", "account", "uid"]))
    };
    let region_of = || {
        let all = items(finding, &["resources"]).iter().chain(member(finding, "resource"));
        all.into_iter().find_map(|it| text(it, &["region"]))
    };
    let draft = Draft {
        title: text(info, &["title"]).or_else(|| text(finding, &["message"])),
        description: text(info, &["desc"]).or_else(|| text(finding, &["message"])),
        severity,
        account: account(finding, &["cloud", "account", "uid"])
            .or_else(|| account(finding, &["cloud", "account_uid"]))
            .or_else(owner)
            .or_else(|| event.account(&[], Some(&id), around)),
        region: text(finding, &["cloud", "region"])
            .or_else(region_of)
            .or_else(|| event.region(&[], Some(&id), around)),
        resources,
        actor: Some(actor(finding)),
        occurred_at: moment(info, "first_seen_time").or_else(|| moment(finding, "start_time")),
        detected_at: moment(info, "created_time").or_else(|| moment(finding, "time")),
        updated_at: moment(info, "modified_time")
            .or_else(|| moment(finding, "time"))
            .or_else(|| moment(info, "last_seen_time")),
        count: at(finding, &["count"]).and_then(Value::as_u64),
        status: status(finding),
        url: text(info, &["src_url"]),
        ..Draft::new(id.clone(), kind)
    };
    draft.alert(source, raw)
}

/// OCSF writes each time as milliseconds and, under the name with `_dt`, as text.
fn moment(value: &Value, name: &str) -> Option<stanch_plugins_sdk::core::time::Timestamp> {
    let number = member(value, name).and_then(time);
    number.or_else(|| member(value, &format!("{name}_dt")).and_then(time))
}

fn severity(finding: &Value) -> Option<Severity> {
    // At most two digits matter.
    let by_id = match number(finding, &["severity_id"]).map(|id| id as i64) {
        Some(1) => Some(Severity::Informational),
        Some(2) => Some(Severity::Low),
        Some(3) => Some(Severity::Medium),
        Some(4) => Some(Severity::High),
        Some(5 | 6) => Some(Severity::Critical),
        _ => None,
    };
    let by_word = || text(finding, &["severity"]).and_then(|word| severity_of_word(&word));
    // 0 is unknown and 99 is other: with no word beside them they say nothing.
    let unknown = || number(finding, &["severity_id"]).map(|_| Severity::Informational);
    by_id.or_else(by_word).or_else(unknown)
}

fn kind(finding: &Value, info: &Value) -> Option<String> {
    let first = items(info, &["types"]).iter().find_map(Value::as_str).map(str::to_owned);
    first
        .filter(|kind| !kind.is_empty())
        .or_else(|| text(finding, &["type_name"]))
        .or_else(|| text(finding, &["class_name"]))
        .or_else(|| scalar(finding, &["class_uid"]))
}

fn status(finding: &Value) -> AlertStatus {
    let word = text(finding, &["status"]).unwrap_or_default().to_lowercase();
    let closed = number(finding, &["activity_id"]) == Some(3.0);
    let passed = text(finding, &["compliance", "status"]).unwrap_or_default().to_lowercase();
    let class = number(finding, &["class_uid"]).map(|id| id as i64);
    // Class 2001 has a state, and its status says whether a call succeeded.
    let name = if class == Some(2001) { "state_id" } else { "status_id" };
    let has_passed = number(finding, &["compliance", "status_id"]) == Some(1.0);
    match number(finding, &[name]).map(|id| id as i64) {
        // An incident that is on hold is as open as before.
        Some(3) if class == Some(2005) => AlertStatus::Active,
        Some(3) => AlertStatus::Suppressed,
        Some(4..=6) => AlertStatus::Resolved,
        _ if has_passed => AlertStatus::Resolved,
        _ if word == "suppressed" => AlertStatus::Suppressed,
        _ if matches!(word.as_str(), "resolved" | "closed" | "archived") || closed => {
            AlertStatus::Resolved
        }
        _ if matches!(passed.as_str(), "pass" | "passed") => AlertStatus::Resolved,
        _ => AlertStatus::Active,
    }
}

fn resources(finding: &Value) -> Vec<Resource> {
    let listed = items(finding, &["resources"]).iter().chain(member(finding, "resource"));
    let within = items(finding, &["evidences"]).iter().flat_map(|it| items(it, &["resources"]));
    let found: Vec<_> = listed.filter_map(resource).collect();
    if found.is_empty() { within.filter_map(resource).collect() } else { found }
}

fn resource(resource: &Value) -> Option<Resource> {
    let whole = scalar(resource, &["uid"]).or_else(|| text(resource, &["name"]))?;
    let said = text(resource, &["type"]).map(|said| kind::of_upper_case(&said));
    let found = arn::resource(&whole);
    let own = match whole.strip_prefix("AWS::").and_then(|rest| rest.rsplit_once(':')) {
        Some((_, own)) if !own.is_empty() => own,
        _ => arn::own_part(&whole),
    };
    let by_arn = found.as_ref().map(|found| found.kind.clone()).filter(|kind| kind != "Other");
    let tags = items(resource, &["tags"])
        .iter()
        .filter_map(|tag| Some((text(tag, &["name"])?, text(tag, &["value"]).unwrap_or_default())));
    let mut tags: BTreeMap<_, _> = tags.collect();
    for label in items(resource, &["labels"]).iter().filter_map(Value::as_str) {
        if let Some((name, value)) = label.split_once('=') {
            tags.insert(name.to_owned(), value.to_owned());
        }
    }
    Some(Resource {
        kind: said.filter(|kind| kind != "Other").or(by_arn).unwrap_or_else(|| "Other".to_owned()),
        id: own.to_owned(),
        arn: Arn::parse(&whole).map(|_| whole.clone()),
        name: text(resource, &["name"])
            .filter(|name| *name != whole)
            .or_else(|| tags.get("Name").cloned()),
        tags,
    })
}

/// Where it came from and who it was: the evidence says it, or the finding itself.
fn actor(finding: &Value) -> Actor {
    let places: Vec<&Value> = items(finding, &["evidences"]).iter().chain([finding]).collect();
    let first = |paths: &[&[&str]]| {
        places.iter().find_map(|place| paths.iter().find_map(|path| text(place, path)))
    };
    Actor {
        ip: first(&[&["src_endpoint", "ip"], &["actor", "endpoint", "ip"]]),
        user: first(&[
            &["actor", "user", "name"],
            &["actor", "user", "uid"],
            &["user", "name"],
            &["actor", "session", "issuer"],
        ]),
        user_agent: first(&[&["http_request", "user_agent"]]),
    }
}
