//! Answers that are meant to do harm: each is refused or read for what it is, and the engine is told
//! the right kind. None of them is asked for again where that could change something.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{ActionError, Outcome};

use crate::context::{anywhere, attempt, catalogue};
use crate::listener::{Manner, misbehave, record};

async fn answered(operation: &str, params: Value, page: String) -> Result<Value, ActionError> {
    // A listener lives as long as its test, and so does what it says.
    let url = misbehave(Manner::Say(page.leak())).await;
    match attempt(&catalogue(&url), &anywhere(), operation, params).await? {
        Outcome::Done(done) => Ok(done.value),
        Outcome::Again { .. } => panic!("{operation} is over at once"),
    }
}

fn page(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn change() -> (&'static str, Value) {
    ("iam:UpdateAccessKey", json!({"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": "Inactive"}))
}

fn told(error: &ActionError) -> (ErrorKind, &str) {
    (error.kind, error.code.as_str())
}

/// Ten entities, each of ten of the one before: ten gigabytes, if anybody expanded them.
fn entity_bomb() -> String {
    let mut entities = "<!ENTITY e0 \"boom\">".to_owned();
    for level in 1..10 {
        let inner = format!("&e{};", level - 1).repeat(10);
        entities.push_str(&format!("<!ENTITY e{level} \"{inner}\">"));
    }
    format!(
        "<?xml version=\"1.0\"?><!DOCTYPE GetUserResponse [{entities}]><GetUserResponse>\
         <GetUserResult><User><UserName>&e9;</UserName></User></GetUserResult></GetUserResponse>"
    )
}

#[tokio::test]
async fn an_entity_bomb_does_not_go_off() {
    let user = json!({"UserName": "u"});
    let ok = page("200 OK", "text/xml", &entity_bomb());
    let read = answered("iam:GetUser", user.clone(), ok).await.unwrap_err();
    assert_eq!(told(&read), (ErrorKind::Permanent, "response_unreadable"));
    let no =
        page("400 Bad Request", "text/xml", &entity_bomb().replace("GetUserResponse", "Error"));
    let refused = answered("iam:GetUser", user, no).await.unwrap_err();
    assert_eq!(told(&refused), (ErrorKind::Permanent, "http_400"));
    // A file of this machine is not read either.
    let file = "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY f SYSTEM \"file:///etc/passwd\">]>\
        <GetUserResponse><GetUserResult><User><UserName>&f;</UserName></User></GetUserResult>\
        </GetUserResponse>";
    let ok = page("200 OK", "text/xml", file);
    let read = answered("iam:GetUser", json!({"UserName": "u"}), ok).await;
    assert!(!format!("{read:?}").contains("root:"), "{read:?}");
}

#[tokio::test]
async fn xml_without_a_ground_is_no_way_into_the_stack() {
    let deep = format!("{}{}", "<a>".repeat(200_000), "</a>".repeat(200_000));
    let body = format!("<GetUserResponse><GetUserResult>{deep}</GetUserResult></GetUserResponse>");
    let read = answered("iam:GetUser", json!({}), page("200 OK", "text/xml", &body)).await;
    assert_eq!(read.unwrap()["User"], Value::Null);
    let error = format!("<ErrorResponse>{deep}</ErrorResponse>");
    let (operation, params) = change();
    let page = page("500 Internal Server Error", "text/xml", &error);
    let failed = answered(operation, params, page).await.unwrap_err();
    assert_eq!(told(&failed), (ErrorKind::InDoubt, "http_500"));
}

#[tokio::test]
async fn json_without_a_ground_is_no_way_into_the_stack() {
    let kind = "application/x-amz-json-1.0";
    let item = json!({"TableName": "t", "Key": {"id": {"S": "1"}}});
    // A shape that contains itself.
    let deep = format!("{}{{\"S\":\"x\"}}{}", "{\"L\":[".repeat(100_000), "]}".repeat(100_000));
    let body = format!("{{\"Item\":{{\"a\":{deep}}}}}");
    let read = answered("dynamodb:GetItem", item.clone(), page("200 OK", kind, &body)).await;
    assert_eq!(told(&read.unwrap_err()), (ErrorKind::Permanent, "response_unreadable"));
    // What no model knows.
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = format!("{{\"Unknown\":{deep}}}");
    let read = answered("dynamodb:GetItem", item.clone(), page("200 OK", kind, &body)).await;
    match read {
        Ok(value) => assert_eq!(value["Item"], Value::Null),
        Err(error) => assert_eq!(told(&error), (ErrorKind::Permanent, "response_unreadable")),
    }
    // An error.
    let refused = answered("dynamodb:GetItem", item, page("400 Bad Request", kind, &body)).await;
    assert_eq!(told(&refused.unwrap_err()), (ErrorKind::Permanent, "http_400"));
}

#[tokio::test]
async fn cbor_without_a_ground_is_no_way_into_the_stack() {
    let bus = json!({"Name": "b"});
    let body = "\u{1}".repeat(8);
    let wrong = page("200 OK", "application/cbor", &body);
    let read = answered("eventbridgev2:CreateEventBus", bus, wrong).await.unwrap_err();
    // It took place, and what it answered is lost.
    assert_eq!(told(&read), (ErrorKind::InDoubt, "response_unreadable"));
}

#[tokio::test]
async fn headers_without_an_end_are_no_answer() {
    let lines = (0..200_000).map(|number| format!("x-{number}: {}\r\n", "y".repeat(40)));
    let head = format!("HTTP/1.1 200 OK\r\n{}", lines.collect::<String>());
    let read = answered("iam:GetUser", json!({}), head.clone()).await.unwrap_err();
    assert_eq!(told(&read), (ErrorKind::Transient, "no_answer"));
    let (operation, params) = change();
    let changed = answered(operation, params, head).await.unwrap_err();
    assert_eq!(told(&changed), (ErrorKind::InDoubt, "no_answer"));
}

#[tokio::test]
async fn what_is_no_http_is_no_answer() {
    for said in ["SSH-2.0-OpenSSH_9.2\r\n", "\u{0}\u{1}\u{2}", "HTTP/1.1 abc\r\n\r\n"] {
        let (operation, params) = change();
        let failed = answered(operation, params, said.to_owned()).await.unwrap_err();
        assert_eq!(told(&failed), (ErrorKind::InDoubt, "no_answer"), "{said:?}");
    }
}

#[tokio::test]
async fn what_comes_packed_is_not_unpacked() {
    // 64 MiB in 64 KiB. The client takes nothing packed, and says so by not asking.
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..64 {
        packed.write_all(&[b' '; 1 << 20]).unwrap();
    }
    let packed = packed.finish().unwrap();
    let (url, sent) = record(
        http::Response::builder()
            .header("content-type", "text/xml")
            .header("content-encoding", "gzip")
            .body(Bytes::from(packed))
            .unwrap(),
    )
    .await;
    let user = json!({"UserName": "u"});
    let read = attempt(&catalogue(&url), &anywhere(), "iam:GetUser", user).await.unwrap_err();
    assert_eq!(told(&read), (ErrorKind::Permanent, "response_unreadable"));
    let sent = sent.lock().unwrap();
    assert!(sent.iter().all(|request| request.headers().get("accept-encoding").is_none()));
}
