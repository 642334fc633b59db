//! A JSON object that describes itself: it has a title and a word for how bad it is. It is asked
//! last, and what it does not find under the usual names is null.

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Actor, Alert, AlertStatus, Resource};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::core::time::Timestamp;
use stanch_plugins_sdk::payload::{arn, at, resource_of, scalar, severity_of_word, text, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError, id_of_content};

use super::labels::Labels;

const NAME: &str = "generic";

/// What describes itself.
pub(super) struct Plain;

const TITLES: [&str; 7] =
    ["title", "summary", "message", "subject", "alert_name", "alertName", "name"];
const WORDS: [&str; 5] = ["severity", "level", "priority", "criticality", "urgency"];

impl Source for Plain {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        severity(payload).is_some() && TITLES.iter().any(|name| text(payload, &[name]).is_some())
    }

    fn read(&self, payload: &Value, around: &Around) -> Vec<Result<Alert, SourceError>> {
        vec![read(payload, around)]
    }
}

fn severity(payload: &Value) -> Option<Severity> {
    WORDS.iter().find_map(|name| severity_of_word(payload.get(name)?.as_str()?))
}

/// What `resources` names, in a list or alone: as an alert of ours has them, or by ARNs and AWS's ids.
/// Other texts say nothing of what they name.
fn named(payload: &Value) -> impl Iterator<Item = Resource> {
    let all = match at(payload, &["resources"]) {
        Some(Value::Array(all)) => all.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    all.iter().filter_map(|one| match one {
        Value::String(text) => arn::resource(text),
        one => resource_of(one),
    })
}

fn read(payload: &Value, around: &Around) -> Result<Alert, SourceError> {
    let missing = |path: &str, expected| SourceError::Member { path: path.to_owned(), expected };
    let severity = severity(payload).ok_or_else(|| missing("severity", "a word such as high"))?;
    let said = |names: &[&str]| names.iter().find_map(|name| text(payload, &[name]));
    let id = ["id", "alert_id", "alertId", "uuid", "fingerprint", "event_id"];
    let id = id.iter().find_map(|name| scalar(payload, &[name]));
    let moment = |names: &[&str]| -> Option<Timestamp> {
        names.iter().find_map(|name| at(payload, &[name]).and_then(time))
    };
    let labels = Labels::of_object(Some(payload)).and(Labels::of_object(payload.get("labels")));
    let state = said(&["status", "state"]).unwrap_or_default().to_lowercase();
    let of_actor = |name: &str| text(payload, &["actor", name]);
    let created = moment(&["detected_at", "created_at", "createdAt", "timestamp", "time", "date"]);
    let title = said(&TITLES);
    let draft = Draft {
        description: said(&["description", "details", "body", "message"])
            .filter(|it| Some(it) != title.as_ref()),
        title,
        severity,
        account: labels.account().or_else(|| around.account.clone()),
        region: labels.region().or_else(|| around.region.clone()),
        resources: named(payload).chain(labels.resources()).collect(),
        actor: Some(Actor {
            ip: of_actor("ip").or_else(|| said(&["source_ip", "src_ip", "sourceIp", "ip"])),
            user: of_actor("user").or_else(|| said(&["user", "username", "user_name"])),
            user_agent: of_actor("user_agent").or_else(|| said(&["user_agent", "userAgent"])),
        }),
        occurred_at: moment(&["occurred_at", "occurredAt", "first_seen"]),
        detected_at: created,
        updated_at: moment(&["updated_at", "updatedAt", "last_seen"]).or(created),
        count: payload.get("count").and_then(Value::as_u64),
        status: match state.as_str() {
            "resolved" | "ok" | "closed" | "recovered" => AlertStatus::Resolved,
            "suppressed" | "muted" | "archived" | "ignored" => AlertStatus::Suppressed,
            _ => AlertStatus::Active,
        },
        url: said(&["url", "link", "html_url"]),
        ..Draft::new(
            id.unwrap_or_else(|| id_of_content(payload)),
            said(&["type", "alert_type", "category", "rule", "event_type"])
                .unwrap_or_else(|| "alert".to_owned()),
        )
    };
    draft.alert(NAME, payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn alert(payload: &Value) -> Alert {
        read(payload, &Around::default()).unwrap()
    }

    #[test]
    fn what_is_written_as_an_alert_of_ours_is_read_as_it_stands() {
        let payload = json!({
            "title": "a key is used from afar", "severity": "high", "account_id": "111122223333",
            "resources": [
                {"type": "AwsIamAccessKey", "id": "AKIAIOSFODNN7EXAMPLE", "name": "ci",
                    "tags": {"team": "web"}},
                {"arn": "arn:aws:s3:::logs"},
                "arn:aws:iam::111122223333:user/mia",
                "the web shop",
                {"type": "Host"},
                7,
            ],
            "actor": {"ip": "198.51.100.7", "user": "mia", "user_agent": "curl"},
        });
        let alert = alert(&payload);
        let kinds: Vec<_> =
            alert.resources.iter().map(|it| (it.kind.as_str(), it.id.as_str())).collect();
        let key = ("AwsIamAccessKey", "AKIAIOSFODNN7EXAMPLE");
        for expected in [key, ("AwsS3Bucket", "logs"), ("AwsIamUser", "mia")] {
            assert!(kinds.contains(&expected), "{expected:?} in {kinds:?}");
        }
        assert_eq!(kinds.len(), 3, "{kinds:?}");
        let named = alert.resources.iter().find(|it| it.kind == key.0).unwrap();
        assert_eq!((named.name.as_deref(), named.tags["team"].as_str()), (Some("ci"), "web"));
        let actor = alert.actor.unwrap();
        assert_eq!(actor.ip.as_deref(), Some("198.51.100.7"));
        assert_eq!(
            (actor.user.as_deref(), actor.user_agent.as_deref()),
            (Some("mia"), Some("curl"))
        );
    }

    #[test]
    fn one_resource_need_not_be_a_list() {
        let one = json!({"type": "Host", "id": 7});
        let payload = json!({"title": "t", "severity": "low", "resources": one});
        let found = alert(&payload).resources;
        assert_eq!((found[0].kind.as_str(), found[0].id.as_str(), found.len()), ("Host", "7", 1));
    }
}
