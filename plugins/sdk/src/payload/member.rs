//! Members of payloads that come in two spellings: AWS's events write `accountId`, the answers of
//! its APIs `AccountId`. Only names that a sender gave are read so; names within tags are people's.

use serde_json::Value;

/// The member `name`, written as it is or with a capital. Null counts as absent.
pub fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let found = value.get(name).or_else(|| {
        let mut letters = name.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        value.get(first.into_iter().chain(letters).collect::<String>())
    });
    found.filter(|value| !value.is_null())
}

/// The member at the end of a path of names.
pub fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, name| member(value, name))
}

/// The text at the end of a path; an empty one counts as absent.
pub fn text(value: &Value, path: &[&str]) -> Option<String> {
    at(value, path)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The text or the whole number at the end of a path, as text: ids come as either.
pub fn scalar(value: &Value, path: &[&str]) -> Option<String> {
    match at(value, path)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

/// The number at the end of a path, also when it is written as text.
pub fn number(value: &Value, path: &[&str]) -> Option<f64> {
    let found = match at(value, path)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    found.filter(|number: &f64| number.is_finite())
}

/// The items of the list at the end of a path.
pub fn items<'v>(value: &'v Value, path: &[&str]) -> &'v [Value] {
    at(value, path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// What a value has on top, in words, for an error.
pub fn names(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let short = |name: &String| name.chars().take(40).collect::<String>();
            let first: Vec<_> = members.keys().take(12).map(short).collect();
            let more = members.len().saturating_sub(first.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!(
                "an object of {}{more}",
                if first.is_empty() { "nothing".into() } else { first.join(", ") }
            )
        }
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::String(_) => "a text that is no JSON".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Null => "null".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_spellings_are_read_and_no_third() {
        for value in [json!({"accountId": "1"}), json!({"AccountId": "1"})] {
            assert_eq!(text(&value, &["accountId"]).as_deref(), Some("1"));
        }
        assert_eq!(text(&json!({"accountid": "1"}), &["accountId"]), None);
        assert_eq!(text(&json!({"accountId": null, "AccountId": "1"}), &["accountId"]), None);
    }

    #[test]
    fn a_number_may_be_written_as_text_and_an_id_as_a_number() {
        assert_eq!(number(&json!({"n": "7.5"}), &["n"]), Some(7.5));
        assert_eq!(number(&json!({"n": "high"}), &["n"]), None);
        assert_eq!(number(&json!({"n": "inf"}), &["n"]), None);
        assert_eq!(scalar(&json!({"id": 12}), &["id"]).as_deref(), Some("12"));
        assert_eq!(scalar(&json!({"id": 1.5}), &["id"]), None);
    }

    #[test]
    fn an_error_names_what_is_there_and_stays_short() {
        assert_eq!(names(&json!({"b": 1, "a": 2})), "an object of a, b");
        let many: serde_json::Map<_, _> = (0..100).map(|n| (format!("n{n}"), json!(1))).collect();
        assert!(names(&Value::Object(many)).ends_with("and 88 more"));
    }
}
