//! Parameters of a call: those that must be there, of the right type.

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
            None => (0..8.max(least as usize)).map(|_| 'x').collect::<String>().into(),
        },
        "boolean" => json!(true),
        "integer" | "long" => json!(least.max(1.0) as i64),
        "float" | "double" => json!(least.max(1.0)),
        "blob" => json!("e30="),
        "timestamp" => json!("2026-11-24T03:00:00Z"),
        other => panic!("{other}"),
    }
}
