//! The time from a call to its parsed result, against a server on this machine, beside the typed
//! client of AWS for the same operation, in one run. `cargo xtask bench --aws` runs it.
//!
//! Prints one line of JSON: for each operation the medians in microseconds and their ratio, and
//! how long the model of EC2 takes to be decoded.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement prints, and stops where it fails"
)]

use std::time::{Duration, Instant};

use aws_sdk_ssm::config::{BehaviorVersion, Credentials, Region};
use serde_json::{Value, json};
use stanch_plugins_aws::model::ModelStore;
use stanch_plugins_aws::{Aws, AwsSettings, StaticCredentials};
use stanch_plugins_sdk::core::effect::Effect;
use stanch_plugins_sdk::core::span::Span;
use stanch_plugins_sdk::core::time::Timestamp;
use stanch_plugins_sdk::{Action, ActionContext, Catalogue, Outcome, Patience, Urgency};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

/// The allocator of the program that is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Calls of one client in a row; the two take turns, so that what else the machine does falls on
/// both.
const TURN: usize = 50;

/// Turns that are measured, after some that are not.
const TURNS: usize = 60;
const WARM_UP: usize = 6;

fn main() {
    let ec2_ms = decode_ec2_ms();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let operations = runtime.block_on(async {
        let mut measured = serde_json::Map::new();
        for (name, answer) in [("GetParameter", small()), ("DescribeParameters", large())] {
            measured.insert(format!("ssm:{name}"), compare(name, answer).await);
        }
        measured
    });
    println!("{}", json!({"operations": operations, "decode_ec2_ms": ec2_ms}));
}

/// The largest model, unpacked and read.
fn decode_ec2_ms() -> f64 {
    let store = ModelStore::open(None).unwrap();
    let started = Instant::now();
    store.service("ec2").unwrap();
    started.elapsed().as_secs_f64() * 1_000.0
}

fn small() -> Value {
    json!({"Parameter": {
        "Name": "/app/db", "Type": "String", "Value": "postgres", "Version": 3,
        "LastModifiedDate": 1_795_489_200.5, "DataType": "text",
        "ARN": "arn:aws:ssm:us-east-1:111122223333:parameter/app/db",
    }})
}

fn large() -> Value {
    let one = |number: usize| {
        json!({
            "Name": format!("/app/{number}"), "Type": "SecureString", "KeyId": "alias/aws/ssm",
            "LastModifiedDate": 1_795_489_200.5, "Version": number, "Tier": "Standard",
            "LastModifiedUser": "arn:aws:iam::111122223333:user/ci-deploy",
            "Description": "one of many", "DataType": "text",
            "Policies": [{"PolicyText": "{}", "PolicyType": "Expiration", "PolicyStatus": "Pending"}],
        })
    };
    json!({"Parameters": (0..50).map(one).collect::<Vec<_>>(), "NextToken": "more"})
}

async fn compare(name: &str, answer: Value) -> Value {
    let url = serve(answer.to_string()).await;
    let (ours, typed) = (ours(&url), typed(&url));
    let params = if name == "GetParameter" { json!({"Name": "/app/db"}) } else { json!({}) };
    let input = json!({"operation": format!("ssm:{name}"), "params": params});
    let (mut our_times, mut typed_times) = (Vec::new(), Vec::new());
    for turn in 0..WARM_UP + TURNS {
        for _ in 0..TURN {
            let started = Instant::now();
            let Outcome::Done(_) = ours.run(&context(), &input).await.unwrap() else { panic!() };
            keep(turn, &mut our_times, started);
        }
        for _ in 0..TURN {
            let started = Instant::now();
            if name == "GetParameter" {
                typed.get_parameter().name("/app/db").send().await.unwrap();
            } else {
                typed.describe_parameters().send().await.unwrap();
            }
            keep(turn, &mut typed_times, started);
        }
    }
    let (ours, typed) = (median_us(our_times), median_us(typed_times));
    json!({"ours_us": ours, "typed_us": typed, "ratio": ours / typed})
}

fn keep(turn: usize, times: &mut Vec<Duration>, started: Instant) {
    if turn >= WARM_UP {
        times.push(started.elapsed());
    }
}

fn median_us(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times.get(times.len() / 2).unwrap().as_secs_f64() * 1e6
}

const KEY: &str = "AKIAI44QH8DHBEXAMPLE";
const SECRET: &str = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY";

fn ours(url: &str) -> std::sync::Arc<dyn Action> {
    let settings = AwsSettings {
        endpoint_url: Some(url.to_owned()),
        credentials: Some(StaticCredentials {
            access_key_id: KEY.to_owned(),
            secret_access_key: SECRET.to_owned(),
            session_token: None,
        }),
        ..AwsSettings::default()
    };
    let aws = Aws::open(&settings).unwrap();
    let catalogue = aws.register(Catalogue::new(aws.operations()));
    catalogue.action("aws.call").unwrap().clone()
}

/// The typed client as AWS's guide makes it, but for retries, which ours does not make either.
fn typed(url: &str) -> aws_sdk_ssm::Client {
    let config = aws_sdk_ssm::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .credentials_provider(Credentials::new(KEY, SECRET, None, None, "bench"))
        .http_client(
            aws_smithy_http_client::Builder::new()
                .tls_provider(aws_smithy_http_client::tls::Provider::Rustls(
                    aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring,
                ))
                .build_https(),
        )
        .retry_config(aws_sdk_ssm::config::retry::RetryConfig::disabled())
        .timeout_config(
            aws_sdk_ssm::config::timeout::TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(5))
                .operation_timeout(Duration::from_secs(30))
                .build(),
        )
        .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
        .build();
    aws_sdk_ssm::Client::from_conf(config)
}

/// Answers every request on every connection with the same body.
async fn serve(body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\nx-amzn-requestid: r\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(converse(stream, answer.clone().into_bytes()));
        }
    });
    url
}

async fn converse(mut stream: TcpStream, answer: Vec<u8>) {
    let mut bytes: Vec<u8> = Vec::with_capacity(4_096);
    loop {
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).to_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
        while bytes.len() < end + length {
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        }
        bytes.drain(..end + length);
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

fn context() -> ActionContext {
    ActionContext {
        incident: None,
        run: None,
        step: "bench".to_owned(),
        token: Uuid::from_u128(1),
        attempt: 1,
        account: None,
        region: Some("us-east-1".to_owned()),
        role: None,
        urgency: Urgency::Response,
        patience: Patience::default(),
        granted: Effect::Read,
        plan: Vec::new(),
        timeout: Span::from_secs(30),
        now: Timestamp::parse("2026-11-24T03:00:00Z").unwrap(),
        state: None,
    }
}
