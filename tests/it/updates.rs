//! Those who wait are told how an incident stands, from time to time and until it is over.

use serde_json::{Value, json};
use stanch_engine_cli::config::Notify;
use stanch_tests::eventually;

use crate::stage::{ACCOUNT, Plan, Stage, id};

const HOUR_MS: i64 = 3_600_000;

async fn opened(plan: Plan) -> (Stage, String) {
    let mut plan = plan.manual();
    plan.ships = false;
    let stage = plan.set().await;
    let body = json!({"title": "A laptop was stolen", "severity": "high", "account": ACCOUNT});
    let incident = id(&stage.mia.post("/incidents", &body).await["incident_id"]);
    (stage, format!("/incidents/{incident}"))
}

async fn only(stage: &Stage, path: &str) -> Value {
    let mut all = stage.mia.list(&format!("{path}/updates")).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// The updates of an incident, when they are as they are waited for. Time passes meanwhile.
async fn when(stage: &Stage, path: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    eventually(what, async || {
        stage.pass(1_000);
        Some(only(stage, path).await).filter(&fits)
    })
    .await
}

async fn told_until_it_is_over(plan: Plan) {
    let (mut stage, path) = opened(plan).await;
    let updates = format!("{path}/updates");
    let first = json!({"to": ["role:management"], "every": "2h", "text": "We know of it."});
    let begun = stage.mia.post(&updates, &first).await;
    assert_eq!(begun["items"][0]["every"], "2h", "{begun}");
    when(&stage, &path, "the first", |it| it["sent"] == 1).await;
    let said = stage.page_that_says("Update 1 on inc_").await;
    let words = "A laptop was stolen. It is high and open, open since 2026-11-24T03:00:0";
    assert!(said.contains(words) && said.contains("We know of it."), "{said}");
    assert!(said.starts_with("role:management: "), "{said}");

    // Another process takes it up where this one left it.
    stage.restart().await;
    stage.pass(2 * HOUR_MS);
    when(&stage, &path, "the second", |it| it["sent"] == 2).await;
    stage.page_that_says("Update 2 on inc_").await;

    let new = json!({"to": ["role:management"], "every": "6h", "text": "It was wiped."});
    stage.mia.post(&updates, &new).await;
    let third = when(&stage, &path, "what is new", |it| it["sent"] == 3).await;
    assert!(stage.page_that_says("Update 3 on inc_").await.contains("It was wiped."));
    assert_eq!(third["set_by"], "mia");

    let close = json!({"reason": "wiped", "verdict": "false_positive"});
    stage.mia.post(&format!("{path}/close"), &close).await;
    let last = when(&stage, &path, "the last", |it| it["sent"] == 4).await;
    assert_eq!(last["next_at"], Value::Null, "{last}");
    assert!(stage.page_that_says("Update 4 on inc_").await.contains("high and closed"));
    assert_eq!(stage.mia.post_refused(&updates, &new).await.0, 409, "it is over");
    let timeline = stage.mia.get(&format!("{path}/timeline")).await.to_string();
    for number in 1..=4 {
        assert!(timeline.contains(&format!("update by stanch: Update {number} on")), "{timeline}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_are_told_until_it_is_over_on_sqlite() {
    told_until_it_is_over(Plan::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_are_told_until_it_is_over_on_postgres() {
    told_until_it_is_over(Plan::new().on_postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_told_is_refused_and_they_are_told_no_more() {
    let (stage, path) = opened(Plan::new()).await;
    let (updates, stop) = (format!("{path}/updates"), format!("{path}/updates/stop"));
    for (body, says) in [
        (json!({"to": ["role:x"], "template": "bord"}), "there are status"),
        (json!({}), "names nobody"),
        (json!({"to": ["role:x"], "every": "10s"}), "between a minute"),
        (json!({"to": ["role:x"], "every": "soon"}), "length of time"),
    ] {
        let (status, problem) = stage.mia.post_refused(&updates, &body).await;
        assert!(status == 400 && problem["detail"].to_string().contains(says), "{problem}");
    }
    let vic = stage.person("vic", &["viewer"]).await;
    assert_eq!(vic.post_refused(&updates, &json!({"to": ["role:x"]})).await.0, 403);
    let absent = "/incidents/inc_01JA0000000000000000000000/updates";
    assert_eq!(stage.mia.post_refused(absent, &json!({"to": ["role:x"]})).await.0, 404);
    assert_eq!(stage.mia.post_refused(&stop, &json!({"reason": "x"})).await.0, 409);
    stage.mia.post(&updates, &json!({"to": ["role:x"]})).await;
    when(&stage, &path, "one", |it| it["sent"] == 1).await;
    let stopped = stage.mia.post(&stop, &json!({"reason": "they know enough"})).await;
    assert_eq!(stopped["items"][0]["next_at"], Value::Null, "{stopped}");
    let timeline = stage.mia.get(&format!("{path}/timeline")).await.to_string();
    assert!(timeline.contains("updates_stopped by mia: they know enough"), "{timeline}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_reaches_nobody_is_tried_again_and_people_hear_of_it() {
    let mut plan = Plan::new();
    plan.config.notify = Notify::default();
    let (stage, path) = opened(plan).await;
    stage.mia.post(&format!("{path}/updates"), &json!({"to": ["role:x"]})).await;
    let missed = when(&stage, &path, "an error", |it| it["error"].is_string()).await;
    assert!(missed["error"].to_string().contains("no channel reaches role:x"), "{missed}");
    eventually("a page", async || {
        stage.pass(10_000);
        let pages = json!(stage.mia.list("/pages").await).to_string();
        pages.contains("reached not everybody").then_some(())
    })
    .await;
    assert_eq!(only(&stage, &path).await["sent"], 0);
}
