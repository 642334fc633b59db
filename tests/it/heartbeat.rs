//! What is called while all is well, and is not when nobody can be paged.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use serde_json::json;
use stanch_engine_cli::config::{Heartbeat, Notify};
use stanch_engine_core::span::Span;
use stanch_engine_server::Reply;
use stanch_tests::eventually;
use tokio::net::TcpListener;

use crate::stage::{Plan, Stage};

const EVERY_MS: i64 = 60_000;

/// Something that counts how often it is called.
async fn watcher() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/beat", listener.local_addr().unwrap());
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = heard.clone();
    let answer = move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        Reply::Response(http::Response::new(Bytes::new()))
    };
    tokio::spawn(stanch_engine_server::serve_with(listener, answer, std::future::pending()));
    (url, heard)
}

async fn stage(notify: Notify) -> (Stage, Arc<AtomicUsize>) {
    let (url, heard) = watcher().await;
    let mut plan = Plan::new().manual();
    plan.config.heartbeat = Some(Heartbeat { url, every: Span::from_secs(60) });
    plan.config.notify = notify;
    let stage = plan.set().await;
    is_heard(&heard, 1).await;
    (stage, heard)
}

async fn is_heard(heard: &AtomicUsize, times: usize) {
    let what = format!("{times} heartbeats");
    eventually(&what, async || (heard.load(Ordering::SeqCst) >= times).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_beats_while_all_is_well() {
    let (stage, heard) = stage(Plan::new().config.notify).await;
    for times in 2..5 {
        stage.pass(EVERY_MS);
        is_heard(&heard, times).await;
    }
    assert_eq!(heard.load(Ordering::SeqCst), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_falls_silent_when_a_page_reaches_nobody_until_somebody_takes_it() {
    let (stage, heard) = stage(Notify::default()).await;
    let header = r#"const PLAYBOOK = #{ name: "breaks", title: "Breaks" };"#;
    stage.publish(&format!("{header}\nfail(\"nothing works\");")).await;
    stage.start("breaks", json!({})).await;
    let page = eventually("a page that did not go out", async || {
        let pages = stage.mia.list("/pages").await;
        pages.into_iter().find(|page| page["last_error"].is_string())
    })
    .await;
    let before = heard.load(Ordering::SeqCst);
    for deliveries in page["deliveries"].as_u64().unwrap() + 1.. {
        if deliveries > 4 {
            break;
        }
        // The heartbeat's time comes as often as the page's, and oftener.
        stage.pass(5 * EVERY_MS);
        eventually("another try", async || {
            let pages = stage.mia.list("/pages").await;
            (pages[0]["deliveries"].as_u64().unwrap() >= deliveries).then_some(())
        })
        .await;
    }
    assert_eq!(heard.load(Ordering::SeqCst), before, "it calls although nobody is reached");

    let id = page["id"].as_str().unwrap();
    stage.mia.post(&format!("/pages/{id}/ack"), &json!({"reason": "I look at it"})).await;
    stage.pass(EVERY_MS);
    is_heard(&heard, before + 1).await;
}
