//! An AWS that says yes to some requests and does nothing about them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_core::time::Clock as _;
use stanch_engine_runtime::system::SystemClock;
use stanch_engine_server::Reply;
use stanch_plugins_aws::sandbox::{Answer, Sandbox};
use tokio::net::TcpListener;

/// Stands before an AWS, and hands on what it is not deaf to.
pub(crate) struct Deaf {
    pub(crate) url: String,
    marks: Arc<Mutex<Vec<String>>>,
    yes: Arc<Sandbox>,
}

/// An operation that is accepted and forgotten.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forgotten {
    /// Words of a request by which it is known.
    mark: String,
    /// How it is answered.
    answer: Value,
}

impl Deaf {
    /// Stands before the AWS of that address and account.
    pub(crate) async fn before(aws: &str, account: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let marks: Arc<Mutex<Vec<String>>> = Arc::default();
        // It knows how each operation is answered.
        let yes = Arc::new(Sandbox::new(account).unwrap());
        let client = stanch_plugins_http::client_builder().build().unwrap();
        let (deaf_to, says_yes, aws) = (marks.clone(), yes.clone(), aws.to_owned());
        let answer = move |request: Request<Bytes>| {
            let body = String::from_utf8_lossy(request.body());
            let text = format!("{} {} {body}", request.method(), request.uri());
            if deaf_to.lock().unwrap().iter().any(|mark| text.contains(mark)) {
                return match says_yes.answer(&request, SystemClock.now()) {
                    Answer::Response(response) => Reply::Response(response),
                    _ => Reply::Cut,
                };
            }
            Reply::Late(Box::pin(hand_on(client.clone(), aws.clone(), request)))
        };
        let forever = std::future::pending();
        tokio::spawn(stanch_engine_server::serve_with(listener, answer, forever));
        Self { url, marks, yes }
    }

    /// From now on, these operations are accepted and forgotten, and no others.
    pub(crate) fn forget(&self, forgotten: &BTreeMap<String, Forgotten>) {
        *self.marks.lock().unwrap() = forgotten.values().map(|one| one.mark.clone()).collect();
        let answer = |(operation, one): (&String, &Forgotten)| json!({"operation": operation, "output": one.answer});
        let answers = Value::Array(forgotten.iter().map(answer).collect()).to_string();
        let told = Request::post("/_sandbox/answers").body(answers.into()).unwrap();
        let said = self.yes.answer(&told, SystemClock.now());
        assert!(matches!(said, Answer::Response(said) if said.status().is_success()));
    }
}

async fn hand_on(client: reqwest::Client, aws: String, request: Request<Bytes>) -> Reply {
    let (head, body) = request.into_parts();
    let mut asked = client.request(head.method, format!("{aws}{}", head.uri));
    for (name, value) in head.headers.iter().filter(|(name, _)| *name != "content-length") {
        asked = asked.header(name, value);
    }
    let Ok(answer) = asked.body(body).send().await else { return Reply::Cut };
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if name != "transfer-encoding" && name != "connection" {
            response = response.header(name, value);
        }
    }
    match answer.bytes().await {
        Ok(body) => Reply::Response(response.body(body).unwrap()),
        Err(_) => Reply::Cut,
    }
}
