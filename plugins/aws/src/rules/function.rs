//! The functions of the language of endpoint rules.

use serde_json::{Value, json};

use super::Partitions;
use super::template::attribute;

/// Calls a function. Nothing is returned where the language says that there is no value.
pub(super) fn call(
    name: &str,
    arguments: &[Option<Value>],
    partitions: &Partitions,
) -> Option<Value> {
    let argument = |at: usize| arguments.get(at).and_then(Option::as_ref);
    let text = |at| argument(at).and_then(Value::as_str);
    let flag = |at| argument(at).and_then(Value::as_bool);
    Some(match name {
        "isSet" => argument(0).is_some_and(|value| !value.is_null()).into(),
        "not" => (!flag(0).unwrap_or(argument(0).is_some())).into(),
        "getAttr" => return attribute(argument(0)?, text(1)?),
        "stringEquals" | "booleanEquals" => (argument(0)? == argument(1)?).into(),
        "aws.partition" => return partitions.of(text(0)?),
        "aws.parseArn" => return arn(text(0)?),
        "aws.isVirtualHostableS3Bucket" => is_bucket_label(text(0)?, flag(1)?).into(),
        "isValidHostLabel" => is_host_label(text(0)?, flag(1)?).into(),
        "parseURL" => return url(text(0)?),
        "substring" => {
            let bound = |at| usize::try_from(argument(at)?.as_u64()?).ok();
            return substring(text(0)?, bound(1)?, bound(2)?, flag(3)?);
        }
        "uriEncode" => percent_encoded(text(0)?).into(),
        _ => return None,
    })
}

fn arn(text: &str) -> Option<Value> {
    let mut parts = text.splitn(6, ':');
    let (prefix, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = prefix == "arn" && ![partition, service, resource].contains(&"");
    let resource: Vec<&str> = resource.split([':', '/']).collect();
    whole.then(|| {
        json!({
            "partition": partition,
            "service": service,
            "region": region,
            "accountId": account,
            "resourceId": resource,
        })
    })
}

/// Whether a text is one label of a host's name, or several with dots between
/// (<https://www.rfc-editor.org/rfc/rfc1123#section-2>).
fn is_host_label(text: &str, dots: bool) -> bool {
    if dots {
        return text.split('.').all(|label| is_host_label(label, false));
    }
    let inner = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (1..=63).contains(&text.len()) && inner && !text.starts_with('-')
}

/// Whether a bucket can stand in a host's name
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>).
fn is_bucket_label(text: &str, dots: bool) -> bool {
    if dots {
        let is_address = text.parse::<std::net::Ipv4Addr>().is_ok();
        return !is_address && text.split('.').all(|label| is_bucket_label(label, false));
    }
    let inner = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (3..=63).contains(&text.len()) && inner && !text.starts_with('-') && !text.ends_with('-')
}

fn url(text: &str) -> Option<Value> {
    let (scheme, rest) = text.split_once("://")?;
    if !["http", "https"].contains(&scheme) || rest.contains('?') {
        return None;
    }
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(host, path)| (host, path));
    let path = format!("/{path}");
    let normal = if path.ends_with('/') { path.clone() } else { format!("{path}/") };
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let is_address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    let path = if path == "/" { String::new() } else { path };
    Some(json!({
        "scheme": scheme,
        "authority": authority,
        "path": path,
        "normalizedPath": normal,
        "isIp": is_address,
    }))
}

fn substring(text: &str, start: usize, stop: usize, reverse: bool) -> Option<Value> {
    if start >= stop || !text.is_ascii() {
        return None;
    }
    let range = if reverse {
        text.len().checked_sub(stop)?..text.len().checked_sub(start)?
    } else {
        start..stop
    };
    text.get(range).map(Value::from)
}

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn substrings_count_from_either_end() {
        assert_eq!(substring("abcdef", 1, 3, false), Some(json!("bc")));
        assert_eq!(substring("abcdef", 0, 3, true), Some(json!("def")));
        assert_eq!(substring("ab", 0, 3, true), None);
    }

    #[test]
    fn arns_and_addresses_are_taken_apart() {
        let arn = arn("arn:aws:s3::1:accesspoint/x").unwrap();
        assert_eq!(arn["resourceId"], json!(["accesspoint", "x"]));
        assert_eq!(super::arn("arn:aws:s3"), None);
        assert_eq!(url("https://127.0.0.1:8000/p").unwrap()["isIp"], true);
        assert_eq!(url("ftp://x"), None);
    }
}
