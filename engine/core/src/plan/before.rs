//! The state before a change: what an undo brings back, and what it is measured against.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Probe;
use crate::probe::{check, literal};
use crate::span::Span;

/// What was seen before a change, and how it is looked at again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// The reading operation.
    pub operation: String,
    /// Its parameters.
    pub params: Value,
    /// A JMESPath expression that takes the state out of its answer.
    pub expression: String,
    /// Codes of errors that say that there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
    /// The state; null when there was none.
    pub state: Value,
}

impl Before {
    /// The probe that passes when the state is as it was, with the patience of another one.
    pub fn probe(&self, patience: Option<&Probe>) -> Probe {
        let (within, every) = patience
            .map_or((Span::from_secs(120), Span::from_secs(5)), |probe| {
                (probe.within, probe.every)
            });
        let is_so = self.is_so();
        // What an empty answer would pass is asked the other way round, which an error never
        // passes.
        let passes_on = check(&is_so).is_ok();
        let expression = if passes_on { is_so } else { format!("!({is_so})") };
        Probe {
            operation: self.operation.clone(),
            params: self.params.clone(),
            expression,
            account: None,
            region: None,
            errors: self.errors.clone(),
            passes_on,
            within,
            every,
        }
    }

    fn is_so(&self) -> String {
        let same = format!("({}) == {}", self.expression, literal(&self.state));
        if self.state.is_null() && !self.errors.is_empty() {
            format!("contains({}, error.code) || {same}", literal(&json!(self.errors)))
        } else {
            same
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{error_answer, look};

    fn before(expression: &str, errors: &[&str], state: Value) -> Before {
        serde_json::from_value(json!({
            "operation": "s3:GetBucketPolicy", "params": {}, "expression": expression,
            "errors": errors, "state": state,
        }))
        .unwrap()
    }

    #[test]
    fn what_was_there_must_be_there_again() {
        let before = before("Policy", &["NoSuchBucketPolicy"], json!("{}"));
        let probe = before.probe(None);
        for (answer, passes) in [
            (json!({"Policy": "{}"}), true),
            (json!({"Policy": "{ }"}), false),
            (error_answer("NoSuchBucketPolicy"), false),
            (json!({}), false),
        ] {
            assert_eq!(look(&probe, &answer).unwrap().passes, passes, "{answer}");
        }
    }

    #[test]
    fn what_was_not_there_must_be_gone() {
        let gone = before("Policy", &["NoSuchBucketPolicy"], Value::Null);
        let probe = gone.probe(None);
        assert!(look(&probe, &error_answer("NoSuchBucketPolicy")).unwrap().passes);
        assert!(!look(&probe, &json!({"Policy": "{}"})).unwrap().passes);
        let unset = before("Concurrency", &[], Value::Null).probe(None);
        assert!(!unset.passes_on);
        assert!(look(&unset, &json!({"Concurrency": null})).unwrap().passes);
        assert!(!look(&unset, &json!({"Concurrency": 0})).unwrap().passes);
    }
}
