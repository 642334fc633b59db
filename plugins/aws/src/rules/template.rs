//! Texts with `{Name}` and `{Name#path}` in them.

use serde_json::Value;

use super::Scope;

/// The text with everything filled in. What is not there is filled with nothing.
pub(super) fn filled(text: &str, scope: &Scope) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('{') {
            out.push('{');
            rest = after;
            continue;
        }
        let (place, after) = after.split_once('}').unwrap_or((after, ""));
        let (name, path) = place.split_once('#').unwrap_or((place, ""));
        let value = scope.get(name).and_then(|value| attribute(value, path));
        match value {
            Some(Value::String(value)) => out.push_str(&value),
            Some(value) => out.push_str(&value.to_string()),
            None => {}
        }
        rest = after;
    }
    out.push_str(&rest.replace("}}", "}"));
    out
}

/// The value at the end of a path such as `resourceId[1]`; of no path the value itself.
pub(super) fn attribute(value: &Value, path: &str) -> Option<Value> {
    let steps = path.split('.').filter(|step| !step.is_empty());
    let end = steps.into_iter().try_fold(value, |value, step| {
        let (name, index) = step.split_once('[').unwrap_or((step, ""));
        let value = if name.is_empty() { value } else { value.get(name)? };
        match index.strip_suffix(']') {
            Some(index) => value.get(index.parse::<usize>().ok()?),
            None => Some(value),
        }
    });
    end.cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_and_paths_are_filled_in() {
        let scope = Scope::from([
            ("Region".into(), json!("eu-west-1")),
            ("P".into(), json!({"dnsSuffix": "amazonaws.com", "id": ["a", "b"]})),
        ]);
        let text = "https://iam.{Region}.{P#dnsSuffix}/{P#id[1]}{Gone}{{x}}";
        assert_eq!(filled(text, &scope), "https://iam.eu-west-1.amazonaws.com/b{x}");
    }
}
