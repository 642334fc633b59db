//! Wazuh: an alert, as its integrations send it and as its index holds it
//! (<https://documentation.wazuh.com/current/user-manual/ruleset/rules/rules-classification.html>).

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Actor, Alert, Resource};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{arn, at, number, scalar, text, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError, id_of_content};

use super::labels::Labels;

const NAME: &str = "wazuh";

/// Wazuh.
pub(super) struct Wazuh;

impl Source for Wazuh {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        let alert = payload.get("_source").unwrap_or(payload);
        number(alert, &["rule", "level"]).is_some()
            && (alert.get("agent").is_some() || alert.get("manager").is_some())
    }

    fn read(&self, payload: &Value, _around: &Around) -> Vec<Result<Alert, SourceError>> {
        vec![read(payload)]
    }
}

fn read(payload: &Value) -> Result<Alert, SourceError> {
    let alert = payload.get("_source").unwrap_or(payload);
    let missing = |path: &str, expected| SourceError::Member { path: path.to_owned(), expected };
    let level =
        number(alert, &["rule", "level"]).ok_or_else(|| missing("rule.level", "a number"))?;
    let rule = scalar(alert, &["rule", "id"]).ok_or_else(|| missing("rule.id", "a text"))?;
    let cloud = Labels::of_object(at(alert, &["data", "aws"]));
    let seen = at(alert, &["timestamp"]).and_then(time);
    let firsts = |names: &[&[&str]]| names.iter().find_map(|path| text(alert, path));
    let actor = Actor {
        ip: firsts(&[
            &["data", "srcip"],
            &["data", "aws", "source_ip_address"],
            &["data", "aws", "sourceIPAddress"],
        ]),
        user: firsts(&[
            &["data", "srcuser"],
            &["data", "dstuser"],
            &["data", "aws", "userIdentity", "userName"],
        ]),
        user_agent: firsts(&[&["data", "aws", "userAgent"]]),
    };
    let draft = Draft {
        title: text(alert, &["rule", "description"]),
        description: text(alert, &["full_log"]),
        severity: severity(level),
        account: cloud.account().or_else(|| text(alert, &["data", "aws", "recipientAccountId"])),
        region: cloud.region(),
        resources: agent(alert).into_iter().chain(cloud.resources()).collect(),
        actor: Some(actor),
        occurred_at: seen,
        detected_at: seen,
        updated_at: seen,
        count: at(alert, &["rule", "firedtimes"]).and_then(Value::as_u64),
        ..Draft::new(
            scalar(alert, &["id"]).unwrap_or_else(|| id_of_content(alert)),
            format!("rule/{rule}"),
        )
    };
    draft.alert(NAME, payload)
}

/// Its levels go from 0 to 15 and a little further.
fn severity(level: f64) -> Severity {
    match level {
        level if level >= 15.0 => Severity::Critical,
        level if level >= 12.0 => Severity::High,
        level if level >= 7.0 => Severity::Medium,
        level if level >= 4.0 => Severity::Low,
        _ => Severity::Informational,
    }
}

fn agent(alert: &Value) -> Option<Resource> {
    let id = scalar(alert, &["agent", "id"])?;
    let name = text(alert, &["agent", "name"]);
    let found = name.as_deref().and_then(arn::resource);
    Some(Resource { name, ..found.unwrap_or_else(|| arn::plain("Other", &id, None)) })
}
