//! JSON to and from AWS's types, one value at a time.
//!
//! Blobs are base64, timestamps ISO 8601 in UTC (numbers of seconds are taken too), and floats
//! that JSON can't hold are `"NaN"`, `"Infinity"` and `"-Infinity"`.

use aws_smithy_types::date_time::Format;
use aws_smithy_types::{DateTime, Document, Number, base64};
use serde_json::{Map, Value};

/// A float of JSON.
pub(crate) fn float(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| match value.as_str()? {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    })
}

/// A float as JSON.
pub(crate) fn of_float(float: f64) -> Value {
    serde_json::Number::from_f64(float).map_or_else(
        || {
            let name = match float {
                f64::INFINITY => "Infinity",
                f64::NEG_INFINITY => "-Infinity",
                _ => "NaN",
            };
            name.into()
        },
        Value::Number,
    )
}

/// A float of 32 bits as JSON, with the digits that it is written with and no more.
pub(crate) fn of_float32(float: f32) -> Value {
    of_float(float.to_string().parse().unwrap_or_else(|_| f64::from(float)))
}

/// A blob of JSON.
pub(crate) fn blob(value: &Value) -> Option<Vec<u8>> {
    base64::decode(value.as_str()?).ok()
}

/// A blob as JSON.
pub(crate) fn of_blob(bytes: impl AsRef<[u8]>) -> Value {
    base64::encode(bytes).into()
}

/// A timestamp of JSON: ISO 8601 with any offset, or seconds since 1970.
pub(crate) fn timestamp(value: &Value) -> Option<DateTime> {
    match value {
        Value::Number(seconds) => match seconds.as_i64() {
            Some(seconds) => Some(DateTime::from_secs(seconds)),
            None => seconds.as_f64().map(DateTime::from_secs_f64),
        },
        Value::String(text) => DateTime::from_str(text, Format::DateTimeWithOffset).ok(),
        _ => None,
    }
}

/// A timestamp as JSON: ISO 8601 in UTC, or its seconds where it lies outside of what that can
/// say.
pub(crate) fn of_timestamp(at: &DateTime) -> Value {
    at.fmt(Format::DateTime).map_or_else(|_| of_float(at.as_secs_f64()), Value::String)
}

/// A timestamp of XML as JSON, in whichever form it is written; text of no form as it is.
pub(crate) fn of_timestamp_text(text: String) -> Value {
    let trimmed = text.trim();
    let formats = [Format::DateTimeWithOffset, Format::EpochSeconds, Format::HttpDate];
    let mut read = formats.iter().find_map(|format| DateTime::from_str(trimmed, *format).ok());
    // An offset without its colon, and none at all.
    if read.is_none() {
        let with_colon = trimmed.len().checked_sub(2).filter(|at| trimmed.is_char_boundary(*at));
        let with_colon = with_colon.map(|at| trimmed.split_at(at)).map(|(a, b)| format!("{a}:{b}"));
        let candidates = with_colon.into_iter().chain([format!("{trimmed}Z")]);
        read = candidates
            .into_iter()
            .find_map(|text| DateTime::from_str(&text, Format::DateTimeWithOffset).ok());
    }
    read.map_or_else(|| text.clone().into(), |at| of_timestamp(&at))
}

/// Any JSON as AWS's document.
pub(crate) fn document(value: &Value) -> Document {
    match value {
        Value::Null => Document::Null,
        Value::Bool(value) => Document::Bool(*value),
        Value::String(text) => Document::String(text.clone()),
        Value::Array(items) => Document::Array(items.iter().map(document).collect()),
        Value::Object(members) => Document::Object(
            members.iter().map(|(name, value)| (name.clone(), document(value))).collect(),
        ),
        Value::Number(number) => Document::Number(if let Some(number) = number.as_u64() {
            Number::PosInt(number)
        } else if let Some(number) = number.as_i64() {
            Number::NegInt(number)
        } else {
            Number::Float(number.as_f64().unwrap_or(f64::NAN))
        }),
    }
}

/// AWS's document as JSON.
pub(crate) fn of_document(document: Document) -> Value {
    match document {
        Document::Null => Value::Null,
        Document::Bool(value) => Value::Bool(value),
        Document::String(text) => Value::String(text),
        Document::Array(items) => Value::Array(items.into_iter().map(of_document).collect()),
        Document::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, value)| (name, of_document(value)))
                .collect::<Map<_, _>>(),
        ),
        Document::Number(Number::PosInt(number)) => number.into(),
        Document::Number(Number::NegInt(number)) => number.into(),
        Document::Number(Number::Float(number)) => of_float(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn timestamps_are_read_from_text_and_from_seconds() {
        for value in [
            json!("2026-11-24T03:00:00Z"),
            json!("2026-11-24T05:00:00+02:00"),
            json!(1_795_489_200),
        ] {
            let at = timestamp(&value).unwrap();
            assert_eq!(of_timestamp(&at), "2026-11-24T03:00:00Z", "{value}");
        }
        assert_eq!(of_timestamp(&timestamp(&json!(1.5)).unwrap()), "1970-01-01T00:00:01.5Z");
        assert_eq!(timestamp(&json!("yesterday")), None);
    }

    #[test]
    fn a_timestamp_of_xml_is_read_however_it_is_written() {
        for text in [
            "2026-11-24T03:00:00Z",
            "2026-11-24T03:00:00.000Z",
            "2026-11-24T05:00:00+02:00",
            "2026-11-24T05:00:00+0200",
            "2026-11-24T03:00:00",
            "1795489200",
            " Tue, 24 Nov 2026 03:00:00 GMT ",
        ] {
            assert_eq!(of_timestamp_text(text.to_owned()), "2026-11-24T03:00:00Z", "{text}");
        }
        assert_eq!(of_timestamp_text("never".to_owned()), "never");
    }

    #[test]
    fn floats_that_json_cannot_hold_have_names() {
        for name in ["NaN", "Infinity", "-Infinity"] {
            assert_eq!(of_float(float(&json!(name)).unwrap()), name);
        }
        assert_eq!((of_float(1.5), of_float32(0.1)), (json!(1.5), json!(0.1)));
        assert_eq!(float(&json!("1.5")), None);
    }

    #[test]
    fn documents_come_back_as_they_went() {
        let value = json!({"a": [1, -1, 1.5, "x", true, null], "b": {"c": {}}});
        assert_eq!(of_document(document(&value)), value);
    }
}
