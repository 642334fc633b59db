//! The checksums of what is sent, and of what is answered.
//!
//! As AWS's own clients do
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-dataintegrity.html>): a request that may
//! have a checksum has one, by CRC-32 unless the call names another way, and content that comes
//! with a checksum is held against it.

use std::borrow::Cow;

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::base64;
use serde_json::Value;

use crate::checksum::{Algorithm, HEADER, NAMED_BY};
use crate::model::{HttpChecksum, Named};

/// An answer whose content is not what its checksum says.
#[derive(Debug, thiserror::Error)]
#[error("its content is not what its {0} says: it was damaged on its way, or where it lies")]
pub(super) struct Mismatch(String);

/// Parameters that ask for the checksum of what is read, where it can be asked for and nothing
/// else was said.
pub(super) fn asking<'p>(named: Named, params: &'p Value) -> Cow<'p, Value> {
    let Some(member) = validation_member(named) else { return Cow::Borrowed(params) };
    let mut params = Cow::Borrowed(params);
    if params.get(member).is_none_or(Value::is_null)
        && let Value::Object(members) = params.to_mut()
    {
        members.insert(member.to_owned(), "ENABLED".into());
    }
    params
}

fn validation_member(named: Named) -> Option<&'static str> {
    named.operation.http_checksum.as_ref()?.request_validation_mode_member.as_deref()
}

/// Gives a request its checksum.
///
/// # Errors
/// In words, when the call names a way that is not known here.
pub(super) fn sign(named: Named, params: &Value, request: &mut HttpRequest) -> Result<(), String> {
    let operation = named.operation;
    let carries = |name: &str| {
        name.strip_prefix(HEADER).is_some_and(|rest| !["algorithm", "mode", "type"].contains(&rest))
    };
    if request.headers().iter().any(|(name, _)| carries(name)) {
        return Ok(());
    }
    let has_md5 = request.headers().get("content-md5").is_some();
    let asked = operation.http_checksum.as_ref().and_then(|own| asked(own, params));
    let algorithm = match (asked, &operation.http_checksum) {
        (Some(name), _) => Algorithm::named(name).ok_or_else(|| {
            format!(
                "checksums by {name} are not made here: give it as `Checksum{name}`, or name another \
                 `ChecksumAlgorithm`"
            )
        })?,
        (None, Some(own)) if !has_md5 && own.is_of_requests() => Algorithm::Crc32,
        _ if !has_md5 && operation.http_checksum_required => {
            let sum = Algorithm::Md5.text(body(request));
            return insert(request, "content-md5", sum);
        }
        _ => return Ok(()),
    };
    let sum = algorithm.text(body(request));
    insert(request, &algorithm.header(), sum)?;
    insert(request, NAMED_BY, algorithm.as_str().to_owned())
}

fn asked<'p>(own: &HttpChecksum, params: &'p Value) -> Option<&'p str> {
    params.get(own.request_algorithm_member.as_deref()?)?.as_str()
}

fn body(request: &HttpRequest) -> &[u8] {
    request.body().bytes().unwrap_or_default()
}

fn insert(request: &mut HttpRequest, name: &str, value: String) -> Result<(), String> {
    let inserted = request.headers_mut().try_insert(name.to_owned(), value);
    inserted.map(drop).map_err(|error| error.to_string())
}

/// Holds an answer against the checksum that it came with. That of an object that was sent in parts
/// is made of the parts' own, and can't be held against the whole.
pub(super) fn check(named: Named, response: &HttpResponse) -> Result<(), Mismatch> {
    if validation_member(named).is_none() {
        return Ok(());
    }
    let header = |name: &str| response.headers().get(name);
    if header("x-amz-checksum-type").is_some_and(|kind| kind == "COMPOSITE") {
        return Ok(());
    }
    let stated = Algorithm::ALL.into_iter().find_map(|algorithm| {
        let stated = header(&algorithm.header()).filter(|stated| !stated.contains('-'))?;
        Some((algorithm, stated))
    });
    let Some((algorithm, stated)) = stated else { return Ok(()) };
    let sum = algorithm.sum(response.body().bytes().unwrap_or_default());
    match base64::decode(stated).is_ok_and(|stated| stated == sum) {
        true => Ok(()),
        false => Err(Mismatch(algorithm.as_str().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::protocol::request;
    use super::*;
    use crate::model::ModelStore;
    use serde_json::json;

    fn headers(operation: &str, params: Value) -> Vec<(String, String)> {
        let models = ModelStore::open(None).unwrap();
        let request = request(models.operation(operation).unwrap(), &params, None).unwrap();
        let all = request.headers().iter();
        let all = all.map(|(name, value)| (name.to_owned(), value.to_owned()));
        all.filter(|(name, _)| name.contains("checksum") || name.contains("md5")).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_request_has_the_checksum_that_it_names_and_else_the_usual_one() {
        let object = |more: Value| {
            let mut params = json!({"Bucket": "b", "Key": "k", "Body": "MTIzNDU2Nzg5"});
            params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let mut found = headers("s3:PutObject", params);
            found.sort();
            found
        };
        let usual = [pair("x-amz-checksum-crc32", "y/Q5Jg=="), pair(NAMED_BY, "CRC32")];
        assert_eq!(object(json!({})), usual);
        let named = [pair("x-amz-checksum-crc32c", "4waSgw=="), pair(NAMED_BY, "CRC32C")];
        assert_eq!(object(json!({"ChecksumAlgorithm": "CRC32C"})), named);
        // What the caller made is left as it is.
        let own = [pair("x-amz-checksum-sha1", "own")];
        assert_eq!(object(json!({"ChecksumSHA1": "own"})), own);
        let own = [pair("content-md5", "own")];
        assert_eq!(object(json!({"ContentMD5": "own"})), own);
        let models = ModelStore::open(None).unwrap();
        let params = json!({"Bucket": "b", "Key": "k", "ChecksumAlgorithm": "XXHASH3"});
        let refused = request(models.operation("s3:PutObject").unwrap(), &params, None);
        let refused = refused.unwrap_err();
        assert!(refused.to_string().contains("`ChecksumXXHASH3`"), "{refused}");
    }

    #[test]
    fn what_must_have_one_has_one() {
        let policy = headers("s3:PutBucketPolicy", json!({"Bucket": "b", "Policy": "{}"}));
        assert!(policy.iter().any(|(name, _)| name == "x-amz-checksum-crc32"), "{policy:?}");
        let access = json!({"AccountId": "111122223333", "PublicAccessBlockConfiguration": {}});
        assert_eq!(headers("s3control:PutPublicAccessBlock", access), []);
        let create = json!({"AccountId": "111122223333"});
        let sent = headers("s3control:CreateAccessGrantsInstance", create);
        assert!(matches!(&sent[..], [(name, _)] if name == "content-md5"), "{sent:?}");
    }

    #[test]
    fn content_is_asked_for_with_its_checksum_unless_somebody_says_no() {
        let models = ModelStore::open(None).unwrap();
        let named = models.operation("s3:GetObject").unwrap();
        assert_eq!(asking(named, &json!({"Bucket": "b"}))["ChecksumMode"], "ENABLED");
        let other = json!({"ChecksumMode": "OFF"});
        assert_eq!(*asking(named, &other), other);
        let list = models.operation("s3:ListObjectsV2").unwrap();
        assert_eq!(*asking(list, &json!({})), json!({}));
    }
}
