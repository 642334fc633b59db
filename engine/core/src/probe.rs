//! Whether a probe passes: a JMESPath expression over what AWS answered.

mod functions;

use serde_json::{Map, Value, json};

use crate::plan::Probe;

/// An expression that shows nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{expression}` {why}")]
pub struct BadExpression {
    /// The expression.
    pub expression: String,
    /// What is wrong and where.
    pub why: String,
}

/// What a probe saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Whether it passes.
    pub passes: bool,
    /// What the expression gave.
    pub value: Value,
}

/// Checks a probe before anything depends on it: it must be able to fail. One that passes on an
/// answer with nothing in it would call contained what nobody has seen.
///
/// # Errors
/// [`BadExpression`] says what is wrong, and where in the expression.
pub fn check(expression: &str) -> Result<(), BadExpression> {
    let compiled = compile(expression)?;
    for nothing in [Value::Null, Value::Object(Map::new())] {
        let seen = compiled.search(&nothing).ok().and_then(|s| serde_json::to_value(&*s).ok());
        if seen == Some(Value::Bool(true)) {
            let why = "passes on an empty answer, and so shows nothing: ask for what must be there";
            return Err(BadExpression { expression: expression.to_owned(), why: why.to_owned() });
        }
    }
    Ok(())
}

/// Checks that a text is an expression.
///
/// # Errors
/// [`BadExpression`] when it is no JMESPath.
pub fn parse(expression: &str) -> Result<(), BadExpression> {
    compile(expression).map(drop)
}

/// What an expression finds in an answer.
///
/// # Errors
/// [`BadExpression`] when it is no JMESPath, or can't be evaluated over this answer.
pub fn search(expression: &str, answer: &Value) -> Result<Value, BadExpression> {
    let found = compile(expression)?.search(answer).map_err(|error| bad(expression, &error))?;
    Ok(serde_json::to_value(&*found).unwrap_or(Value::Null))
}

/// A value as it stands inside an expression.
pub fn literal(value: &Value) -> String {
    format!("`{}`", value.to_string().replace('`', "\\u0060"))
}

/// What an error of AWS that counts as an answer looks like to an expression.
pub fn error_answer(code: &str) -> Value {
    json!({"error": {"code": code}})
}

fn compile(expression: &str) -> Result<jmespath::Expression<'static>, BadExpression> {
    functions::RUNTIME.compile(expression).map_err(|error| bad(expression, &error))
}

fn bad(expression: &str, error: &jmespath::JmespathError) -> BadExpression {
    let line = error.to_string().lines().next().unwrap_or_default().to_owned();
    let why = format!("is no JMESPath expression over this: {line}");
    BadExpression { expression: expression.to_owned(), why }
}

/// Looks at an answer. Only the boolean that the probe asks for passes: `null`, an empty list, a
/// string "true" and the opposite boolean do not.
///
/// # Errors
/// [`BadExpression`] when the expression can't be evaluated over this answer, such as a function
/// that is given a value of the wrong type.
pub fn look(probe: &Probe, answer: &Value) -> Result<Seen, BadExpression> {
    let value = search(&probe.expression, answer)?;
    Ok(Seen { passes: value == Value::Bool(probe.passes_on), value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn probe(expression: &str) -> Probe {
        serde_json::from_value(json!({
            "operation": "iam:ListAccessKeys", "params": {}, "expression": expression,
        }))
        .unwrap()
    }

    const KEY: &str = "AccessKeyMetadata[?AccessKeyId=='AKIA1'] | [0].Status == 'Inactive'";

    #[test]
    fn true_is_the_only_pass() {
        let keys = |status: &str| {
            json!({"AccessKeyMetadata": [
                {"AccessKeyId": "AKIA0", "Status": "Inactive"},
                {"AccessKeyId": "AKIA1", "Status": status},
            ]})
        };
        assert!(look(&probe(KEY), &keys("Inactive")).unwrap().passes);
        assert!(!look(&probe(KEY), &keys("Active")).unwrap().passes);
    }

    #[test]
    fn an_empty_answer_is_not_contained() {
        for answer in [json!({}), json!({"AccessKeyMetadata": []}), json!(null)] {
            assert!(!look(&probe(KEY), &answer).unwrap().passes, "{answer}");
        }
    }

    #[test]
    fn what_is_merely_truthy_does_not_pass() {
        for (expression, answer) in
            [("x", json!({"x": "true"})), ("x", json!({"x": 1})), ("x", json!({"x": [1]}))]
        {
            assert!(!look(&probe(expression), &answer).unwrap().passes, "{answer}");
        }
    }

    #[test]
    fn an_undo_passes_on_false_and_not_on_nothing() {
        let undo = Probe { passes_on: false, ..probe("x") };
        assert!(look(&undo, &json!({"x": false})).unwrap().passes);
        assert!(!look(&undo, &json!({})).unwrap().passes);
        assert!(!look(&undo, &json!({"x": true})).unwrap().passes);
    }

    #[test]
    fn a_value_can_stand_inside_of_an_expression() {
        for value in [json!("a`b' \\ \"c\\`"), json!({"a": [1, null, true]}), json!("")] {
            assert_eq!(search(&literal(&value), &json!({})).unwrap(), value);
        }
    }

    #[test]
    fn a_bad_expression_says_so_before_it_is_needed() {
        assert!(check("[?").unwrap_err().to_string().contains("JMESPath"));
        assert!(look(&probe("length(x)"), &json!({"x": 1})).is_err());
    }

    #[test]
    fn a_probe_that_can_not_fail_is_none() {
        for expression in ["`true`", "x == null", "length(x || `[]`) == `0`", "!x"] {
            let error = check(expression).unwrap_err().to_string();
            assert!(error.contains("empty answer"), "{error}");
        }
        for expression in [KEY, "x", "length(x) == `0`", "!contains(x, 'a')"] {
            assert_eq!(check(expression), Ok(()));
        }
    }
}
