//! `stanch aws call`: what is sent, as the one who is asked sees it.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::server::{Folder, Ran};

/// Takes one request, answers it, and gives its text.
async fn one(answer: &'static str) -> (String, JoinHandle<String>) {
    one_with("", answer).await
}

/// The same, with headers.
async fn one_with(headers: &'static str, answer: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let request = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        while !String::from_utf8_lossy(&bytes).contains("\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0);
        }
        let length = || {
            let text = String::from_utf8_lossy(&bytes);
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            length.map_or(0, |length| length.parse::<usize>().unwrap()) - body.len()
        };
        let mut rest = vec![0; length()];
        stream.read_exact(&mut rest).await.unwrap();
        let length = answer.len();
        let head = format!("HTTP/1.1 200 OK\r\n{headers}content-length: {length}\r\n\r\n");
        stream.write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
        bytes.extend(rest);
        String::from_utf8(bytes).unwrap()
    });
    (host, request)
}

fn call(folder: &Folder, operation: &str, params: &Value, more: &[&str]) -> Command {
    let params = params.to_string();
    let mut command =
        folder.command(&[&["aws", "call", operation, "--params", &params], more].concat());
    command.env("AWS_ACCESS_KEY_ID", "AKIAI44QH8DHBEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "s");
    command.env("AWS_REGION", "us-east-1");
    command
}

/// What a call printed.
async fn succeeds(mut command: Command) -> Value {
    let ran = command.output().await.unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[tokio::test]
async fn a_proxy_is_gone_through_but_not_to_hosts_that_are_excepted() {
    let folder = Folder::new();
    let (proxy, asked) = one("{}").await;
    let there = ["--endpoint-url", "http://ssm.example.invalid"];
    let mut command = call(&folder, "ssm:DescribeParameters", &json!({}), &there);
    command.env("HTTP_PROXY", format!("http://ann:pw@{proxy}"));
    succeeds(command).await;
    let request = asked.await.unwrap();
    assert!(request.starts_with("POST http://ssm.example.invalid/ HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nproxy-authorization: Basic YW5uOnB3\r\n"), "{request}");

    let (host, asked) = one("{}").await;
    let url = format!("http://{host}");
    let mut command =
        call(&folder, "ssm:DescribeParameters", &json!({}), &["--endpoint-url", &url]);
    command.env("HTTP_PROXY", "http://192.0.2.1:3128").env("NO_PROXY", "127.0.0.1");
    succeeds(command).await;
    assert!(asked.await.unwrap().starts_with("POST / HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_call_is_repeated_with_the_token_that_is_said() {
    let folder = Folder::new();
    let body = async |more: &[&str]| {
        let (host, asked) = one("{}").await;
        let url = format!("http://{host}");
        let more = [&["--endpoint-url", &url], more].concat();
        let operation = "codepipeline:StartPipelineExecution";
        succeeds(call(&folder, operation, &json!({"name": "deploy"}), &more)).await;
        let request = asked.await.unwrap();
        serde_json::from_str::<Value>(request.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    let said = "7d9f5a3e-8a0c-4a2e-9d53-0f6b7c1e2a44";
    assert_eq!(body(&["--idempotency-token", said]).await["clientRequestToken"], said);
    let (first, second) = (body(&[]).await, body(&[]).await);
    assert!(first["clientRequestToken"].is_string());
    assert_ne!(first, second, "a call is one of its own unless it is said that it is not");
}

#[tokio::test]
async fn only_what_came_is_printed_and_a_document_as_it_is() {
    let folder = Folder::new();
    let came = r#"{"name": "p", "description": null, "variants": [
        {"name": "v", "modelId": null, "additionalModelRequestFields": {"stop": null}}]}"#;
    let (host, _asked) = one(came).await;
    let url = format!("http://{host}");
    let (operation, params) =
        ("bedrock-agent:GetPrompt", json!({"promptIdentifier": "ABCDEFGHIJ"}));
    let printed = succeeds(call(&folder, operation, &params, &["--endpoint-url", &url])).await;
    let fields = json!({"stop": null});
    let variant = json!({"name": "v", "additionalModelRequestFields": fields});
    assert_eq!(printed, json!({"name": "p", "variants": [variant]}));
}

#[tokio::test]
async fn a_body_that_is_modelled_as_unsigned_is_not_signed_and_other_proofs_are_refused() {
    let folder = Folder::new();
    let (host, asked) = one("").await;
    let url = format!("http://{host}");
    let params = json!({"SnapshotId": "snap-1", "BlockIndex": 0, "BlockData": "YQ==",
        "DataLength": 1, "Checksum": "x", "ChecksumAlgorithm": "SHA256"});
    call(&folder, "ebs:PutSnapshotBlock", &params, &["--endpoint-url", &url])
        .output()
        .await
        .unwrap();
    let request = asked.await.unwrap();
    assert!(request.contains("\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\n"), "{request}");
    for (operation, words) in [
        ("codecatalyst:ListSpaces", "a bearer token"),
        ("sdb:ListDomains", "signatures of version 2"),
    ] {
        let refused = call(&folder, operation, &json!({}), &["--endpoint-url", &url]);
        let refused = Ran::of({ refused }.output().await.unwrap());
        assert!(refused.code == 1 && refused.err.contains(words), "{operation}: {refused:?}");
    }
}

#[tokio::test]
async fn a_call_by_hand_is_one_request_of_what_was_said() {
    let folder = Folder::new();
    let (host, asked) = one("{\"AutomationExecutionId\": \"e-1\"}").await;
    let url = format!("http://{host}");
    let params = json!({"DocumentName": "AWS-StopEC2Instance",
        "TargetLocations": [{"Accounts": ["111122223333"], "Regions": ["eu-west-1"]}]});
    let operation = "ssm:StartAutomationExecution";
    let printed = succeeds(call(&folder, operation, &params, &["--endpoint-url", &url])).await;
    assert_eq!(printed, json!({"AutomationExecutionId": "e-1"}));
    let sent = asked.await.unwrap();
    assert!(sent.contains("\"TargetLocations\""), "{sent}");

    let answer = "<CreateUserResponse><CreateUserResult/></CreateUserResponse>";
    let (host, asked) = one(answer).await;
    let url = format!("http://{host}");
    let user = json!({"UserName": "ann"});
    succeeds(call(&folder, "iam:CreateUser", &user, &["--endpoint-url", &url])).await;
    let sent = asked.await.unwrap();
    assert!(!sent.contains("stanch"), "a tag that nobody asked for: {sent}");
}

#[tokio::test]
async fn a_request_is_as_its_service_takes_it() {
    let folder = Folder::new();
    let (host, asked) = one("<ListResourceRecordSetsResponse/>").await;
    let url = format!("http://{host}");
    let zone = json!({"HostedZoneId": "/hostedzone/Z1"});
    let operation = "route53:ListResourceRecordSets";
    succeeds(call(&folder, operation, &zone, &["--endpoint-url", &url])).await;
    let sent = asked.await.unwrap();
    assert!(sent.starts_with("GET /2013-04-01/hostedzone/Z1/rrset "), "{sent}");

    let (host, asked) = one("{}").await;
    let url = format!("http://{host}");
    let account = json!({"accountId": "-"});
    succeeds(call(&folder, "glacier:ListVaults", &account, &["--endpoint-url", &url])).await;
    let sent = asked.await.unwrap();
    assert!(sent.contains("\r\nx-amz-glacier-version: 2012-06-01\r\n"), "{sent}");
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_and_shows_nothing_of_the_request() {
    let folder = Folder::new();
    let secret = json!({"SecretId": "s", "SecretString": "hunter2"});
    for address in ["nonsense", "ftp://127.0.0.1", "http://", "127.0.0.1:4566"] {
        let mut command = call(&folder, "secretsmanager:PutSecretValue", &secret, &[]);
        command.env("AWS_ENDPOINT_URL", address);
        let refused = Ran::of(command.output().await.unwrap());
        assert!(refused.code == 1 && refused.err.contains("is no address to call"), "{refused:?}");
        assert!(!refused.err.contains("hunter2"), "{refused:?}");
        assert!(refused.err.contains("\"kind\":\"permanent\""), "nothing was sent: {refused:?}");
    }
}

#[tokio::test]
async fn whoever_wrote_an_object_does_not_make_it_unreadable() {
    let folder = Folder::new();
    let (host, _asked) = one_with("expires: 0\r\n", "text").await;
    let url = format!("http://{host}");
    let object = json!({"Bucket": "b", "Key": "k"});
    let printed = succeeds(call(&folder, "s3:GetObject", &object, &["--endpoint-url", &url])).await;
    assert_eq!((&printed["Body"], &printed["Expires"]), (&json!("dGV4dA=="), &Value::Null));
}
