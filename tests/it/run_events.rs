//! The entries of a run as they come.

use std::time::Duration;

use serde_json::{Value, json};
use stanch_tests::eventually;

use crate::stage::{Plan, Stage};

const ASKS: &str = "const PLAYBOOK = #{ name: \"p\", title: \"t\" };\n\
                    log(\"one\"); approval(\"Go on?\", #{ expires: \"24h\" }).outcome";

/// An event: its number, its name and what it holds.
type Event = (u32, String, Value);

/// Somebody who listens, and what they have heard.
struct Listener {
    answer: reqwest::Response,
    text: String,
}

impl Listener {
    async fn listen(stage: &Stage, run: &str, after: Option<u32>) -> Self {
        let answer = stage.mia.stream(&format!("/runs/{run}/events"), after).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, text: String::new() }
    }

    fn heard(&self) -> Vec<Event> {
        let whole = self.text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
        let parts = whole.split("\n\n").filter(|part| part.starts_with("id: "));
        let event = |part: &str| {
            let mut lines = part.lines().map(|line| line.split_once(": ").unwrap().1);
            let (id, name, data) =
                (lines.next().unwrap(), lines.next().unwrap(), lines.next().unwrap());
            (id.parse().unwrap(), name.to_owned(), serde_json::from_str(data).unwrap())
        };
        parts.map(event).collect()
    }

    /// Hears on until something is heard, or the end comes, which is false.
    async fn hear_until(&mut self, is_there: impl Fn(&[Event]) -> bool) -> bool {
        let hearing = async {
            while !is_there(&self.heard()) {
                match self.answer.chunk().await.unwrap() {
                    Some(chunk) => self.text.push_str(std::str::from_utf8(&chunk).unwrap()),
                    None => return false,
                }
            }
            true
        };
        tokio::time::timeout(Duration::from_secs(30), hearing).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_heard_as_they_come_and_the_end_ends_it() {
    let mut plan = Plan::new();
    plan.ships = false;
    let stage = plan.set().await;
    stage.publish(ASKS).await;
    let run = stage.start_for_finding("p").await;
    let mut listener = Listener::listen(&stage, &run, None).await;
    // Before anybody answered.
    assert!(
        listener
            .hear_until(|heard| heard
                .iter()
                .any(|e| e.1 == "step_waiting" || e.2["body"]["head"]["verb"] == "approval"))
            .await
    );
    assert!(!listener.heard().iter().any(|event| event.1 == "ended"));
    stage.approve(&run).await;
    assert!(!listener.hear_until(|_| false).await, "it ends by itself");
    let heard = listener.heard();
    assert_eq!(heard.last().unwrap().1, "ended");
    let journal = stage.journal(&run).await;
    let said: Vec<_> = heard.iter().map(|event| event.2.clone()).collect();
    assert_eq!(said, journal, "all of it, in order, once");
    // After the third, and after the last.
    let mut later = Listener::listen(&stage, &run, Some(2)).await;
    later.hear_until(|_| false).await;
    let rest: Vec<_> = heard.iter().filter(|event| event.0 > 2).cloned().collect();
    assert_eq!(later.heard(), rest);
    assert!(rest.len() < heard.len() && !rest.is_empty());
    let mut none = Listener::listen(&stage, &run, Some(heard.last().unwrap().0)).await;
    none.hear_until(|_| false).await;
    assert!(none.heard().is_empty());
    let mia = &stage.mia;
    assert_eq!(mia.stream("/runs/run_none/events", None).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_may_listen_and_who_hangs_up_leaves_their_place() {
    let mut plan = Plan::new();
    plan.ships = false;
    let stage = plan.set().await;
    stage.publish(ASKS).await;
    let run = stage.start_for_finding("p").await;
    stage.approval(&run).await;
    let most = stanch_engine_core::limits::RUN_LISTENERS;
    let mut listeners = Vec::new();
    for _ in 0..most {
        listeners.push(Listener::listen(&stage, &run, None).await);
    }
    let path = format!("/runs/{run}/events");
    assert_eq!(stage.mia.stream(&path, None).await.status(), 429);
    listeners.pop();
    eventually("a place", async || {
        (stage.mia.stream(&path, None).await.status() == 200).then_some(())
    })
    .await;
    stage.mia.post(&format!("/runs/{run}/cancel"), &json!({"reason": "enough"})).await;
    for mut listener in listeners {
        assert!(!listener.hear_until(|_| false).await);
    }
}
