//! Checksums as S3 demands them of requests, and gives them with answers
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>).

use aws_smithy_types::base64;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response};

use super::reply::Refusal;
use super::request::{Arrived, Asked};
use crate::checksum::{Algorithm, HEADER, NAMED_BY};
use crate::model::Named;

/// Words after [`HEADER`] that are about a checksum and are none.
const ABOUT: [&str; 3] = ["algorithm", "mode", "type"];

/// Holds a request against the checksums that it has, and asks for one where there must be one.
///
/// # Errors
/// With S3's no.
pub(super) fn check(named: Named, arrived: &Arrived<'_>) -> Result<(), Refusal> {
    let operation = named.operation;
    let md5 = arrived.header("content-md5");
    if let Some(stated) = md5 {
        let stated = base64::decode(stated).ok().filter(|sum| sum.len() == 16);
        let stated = stated
            .ok_or_else(|| no("InvalidDigest", "The Content-MD5 you specified was invalid."))?;
        if stated != Algorithm::Md5.sum(&arrived.sent) {
            return Err(no(
                "BadDigest",
                "The Content-MD5 you specified did not match what we received.",
            ));
        }
    }
    let of_bodies = operation.http_checksum.as_ref().is_some_and(|own| own.is_of_requests());
    let stated =
        if of_bodies || operation.http_checksum_required { stated(arrived) } else { vec![] };
    if stated.len() > 1 {
        let why =
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
        return Err(no("InvalidRequest", why));
    }
    for (word, stated) in &stated {
        fits(word, stated, &arrived.sent)?;
    }
    if of_bodies && stated.is_empty() && arrived.header(NAMED_BY).is_some() {
        let why = "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or \
            x-amz-trailer headers were found.";
        return Err(no("InvalidRequest", why));
    }
    let must = operation.http_checksum_required
        || operation.http_checksum.as_ref().is_some_and(|own| own.request_checksum_required);
    if must && md5.is_none() && stated.is_empty() {
        let why = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
        return Err(no("InvalidRequest", why));
    }
    Ok(())
}

/// The checksums in the headers and behind the body, by the word after [`HEADER`].
fn stated(arrived: &Arrived<'_>) -> Vec<(String, String)> {
    let headers = arrived.request.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let trailers = arrived.trailers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let all = headers.chain(trailers).filter_map(|(name, value)| {
        let word = name.strip_prefix(HEADER).filter(|word| !ABOUT.contains(word))?;
        Some((word.to_owned(), value.to_owned()))
    });
    all.collect()
}

fn fits(word: &str, stated: &str, body: &[u8]) -> Result<(), Refusal> {
    // What is not made here is believed.
    let Some(algorithm) = Algorithm::named(word) else { return Ok(()) };
    let sum = algorithm.sum(body);
    let stated = base64::decode(stated).ok().filter(|stated| stated.len() == sum.len());
    let stated = stated.ok_or_else(|| {
        let why = format!("Value for {HEADER}{word} header is invalid.");
        no("InvalidRequest", &why)
    })?;
    if stated == sum {
        return Ok(());
    }
    let name = algorithm.as_str();
    let why = format!("The {name} you specified did not match the calculated checksum.");
    Err(no("BadDigest", &why))
}

fn no(code: &str, why: &str) -> Refusal {
    Refusal::new(400, code, why)
}

/// Gives an answer the checksum of its body, where it was asked for and has none.
pub(super) fn give(asked: &Asked, response: &mut Response<Bytes>) {
    let own = asked.named.operation.http_checksum.as_ref();
    let member = own.and_then(|own| own.request_validation_mode_member.as_deref());
    let is_asked = member.and_then(|member| asked.text(member)) == Some("ENABLED");
    let has_one = response.headers().keys().any(|name| name.as_str().starts_with(HEADER));
    if !is_asked || has_one {
        return;
    }
    let name = HeaderName::try_from(Algorithm::Crc32.header()).ok();
    let sum = HeaderValue::try_from(Algorithm::Crc32.text(response.body())).ok();
    if let Some((name, sum)) = name.zip(sum) {
        response.headers_mut().insert(name, sum);
    }
}
