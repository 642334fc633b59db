//! Content beside the JSON of a call: what goes to an object is what comes back, and is signed as it is.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use stanch_plugins_aws::sandbox::Sandbox;
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{ActionError, Catalogue, Done};
use stanch_tests::moto::Moto;

use crate::context::{anywhere, call, catalogue, catalogue_of_runner, done};
use crate::listener::serve;

async fn carry(
    aws: &Catalogue,
    operation: &str,
    params: Value,
    body: Option<&[u8]>,
) -> Result<(Done, Vec<u8>), ActionError> {
    let input = json!({"operation": operation, "params": params});
    let (action, context, mut came) = (call(aws), anywhere(), Vec::new());
    let done = action.carry(&context, &input, body.map(Bytes::copy_from_slice), &mut came).await?;
    Ok((done, came))
}

fn object(more: Value) -> Value {
    let mut params = json!({"Bucket": "b", "Key": "a/k"});
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    params
}

/// Bytes that are no text.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n % 251) as u8).collect()
}

#[tokio::test]
async fn content_goes_into_an_object_whole_or_in_parts_and_comes_back_as_it_is() {
    let moto = Moto::start().await;
    let aws = catalogue(moto.url());
    done(&aws, &anywhere(), "s3:CreateBucket", json!({"Bucket": "b"})).await;
    let whole = bytes(100_000);
    let sums = json!({"ChecksumAlgorithm": "SHA256"});
    let (put, none) =
        carry(&aws, "s3:PutObject", object(sums.clone()), Some(&whole)).await.unwrap();
    assert!(put.value["ETag"].is_string() && none.is_empty(), "{put:?}");
    let (got, came) = carry(&aws, "s3:GetObject", object(json!({})), None).await.unwrap();
    assert!(came == whole, "{} bytes came", came.len());
    assert_eq!((&got.value["Body"], &got.value["ContentLength"]), (&Value::Null, &json!(100_000)));
    let range = object(json!({"Range": "bytes=10-19"}));
    assert_eq!(carry(&aws, "s3:GetObject", range, None).await.unwrap().1, whole[10..20]);

    let begun = done(&aws, &anywhere(), "s3:CreateMultipartUpload", object(sums)).await;
    let parts = [bytes(5 << 20), bytes(77)];
    let mut ended = Vec::new();
    for (number, part) in (1..).zip(&parts) {
        let which = json!({"UploadId": begun.value["UploadId"], "PartNumber": number,
            "ChecksumAlgorithm": "SHA256"});
        let (sent, _) = carry(&aws, "s3:UploadPart", object(which), Some(part)).await.unwrap();
        ended.push(json!({"PartNumber": number, "ETag": sent.value["ETag"]}));
    }
    let end = json!({"UploadId": begun.value["UploadId"], "MultipartUpload": {"Parts": ended}});
    done(&aws, &anywhere(), "s3:CompleteMultipartUpload", object(end)).await;
    let (_, came) = carry(&aws, "s3:GetObject", object(json!({})), None).await.unwrap();
    assert!(came == parts.concat(), "{} bytes came", came.len());

    let gone = json!({"Bucket": "b", "Key": "gone"});
    let error = carry(&aws, "s3:GetObject", gone, None).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.kind), ("NoSuchKey", ErrorKind::Permanent));
}

#[tokio::test]
async fn content_is_signed_by_its_hash_also_when_it_is_signed_anew() {
    let sandbox = Sandbox::new("111122223333").unwrap();
    let sandbox = Arc::new(sandbox.checking_signatures().answering_everything());
    // The sandbox has another day, so that the first signature is too new and is made once more.
    let aws = catalogue_of_runner(&serve(Arc::clone(&sandbox)).await);
    let part = object(json!({"UploadId": "u", "PartNumber": 1, "ChecksumAlgorithm": "SHA256"}));
    carry(&aws, "s3:UploadPart", part, Some(b"\x00raw\xff")).await.unwrap();
    let calls = sandbox.calls();
    let sent = calls.last().unwrap();
    assert_eq!((sent.operation.as_str(), sent.outcome.as_str()), ("s3:UploadPart", "ok"));
    assert_eq!(sent.params["Body"], "AHJhd/8=");
}

#[tokio::test]
async fn what_has_no_content_or_has_it_twice_is_refused_before_it_is_sent() {
    let sandbox = Arc::new(Sandbox::new("111122223333").unwrap().answering_everything());
    let aws = catalogue(&serve(Arc::clone(&sandbox)).await);
    for (operation, params, body, code) in [
        ("s3:ListBuckets", json!({}), None, "no_content"),
        ("s3:GetObject", object(json!({})), Some(&b"x"[..]), "no_content"),
        ("s3:PutObject", object(json!({"Body": "eA=="})), Some(&b"x"[..]), "request_not_built"),
        ("s3:PutObject", object(json!({"Kez": 1})), Some(&b"x"[..]), "bad_parameters"),
    ] {
        let error = carry(&aws, operation, params, body).await.unwrap_err();
        assert_eq!((error.code.as_str(), error.kind), (code, ErrorKind::Permanent), "{error}");
    }
    let other = aws.action("aws.wait").unwrap();
    let (context, mut came) = (anywhere(), Vec::new());
    let error = other.carry(&context, &json!({}), None, &mut came).await.unwrap_err();
    assert!(error.message.contains("aws.wait has no content"), "{error}");
    assert_eq!(sandbox.calls(), []);
}
