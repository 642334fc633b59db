//! The catalogue's small language: JMESPath over what is known of a change.

use serde_json::{Map, Value};
use stanch_plugins_sdk::core::probe::{literal, search};

/// Fills a template: an expression over what is known. What is null is left out.
///
/// # Errors
/// In words, when it can't be evaluated over this.
pub(super) fn fill(template: &str, known: &Value) -> Result<Value, String> {
    search(template, known).map(without_nulls).map_err(|error| error.to_string())
}

/// An expression over an answer of AWS, with every `$(…)` in it filled and put in as a literal.
///
/// # Errors
/// In words, when a bracket is missing or a part can't be filled.
pub(super) fn expression(text: &str, known: &Value) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("$(") {
        let end = closing(after).ok_or_else(|| format!("`$({after}` is not closed"))?;
        let (template, tail) = after.split_at(end);
        out.push_str(before);
        out.push_str(&literal(&fill(template, known)?));
        rest = tail.get(1..).unwrap_or_default();
    }
    out.push_str(rest);
    Ok(out)
}

/// Where the bracket closes that is open before a text. Brackets inside quotes count for nothing.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1;
    let mut quote = None;
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (None, '\'' | '"' | '`') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// A value without anything that is null: AWS's parameters leave out what is not said.
pub(super) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let set = members.into_iter().filter(|(_, value)| !value.is_null());
            let set = set.map(|(name, value)| (name, without_nulls(value)));
            Value::Object(set.collect::<Map<_, _>>())
        }
        Value::Array(items) => {
            let set = items.into_iter().filter(|value| !value.is_null());
            Value::Array(set.map(without_nulls).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_filled_in_is_a_value_and_never_a_part_of_the_expression() {
        let known = json!({"params": {"Id": "x') || `true` || ('", "B": "a`b"}});
        let text = expression("K[?Id==$(params.Id)] | [0].B == $(params.B)", &known).unwrap();
        let answer = json!({"K": [{"Id": "x') || `true` || ('", "B": "a`b"}]});
        assert_eq!(search(&text, &answer).unwrap(), json!(true));
        assert_eq!(search(&text, &json!({"K": [{"Id": "y"}]})).unwrap(), json!(false));
    }

    #[test]
    fn brackets_close_where_they_should() {
        let known = json!({"params": {"a": "b", "n": [1, 2]}});
        let text = expression(
            "x == $(join(')', [params.a, params.a])) && y > $(length(params.n))",
            &known,
        );
        assert_eq!(text.unwrap(), "x == `\"b)b\"` && y > `2`");
        assert!(expression("x == $(join('(', [a])", &known).unwrap_err().contains("not closed"));
        assert!(expression("x == $(length(params.a.b))", &known).is_err());
    }

    #[test]
    fn what_is_null_is_left_out() {
        let known = json!({"params": {"a": null, "b": [null, {"c": null}], "d": false}});
        assert_eq!(fill("params", &known).unwrap(), json!({"b": [{}], "d": false}));
    }
}
