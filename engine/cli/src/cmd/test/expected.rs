//! What is to come of an example.

use serde::Deserialize;
use serde_json::Value;
use stanch_engine_runtime::scripted::Scripted;
use stanch_plugins_sdk::{Catalogue, Reading, Source as _};

/// The file beside a payload. What an alert of it does not name is not compared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    /// The alerts, in their order; none where the payload is no alert.
    #[serde(default)]
    alerts: Option<Vec<Value>>,
    /// A part of each reason for which something is refused.
    #[serde(default)]
    refused: Vec<String>,
    /// Whether the script says that the payload is its own; true unless it is said, for a script
    /// that has `matches`.
    matches: Option<bool>,
}

impl Expected {
    pub(super) fn read(value: Value) -> Result<Self, String> {
        let read: Self = serde_json::from_value(value).map_err(|error| error.to_string())?;
        if read.alerts.is_none() && read.refused.is_empty() && read.matches.is_none() {
            return Err("it expects nothing: it takes `alerts`, `refused` or `matches`".to_owned());
        }
        Ok(read)
    }

    /// How what a script makes of a payload differs.
    pub(super) fn compare(
        &self,
        catalogue: &Catalogue,
        source: &Scripted,
        payload: &Value,
    ) -> Vec<String> {
        let mut failures = self.matching(catalogue, source, payload);
        if self.alerts.is_none() && self.refused.is_empty() {
            return failures;
        }
        match catalogue.read(source.name(), payload) {
            Ok(reading) => self.differences(&reading, &mut failures),
            Err(why) => failures.push(why),
        }
        failures
    }

    /// By name a script reads whatever it is given; `auto` asks, and others may be first.
    fn matching(&self, catalogue: &Catalogue, source: &Scripted, payload: &Value) -> Vec<String> {
        if !source.has_matches() && self.matches.is_none() {
            return Vec::new();
        }
        let expected = self.matches.unwrap_or(true);
        let auto = catalogue.read("auto", payload).unwrap_or_default();
        let own = |reading: &Reading| {
            let alerts = reading.alerts.iter().any(|alert| alert.source == source.name());
            let of_it = format!("{}: ", source.name());
            alerts || reading.refused.iter().any(|refused| refused.reason.starts_with(&of_it))
        };
        match (source.matches(payload), own(&auto)) {
            (Err(why), _) => vec![why],
            (_, found) if found == expected => Vec::new(),
            (Ok(true), _) if expected => {
                let others: Vec<_> = auto.alerts.iter().map(|one| one.source.as_str()).collect();
                vec![format!("`auto` gives it to others first: {}", others.join(", "))]
            }
            (_, found) => vec![format!("matches: expected {expected}, found {found}")],
        }
    }

    fn differences(&self, reading: &Reading, failures: &mut Vec<String>) {
        let expected = self.alerts.as_deref().unwrap_or_default();
        let found = serde_json::to_value(&reading.alerts).unwrap_or_default();
        let found = found.as_array().map(Vec::as_slice).unwrap_or_default();
        if expected.len() != found.len() {
            let (wanted, count) = (expected.len(), found.len());
            failures.push(format!("alerts: expected {wanted}, found {count}"));
        }
        for (number, (expected, found)) in expected.iter().zip(found).enumerate() {
            differ(expected, found, &format!("alerts[{number}]"), failures);
        }
        let reasons: Vec<String> = reading.refused.iter().map(ToString::to_string).collect();
        for part in &self.refused {
            if !reasons.iter().any(|reason| reason.contains(part)) {
                let found = reasons.join("; ");
                failures.push(format!("refused: expected `{part}`, found `{found}`"));
            }
        }
        if reasons.len() > self.refused.len() {
            failures.push(format!("refused: {}", reasons.join("; ")));
        }
    }
}

/// Where two values differ, as far as the expected one goes.
fn differ(expected: &Value, found: &Value, path: &str, failures: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (name, value) in expected {
                let there = found.get(name).unwrap_or(&Value::Null);
                differ(value, there, &format!("{path}.{name}"), failures);
            }
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (number, (expected, found)) in expected.iter().zip(found).enumerate() {
                differ(expected, found, &format!("{path}[{number}]"), failures);
            }
        }
        (expected, found) if expected == found => {}
        (expected, found) => failures.push(format!("{path}: expected {expected}, found {found}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_expected_is_not_compared_and_what_is_must_be() {
        let found = json!({"id": "1", "resources": [{"id": "a", "arn": null}], "title": "t"});
        let failures = |expected: Value| {
            let mut failures = Vec::new();
            differ(&expected, &found, "alerts[0]", &mut failures);
            failures
        };
        assert!(failures(json!({"id": "1", "resources": [{"id": "a"}]})).is_empty());
        let [one] = &failures(json!({"id": "1", "resources": [{"id": "b"}]}))[..] else { panic!() };
        assert_eq!(one, "alerts[0].resources[0].id: expected \"b\", found \"a\"");
        assert_eq!(failures(json!({"resources": []})).len(), 1);
        assert_eq!(failures(json!({"acount": "1"})).len(), 1);
    }

    #[test]
    fn an_expectation_of_nothing_is_none() {
        assert!(Expected::read(json!({})).is_err());
        assert!(Expected::read(json!({"alert": []})).is_err());
        assert!(Expected::read(json!({"matches": false})).is_ok());
    }
}
