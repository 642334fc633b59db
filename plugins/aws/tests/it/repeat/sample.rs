//! Parameters of a call: those that must be there, of the right type.

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

/// Parameters, as `Aws::describe` describes them.
pub(super) fn of(parameters: &Value) -> Value {
    let members = parameters.as_object().into_iter().flatten();
    let required = members.filter(|(_, member)| member["required"] == true);
    Value::Object(required.map(|(name, of)| (name.clone(), value(of))).collect::<Map<_, _>>())
}

fn value(of: &Value) -> Value {
    let least = of["min"].as_f64().unwrap_or(0.0);
    match of["type"].as_str().unwrap() {
        "structure" => self::of(&of["members"]),
        "document" => json!({}),
        "list" => json!([value(&of["of"])]),
        "map" => json!({"key": value(&of["of"])}),
        "string" => match of["one_of"].get(0) {
            Some(first) => first.clone(),
            None => text(of, least as usize).into(),
        },
        "boolean" => json!(true),
        "integer" | "long" => json!(least.max(1.0) as i64),
        "float" | "double" => json!(least.max(1.0)),
        "blob" => json!("e30="),
        "timestamp" => json!("2026-11-24T03:00:00Z"),
        other => panic!("{other}"),
    }
}

/// Texts as AWS's patterns ask for them, the plainest first.
const TEXTS: [&str; 14] = [
    "xxxxxxxx",
    "111122223333",
    "arn:aws:iam::111122223333:role/example",
    "arn:aws:s3:::example",
    "i-0123456789abcdef0",
    "01234567-89ab-cdef-0123-456789abcdef",
    "0123456789abcdef0123456789abcdef",
    "https://example.com/x",
    "2026-11-24",
    "x@example.com",
    "ou-ab12-abcd1234",
    "o-abcdefghij",
    "r-ab12",
    "us-east-1",
];

/// A text of the pattern and the lengths that the model names, the same each time.
fn text(of: &Value, least: usize) -> String {
    let plain = "x".repeat(8.max(least));
    let Some(pattern) = of["pattern"].as_str() else { return plain };
    let most = of["max"].as_u64().and_then(|most| usize::try_from(most).ok()).unwrap_or(1_024);
    let whole = pattern.strip_prefix('^').unwrap_or(pattern);
    let whole = whole.strip_suffix('$').unwrap_or(whole);
    // What can't be read, such as looking ahead, is not held against anything.
    let Ok(read) = regex::Regex::new(&format!("^(?:{whole})$")) else { return plain };
    let fits = |text: &&str| (least..=most).contains(&text.len()) && read.is_match(text);
    let known = [plain.as_str()].into_iter().chain(TEXTS).find(|text| fits(text));
    known.map_or_else(|| made_of(whole, &fits).unwrap_or(plain.clone()), str::to_owned)
}

/// A text that is made of a pattern.
fn made_of(pattern: &str, fits: &dyn Fn(&&str) -> bool) -> Option<String> {
    let texts = proptest::string::string_regex(pattern).ok()?;
    let mut runner = TestRunner::deterministic();
    let mut tries = (0..1_000).filter_map(|_| Some(texts.new_tree(&mut runner).ok()?.current()));
    tries.find(|text| text.chars().all(|c| c.is_ascii_graphic()) && fits(&text.as_str()))
}
