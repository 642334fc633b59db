//! Events as columns, for a data lake: what members each class may have, of what kind, and under which
//! partition an event lies
//! (<https://docs.aws.amazon.com/security-lake/latest/userguide/custom-sources.html>).

use serde_json::Value;

use super::Class;
use crate::time::Timestamp;

/// The account of what is about none of AWS's, as Security Lake has it.
const ELSEWHERE: &str = "external";

/// A member that events of a class may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// What a column holds. Anything may be absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A number of 32 bits.
    Int,
    /// A number of 64 bits; a time is one of milliseconds.
    Long,
    /// True or false.
    Flag,
    /// Members.
    Group(&'static [Column]),
    /// Any number of something.
    List(&'static Kind),
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

const fn text(name: &'static str) -> Column {
    column(name, Kind::Text)
}

const fn int(name: &'static str) -> Column {
    column(name, Kind::Int)
}

const fn long(name: &'static str) -> Column {
    column(name, Kind::Long)
}

const fn group(name: &'static str, members: &'static [Column]) -> Column {
    column(name, Kind::Group(members))
}

const fn texts(name: &'static str) -> Column {
    column(name, Kind::List(&Kind::Text))
}

const fn list(name: &'static str, of: &'static Kind) -> Column {
    column(name, Kind::List(of))
}

/// What every class has.
const BASE: &[Column] = &[
    long("time"),
    int("class_uid"),
    text("class_name"),
    int("category_uid"),
    text("category_name"),
    int("activity_id"),
    text("activity_name"),
    long("type_uid"),
    text("type_name"),
    int("severity_id"),
    text("severity"),
    int("status_id"),
    text("status"),
    text("message"),
    group("metadata", METADATA),
    group("cloud", CLOUD),
];

const METADATA: &[Column] = &[
    text("version"),
    text("uid"),
    text("correlation_uid"),
    long("logged_time"),
    group("product", PRODUCT),
    texts("labels"),
    texts("profiles"),
];

const PRODUCT: &[Column] = &[text("name"), text("vendor_name"), text("version")];

const CLOUD: &[Column] = &[text("provider"), text("region"), group("account", ACCOUNT)];

const ACCOUNT: &[Column] = &[text("uid"), int("type_id"), text("type")];

const DETECTION: &[Column] = &[
    column("is_alert", Kind::Flag),
    long("count"),
    group("finding_info", FINDING),
    list("resources", &Kind::Group(RESOURCE)),
    list("evidences", &Kind::Group(EVIDENCE)),
];

const FINDING: &[Column] = &[
    text("uid"),
    text("title"),
    text("desc"),
    texts("types"),
    texts("data_sources"),
    text("src_url"),
    long("created_time"),
    long("modified_time"),
    long("first_seen_time"),
];

const RESOURCE: &[Column] =
    &[text("uid"), text("type"), text("name"), text("region"), group("owner", OWNER)];

const OWNER: &[Column] = &[group("account", UID)];

const UID: &[Column] = &[text("uid")];

const EVIDENCE: &[Column] = &[group("actor", ACTOR), group("src_endpoint", ADDRESS)];

const ACTOR: &[Column] = &[group("user", NAME)];

const NAME: &[Column] = &[text("name")];

const ADDRESS: &[Column] = &[text("ip")];

const INCIDENT: &[Column] = &[
    text("desc"),
    int("verdict_id"),
    text("verdict"),
    text("comment"),
    text("src_url"),
    list("finding_info_list", &Kind::Group(LISTED)),
    group("assignee", NAME),
    group("assignee_group", NAME),
];

const LISTED: &[Column] = &[text("uid"), text("title"), texts("types")];

const REMEDIATION: &[Column] =
    &[text("command_uid"), group("remediation", WORDS), text("status_code"), text("status_detail")];

const WORDS: &[Column] = &[text("desc")];

/// The columns of a class. An object of a lake holds events of one class alone.
pub fn columns(class: Class) -> Vec<Column> {
    let own = match class {
        Class::DetectionFinding => DETECTION,
        Class::IncidentFinding => INCIDENT,
        Class::RemediationActivity => REMEDIATION,
    };
    BASE.iter().chain(own).copied().collect()
}

/// Where an event lies: the account that it is about, and its day in UTC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Partition {
    /// The account.
    pub account: String,
    /// The day, as `20261124`.
    pub day: String,
}

impl Partition {
    /// The partition of an event.
    pub fn of(event: &Value) -> Self {
        let account = event.pointer("/cloud/account/uid").and_then(Value::as_str);
        let at = Timestamp::from_micros(moment(event).saturating_mul(1_000)).to_string();
        Self {
            account: account.unwrap_or(ELSEWHERE).to_owned(),
            day: at.chars().filter(char::is_ascii_digit).take(8).collect(),
        }
    }
}

/// When an event happened, in milliseconds.
pub fn moment(event: &Value) -> i64 {
    event.get("time").and_then(Value::as_i64).unwrap_or_default()
}

/// The first member of an event that has no column, or another kind than its column.
#[cfg(test)]
pub(super) fn stray(event: &Value) -> Option<String> {
    let class = Class::ALL.into_iter().find(|it| event["class_uid"] == it.named().0)?;
    strays(&columns(class), event, class.named().1)
}

#[cfg(test)]
fn strays(columns: &[Column], value: &Value, path: &str) -> Option<String> {
    let Value::Object(members) = value else { return Some(path.to_owned()) };
    members.iter().find_map(|(name, value)| {
        let path = format!("{path}.{name}");
        match columns.iter().find(|column| column.name == name) {
            Some(column) => does_not_fit(column.kind, value, &path),
            None => Some(path),
        }
    })
}

#[cfg(test)]
fn does_not_fit(kind: Kind, value: &Value, path: &str) -> Option<String> {
    let fits = match kind {
        Kind::Text => value.is_string(),
        Kind::Int => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        Kind::Long => value.is_i64(),
        Kind::Flag => value.is_boolean(),
        Kind::Group(columns) => return strays(columns, value, path),
        Kind::List(of) => {
            let items = value.as_array();
            let stray = |item| does_not_fit(*of, item, path);
            return items.map_or_else(|| Some(path.to_owned()), |all| all.iter().find_map(stray));
        }
    };
    (!fits).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_lies_under_its_account_and_its_day_in_utc() {
        // 2026-11-24T23:59:59.999Z
        let event =
            json!({"time": 1_795_564_799_999_i64, "cloud": {"account": {"uid": "111122223333"}}});
        let of = |account: &str, day: &str| Partition { account: account.into(), day: day.into() };
        assert_eq!(Partition::of(&event), of("111122223333", "20261124"));
        let next = json!({"time": 1_795_564_800_000_i64});
        assert_eq!(Partition::of(&next), of("external", "20261125"));
    }

    #[test]
    fn no_column_stands_twice_and_what_has_none_is_found() {
        for class in Class::ALL {
            let mut names: Vec<_> = columns(class).iter().map(|column| column.name).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{class:?}");
        }
        let event = |more: Value| {
            let mut event = json!({"class_uid": 2004});
            event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            stray(&event)
        };
        assert_eq!(event(json!({"time": 1, "resources": [{"uid": "a"}, {}]})), None);
        let found = event(json!({"resources": [{"colour": "red"}]}));
        assert_eq!(found.as_deref(), Some("Detection Finding.resources.colour"));
        assert_eq!(event(json!({"time": "noon"})).as_deref(), Some("Detection Finding.time"));
    }
}
