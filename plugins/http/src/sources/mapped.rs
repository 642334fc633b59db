//! A sender that the configuration describes: `[sources.NAME]`, with an expression in JMESPath for
//! each field of the alert.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Actor, Alert, AlertStatus};
use stanch_plugins_sdk::core::probe;
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::core::time::Timestamp;
use stanch_plugins_sdk::payload::{resource_of, severity_of_word, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError, id_of_content};

/// Where the fields of an alert stand in a sender's payloads. Each is a JMESPath expression over
/// one alert; what is not said is null.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    /// Is true of payloads that `auto` may take for this source's; without it only its own path
    /// of the webhook does.
    pub recognise: Option<String>,
    /// The list of alerts in a payload; the payload itself unless it is said.
    pub alerts: Option<String>,
    /// The sender's own id; the hash of the alert unless it is said.
    pub id: Option<String>,
    /// The sender's type; the source's name unless it is said.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// One line for people.
    pub title: Option<String>,
    /// More lines for people.
    pub description: Option<String>,
    /// A word, or a number from 0 to 100.
    pub severity: Option<String>,
    /// What the sender's own words mean, such as `SEV_A = "critical"`.
    pub severities: BTreeMap<String, Severity>,
    /// The AWS account.
    pub account: Option<String>,
    /// The AWS region.
    pub region: Option<String>,
    /// A list of ARNs, of AWS's ids, or of objects with `type`, `id`, `arn` and `name`.
    pub resources: Option<String>,
    /// The address it came from.
    pub ip: Option<String>,
    /// The identity that was used.
    pub user: Option<String>,
    /// The program that was used.
    pub user_agent: Option<String>,
    /// The first malicious event.
    pub occurred_at: Option<String>,
    /// When the detector made it.
    pub detected_at: Option<String>,
    /// When the detector last changed it.
    pub updated_at: Option<String>,
    /// How often the detector saw it.
    pub count: Option<String>,
    /// Is true of an alert that is over.
    pub resolved: Option<String>,
    /// Where to look at it.
    pub url: Option<String>,
}

/// A mapping that can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sources.{source_name}.{field}: {why}")]
pub struct BadMapping {
    /// The source.
    pub source_name: String,
    /// The field.
    pub field: &'static str,
    /// What is wrong with it.
    pub why: String,
}

impl Mapping {
    fn fields(&self) -> [(&'static str, &Option<String>); 19] {
        [
            ("recognise", &self.recognise),
            ("alerts", &self.alerts),
            ("id", &self.id),
            ("type", &self.kind),
            ("title", &self.title),
            ("description", &self.description),
            ("severity", &self.severity),
            ("account", &self.account),
            ("region", &self.region),
            ("resources", &self.resources),
            ("ip", &self.ip),
            ("user", &self.user),
            ("user_agent", &self.user_agent),
            ("occurred_at", &self.occurred_at),
            ("detected_at", &self.detected_at),
            ("updated_at", &self.updated_at),
            ("count", &self.count),
            ("resolved", &self.resolved),
            ("url", &self.url),
        ]
    }
}

/// A source by its mapping.
pub(super) struct Mapped {
    name: String,
    mapping: Mapping,
}

impl Mapped {
    pub(super) fn new(name: &str, mapping: &Mapping) -> Result<Self, BadMapping> {
        let bad = |field, why: String| BadMapping { source_name: name.to_owned(), field, why };
        let is_name = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-'
        };
        if name.is_empty() || !name.bytes().all(is_name) {
            let why = "a name has small letters, digits, `_` and `-`: it stands in a path";
            return Err(bad("name", why.to_owned()));
        }
        for (field, expression) in mapping.fields() {
            if let Some(expression) = expression {
                probe::parse(expression).map_err(|error| bad(field, error.to_string()))?;
            }
        }
        if mapping.severity.is_none() {
            return Err(bad(
                "severity",
                "it has to be said: a quoted word such as 'high' will do".to_owned(),
            ));
        }
        Ok(Self { name: name.to_owned(), mapping: mapping.clone() })
    }
}

