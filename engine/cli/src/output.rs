//! How answers are printed: as tables for people, as JSON for programs.

use serde_json::Value;
use stanch_engine_core::report::text::is_hidden;
use stanch_engine_core::time::Timestamp;

/// Prints JSON, indented.
pub(crate) fn json(value: &Value) {
    println!("{}", serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Prints JSON in one line.
pub(crate) fn json_line(value: &Value) {
    println!("{value}");
}

/// Prints rows under their headings. A column is a path into the row.
pub(crate) fn table(rows: &[Value], columns: &[(&str, &str)]) {
    let cell = |row: &Value, path: &str| {
        let value = row.pointer(path).unwrap_or(&Value::Null);
        let shown = if path.ends_with("_at") { moment(value) } else { text(value) };
        shown.replace('\n', " ")
    };
    let mut lines: Vec<Vec<String>> =
        vec![columns.iter().map(|(name, _)| (*name).to_owned()).collect()];
    lines.extend(rows.iter().map(|row| columns.iter().map(|(_, path)| cell(row, path)).collect()));
    let widths: Vec<usize> = (0..columns.len())
        .map(|column| lines.iter().filter_map(|l| l.get(column)).map(|c| c.chars().count()).max())
        .map(|width| width.unwrap_or(0))
        .collect();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// A value in a cell or a line.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => seen(text),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(members) if members.is_empty() => "-".to_owned(),
        other => other.to_string(),
    }
}

/// A text with nothing in it that a terminal would obey: titles and names are an attacker's to choose,
/// and what they say must not rub out a line, colour it, or write one of its own.
pub(crate) fn seen(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// A moment, to the millisecond.
pub(crate) fn moment(value: &Value) -> String {
    let text = text(value);
    Timestamp::parse(&text).map_or(text, |at| format!("{at:.3}"))
}

/// Prints the members of an object, a line each, what is nested as JSON.
pub(crate) fn members(value: &Value) {
    let Some(members) = value.as_object() else { return json(value) };
    let width = members.keys().map(|name| name.len()).max().unwrap_or(0);
    for (name, value) in members {
        let is_nested = matches!(value, Value::Object(_) | Value::Array(_));
        let shown = if is_nested && !is_flat(value) {
            serde_json::to_string_pretty(value).unwrap_or_default()
        } else {
            text(value)
        };
        println!("{name:<width$}  {shown}");
    }
}

fn is_flat(value: &Value) -> bool {
    let is_leaf = |v: &Value| !matches!(v, Value::Object(_) | Value::Array(_));
    value.as_array().is_some_and(|items| items.iter().all(is_leaf))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing_that_a_text_says() {
        let title = "i-1\u{1b}[2K\rall is well\u{202e}\u{9b}1A\tx\ny";
        let shown = text(&title.into());
        assert_eq!(shown, "i-1\u{fffd}[2K\u{fffd}all is well\u{fffd}\u{fffd}1A\tx\ny");
        assert_eq!(text(&serde_json::json!(["a\u{7}", "é"])), "a\u{fffd}, é");
    }

    #[test]
    fn moments_are_of_one_length() {
        for at in ["2026-11-25T01:15:46Z", "2026-11-25T01:15:46.71882Z"] {
            assert_eq!(moment(&at.into()).len(), "2026-11-25T01:15:46.718Z".len());
        }
        assert_eq!(moment(&Value::Null), "-");
        assert_eq!(text(&serde_json::json!({})), "-", "a scope that has no bounds");
    }
}
