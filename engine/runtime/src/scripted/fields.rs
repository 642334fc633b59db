//! What a script gives for an alert, member by member. What is misspelt or of another kind is an
//! error that names it: a source that is half read looks as if it worked.

use serde_json::{Map, Value};
use stanch_engine_core::alert::{Actor, Alert, AlertStatus, Resource};
use stanch_engine_core::severity::Severity;
use stanch_engine_core::suggest;
use stanch_engine_core::time::Timestamp;
use stanch_plugins_sdk::payload::{resource_of, severity_of_word, time};
use stanch_plugins_sdk::{Around, Draft, id_of_content};

/// What may stand in an alert.
const MEMBERS: [&str; 17] = [
    "id",
    "type",
    "title",
    "description",
    "severity",
    "severity_score",
    "account",
    "region",
    "resources",
    "actor",
    "occurred_at",
    "detected_at",
    "updated_at",
    "count",
    "status",
    "url",
    "raw",
];

/// What may stand in its actor.
const ACTOR: [&str; 3] = ["ip", "user", "user_agent"];

/// An alert of a source. `whole` is the payload, when this is all that comes of it.
///
/// # Errors
/// In words, which member is wrong and how.
pub(super) fn alert(
    source: &str,
    found: &Value,
    whole: Option<&Value>,
    around: &Around,
) -> Result<Alert, String> {
    let Value::Object(members) = found else {
        return Err(format!("an alert is a map, not {}", kind(found)));
    };
    known(members, &MEMBERS)?;
    let raw = match (members.get("raw"), whole) {
        (Some(raw), _) if !raw.is_null() => raw,
        (_, Some(whole)) => whole,
        _ => {
            return Err("an alert in a list says as `raw` which part of the payload it came from"
                .to_owned());
        }
    };
    let id = match members.get("id") {
        None => id_of_content(raw),
        Some(_) => text(members, "id")?.ok_or("`id` is empty: leave it out, and it is the hash")?,
    };
    let (severity, by_number) = severity(members.get("severity"))?;
    let moment = |name: &str| moment(members, name);
    let draft = Draft {
        title: text(members, "title")?,
        description: text(members, "description")?,
        severity,
        severity_score: score(members)?.or(by_number),
        account: text(members, "account")?.or_else(|| around.account.clone()),
        region: text(members, "region")?.or_else(|| around.region.clone()),
        resources: resources(members.get("resources"))?,
        actor: actor(members.get("actor"))?,
        occurred_at: moment("occurred_at")?,
        detected_at: moment("detected_at")?,
        updated_at: moment("updated_at")?,
        count: count(members)?,
        status: status(members)?,
        url: text(members, "url")?,
        ..Draft::new(id, text(members, "type")?.unwrap_or_else(|| source.to_owned()))
    };
    draft.alert(source, raw).map_err(|error| error.to_string())
}

fn known(members: &Map<String, Value>, names: &[&str]) -> Result<(), String> {
    let unknown = members.keys().find(|name| !names.contains(&name.as_str()));
    match unknown {
        None => Ok(()),
        Some(name) => {
            let hint = suggest::hint(name, names.iter().copied());
            Err(format!("there is no member `{name}`{hint}; there are: {}", names.join(", ")))
        }
    }
}

/// A value in words, short.
fn kind(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
        other => {
            let said = other.to_string();
            let short: String = said.chars().take(60).collect();
            format!("`{short}`")
        }
    }
}

fn wrong<T>(name: &str, value: &Value, expected: &str) -> Result<T, String> {
    Err(format!("`{name}` is {}, and takes {expected}", kind(value)))
}

/// A text or a number, as text; an empty one is none.
fn text(members: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.trim().is_empty())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(other) => wrong(name, other, "a text"),
    }
}

fn severity(found: Option<&Value>) -> Result<(Severity, Option<u8>), String> {
    const EXPECTED: &str = "informational, low, medium, high, critical, or a number from 0 to 100";
    match found {
        None | Some(Value::Null) => Err(format!("`severity` is missing; it takes {EXPECTED}")),
        Some(Value::String(word)) => match severity_of_word(word) {
            Some(label) => Ok((label, None)),
            None => wrong("severity", &Value::String(word.clone()), EXPECTED),
        },
        Some(other) => match percent(other) {
            Some(score) => Ok((Severity::of_score(score), Some(score))),
            None => wrong("severity", other, EXPECTED),
        },
    }
}

fn score(members: &Map<String, Value>) -> Result<Option<u8>, String> {
    match members.get("severity_score") {
        None | Some(Value::Null) => Ok(None),
        Some(other) => match percent(other) {
            Some(score) => Ok(Some(score)),
            None => wrong("severity_score", other, "a number from 0 to 100"),
        },
    }
}

fn percent(value: &Value) -> Option<u8> {
    let number = value.as_f64().filter(|number| (0.0..=100.0).contains(number))?;
    // Between 0 and 100.
    Some(number.round() as u8)
}

