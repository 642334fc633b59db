//! Whether a request is signed as AWS demands it, signature version 4
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use std::time::{Duration, SystemTime};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use bytes::Bytes;
use http::Request;
use stanch_plugins_sdk::core::digest::Sha256;
use stanch_plugins_sdk::core::time::Timestamp;

use super::keys::{Key, Keys};
use super::reply::{Dialect, Refusal};
use super::scope::Scope;
use crate::percent::percent_decoded;

/// How far the date of a request may lie from AWS's clock.
const SKEW_MS: i64 = 15 * 60 * 1_000;

/// Checks a request that must be signed.
///
/// # Errors
/// With AWS's no.
pub(super) fn check(
    request: &Request<Bytes>,
    dialect: Dialect,
    keys: &Keys,
    now: Timestamp,
) -> Result<(), Refusal> {
    let no = No { dialect };
    let header = request.headers().get(http::header::AUTHORIZATION);
    let asymmetric = header.is_some_and(|header| header.as_bytes().starts_with(b"AWS4-ECDSA"));
    if asymmetric {
        return Err(Refusal::new(400, "NotImplemented", "the sandbox does not check SigV4a"));
    }
    let scope = Scope::of(request).ok_or_else(|| Refusal::unsigned(dialect))?;
    let key = keys.get(&scope.key).ok_or_else(|| no.unknown_key())?;
    if key.session_token != scope.session_token {
        return Err(no.unknown_key());
    }
    let signed_at = moment(&scope.date).ok_or_else(|| no.mismatch("its date can't be read"))?;
    let lasts_ms = scope.expires_s.map_or(SKEW_MS, |seconds| seconds.saturating_mul(1_000));
    let age_ms = now.ms_since(signed_at);
    if age_ms > lasts_ms || age_ms < -SKEW_MS {
        return Err(no.skewed(signed_at, now));
    }
    if key.expires_at.is_some_and(|end| end <= now) {
        return Err(no.expired());
    }
    if !scope.date.starts_with(&scope.day) {
        return Err(no.mismatch("the day of its scope is not the day of its date"));
    }
    let body = body_hash(request, &scope).ok_or_else(|| {
        let why = "The provided 'x-amz-content-sha256' header does not match what was computed.";
        Refusal::new(400, "XAmzContentSHA256Mismatch", why)
    })?;
    let fits = |path: String| signature(request, &scope, key, &path, &body) == scope.signature;
    if paths(request.uri().path(), &scope.service).into_iter().any(fits) {
        return Ok(());
    }
    Err(no.mismatch("check your secret access key and signing method"))
}

/// What is said to a bad signature, in the words of each protocol's services.
struct No {
    dialect: Dialect,
}

impl No {
    fn unknown_key(&self) -> Refusal {
        let why = "The security token included in the request is invalid.";
        match self.dialect {
            Dialect::Query => Refusal::new(403, "InvalidClientTokenId", why),
            Dialect::Ec2 => Refusal::new(401, "AuthFailure", why),
            Dialect::RestXml => Refusal::new(403, "InvalidAccessKeyId", why),
            Dialect::Json | Dialect::Cbor => Refusal::new(400, "UnrecognizedClientException", why),
            Dialect::RestJson => Refusal::new(403, "UnrecognizedClientException", why),
        }
    }

    fn mismatch(&self, why: &str) -> Refusal {
        let why = format!(
            "The request signature we calculated does not match the signature you provided: {why}."
        );
        match self.dialect {
            Dialect::Query | Dialect::Ec2 | Dialect::RestXml => {
                Refusal::new(403, "SignatureDoesNotMatch", why)
            }
            Dialect::Json | Dialect::Cbor => Refusal::new(400, "InvalidSignatureException", why),
            Dialect::RestJson => Refusal::new(403, "InvalidSignatureException", why),
        }
    }

    fn skewed(&self, signed_at: Timestamp, now: Timestamp) -> Refusal {
        let why = format!("Signature expired or not yet valid: {signed_at}, and it is {now}.");
        match self.dialect {
            Dialect::Query | Dialect::Ec2 => Refusal::new(400, "RequestExpired", why),
            Dialect::RestXml => Refusal::new(403, "RequestTimeTooSkewed", why),
            Dialect::Json | Dialect::Cbor => Refusal::new(400, "InvalidSignatureException", why),
            Dialect::RestJson => Refusal::new(403, "InvalidSignatureException", why),
        }
    }

    fn expired(&self) -> Refusal {
        super::fault::FaultKind::Expired.refusal(self.dialect)
    }
}

