//! A queue of SQS, played by moto: taken from, killed between commit and delete, and fed with what
//! nobody can read.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use stanch_engine_server::{Reply, serve_with};
use stanch_tests::eventually;
use stanch_tests::moto::Moto;
use stanch_tests::process::Process;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::server::{Folder, Server, finding};

/// A way to moto that may be blocked for the deletion of messages.
struct Way {
    url: String,
    is_blocked: watch::Sender<bool>,
    /// Deletions that were asked for.
    deletions: watch::Receiver<u64>,
}

impl Way {
    async fn to(moto: &Moto) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (is_blocked, blocked) = watch::channel(false);
        let (count, deletions) = watch::channel(0);
        let http = stanch_plugins_http::client_builder().build().unwrap();
        let (count, target) = (Arc::new(count), moto.url().to_owned());
        let answer = move |request: http::Request<Bytes>| {
            let is_deletion = target_of(&request).ends_with(".DeleteMessage");
            if is_deletion {
                count.send_modify(|count| *count += 1);
            }
            if is_deletion && *blocked.borrow() {
                return Reply::Late(std::future::pending().boxed());
            }
            let url = format!("{target}{}", request.uri());
            let (parts, body) = request.into_parts();
            let sent = http.request(parts.method, url).headers(parts.headers).body(body).send();
            Reply::Late(
                async move {
                    let answer = sent.await.unwrap();
                    let mut response = http::Response::new(Bytes::new());
                    *response.status_mut() = answer.status();
                    *response.headers_mut() = answer.headers().clone();
                    response.headers_mut().remove("transfer-encoding");
                    *response.body_mut() = answer.bytes().await.unwrap();
                    Reply::Response(response)
                }
                .boxed(),
            )
        };
        tokio::spawn(serve_with(listener, answer, std::future::pending()));
        Self { url, is_blocked, deletions }
    }
}

fn target_of(request: &http::Request<Bytes>) -> String {
    let target = request.headers().get("x-amz-target");
    target.map_or_else(String::new, |target| target.to_str().unwrap().to_owned())
}

/// Asks moto past the way.
async fn sqs(moto: &Moto, operation: &str, params: Value) -> Value {
    let http = stanch_plugins_http::client_builder().build().unwrap();
    let request = http
        .post(moto.url())
        .header("x-amz-target", format!("AmazonSQS.{operation}"))
        .header("content-type", "application/x-amz-json-1.0")
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=testing/20261124/us-east-1/sqs/aws4_request, \
             SignedHeaders=host, Signature=0",
        )
        .body(params.to_string());
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{operation}: {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// A queue of moto's, and a folder of a server that reads it.
async fn queue(moto: &Moto) -> (String, Folder) {
    let made = sqs(moto, "CreateQueue", json!({"QueueName": "findings"})).await;
    let url = made["QueueUrl"].as_str().unwrap().to_owned();
    let folder = Folder::new();
    let config = std::fs::read_to_string(folder.path().join("stanch.toml")).unwrap();
    let queue = format!("[[queues]]\nurl = \"{url}\"\nregion = \"us-east-1\"\nvisibility_s = 2\n");
    folder.write("stanch.toml", &format!("{config}{queue}"));
    (url, folder)
}

async fn serve(folder: Folder, way: &Way) -> Server {
    let mut command = folder.command(&["serve"]);
    command.env("AWS_ENDPOINT_URL", &way.url).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", "testing").env("AWS_SECRET_ACCESS_KEY", "testing");
    Server::started(Process::start(&mut command), folder).await
}

async fn is_empty(moto: &Moto, url: &str) {
    eventually("an empty queue", async || {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let params = json!({"QueueUrl": url, "AttributeNames": names});
        let counts = sqs(moto, "GetQueueAttributes", params).await;
        names.iter().all(|name| counts["Attributes"][name] == "0").then_some(())
    })
    .await;
}

async fn items(server: &Server, path: &str) -> Vec<Value> {
    server.get(&format!("/v1{path}")).await.1["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_one_alert_though_the_process_is_killed_between_commit_and_delete() {
    let moto = Moto::start().await;
    let way = Way::to(&moto).await;
    let (url, folder) = queue(&moto).await;
    let notification = json!({"Type": "Notification", "MessageId": "m", "Message": finding("1").to_string(),
        "TopicArn": "arn:aws:sns:us-east-1:111122223333:findings", "Timestamp": "2026-11-24T03:00:00Z"});
    let body = notification.to_string();
    sqs(&moto, "SendMessage", json!({"QueueUrl": url, "MessageBody": body})).await;
    way.is_blocked.send_replace(true);
    let mut server = serve(folder, &way).await;
    let mut deletions = way.deletions.clone();
    deletions.wait_for(|count| *count > 0).await.unwrap();
    server.process.kill().await;

    way.is_blocked.send_replace(false);
    let server = serve(server.folder, &way).await;
    is_empty(&moto, &url).await;
    let alerts = items(&server, "/alerts").await;
    let [alert] = &alerts[..] else { panic!("{alerts:?}") };
    assert_eq!((&alert["title"], &alert["deliveries"]), (&json!("finding 1"), &json!(2)));
    assert_eq!(items(&server, "/runs").await.len(), 1);
    assert!(items(&server, "/dead-letters").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_nobody_can_read_is_kept_and_deleted_and_those_after_it_are_taken() {
    let moto = Moto::start().await;
    let way = Way::to(&moto).await;
    let (url, folder) = queue(&moto).await;
    for body in
        ["not json".to_owned(), finding("1").to_string(), "{}".to_owned(), finding("2").to_string()]
    {
        sqs(&moto, "SendMessage", json!({"QueueUrl": url, "MessageBody": body})).await;
    }
    let server = serve(folder, &way).await;
    is_empty(&moto, &url).await;
    let letters = items(&server, "/dead-letters").await;
    assert_eq!(letters.len(), 2, "{letters:?}");
    assert!(letters.iter().any(|letter| letter["body_base64"] == "bm90IGpzb24="));
    assert_eq!(items(&server, "/alerts").await.len(), 2);
}
