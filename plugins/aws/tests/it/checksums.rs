//! Checksums, both ways: the sandbox demands of requests what S3 demands, and the client holds content
//! against what came with it.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use stanch_plugins_aws::sandbox::{Answer, Sandbox};
use stanch_plugins_sdk::Catalogue;
use stanch_plugins_sdk::core::step::ErrorKind;

use crate::context::{anywhere, catalogue, done, error};
use crate::listener::{now, serve};

async fn playing(script: Value) -> (Arc<Sandbox>, Catalogue) {
    let sandbox = Arc::new(Sandbox::new("111122223333").unwrap().answering_everything());
    sandbox.load(script, now()).unwrap();
    let url = serve(Arc::clone(&sandbox)).await;
    (sandbox, catalogue(&url))
}

/// What the sandbox says to a request for S3 with these headers and this body.
fn said(method: &str, path: &str, headers: &[(&str, &str)], body: &'static str) -> String {
    let sandbox = Sandbox::new("111122223333").unwrap().answering_everything();
    let scope = "AWS4-HMAC-SHA256 Credential=AKIA1/20261124/us-east-1/s3/aws4_request";
    let mut request = Request::builder().method(method).uri(path).header("authorization", scope);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Bytes::from_static(body.as_bytes())).unwrap();
    let Answer::Response(_) = sandbox.answer(&request, now()) else { panic!("no answer") };
    let outcome = sandbox.calls()[0].outcome.clone();
    format!("{} {outcome}", sandbox.calls()[0].operation)
}

const DIGITS: &str = "123456789";

#[test]
fn a_request_is_refused_without_the_checksum_that_it_needs_and_with_a_wrong_one() {
    let policy = |headers: &[(&str, &str)]| said("PUT", "/b?policy", headers, DIGITS);
    assert_eq!(policy(&[]), "s3:PutBucketPolicy InvalidRequest");
    assert_eq!(policy(&[("content-md5", "JfnnlDI7RTiF9RgfG2JNCw==")]), "s3:PutBucketPolicy ok");
    for (name, right) in [
        ("x-amz-checksum-crc32", "y/Q5Jg=="),
        ("x-amz-checksum-crc32c", "4waSgw=="),
        ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="),
        ("x-amz-checksum-md5", "JfnnlDI7RTiF9RgfG2JNCw=="),
        ("x-amz-checksum-sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
        ("x-amz-checksum-sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
    ] {
        assert_eq!(policy(&[(name, right)]), "s3:PutBucketPolicy ok", "{name}");
        let other = format!("A{}", &right[1..]);
        assert_eq!(policy(&[(name, &other)]), "s3:PutBucketPolicy BadDigest", "{name}");
        assert_eq!(policy(&[(name, "AA==")]), "s3:PutBucketPolicy InvalidRequest", "{name}");
    }
    let zero = "AAAAAAAAAAAAAAAAAAAAAA==";
    assert_eq!(policy(&[("content-md5", zero)]), "s3:PutBucketPolicy BadDigest");
    assert_eq!(policy(&[("content-md5", "short")]), "s3:PutBucketPolicy InvalidDigest");
    let two = [("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-checksum-crc32c", "4waSgw==")];
    assert_eq!(policy(&two), "s3:PutBucketPolicy InvalidRequest");
}

#[test]
fn an_object_may_have_one_also_behind_its_chunks() {
    let put = |headers: &[(&str, &str)], body| said("PUT", "/b/k", headers, body);
    assert_eq!(put(&[], DIGITS), "s3:PutObject ok");
    let names = [("x-amz-sdk-checksum-algorithm", "CRC32")];
    assert_eq!(put(&names, DIGITS), "s3:PutObject InvalidRequest");
    let chunked = [
        ("x-amz-sdk-checksum-algorithm", "CRC32"),
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
        ("content-encoding", "aws-chunked"),
    ];
    let right = "9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n";
    assert_eq!(put(&chunked, right), "s3:PutObject ok");
    let wrong = "9\r\n123456780\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n";
    assert_eq!(put(&chunked, wrong), "s3:PutObject BadDigest");
}

#[tokio::test]
async fn what_the_client_sends_has_the_checksum_that_its_operation_needs() {
    let (sandbox, aws) = playing(json!({})).await;
    let object = json!({"Bucket": "b", "Key": "k", "Body": "MTIzNDU2Nzg5"});
    for algorithm in [
        Value::Null,
        json!("CRC32"),
        json!("CRC32C"),
        json!("CRC64NVME"),
        json!("MD5"),
        json!("SHA1"),
        json!("SHA256"),
        json!("SHA512"),
    ] {
        let mut object = object.clone();
        object["ChecksumAlgorithm"] = algorithm;
        done(&aws, &anywhere(), "s3:PutObject", object).await;
    }
    let policy = json!({"Bucket": "b", "Policy": "{}"});
    done(&aws, &anywhere(), "s3:PutBucketPolicy", policy).await;
    let grants = json!({"AccountId": "111122223333"});
    done(&aws, &anywhere(), "s3control:CreateAccessGrantsInstance", grants).await;
    assert!(sandbox.calls().iter().all(|call| call.outcome == "ok"), "{:?}", sandbox.calls());
    let mut wrong = object;
    wrong["ChecksumCRC32"] = json!("AAAAAA==");
    let refused = error(&aws, &anywhere(), "s3:PutObject", wrong).await;
    assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::Permanent, "BadDigest"));
}

#[tokio::test]
async fn content_that_is_not_what_its_checksum_says_is_not_taken() {
    let damaged = json!({"Body": "c2FuZGJveA==", "ChecksumSHA256": "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="});
    let parts = json!({"Body": "c2FuZGJveA==", "ChecksumCRC32": "y/Q5Jg==-2"});
    let (sandbox, aws) = playing(json!({"answers": [
        {"operation": "s3:GetObject", "match": {"Key": "damaged"}, "output": damaged},
        {"operation": "s3:GetObject", "match": {"Key": "in-parts"}, "output": parts},
    ]}))
    .await;
    let key = |key: &str| json!({"Bucket": "b", "Key": key});
    let refused = error(&aws, &anywhere(), "s3:GetObject", key("damaged")).await;
    assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::Transient, "response_damaged"));
    assert!(refused.message.contains("SHA256") && refused.call.request_id.is_some(), "{refused}");
    let whole = done(&aws, &anywhere(), "s3:GetObject", key("whole")).await;
    assert_eq!(
        (&whole.value["Body"], whole.value["ChecksumCRC32"].is_string()),
        (&json!("c2FuZGJveA=="), true)
    );
    done(&aws, &anywhere(), "s3:GetObject", key("in-parts")).await;
    assert!(sandbox.calls().iter().all(|call| call.params["ChecksumMode"] == "ENABLED"));
}