impl Source for Mapped {
    fn name(&self) -> &str {
        &self.name
    }

    fn recognises(&self, payload: &Value) -> bool {
        find(&self.mapping.recognise, payload) == Value::Bool(true)
    }

    fn read(&self, payload: &Value, around: &Around) -> Vec<Result<Alert, SourceError>> {
        if self.mapping.alerts.is_none() {
            return vec![self.one(payload, around)];
        }
        match find(&self.mapping.alerts, payload) {
            Value::Array(alerts) => alerts.iter().map(|one| self.one(one, around)).collect(),
            _ => vec![Err(self.missing("alerts", "a list"))],
        }
    }
}

impl Mapped {
    fn missing(&self, field: &str, expected: &'static str) -> SourceError {
        SourceError::Member { path: format!("sources.{}.{field}", self.name), expected }
    }

    fn one(&self, alert: &Value, around: &Around) -> Result<Alert, SourceError> {
        let mapping = &self.mapping;
        let said = |expression: &Option<String>| word(&find(expression, alert));
        let moment =
            |expression: &Option<String>| -> Option<Timestamp> { time(&find(expression, alert)) };
        let (severity, severity_score) = self.severity(&find(&mapping.severity, alert))?;
        let resources = match find(&mapping.resources, alert) {
            Value::Array(all) => all.iter().filter_map(resource_of).collect(),
            one => resource_of(&one).into_iter().collect(),
        };
        let is_over = find(&mapping.resolved, alert) == Value::Bool(true);
        let id = said(&mapping.id);
        if mapping.id.is_some() && id.is_none() {
            return Err(self.missing("id", "a text"));
        }
        let draft = Draft {
            title: said(&mapping.title),
            description: said(&mapping.description),
            severity,
            severity_score,
            account: said(&mapping.account).or_else(|| around.account.clone()),
            region: said(&mapping.region).or_else(|| around.region.clone()),
            resources,
            actor: Some(Actor {
                ip: said(&mapping.ip),
                user: said(&mapping.user),
                user_agent: said(&mapping.user_agent),
            }),
            occurred_at: moment(&mapping.occurred_at),
            detected_at: moment(&mapping.detected_at),
            updated_at: moment(&mapping.updated_at),
            count: find(&mapping.count, alert).as_u64(),
            status: if is_over { AlertStatus::Resolved } else { AlertStatus::Active },
            url: said(&mapping.url),
            ..Draft::new(
                id.unwrap_or_else(|| id_of_content(alert)),
                said(&mapping.kind).unwrap_or_else(|| self.name.clone()),
            )
        };
        draft.alert(&self.name, alert)
    }

    /// By the sender's own words, by the usual ones, or by a number.
    fn severity(&self, found: &Value) -> Result<(Severity, Option<u8>), SourceError> {
        let word = word(found);
        let known = word.as_ref().and_then(|word| self.mapping.severities.get(word).copied());
        if let Some(label) = known.or_else(|| severity_of_word(word.as_deref()?)) {
            return Ok((label, None));
        }
        let score = found.as_f64().or_else(|| word?.trim().parse().ok());
        let score = score.filter(|score: &f64| (0.0..=100.0).contains(score));
        // Between 0 and 100.
        let score = score.map(|score| score.round() as u8);
        let score =
            score.ok_or_else(|| self.missing("severity", "a word that is known or 0 to 100"))?;
        Ok((Severity::of_score(score), Some(score)))
    }
}

/// What an expression finds; nothing where there is none, or where it can't be evaluated here.
fn find(expression: &Option<String>, value: &Value) -> Value {
    let found = expression.as_deref().and_then(|it| probe::search(it, value).ok());
    found.unwrap_or(Value::Null)
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => {
            Some(number.as_u64().map_or_else(|| number.to_string(), |n| n.to_string()))
        }
        _ => None,
    }
}
