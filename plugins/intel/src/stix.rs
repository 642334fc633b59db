//! Indicators of STIX 2.1 (<https://docs.oasis-open.org/cti/stix/v2.1/os/stix-v2.1-os.html>, 4.7): those
//! whose pattern is one comparison, or several of which any is enough. A pattern that asks for more
//! than a value can tell is passed over.

use serde_json::Value;
use stanch_plugins_sdk::core::time::Timestamp;

use crate::list::{Entry, List};

/// What comparisons are about that a value alone can tell.
const OBJECTS: [&str; 5] =
    ["ipv4-addr:value", "ipv6-addr:value", "domain-name:value", "url:value", "file:hashes"];

/// Reads a bundle.
pub(crate) fn read(bytes: Vec<u8>) -> Result<List, String> {
    let bundle: Value =
        serde_json::from_slice(&bytes).map_err(|error| format!("it is no JSON: {error}"))?;
    let objects = bundle.get("objects").and_then(Value::as_array);
    let is_bundle = bundle.get("type").and_then(Value::as_str) == Some("bundle");
    let objects =
        objects.filter(|_| is_bundle).ok_or("it is no bundle of STIX: it has no `objects`")?;
    let mut list = List::default();
    for object in objects {
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let is_revoked = object.get("revoked").and_then(Value::as_bool) == Some(true);
        let is_stix = text("pattern_type").is_none_or(|kind| kind == "stix");
        let (Some("indicator"), Some(pattern)) = (text("type"), text("pattern")) else { continue };
        if is_revoked || !is_stix {
            continue;
        }
        let time = |name: &str| text(name).and_then(|text| Timestamp::parse(text).ok());
        let entry = Entry {
            says: text("name").or_else(|| text("description")).map(str::to_owned),
            from: time("valid_from"),
            until: time("valid_until"),
        };
        for value in values(pattern).unwrap_or_default() {
            list.add(&value, entry.clone())?;
        }
    }
    Ok(list)
}

/// The values of a pattern any of which is enough; nothing when it asks for more.
fn values(pattern: &str) -> Option<Vec<String>> {
    let mut rest = pattern.trim();
    let mut values = Vec::new();
    loop {
        rest = rest.trim_start_matches(['[', '(', ' ']);
        let (object, after) = rest.split_once([' ', '='])?;
        OBJECTS
            .iter()
            .find(|known| object == **known || object.starts_with(&format!("{known}.")))?;
        let after = after.trim_start();
        let after = after
            .strip_prefix("ISSUBSET")
            .or_else(|| after.strip_prefix('='))
            .unwrap_or(if rest.as_bytes().get(object.len()) == Some(&b'=') { after } else { "" });
        let (value, end) = quoted(after.trim_start())?;
        values.push(value);
        rest = end.trim_start_matches([']', ')', ' ']);
        if rest.is_empty() {
            return Some(values);
        }
        rest = rest.strip_prefix("OR ").or_else(|| rest.strip_prefix("OR["))?;
    }
}

/// A text in single quotes, and what comes behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('\'')?;
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in inside.char_indices() {
        match c {
            c if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '\'' => return Some((value, inside.get(at + 1..).unwrap_or_default())),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pattern_of_values_is_read_and_one_that_asks_for_more_is_not() {
        for (pattern, expected) in [
            ("[ipv4-addr:value = '198.51.100.7']", Some(vec!["198.51.100.7"])),
            ("[ipv4-addr:value='198.51.100.7']", Some(vec!["198.51.100.7"])),
            ("[ipv4-addr:value ISSUBSET '198.51.100.0/24']", Some(vec!["198.51.100.0/24"])),
            (
                "[domain-name:value = 'a.example' OR domain-name:value = 'b.example']",
                Some(vec!["a.example", "b.example"]),
            ),
            (
                "[ipv4-addr:value = '1.2.3.4'] OR [ipv6-addr:value = '2001:db8::1']",
                Some(vec!["1.2.3.4", "2001:db8::1"]),
            ),
            ("[file:hashes.'SHA-256' = 'abc']", Some(vec!["abc"])),
            (r"[url:value = 'http://x/\'y']", Some(vec!["http://x/'y"])),
            ("[ipv4-addr:value = '1.2.3.4' AND network-traffic:dst_port = 22]", None),
            ("[ipv4-addr:value = '1.2.3.4'] FOLLOWEDBY [url:value = 'x']", None),
            ("[ipv4-addr:value != '1.2.3.4']", None),
            ("[process:name = 'x']", None),
            ("[ipv4-addr:value = 'open", None),
            ("", None),
        ] {
            let expected =
                expected.map(|all| all.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(values(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn a_bundle_says_what_and_until_when() {
        let one = |id: &str, more: Value| {
            let mut one = json!({"type": "indicator", "spec_version": "2.1", "name": id, "pattern_type": "stix",
                "pattern": format!("[domain-name:value = '{id}.example']"), "valid_from": "2026-01-01T00:00:00Z"});
            for (name, value) in more.as_object().unwrap() {
                one[name] = value.clone();
            }
            one
        };
        let bundle = json!({"type": "bundle", "id": "bundle--1", "objects": [
            one("good", json!({})), one("over", json!({"valid_until": "2026-02-01T00:00:00Z"})),
            one("revoked", json!({"revoked": true})), one("sigma", json!({"pattern_type": "sigma"})),
            {"type": "identity", "name": "x"},
        ]});
        let list = read(bundle.to_string().into_bytes()).unwrap();
        let at = Timestamp::parse("2026-03-01T00:00:00Z").unwrap();
        let says = |name: &str| {
            list.find(&format!("{name}.example"), at).and_then(|entry| entry.says.clone())
        };
        assert_eq!(says("good").as_deref(), Some("good"));
        for gone in ["over", "revoked", "sigma"] {
            assert_eq!(says(gone), None, "{gone}");
        }
        assert!(read(b"[]".to_vec()).unwrap_err().contains("bundle"));
        assert!(read(b"{".to_vec()).unwrap_err().contains("JSON"));
    }
}
