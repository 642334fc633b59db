//! Payloads that come packed with gzip.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use ring::hmac;
use serde_json::{Value, json};
use stanch_engine_core::limits;

use crate::stage::{Plan, Stage, id};

const SECRET: &str = "the-secret-of-a-sender";

fn packed(body: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(body).unwrap();
    packer.finish().unwrap()
}

fn finding(number: u32) -> Vec<u8> {
    json!({"title": "t", "severity": "low", "id": number}).to_string().into_bytes()
}

/// Sends with the webhook's token, or with what the headers say.
async fn send(stage: &Stage, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, Value) {
    let http = stanch_plugins_http::client_builder().build().unwrap();
    let token = std::fs::read_to_string(stage.dir().join("keys/webhook.token")).unwrap();
    let mut request = http.post(format!("{}/v1/webhooks/generic", stage.url)).bearer_auth(token);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.body(body).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

const GZIP: &[(&str, &str)] = &[("content-encoding", "gzip")];
const X_GZIP: &[(&str, &str)] = &[("content-encoding", "X-GZip")];
const IDENTITY: &[(&str, &str)] = &[("content-encoding", "identity")];
const NOTHING: &[(&str, &str)] = &[];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_be_packed_is_taken_as_what_is_in_it() {
    let stage = Plan::new().set().await;
    let (status, first) = send(&stage, GZIP, packed(&finding(1))).await;
    assert_eq!(status, 202, "{first}");
    let alert = stage.mia.get(&format!("/alerts/{}", id(&first["alert_id"]))).await;
    assert_eq!(alert["raw"]["title"], "t", "{alert}");
    for (headers, body) in [
        (X_GZIP, packed(&finding(1))),
        // A proxy has unpacked it, and left the header.
        (GZIP, finding(1)),
        (IDENTITY, finding(1)),
    ] {
        let (status, again) = send(&stage, headers, body).await;
        assert_eq!((status, &again["duplicate"]), (202, &json!(true)), "{headers:?}: {again}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_too_much_is_refused_before_it_is_unpacked() {
    let stage = Plan::new().set().await;
    let mut most = finding(1);
    most.resize(limits::REQUEST_BYTES, b' ');
    assert_eq!(send(&stage, GZIP, packed(&most)).await.0, 202);
    most.push(b' ');
    let (status, problem) = send(&stage, GZIP, packed(&most)).await;
    assert!(status == 413 && problem["detail"].to_string().contains("unpacked"), "{problem}");
    let bomb = packed(&vec![b' '; 4 * limits::REQUEST_BYTES]);
    assert!(bomb.len() < limits::REQUEST_BYTES);
    assert_eq!(send(&stage, GZIP, bomb).await.0, 413);
    assert!(stage.mia.list("/dead-letters").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_over_the_bytes_as_they_came() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, SECRET).unwrap();
    let secret = format!("file:{}", file.display());
    let trust = json!({"signature": {"style": "pagerduty", "secrets": [secret]}, "max_body": 200});
    let mut plan = Plan::new();
    plan.config.sources.insert("generic".to_owned(), serde_json::from_value(trust).unwrap());
    let stage = plan.set().await;
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signed = |body: &[u8]| {
        let tag = hmac::sign(&key, body);
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("v1={hex}")
    };
    let gzip = ("content-encoding", "gzip");
    let body = packed(&finding(1));
    for (signature, status) in [(signed(&body), 202), (signed(&finding(1)), 401)] {
        let headers = [gzip, ("x-pagerduty-signature", signature.as_str())];
        assert_eq!(send(&stage, &headers, body.clone()).await.0, status);
    }
    // The source's own bound holds for what is in it.
    let mut large = finding(2);
    large.resize(201, b' ');
    let body = packed(&large);
    let signature = signed(&body);
    let headers = [gzip, ("x-pagerduty-signature", signature.as_str())];
    assert_eq!(send(&stage, &headers, body).await.0, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_is_packed_is_unpacked_when_it_is_replayed() {
    let stage = Plan::new().set().await;
    let whole = packed(&finding(1));
    let broken = whole[..whole.len() - 4].to_vec();
    let mut letters = Vec::new();
    for (headers, body) in [(NOTHING, whole), (GZIP, broken)] {
        let (status, problem) = send(&stage, headers, body).await;
        assert_eq!((status, &problem["code"]), (422, &json!("ST0401")), "{problem}");
        assert!(problem["detail"].to_string().contains("Content-Encoding"), "{problem}");
        let open = stage.mia.list("/dead-letters?status=open").await;
        let new = open.iter().map(|it| id(&it["id"])).find(|it| !letters.contains(it));
        letters.extend(new);
    }
    let [of_whole, of_broken] = &letters[..] else { panic!("{letters:?}") };
    let replay = |letter: &String| format!("/dead-letters/{letter}/replay");
    let (status, problem) = stage.mia.post_refused(&replay(of_broken), &json!({})).await;
    assert!(status == 422 && problem["detail"].to_string().contains("gzip"), "{problem}");
    let read = stage.mia.post(&replay(of_whole), &json!({})).await;
    assert_eq!(read["alerts"].as_array().unwrap().len(), 1, "{read}");
    assert_eq!(stage.mia.list("/alerts").await.len(), 1);
    assert_eq!(stage.mia.list("/dead-letters?status=open").await.len(), 1);
}
