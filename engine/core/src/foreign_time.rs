//! Times as senders write them.

use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use serde_json::Value;

use crate::time::Timestamp;

/// A time in any of the forms that senders have: a text, or a number of seconds, milliseconds,
/// microseconds or nanoseconds since 1970, told apart by its size.
pub fn time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => time_of_text(text),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => of_epoch(whole),
            None => number.as_f64().and_then(of_seconds),
        },
        _ => None,
    }
}

/// A time in a text: ISO 8601 with any offset or with none, RFC 1123, the form of consoles
/// (`Mar 20, 2023, 6:08:05 PM`), or a number. Where there is no offset it is UTC, which is what
/// AWS and the others here write. A year of 0001, which is Go's word for never, is no time.
pub fn time_of_text(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > 64 || text.starts_with("0001-01-01") {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return of_epoch(whole);
    }
    if let Ok(seconds) = text.parse::<f64>() {
        return of_seconds(seconds);
    }
    let text = tidy(text);
    Timestamp::parse(&text).ok().or_else(|| of_mail(&text)).or_else(|| of_clock(&text))
}

/// A text with its slips taken out: blanks behind colons (which copies of AWS's examples have), a
/// dot within the offset, narrow blanks.
fn tidy(text: &str) -> String {
    let text = text.replace(['\u{202f}', '\u{a0}'], " ").replace(": ", ":");
    let point = text.len().wrapping_sub(3);
    let offset = text.len().wrapping_sub(6);
    let is_offset = text.get(offset..).is_some_and(|tail| tail.starts_with(['+', '-']));
    match (text.get(..point), text.get(point..)) {
        (Some(head), Some(tail)) if is_offset && tail.starts_with('.') => {
            format!("{head}:{}", tail.trim_start_matches('.'))
        }
        _ => text,
    }
}

/// `Thu, 1 Nov 2018 22:00:00 GMT`, as AWS Health writes. A wrong weekday is not held against it.
fn of_mail(text: &str) -> Option<Timestamp> {
    let parser = rfc2822::DateTimeParser::new().relaxed_weekday(true);
    parser.parse_timestamp(text).ok().map(|at| Timestamp::from_micros(at.as_microsecond()))
}

/// A time without an offset, which is UTC.
fn of_clock(text: &str) -> Option<Timestamp> {
    let bare = ["UTC", "GMT", "Z"].iter().find_map(|zone| text.strip_suffix(zone)).unwrap_or(text);
    let bare = bare.trim_end();
    let has_time = bare.contains(':');
    let parsed = bare.parse::<DateTime>().ok().filter(|_| has_time).or_else(|| {
        ["%b %d, %Y, %I:%M:%S %p", "%b %d, %Y %I:%M:%S %p", "%a %b %d %H:%M:%S UTC %Y"]
            .iter()
            .find_map(|form| DateTime::strptime(form, bare).ok())
    })?;
    let at = jiff::tz::Offset::UTC.to_timestamp(parsed).ok()?;
    Some(Timestamp::from_micros(at.as_microsecond()))
}

/// Since 1970 in the unit that the size speaks of. Sizes meet between the years 1973 and 5138.
fn of_epoch(number: i64) -> Option<Timestamp> {
    let micros = match number {
        1..100_000_000_000 => number.checked_mul(1_000_000)?,
        100_000_000_000..100_000_000_000_000 => number.checked_mul(1_000)?,
        100_000_000_000_000..100_000_000_000_000_000 => number,
        100_000_000_000_000_000.. => number.div_euclid(1_000),
        _ => return None,
    };
    checked(micros)
}

fn of_seconds(number: f64) -> Option<Timestamp> {
    let scale = match number {
        n if n.is_nan() || n < 1.0 => return None,
        n if n < 1e11 => 1e6,
        n if n < 1e14 => 1e3,
        n if n < 1e17 => 1.0,
        _ => return None,
    };
    // Within the range of i64: at most 1e17.
    checked((number * scale).round() as i64)
}

/// Only what can be written as a date.
fn checked(micros: i64) -> Option<Timestamp> {
    jiff::Timestamp::from_microsecond(micros).ok().map(|_| Timestamp::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_is_read_as_the_same_moment() {
        let expected = "2026-11-24T03:05:12.5Z";
        for value in [
            json!("2026-11-24T03:05:12.500Z"),
            json!("2026-11-24T03:05:12.500000000Z"),
            json!("2026-11-24T04:05:12.5+0100"),
            json!("2026-11-24T03:05:12.500+0000"),
            json!("2026-11-24T05: 05: 12.500+02:00"),
            json!("2026-11-24T04:05:12.5+01.00"),
            json!("2026-11-23T09:06:12.5-1759"),
            json!("2026-11-24T21:05:12.5+18:00"),
            json!("2026-11-24 03:05:12.500"),
            json!("2026-11-24 03:05:12.5 UTC"),
            json!("2026-11-24T03:05:12.5"),
            json!(1_795_489_512.5),
            json!("1795489512.5"),
            json!(1_795_489_512_500_i64),
            json!("1795489512500"),
            json!(1_795_489_512_500_000_i64),
            json!(1_795_489_512_500_000_000_i64),
        ] {
            assert_eq!(time(&value).map(|at| at.to_string()).as_deref(), Some(expected), "{value}");
        }
        let second = "2026-11-24T03:05:12Z";
        for value in [
            json!("Tue, 24 Nov 2026 03:05:12 GMT"),
            json!("Sun, 24 Nov 2026 03:05:12 GMT"),
            json!("Nov 24, 2026, 3:05:12 AM"),
            json!("Nov 24, 2026, 3:05:12\u{202f}AM"),
            json!("Tue Nov 24 03:05:12 UTC 2026"),
            json!(1_795_489_512),
        ] {
            assert_eq!(time(&value).map(|at| at.to_string()).as_deref(), Some(second), "{value}");
        }
    }

    #[test]
    fn what_is_no_time_is_absent() {
        for value in [
            json!(""),
            json!("yesterday"),
            json!("2026-11-24"),
            json!("0001-01-01T00:00:00Z"),
            json!(0),
            json!(f64::MAX),
            json!(i64::MIN),
            json!("NaN"),
            json!(true),
            json!(null),
            json!({"seconds": 1}),
            json!("9".repeat(100)),
        ] {
            assert_eq!(time(&value), None, "{value}");
        }
    }
}
