//! CloudWatch Logs: what a subscription sends, packed with gzip in base64
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html>).

use std::borrow::Cow;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use stanch_plugins_sdk::core::dense;
use stanch_plugins_sdk::core::limits;
use stanch_plugins_sdk::payload::text;
use stanch_plugins_sdk::{Around, Envelope, Part, SourceError};

use stanch_plugins_sdk::payload::arn::is_account;

/// Log events of a subscription.
pub(crate) struct Logs;

impl Envelope for Logs {
    fn open<'v>(&self, payload: &'v Value) -> Option<Vec<Part<'v>>> {
        if let Some(data) = payload.get("awslogs").and_then(|logs| logs.get("data")) {
            let unpacked = match data.as_str() {
                Some(data) => unpack(data, limits::UNPACKED_BYTES),
                None => Err("is no text".to_owned()),
            };
            let payload = unpacked
                .map(Cow::Owned)
                .map_err(|why| SourceError::Refused(format!("`awslogs.data` {why}")));
            let path = "awslogs.data".to_owned();
            return Some(vec![Part { path, payload, around: Around::default() }]);
        }
        let kind = payload.get("messageType").and_then(Value::as_str)?;
        let events = payload.get("logEvents")?.as_array()?;
        if kind != "DATA_MESSAGE" {
            let why = format!("a {kind} of CloudWatch Logs is no alert");
            let payload = Err(SourceError::Refused(why));
            return Some(vec![Part { path: String::new(), payload, around: Around::default() }]);
        }
        let account = text(payload, &["owner"]).filter(|owner| is_account(owner));
        let part = |(at, event): (usize, &'v Value)| {
            let around = Around { account: account.clone(), region: None };
            let message = event.get("message").unwrap_or(event);
            Part::of(format!("logEvents[{at}].message"), message).within(around)
        };
        Some(events.iter().enumerate().map(part).collect())
    }
}

/// Takes base64 apart, unpacks gzip where it is packed, and reads the JSON in it; at most `most`
/// bytes of it.
pub(super) fn unpack(data: &str, most: usize) -> Result<Value, String> {
    let bytes = BASE64.decode(data.trim()).map_err(|error| format!("is no base64: {error}"))?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return parse(&bytes);
    }
    let mut unpacked = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    // Of bytes that are there already: without a buffer of its own.
    flate2::bufread::MultiGzDecoder::new(&*bytes)
        .take(limit)
        .read_to_end(&mut unpacked)
        .map_err(|error| format!("can't be unpacked: {error}"))?;
    if unpacked.len() > most {
        return Err(format!("unpacks to more than {most} bytes"));
    }
    parse(&unpacked)
}

/// JSON, or else the text that it is.
fn parse(bytes: &[u8]) -> Result<Value, String> {
    if let Some(why) = dense::refusal(bytes) {
        return Err(why);
    }
    serde_json::from_slice(bytes).or_else(|_| match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Value::String(text.to_owned())),
        Err(_) => Err("is neither JSON nor text".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_small_body_does_not_fill_the_memory() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(&vec![b' '; 1_000_001]).unwrap();
        let data = BASE64.encode(packer.finish().unwrap());
        assert!(data.len() < 2_000);
        assert!(unpack(&data, 1_000_000).unwrap_err().contains("more than 1000000"));
        assert!(unpack("%%%", 10).is_err());
        assert!(unpack(&BASE64.encode([0x1f, 0x8b, 1]), 10).is_err());
    }
}
