//! Traces, as a collector gets them.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde_json::{Value, json};
use stanch_engine_cli::config::Otlp;
use stanch_engine_core::id::RunId;
use stanch_engine_server::Reply;
use stanch_plugins_aws::sandbox::Sandbox;
use stanch_tests::eventually;
use tokio::net::TcpListener;

use crate::stage::{KEY, Plan, Stage, run_of};

type Spans = Arc<Mutex<Vec<Value>>>;

/// A collector that takes everything, and what it got.
async fn collector() -> (String, Spans) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let spans = Spans::default();
    let taken = spans.clone();
    let answer = move |request: http::Request<Bytes>| {
        assert_eq!(request.uri().path(), "/v1/traces");
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let resource = &body["resourceSpans"][0];
        assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "stanch");
        let new = resource["scopeSpans"][0]["spans"].as_array().unwrap().clone();
        taken.lock().unwrap().extend(new);
        Reply::Response(http::Response::new(Bytes::from_static(b"{}")))
    };
    tokio::spawn(stanch_engine_server::serve_with(listener, answer, std::future::pending()));
    (url, spans)
}

async fn stage(endpoint: String) -> Stage {
    let mut plan = Plan::new();
    plan.config.otlp = Some(Otlp { endpoint, headers: Default::default() });
    plan.set().await
}

fn attribute<'s>(span: &'s Value, key: &str) -> Option<&'s str> {
    let all = span["attributes"].as_array().unwrap();
    let found = all.iter().find(|attribute| attribute["key"] == key)?;
    found["value"]["stringValue"].as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_one_trace_with_a_span_for_each_call_and_the_senders_leads_to_it() {
    let (url, spans) = collector().await;
    let stage = stage(url).await;
    let finding = Sandbox::demo_finding(stage.runtime.world().now());
    let secret = std::fs::read_to_string(stage.dir().join("keys/webhook.token")).unwrap();
    let came_from = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let http = stanch_plugins_http::client_builder().build().unwrap();
    let sent = http
        .post(format!("{}/v1/webhooks/guardduty", stage.url))
        .bearer_auth(secret)
        .header("traceparent", came_from)
        .json(&finding);
    let received: Value = sent.send().await.unwrap().json().await.unwrap();
    let run = run_of(&received);
    stage.approve(&run).await;
    stage.over(&run).await;
    let trace = format!("{:032x}", run.parse::<RunId>().unwrap().bits());
    let root = eventually("the root", async || {
        let spans = spans.lock().unwrap();
        spans.iter().find(|s| s["traceId"] == *trace && s["parentSpanId"].is_null()).cloned()
    });
    let root = root.await;
    assert_eq!(root["name"], "iam-access-key-compromise");
    assert_eq!(attribute(&root, "stanch.run"), Some(run.as_str()));
    assert_eq!(attribute(&root, "stanch.incident"), received["incident_id"].as_str());
    let all = spans.lock().unwrap().clone();
    let own: Vec<_> = all.iter().filter(|span| span["traceId"] == *trace).collect();
    let calls: Vec<_> = own.iter().filter(|s| s["name"] == "iam:UpdateAccessKey").collect();
    assert!(!calls.is_empty(), "{own:?}");
    for span in own.iter().filter(|span| **span != &root) {
        assert_eq!(span["parentSpanId"], root["spanId"], "{span}");
        let nanos = |name: &str| span[name].as_str().unwrap().parse::<u64>().unwrap();
        assert!(nanos("startTimeUnixNano") <= nanos("endTimeUnixNano"), "{span}");
    }
    let mut ids: Vec<_> = own.iter().map(|span| span["spanId"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), own.len(), "a span's id is its own");
    let sender = all.iter().find(|s| s["traceId"] == "4bf92f3577b34da6a3ce929d0e0e4736").unwrap();
    assert_eq!(sender["parentSpanId"], "00f067aa0ba902b7");
    let link = &sender["links"][0];
    assert_eq!((&link["traceId"], &link["spanId"]), (&json!(trace), &root["spanId"]));
    // What calls were given and gave is not in them.
    assert!(!json!(all).to_string().contains(KEY));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_holds_nothing_up_and_is_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let stage = stage(closed).await;
    let run = run_of(&stage.find_key().await);
    stage.approve(&run).await;
    assert_eq!(stage.over(&run).await["status"], "succeeded");
    eventually("what was dropped", async || {
        let text = String::from_utf8(stage.mia.root_bytes("/metrics").await).unwrap();
        let dropped = text.lines().find_map(|l| l.strip_prefix("stanch_spans_dropped_total "))?;
        (dropped.parse::<u64>().unwrap() > 3).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_none_is_said_at_the_start() {
    let mut config = stanch_engine_cli::config::Config::default();
    let (dir, headers) = (tempfile::tempdir().unwrap(), Default::default());
    config.data_dir = Some(dir.path().to_owned());
    config.otlp = Some(Otlp { endpoint: "collector:4318".to_owned(), headers });
    let world = stanch_engine_runtime::system::world();
    let seams = stanch_engine_cli::wiring::Seams::default();
    let started = stanch_engine_cli::wiring::start(&config, world, &|_| None, seams).await;
    let error = started.err().unwrap().to_string();
    assert!(error.contains("[otlp] endpoint") && error.contains("http://"), "{error}");
}
