//! The clock starts runs while the node is killed over it, again and again.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;

use serde_json::Value;
use stanch_engine_core::time::Timestamp;
use stanch_tests::eventually;

use super::point::Point;
use super::story::{Life, Plot, Story};
use crate::stage::is_over;

/// From one tick to the next.
const EVERY_MS: i64 = 20_000;

/// Lives of a node that end by a kill.
const LIVES: u32 = 12;

/// Kills one life after the other on the same data, each at a later point of its ticking.
pub(super) async fn killed_while_ticking(point: Point, test: &str) {
    let story = Story::of(Plot::Clock).await;
    for life in 0..LIVES {
        let mut life = story.start(Some((point, 6 + life)), test);
        // To wait for it by itself would end its input, and it with it.
        assert_eq!(life.process.next_line(|_| false).await, None);
        let died = life.process.wait().await;
        assert_eq!(died.signal(), Some(9), "{}", life.process.output());
    }
    let mut last = story.start(None, test);
    story.meet(&mut last).await.unwrap();
    let before = runs(&mut last).await.len();
    let runs = eventually("three more runs, all of them at their end", async || {
        let runs = runs(&mut last).await;
        (runs.len() > before + 2 && runs.iter().all(is_over)).then_some(runs)
    })
    .await;
    assert!(runs.iter().all(|run| run["status"] == "succeeded"), "{runs:?}");
    let ticks: Vec<Timestamp> = runs.iter().map(tick).collect();
    let distinct: BTreeSet<_> = ticks.iter().copied().collect();
    assert_eq!(distinct.len(), ticks.len(), "no tick starts two runs: {ticks:?}");
    let in_order: Vec<_> = distinct.into_iter().collect();
    for pair in in_order.windows(2) {
        assert_eq!(pair[1].ms_since(pair[0]), EVERY_MS, "none is left out: {in_order:?}");
    }
    println!("{LIVES} lives, {} ticks", in_order.len());
}

fn tick(run: &Value) -> Timestamp {
    Timestamp::parse(run["result"].as_str().unwrap()).unwrap()
}

/// All runs that the clock started.
async fn runs(life: &mut Life) -> Vec<Value> {
    let (mut runs, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = life.get(&format!("/runs?playbook=sweep&limit=200{cursor}")).await.unwrap();
        runs.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return runs,
        }
    }
}
