//! Texts that hold several values one after another: JSON lines, and what Firehose puts together.

use serde_json::Value;

/// The values of a text that begins with two objects or lists, as a list. A line behind them that is no
/// JSON is a text in it, so that the others are read and it is refused. Nothing for any other text.
pub fn several(text: &str) -> Option<Value> {
    let mut values = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let next = stream.next().and_then(Result::ok);
        match next.filter(|value| value.is_object() || value.is_array()) {
            Some(value) => {
                values.push(value);
                rest = rest.get(stream.byte_offset()..).unwrap_or_default();
            }
            None if values.len() < 2 => return None,
            None => {
                let (line, more) = rest.split_once('\n').unwrap_or((rest, ""));
                values.push(Value::String(line.to_owned()));
                rest = more;
            }
        }
        rest = rest.trim_start();
    }
    (values.len() > 1).then_some(Value::Array(values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_behind_each_other_are_a_list_and_a_broken_line_is_a_text() {
        for (text, expected) in [
            ("{\"a\": 1}\n{\"a\": 2}\n", json!([{"a": 1}, {"a": 2}])),
            ("{\"a\": 1}{\"a\": 2}", json!([{"a": 1}, {"a": 2}])),
            ("{\"a\":1}\n[2]\n{\"a\n{\"a\":3}", json!([{"a": 1}, [2], "{\"a", {"a": 3}])),
        ] {
            assert_eq!(several(text), Some(expected), "{text}");
        }
        for text in ["", "{}", "1 2 3", "{\"a\": 1} and so on", "{\"a\": \n{\"b\": 1}\n{}", "word"]
        {
            assert_eq!(several(text), None, "{text}");
        }
    }
}
