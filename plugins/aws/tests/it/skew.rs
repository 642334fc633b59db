//! A clock that AWS does not believe: it is refused once, and signs with AWS's time from then on.

use std::sync::{Arc, Mutex};

use serde_json::json;
use stanch_plugins_sdk::Outcome;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::context::{anywhere, attempt, catalogue};

/// What AWS's clock shows.
const DATE: &str = "Wed, 01 Jan 2031 10:00:00 GMT";

const ANSWER: &str = "<GetUserResponse><GetUserResult><User><UserName>ann</UserName></User>\
                      </GetUserResult></GetUserResponse>";

/// Refuses what is not signed with its own day, and gives its address and the signed times.
async fn strict(code: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let signed: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = signed.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 65_536];
            let read = stream.read(&mut request).await.unwrap();
            let text = String::from_utf8_lossy(&request[..read]).to_lowercase();
            let time = text.split("x-amz-date: ").nth(1).unwrap()[..8].to_owned();
            let (status, body) = match time == "20310101" {
                true => ("200 OK", ANSWER.to_owned()),
                false => (
                    "403 Forbidden",
                    format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"),
                ),
            };
            seen.lock().unwrap().push(time);
            let answer = format!(
                "HTTP/1.1 {status}\r\ndate: {DATE}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, signed)
}

#[tokio::test]
async fn what_was_refused_for_its_time_is_signed_again_with_awss() {
    let (url, signed) = strict("RequestTimeTooSkewed").await;
    let aws = catalogue(&url);
    for _ in 0..2 {
        let outcome = attempt(&aws, &anywhere(), "iam:GetUser", json!({"UserName": "ann"})).await;
        let Ok(Outcome::Done(done)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(done.value["User"]["UserName"], "ann");
    }
    let signed = signed.lock().unwrap();
    assert_eq!(signed.len(), 3, "the second call knows the time: {signed:?}");
    assert_ne!(signed[0], "20310101");
}

#[tokio::test]
async fn what_was_refused_for_another_reason_is_sent_once() {
    let (url, signed) = strict("AccessDenied").await;
    let outcome =
        attempt(&catalogue(&url), &anywhere(), "iam:GetUser", json!({"UserName": "ann"})).await;
    assert_eq!(outcome.unwrap_err().code, "AccessDenied");
    assert_eq!(signed.lock().unwrap().len(), 1);
}
