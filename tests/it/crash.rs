//! The node is killed, with `kill -9`, at every commit and after every call, one point after the
//! other; and each time the run ends as if nothing had been.

mod ending;
mod playbooks;
mod point;
mod story;
mod ticks;
mod victim;

use std::os::unix::process::ExitStatusExt as _;

use stanch_tests::variable_if_set;

use self::ending::Ending;
use self::point::Point;
use self::story::{Plot, Story};

/// What is set in the process that is to be killed.
const VICTIM: &str = "STANCH_TEST_VICTIM";

/// Plays a story once for every point of a kind, with a kill there. The test starts itself again
/// as the process to be killed.
async fn killed_at_every(plot: Plot, point: Point, test: &str) {
    if let Some(orders) = variable_if_set(VICTIM) {
        return victim::live(&orders).await;
    }
    let whole = Story::of(plot).await;
    let mut first = whole.start(None, test);
    let usual = match whole.tell(&mut first).await {
        Some(()) => Ending::of(&whole, &mut first).await,
        None => panic!("it ends unkilled: {}", first.process.output()),
    };
    drop(first);
    let mut kills = 0;
    loop {
        let story = Story::of(plot).await;
        let mut life = story.start(Some((point, kills + 1)), test);
        if story.tell(&mut life).await.is_some() {
            break;
        }
        let died = life.process.wait().await;
        assert_eq!(died.signal(), Some(9), "{}", life.process.output());
        kills += 1;
        let mut next = story.start(None, test);
        let told = story.tell(&mut next).await;
        assert!(told.is_some(), "kill {kills}: {}", next.process.output());
        let ending = Ending::of(&story, &mut next).await;
        ending.is_as_usual(&usual, &format!("{plot:?} killed {point:?} number {kills}"));
    }
    assert!(kills > 15, "{kills} points are too few to be all");
    println!("{plot:?}: killed {point:?}: {kills} points, each with the same end");
}

#[tokio::test(flavor = "multi_thread")]
async fn key_before_every_commit() {
    let test = "crash::key_before_every_commit";
    killed_at_every(Plot::Key, Point::BeforeCommit, test).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn key_after_every_commit() {
    let test = "crash::key_after_every_commit";
    killed_at_every(Plot::Key, Point::AfterCommit, test).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn key_between_every_call_and_its_result() {
    let test = "crash::key_between_every_call_and_its_result";
    killed_at_every(Plot::Key, Point::AfterCall, test).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instance_before_every_commit() {
    let test = "crash::instance_before_every_commit";
    killed_at_every(Plot::Instance, Point::BeforeCommit, test).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instance_after_every_commit() {
    let test = "crash::instance_after_every_commit";
    killed_at_every(Plot::Instance, Point::AfterCommit, test).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instance_between_every_call_and_its_result() {
    let test = "crash::instance_between_every_call_and_its_result";
    killed_at_every(Plot::Instance, Point::AfterCall, test).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_before_every_commit() {
    let test = "crash::branches_before_every_commit";
    killed_at_every(Plot::Branches, Point::BeforeCommit, test).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_after_every_commit() {
    let test = "crash::branches_after_every_commit";
    killed_at_every(Plot::Branches, Point::AfterCommit, test).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_between_every_call_and_its_result() {
    let test = "crash::branches_between_every_call_and_its_result";
    killed_at_every(Plot::Branches, Point::AfterCall, test).await;
}

/// Plays one story over the lives of many nodes, each killed at such a point while the clock ticks.
async fn killed_while_ticking(point: Point, test: &str) {
    match variable_if_set(VICTIM) {
        Some(orders) => victim::live(&orders).await,
        None => ticks::killed_while_ticking(point, test).await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_before_commits() {
    killed_while_ticking(Point::BeforeCommit, "crash::ticks_before_commits").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_after_commits() {
    killed_while_ticking(Point::AfterCommit, "crash::ticks_after_commits").await;
}
