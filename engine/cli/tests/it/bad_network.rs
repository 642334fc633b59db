//! `stanch aws call` with wrong input and on a bad network: one line of JSON on standard error that
//! says what is wrong, exit 1, and nothing sent twice.

use serde_json::{Value, json};
use stanch_tests::python;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::sandbox::Played;
use crate::server::Folder;

/// What a call said that failed.
struct Failed {
    code: String,
    message: String,
    request_id: Value,
}

async fn failed(mut command: Command) -> Failed {
    let ran = command.output().await.unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!((ran.status.code(), ran.stdout.len()), (Some(1), 0), "{said}");
    let error: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("no JSON: {said}"));
    let text = |name: &str| error["error"][name].as_str().unwrap().to_owned();
    let request_id = error["error"]["request_id"].clone();
    Failed { code: text("code"), message: text("message"), request_id }
}

fn call(played: &Played, folder: &Folder, operation: &str, params: Value) -> Command {
    played.command(folder, &["aws", "call", operation, "--params", &params.to_string()])
}

/// A read and a change, each of which the demo's account can do.
const READ: &str = "iam:GetUser";
const CHANGE: &str = "iam:UpdateAccessKey";

fn user() -> Value {
    json!({"UserName": "ci-deploy"})
}

fn cut_off() -> Value {
    json!({"UserName": "ci-deploy", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": "Inactive"})
}

#[tokio::test]
async fn mistakes_are_told_with_the_nearest_name_or_the_place_and_nothing_is_sent() {
    let folder = Folder::new();
    let played = Played::start(&folder, &["--demo"]).await;
    let deep = json!({"Filters": [{"Name": "vpc-id", "Values": ["a", {"b": 1}]}]});
    for (operation, params, code, words) in [
        ("gaurdduty:GetFindings", json!({}), "unknown_operation", "did you mean `guardduty`?"),
        ("iam:ListAccesKeys", json!({}), "unknown_operation", "did you mean `ListAccessKeys`?"),
        ("iam", json!({}), "unknown_operation", "service:Operation"),
        ("ec2:DescribeInstances", deep, "bad_parameters", "`Filters[0].Values[1]` is an object"),
        ("iam:GetUser", json!({"UserNam": "x"}), "bad_parameters", "did you mean `UserName`?"),
        ("iam:GetUser", json!([]), "bad_parameters", "object"),
    ] {
        let error = failed(call(&played, &folder, operation, params)).await;
        assert_eq!(error.code, code, "{operation}: {}", error.message);
        assert!(error.message.contains(words), "{operation}: {}", error.message);
    }
    assert!(played.calls().await.is_empty());
}

#[tokio::test]
async fn without_credentials_it_says_where_they_are_looked_for() {
    let folder = Folder::new();
    let mut command = folder.command(&["aws", "call", READ]);
    command.env("AWS_REGION", "us-east-1").env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("HOME", folder.path()).env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let error = failed(command).await;
    assert_eq!(error.code, "no_credentials");
    assert!(error.message.contains("AWS_ACCESS_KEY_ID"), "{}", error.message);
}

#[tokio::test]
async fn each_no_of_aws_and_each_cut_is_one_request_and_one_clear_error() {
    let folder = Folder::new();
    let played = Played::start(&folder, &["--demo"]).await;
    for (fault, code) in [
        ("expired", "ExpiredToken"),
        ("denied", "AccessDenied"),
        ("throttle", "Throttling"),
        ("server_error", "InternalFailure"),
        ("html", "http_503"),
        ("cut_before", "no_answer"),
        ("cut_midway", "no_answer"),
        ("cut_after_apply", "no_answer"),
    ] {
        for (operation, params) in [(READ, user()), (CHANGE, cut_off())] {
            let before = played.calls().await.len();
            let order = json!({"operation": operation, "kind": fault, "times": 100});
            played.order("faults", order).await;
            let error = failed(call(&played, &folder, operation, params)).await;
            assert_eq!(error.code, code, "{operation} {fault}: {}", error.message);
            if !fault.starts_with("cut") {
                assert!(error.request_id.is_string(), "{operation} {fault}");
            }
            // A person decides whether to repeat it: the program has not.
            assert_eq!(played.calls().await.len(), before + 1, "{operation} {fault}");
            played.forget("faults").await;
        }
    }
}

#[tokio::test]
async fn a_wrong_secret_and_a_wrong_key_are_told_apart() {
    let folder = Folder::new();
    let played = Played::start(&folder, &["--demo"]).await;
    for (variable, value, code) in [
        ("AWS_SECRET_ACCESS_KEY", "wrong", "SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN", "InvalidClientTokenId"),
        ("AWS_SESSION_TOKEN", "no-such-session", "InvalidClientTokenId"),
    ] {
        let mut command = call(&played, &folder, READ, user());
        command.env(variable, value);
        let error = failed(command).await;
        assert_eq!(error.code, code, "{}", error.message);
        assert!(!error.message.contains(value), "{}", error.message);
    }
}

/// Two gigabytes, of which a client takes what it likes.
const LARGE_BYTES: u64 = 2 << 30;

/// What the program may need at most for an answer that it refuses: its bound of 32 MiB, the body
/// put together, and what it needs anyway.
const MOST_KIB: u64 = 200 * 1024;

/// Sends a head and a body that is as large as it says, to everybody who asks.
async fn flood(head: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = vec![0; 64 * 1024];
                let _ = stream.read(&mut request).await;
                stream.write_all(head.as_bytes()).await.unwrap();
                let block = vec![b' '; 1 << 20];
                for _ in 0..LARGE_BYTES / (1 << 20) {
                    if stream.write_all(&block).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_two_gigabytes_is_refused_in_little_memory() {
    let folder = Folder::new();
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: 2147483648\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2147483648\r\n\r\n",
    ] {
        let url = flood(head).await;
        // The system tells only a parent how much its child needed.
        let script = "import resource, subprocess, sys\n\
            ran = subprocess.run(sys.argv[1:])\n\
            print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n\
            sys.exit(ran.returncode)";
        let mut command = Command::new(python());
        command.args(["-c", script, crate::server::STANCH, "aws", "call", READ]);
        command.current_dir(folder.path()).env_clear().env("AWS_ENDPOINT_URL", &url);
        command.env("AWS_ACCESS_KEY_ID", "AKIAI44QH8DHBEXAMPLE").env("AWS_REGION", "us-east-1");
        command.env("AWS_SECRET_ACCESS_KEY", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY");
        let ran = command.output().await.unwrap();
        let (out, err) = (String::from_utf8(ran.stdout), String::from_utf8(ran.stderr));
        let (out, err) = (out.unwrap(), err.unwrap());
        assert_eq!(ran.status.code(), Some(1), "{err}");
        assert!(err.contains("\"response_too_large\"") && err.contains("33554432"), "{err}");
        let most: u64 = out.trim().parse().unwrap();
        assert!(most < MOST_KIB, "{most} KiB");
    }
}
