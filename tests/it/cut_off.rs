//! A node that stops in the middle of things forgets nothing: neither that a call may have been
//! made, nor what people wanted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use stanch_tests::eventually;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::stage::{Plan, Stage};

/// A call that must not be made twice.
const CALLS: &str = r#"
const PLAYBOOK = #{ name: "calls", title: "Calls once", mode: "auto" };
http("POST", inputs.url, #{ retry: "never", attempts: 3 });
"done"
"#;

/// A server that says 429 to so many requests and nothing to the others, and counts all.
async fn reluctant(refusals: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = heard.clone();
    tokio::spawn(async move {
        let mut held: Vec<TcpStream> = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let read = socket.read(&mut [0; 4096]).await;
            if read.is_ok_and(|bytes| bytes > 0)
                && counter.fetch_add(1, Ordering::SeqCst) < refusals
            {
                let _ = socket
                    .write_all(
                        b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                    )
                    .await;
            } else {
                held.push(socket);
            }
        }
    });
    (url, heard)
}

async fn calling(refusals: usize) -> (Stage, String, Arc<AtomicUsize>) {
    let mut plan = Plan::new();
    plan.ships = false;
    let stage = plan.set().await;
    stage.publish(CALLS).await;
    let (url, heard) = reluctant(refusals).await;
    let run = stage.start("calls", json!({ "url": url })).await;
    eventually("the last request", async || {
        (heard.load(Ordering::SeqCst) > refusals).then_some(())
    })
    .await;
    (stage, run, heard)
}

fn kinds(journal: &[Value]) -> Vec<&str> {
    journal.iter().filter_map(|entry| entry["kind"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_attempt_is_an_intent_too() {
    for refusals in [0, 1] {
        let (mut stage, run, heard) = calling(refusals).await;
        stage.restart().await;
        let parked = stage.over(&run).await;
        assert_eq!(
            (&parked["status"], &parked["parked_reason"]),
            (&json!("parked"), &json!("in_doubt")),
            "{parked}"
        );
        assert_eq!(heard.load(Ordering::SeqCst), refusals + 1, "it is not sent again");
        stage.page_that_says(&run).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_that_was_accepted_holds() {
    let (mut stage, run, _) = calling(0).await;
    stage.mia.post(&format!("/runs/{run}/cancel"), &json!({"reason": "enough"})).await;
    eventually("the wish in the journal", async || {
        kinds(&stage.journal(&run).await).contains(&"cancel_requested").then_some(())
    })
    .await;
    stage.restart().await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["status"], "cancelled", "{ended}");
    // What nobody knows is not forgotten with it.
    assert!(kinds(&stage.journal(&run).await).contains(&"step_doubted"));
    stage.page_that_says("ends in doubt").await;
}