/// A date as signatures write it.
fn moment(date: &str) -> Option<Timestamp> {
    let digits = |from: usize, to: usize| date.get(from..to);
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        digits(0, 4)?,
        digits(4, 6)?,
        digits(6, 8)?,
        digits(9, 11)?,
        digits(11, 13)?,
        digits(13, 15)?
    );
    Timestamp::parse(&text).ok()
}

/// The hash of the body as it is signed; nothing when the request states another than it has.
fn body_hash(request: &Request<Bytes>, scope: &Scope) -> Option<String> {
    let own = || Sha256::of(request.body()).to_string();
    match request.headers().get("x-amz-content-sha256").map(|header| header.to_str()) {
        Some(stated) => {
            let stated = stated.ok()?;
            let is_word = stated == "UNSIGNED-PAYLOAD" || stated.starts_with("STREAMING-");
            (is_word || stated == own()).then(|| stated.to_owned())
        }
        None if scope.expires_s.is_some() => Some("UNSIGNED-PAYLOAD".to_owned()),
        None => Some(own()),
    }
}

/// The forms in which a path may be signed: as it is, as S3 does, or encoded once more, with or
/// without its empty and dotted parts.
fn paths(path: &str, service: &str) -> Vec<String> {
    if service.starts_with("s3") {
        return vec![path.to_owned()];
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let end = if path.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    let normal = format!("/{}{end}", parts.join("/"));
    vec![encoded(&normal, b"/"), encoded(path, b"/")]
}

fn signature(request: &Request<Bytes>, scope: &Scope, key: &Key, path: &str, body: &str) -> String {
    let Scope { day, region, service, date, headers, .. } = scope;
    let mut canonical = format!("{}\n{path}\n{}\n", request.method(), query(request));
    for name in headers {
        let values = request.headers().get_all(name).iter().filter_map(|value| {
            let words = std::str::from_utf8(value.as_bytes()).ok()?.split_whitespace();
            Some(words.collect::<Vec<_>>().join(" "))
        });
        canonical.push_str(&format!("{name}:{}\n", values.collect::<Vec<_>>().join(",")));
    }
    canonical.push_str(&format!("\n{}\n{body}", headers.join(";")));
    let hash = Sha256::of(canonical);
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{day}/{region}/{service}/aws4_request\n{hash}");
    let seconds = moment(date).map_or(0, |at| at.millis() / 1_000);
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let signing = generate_signing_key(&key.secret, time, region, service);
    calculate_signature(signing, text.as_bytes())
}

/// The query, sorted and encoded, without the signature itself.
fn query(request: &Request<Bytes>) -> String {
    let raw = request.uri().query().unwrap_or_default();
    let pairs = raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let again = |text: &str| encoded(&percent_decoded(text), b"");
        (again(name), again(value))
    });
    let mut pairs: Vec<_> = pairs.filter(|(name, _)| name != "X-Amz-Signature").collect();
    pairs.sort();
    let pairs = pairs.into_iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join("&")
}

fn encoded(text: &str, kept: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request of AWS's documentation, and the signature that it gives for it
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
    fn documented(signature: &str) -> Request<Bytes> {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, Signature={signature}"
        );
        Request::builder()
            .uri("/?Action=ListUsers&Version=2010-05-08")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .header("host", "iam.amazonaws.com")
            .header("x-amz-date", "20150830T123600Z")
            .header("authorization", authorization)
            .body(Bytes::new())
            .unwrap()
    }

    fn checked(signature: &str, minutes_later: i64) -> Result<(), String> {
        let mut keys = Keys::default();
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned();
        keys.add("AKIDEXAMPLE", Key { secret, session_token: None, expires_at: None });
        let now = Timestamp::parse("2015-08-30T12:36:00Z").unwrap().plus_ms(minutes_later * 60_000);
        let checked = check(&documented(signature), Dialect::Query, &keys, now);
        checked.map_err(|refusal| refusal.code().to_owned())
    }

    const RIGHT: &str = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";

    #[test]
    fn the_signature_of_awss_own_example_is_right_and_any_other_is_not() {
        assert_eq!(checked(RIGHT, 0), Ok(()));
        assert_eq!(checked(&RIGHT.replace('5', "6"), 0), Err("SignatureDoesNotMatch".to_owned()));
    }

    #[test]
    fn a_signature_holds_for_a_quarter_of_an_hour() {
        assert_eq!(checked(RIGHT, 14), Ok(()));
        assert_eq!(checked(RIGHT, -14), Ok(()));
        for minutes in [16, -16] {
            assert_eq!(checked(RIGHT, minutes), Err("RequestExpired".to_owned()));
        }
    }
}