fn count(members: &Map<String, Value>) -> Result<Option<u64>, String> {
    match members.get("count") {
        None | Some(Value::Null) => Ok(None),
        Some(other) => match other.as_u64() {
            Some(count) => Ok(Some(count)),
            None => wrong("count", other, "a whole number"),
        },
    }
}

fn status(members: &Map<String, Value>) -> Result<AlertStatus, String> {
    match members.get("status") {
        None | Some(Value::Null) => Ok(AlertStatus::Active),
        Some(found) => {
            let all = [AlertStatus::Active, AlertStatus::Resolved, AlertStatus::Suppressed];
            let named = all.into_iter().find(|status| found.as_str() == Some(status.as_str()));
            named.map_or_else(|| wrong("status", found, "active, resolved or suppressed"), Ok)
        }
    }
}

fn moment(members: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, String> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(found) => match time(found) {
            Some(at) => Ok(Some(at)),
            None => wrong(name, found, "a time: ISO 8601, or a number since 1970"),
        },
    }
}

fn resources(found: Option<&Value>) -> Result<Vec<Resource>, String> {
    let one = |found: &Value| {
        let members = found.as_object();
        members.map_or(Ok(()), |it| known(it, &["type", "id", "arn", "name", "tags"]))?;
        let named = resource_of(found);
        let expected = "ARNs, AWS's ids, or maps with `type`, `id`, `arn`, `name` and `tags`";
        named.map_or_else(|| wrong("resources", found, expected), Ok)
    };
    match found {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(all)) => all.iter().filter(|found| !found.is_null()).map(one).collect(),
        Some(other) => Ok(vec![one(other)?]),
    }
}

fn actor(found: Option<&Value>) -> Result<Option<Actor>, String> {
    match found {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(members)) => {
            known(members, &ACTOR)?;
            let part = |name: &str| text(members, name);
            let (ip, user) = (part("ip")?, part("user")?);
            Ok(Some(Actor { ip, user, user_agent: part("user_agent")? }))
        }
        Some(other) => wrong("actor", other, "a map with `ip`, `user` and `user_agent`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(found: Value) -> Result<Alert, String> {
        let around = Around { account: Some("111122223333".to_owned()), region: None };
        alert("scanner", &found, Some(&json!({"whole": true})), &around)
    }

    #[test]
    fn every_member_comes_to_its_place() {
        let read = read(json!({
            "id": 7, "type": "Scan/Open", "title": "22 is open", "description": "d",
            "severity": "high", "severity_score": 75, "region": "eu-west-1",
            "resources": ["arn:aws:s3:::logs", {"type": "Host", "id": "h", "tags": {"a": "b"}}, null],
            "actor": {"ip": "198.51.100.7", "user": "mia"}, "occurred_at": "2026-11-24T03:00:00Z",
            "detected_at": 1_795_489_512, "updated_at": null, "count": 3, "status": "resolved",
            "url": "https://x.example",
        }));
        let alert = read.unwrap();
        assert_eq!(alert.dedup_key, "scanner:7:111122223333:eu-west-1");
        assert_eq!((alert.kind.as_str(), alert.severity_score), ("Scan/Open", 75));
        assert_eq!(alert.resources.len(), 2);
        assert_eq!(alert.actor.unwrap().ip.as_deref(), Some("198.51.100.7"));
        assert_eq!((alert.count, alert.status), (Some(3), AlertStatus::Resolved));
        assert_eq!(alert.occurred_at.unwrap().to_string(), "2026-11-24T03:00:00Z");
        assert!(alert.detected_at.is_some() && alert.updated_at.is_none());
        assert_eq!(alert.raw.value(), json!({"whole": true}));
    }

    #[test]
    fn what_is_not_said_has_a_name_all_the_same() {
        let alert = read(json!({"severity": 95})).unwrap();
        assert_eq!((alert.kind.as_str(), alert.severity), ("scanner", Severity::Critical));
        assert!(alert.id.starts_with("sha256:"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (found, part) in [
            (json!({}), "`severity` is missing"),
            (json!({"severity": "odd"}), "`severity` is `\"odd\"`"),
            (json!({"severity": 101}), "`severity` is `101`"),
            (json!({"severity": 1, "titel": "x"}), "did you mean `title`"),
            (json!({"severity": 1, "id": null}), "`id` is empty"),
            (json!({"severity": 1, "title": []}), "`title` is a list"),
            (json!({"severity": 1, "occurred_at": "soon"}), "`occurred_at`"),
            (json!({"severity": 1, "status": "gone"}), "`status`"),
            (json!({"severity": 1, "count": -1}), "`count`"),
            (json!({"severity": 1, "resources": [{"name": "x"}]}), "`resources`"),
            (json!({"severity": 1, "resources": [{"id": "x", "nam": "y"}]}), "did you mean `name`"),
            (json!({"severity": 1, "actor": "mia"}), "`actor`"),
            (json!({"severity": 1, "id": "x".repeat(3_000)}), "id"),
            (json!(["x"]), "an alert is a map, not a list"),
        ] {
            let why = read(found.clone()).unwrap_err();
            assert!(why.contains(part), "{found}: {why}");
        }
    }
}
