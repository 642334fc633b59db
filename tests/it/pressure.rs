//! Back-pressure: what is too much is told to come back before it fills the memory, and what was
//! acknowledged is stored.

use std::sync::{Arc, Condvar, Mutex};

use reqwest::header::RETRY_AFTER;
use serde_json::json;
use stanch_engine_cli::config::Source;
use stanch_engine_core::limits;
use stanch_engine_store::CommitPoint;
use tokio::sync::mpsc;

use crate::stage::{Plan, Stage};

/// A gate before every commit.
#[derive(Default)]
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn close(&self, is_closed: bool) {
        *self.0.lock().unwrap() = is_closed;
        self.1.notify_all();
    }

    fn pass(&self) {
        let closed = self.0.lock().unwrap();
        drop(self.1.wait_while(closed, |is_closed| *is_closed).unwrap());
    }
}

/// A payload that is as large as may be: a finding and much white space.
fn large(number: usize) -> Vec<u8> {
    let finding = json!({"title": "much", "severity": "low", "id": format!("large-{number}")});
    let mut body = finding.to_string().into_bytes();
    body.resize(limits::REQUEST_BYTES, b' ');
    body
}

async fn send(stage: &Stage, source: &str, body: Vec<u8>) -> (u16, bool) {
    let http = stanch_plugins_http::client_builder().build().unwrap();
    let token = std::fs::read_to_string(stage.dir().join("keys/webhook.token")).unwrap();
    let request = http.post(format!("{}/v1/webhooks/{source}", stage.url)).bearer_auth(token);
    let answer = request.body(body).send().await.unwrap();
    let after = answer.headers().get(RETRY_AFTER).cloned();
    let after = after.is_some_and(|after| after.to_str().unwrap().parse::<u32>().unwrap() > 0);
    (answer.status().as_u16(), after)
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_disk_stands_still_senders_are_turned_away_and_nothing_is_acknowledged() {
    let gate = Arc::new(Gate::default());
    let mut plan = Plan::new();
    let at_commit = gate.clone();
    plan.seams.on_commit = Some(Arc::new(move |point| {
        if point == CommitPoint::Before {
            at_commit.pass();
        }
    }));
    let stage = Arc::new(plan.set().await);
    gate.close(true);
    let most = limits::INTAKE_BYTES / limits::REQUEST_BYTES;
    let (answers, mut answered) = mpsc::unbounded_channel();
    for number in 0..most + 8 {
        let (stage, answers) = (stage.clone(), answers.clone());
        tokio::spawn(async move {
            let answer = send(&stage, "generic", large(number)).await;
            answers.send((number, answer)).unwrap();
        });
    }
    for _ in 0..8 {
        let (_, (status, has_retry_after)) = answered.recv().await.unwrap();
        assert_eq!((status, has_retry_after), (429, true));
    }
    assert!(answered.try_recv().is_err(), "nothing else is answered while nothing is stored");
    gate.close(false);
    for _ in 0..most {
        assert_eq!(answered.recv().await.unwrap().1.0, 202);
    }
    let alerts = stage.mia.list("/alerts?limit=200").await;
    assert_eq!(alerts.len(), most, "what was acknowledged is stored, and nothing else");
    assert_eq!(send(&stage, "generic", large(9_999)).await.0, 202, "it takes more again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_has_a_rate_and_a_size_of_its_own() {
    let mut plan = Plan::new().manual();
    let limited = json!({"rate": {"per_second": 1, "burst": 3}, "max_body": 1000});
    let limited: Source = serde_json::from_value(limited).unwrap();
    plan.config.sources.insert("generic".to_owned(), limited);
    let stage = plan.set().await;
    let small = |number: usize| {
        json!({"title": "t", "severity": "low", "id": number.to_string()}).to_string().into_bytes()
    };
    assert_eq!(send(&stage, "generic", vec![b' '; 1_001]).await.0, 413);
    // What was too large counts too.
    let mut statuses = Vec::new();
    for number in 0..5 {
        statuses.push(send(&stage, "generic", small(number)).await);
    }
    let refused = statuses.iter().filter(|answer| **answer == (429, true)).count();
    assert_eq!(refused, 3, "{statuses:?}");
    stage.pass(1_000);
    assert_eq!(send(&stage, "generic", small(9)).await.0, 202);
    assert_eq!(stage.mia.list("/dead-letters").await.len(), 0);
}
