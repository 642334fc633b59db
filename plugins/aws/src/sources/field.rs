//! Members of payloads that come in two spellings: AWS's events write `accountId`, the answers of
//! its APIs `AccountId`. Only names that AWS gave are read so; names within tags are people's.

use serde_json::Value;
use stanch_plugins_sdk::core::time::Timestamp;

/// The member `name`, written as it is or with a capital. Null counts as absent.
pub(super) fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let found = value.get(name).or_else(|| {
        let mut letters = name.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        value.get(first.into_iter().chain(letters).collect::<String>())
    });
    found.filter(|value| !value.is_null())
}

/// The member at the end of a path of names.
pub(super) fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, name| member(value, name))
}

/// The text at the end of a path; an empty one counts as absent.
pub(super) fn text(value: &Value, path: &[&str]) -> Option<String> {
    at(value, path)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The time at the end of a path; one that can't be read counts as absent.
pub(super) fn time(value: &Value, path: &[&str]) -> Option<Timestamp> {
    Timestamp::parse(at(value, path)?.as_str()?).ok()
}

/// The items of the list at the end of a path.
pub(super) fn items<'v>(value: &'v Value, path: &[&str]) -> &'v [Value] {
    at(value, path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
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
}
