//! A storm: every finding five times, from eight senders at once, who send again what was not
//! acknowledged, while the process is killed twice.
//!
//! `STANCH_TEST_STORM=10000 cargo xtask test -E 'test(/^storm::/)' --no-capture` makes it as large as it is
//! published (10,000 findings, 50,000 deliveries), and prints its figures; without, it has a tenth of that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde_json::Value;
use stanch_tests::process::Process;
use tokio::sync::watch;

use crate::server::{Folder, Server, finding};

/// How often each finding is sent.
const TIMES: u64 = 5;

const SENDERS: u64 = 8;

/// What the senders share.
struct Storm {
    distinct: u64,
    token: String,
    url: watch::Receiver<String>,
    acknowledged: watch::Sender<u64>,
    sent_again: AtomicU64,
}

impl Storm {
    /// Sends one sender's share: neighbours in the list are the same finding and go to different
    /// senders, so that it comes from several at once.
    async fn send(&self, sender: u64) {
        let http = stanch_plugins_http::client_builder().no_proxy().build().unwrap();
        let mut url = self.url.clone();
        for delivery in (sender..self.distinct * TIMES).step_by(SENDERS as usize) {
            let body = finding(&format!("storm-{}", delivery / TIMES)).to_string();
            loop {
                let now = url.borrow().clone();
                let request = http.post(format!("{now}/v1/webhooks/guardduty"));
                let sent = request.bearer_auth(&self.token).body(body.clone()).send().await;
                match sent.map(|answer| answer.status().as_u16()) {
                    Ok(202) => break,
                    Ok(429 | 503) => {}
                    Ok(status) => panic!("answered with {status}"),
                    // It is dead: its next address is waited for.
                    Err(_) => drop(url.wait_for(|next| *next != now).await.unwrap()),
                }
                self.sent_again.fetch_add(1, Ordering::Relaxed);
            }
            self.acknowledged.send_modify(|count| *count += 1);
        }
    }
}

/// Kills the server without a word and starts it again.
async fn restart(server: Server, url: &watch::Sender<String>) -> Server {
    let Server { mut process, folder, .. } = server;
    process.kill().await;
    let process = Process::start(&mut folder.command(&["serve"]));
    let server = Server::started(process, folder).await;
    url.send_replace(server.url.clone());
    server
}

/// All items of a listing.
async fn all(server: &Server, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = server.get(&format!("/v1{path}?limit=200{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

fn distinct() -> u64 {
    let said = std::env::var_os("STANCH_TEST_STORM");
    said.map_or(1_000, |said| said.to_str().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_finding_of_a_storm_is_one_alert_and_one_run_though_the_process_is_killed_twice() {
    let mut server = Folder::new().serve().await;
    let (urls, url) = watch::channel(server.url.clone());
    let (acknowledged, mut progress) = watch::channel(0);
    let token = server.folder.secret("webhook.token").trim().to_owned();
    let sent_again = AtomicU64::new(0);
    let storm = Arc::new(Storm { distinct: distinct(), token, url, acknowledged, sent_again });
    let begun = Instant::now();
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let storm = storm.clone();
            tokio::spawn(async move { storm.send(sender).await })
        })
        .collect();
    let deliveries = storm.distinct * TIMES;
    for third in [1, 2] {
        progress.wait_for(|count| *count >= deliveries * third / 3).await.unwrap();
        server = restart(server, &urls).await;
    }
    for sender in senders {
        sender.await.unwrap();
    }
    let elapsed = begun.elapsed();

    let alerts = all(&server, "/alerts").await;
    let sent_again = storm.sent_again.load(Ordering::Relaxed);
    let received: u64 = alerts.iter().map(|alert| alert["deliveries"].as_u64().unwrap()).sum();
    println!(
        "{} findings, {deliveries} deliveries acknowledged and {sent_again} sent again in {:.1} s: \
         {} alerts, {received} deliveries counted",
        storm.distinct,
        elapsed.as_secs_f64(),
        alerts.len()
    );
    assert_eq!(alerts.len() as u64, storm.distinct);
    assert!((deliveries..=deliveries + sent_again).contains(&received), "{received}");
    for alert in &alerts {
        assert!(alert["deliveries"].as_u64().unwrap() >= TIMES, "{alert}");
        assert_eq!(alert["count"], 1, "{alert}");
    }
    let mut runs: BTreeMap<String, u64> = BTreeMap::new();
    for run in all(&server, "/runs").await {
        *runs.entry(run["alert_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(runs.len() as u64, storm.distinct, "every alert started a run");
    assert!(runs.values().all(|count| *count == 1), "and none of them two");
    assert_eq!(all(&server, "/incidents").await.len() as u64, storm.distinct);
    assert_eq!(all(&server, "/dead-letters").await, Vec::<Value>::new());
}
