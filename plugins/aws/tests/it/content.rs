//! Content beside the JSON of a call: what goes to an object is what comes back, and is signed as it is;
//! what an answer leads to comes from there and from nowhere else.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use stanch_plugins_aws::sandbox::Sandbox;
use stanch_plugins_sdk::core::digest::Sha256;
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{ActionError, Catalogue, Done};
use stanch_tests::moto::Moto;
use tokio::io::AsyncWriteExt as _;

use crate::context::{anywhere, call, catalogue, catalogue_of_runner, done};
use crate::listener::{Sent, listen, read, serve};

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
    let mut params = json!({"Bucket": "evidence", "Key": "a/k"});
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
    done(&aws, &anywhere(), "s3:CreateBucket", json!({"Bucket": "evidence"})).await;
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

    let gone = json!({"Bucket": "evidence", "Key": "gone"});
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

/// What opens the link.
const OPENS: &str = "5d672d79c15b13162d9279b0855cfba6";

fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// An AWS that says of a function where its code is: at `link`, or here, where it then answers so.
async fn function(link: Option<Value>, code: &[u8], here: Vec<u8>) -> (Catalogue, Sent) {
    let (listener, url) = listen().await;
    let link = link.unwrap_or_else(|| json!(format!("{url}/tasks/pay?X-Amz-Signature={OPENS}")));
    let sha256 = STANDARD.encode(Sha256::of(code).bytes());
    let told = json!({
        "Configuration": {"FunctionName": "pay", "CodeSha256": sha256},
        "Code": {"RepositoryType": "S3", "Location": link},
    });
    let (sent, told) = (Sent::default(), http("200 OK", "", told.to_string().as_bytes()));
    let kept = Arc::clone(&sent);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some(request) = read(&mut stream).await else { continue };
            let is_link = request.uri().path() == "/tasks/pay";
            kept.lock().unwrap().push(request);
            stream.write_all(if is_link { &here } else { &told }).await.unwrap();
        }
    });
    (catalogue(&url), sent)
}

async fn code(aws: &Catalogue) -> Result<(Done, Vec<u8>), ActionError> {
    carry(aws, "lambda:GetFunction", json!({"FunctionName": "pay"}), None).await
}

#[tokio::test]
async fn the_code_of_a_function_comes_by_its_link_which_stays_nowhere() {
    let package = bytes(300_000);
    let (aws, sent) = function(None, &package, http("200 OK", "", &package)).await;
    let (done, came) = code(&aws).await.unwrap();
    assert!(came == package, "{} bytes came", came.len());
    assert_eq!(done.value["Code"]["Location"], Value::Null);
    assert!(!format!("{done:?}").contains(OPENS), "{done:?}");
    let sent = sent.lock().unwrap();
    let [asked, fetched] = sent.as_slice() else { panic!("{sent:?}") };
    assert!(asked.headers().contains_key("authorization"));
    assert!(fetched.uri().query().unwrap().contains(OPENS));
    assert!(!fetched.headers().contains_key("authorization"), "{:?}", fetched.headers());
}

#[tokio::test]
async fn a_link_that_leads_elsewhere_is_not_followed() {
    for (link, code_of_no) in [
        (json!(format!("https://169.254.169.254/pay?X-Amz-Signature={OPENS}")), "link_refused"),
        (json!(format!("https://evil.example/pay?X-Amz-Signature={OPENS}")), "link_refused"),
        (json!(format!("http://127.0.0.1:1/pay?X-Amz-Signature={OPENS}")), "link_refused"),
        (json!(format!("https://u:{OPENS}@b.s3.us-east-1.amazonaws.com/pay")), "link_refused"),
        (Value::Null, "no_content"),
    ] {
        let (aws, sent) = function(Some(link.clone()), b"", Vec::new()).await;
        let error = code(&aws).await.unwrap_err();
        assert_eq!((error.code.as_str(), error.kind), (code_of_no, ErrorKind::Permanent), "{link}");
        assert!(!format!("{error:?}").contains(OPENS), "{error:?}");
        assert_eq!(sent.lock().unwrap().len(), 1, "{link}");
    }
}

#[tokio::test]
async fn what_comes_by_a_link_is_whole_and_what_aws_says_or_an_error_without_the_link() {
    let moved = format!("location: http://169.254.169.254/{OPENS}\r\n");
    let denied = format!("<Error><Code>AccessDenied</Code><Message>{OPENS}</Message></Error>");
    let large = b"HTTP/1.1 200 OK\r\ncontent-length: 300000000\r\n\r\nx".to_vec();
    let cut = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 9\r\n\r\npack".to_vec();
    let (forever, passing) = (ErrorKind::Permanent, ErrorKind::Transient);
    for (here, code_of_no, kind, words) in [
        (http("302 Found", &moved, b""), "link_failed", forever, "is not followed there"),
        (http("403 Forbidden", "", denied.as_bytes()), "link_failed", forever, "holds no more"),
        (http("503 Slow Down", "", b""), "link_failed", passing, "answered 503"),
        (http("200 OK", "", b"other"), "content_damaged", passing, "and AWS says"),
        (cut, "content_damaged", passing, "cut off after 4 bytes"),
        (large, "content_too_large", forever, "more than 268435456 bytes"),
    ] {
        let (aws, sent) = function(None, b"package", here).await;
        let error = code(&aws).await.unwrap_err();
        assert_eq!((error.code.as_str(), error.kind), (code_of_no, kind), "{error}");
        assert!(error.message.contains(words), "{error}");
        assert!(!format!("{error:?}").contains(OPENS), "{error:?}");
        assert_eq!(sent.lock().unwrap().len(), 2, "{error}");
    }
}
