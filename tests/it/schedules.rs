//! Runs that the clock starts.

use serde_json::{Value, json};
use stanch_tests::eventually;

use crate::stage::{Plan, Stage, id};

const HOUR_MS: i64 = 3_600_000;

/// A playbook with one schedule, which says what it was started for.
fn playbook(schedule: &str, body: &str) -> String {
    format!(
        "const PLAYBOOK = #{{ name: \"sweep\", title: \"A sweep\", mode: \"ask\", \
         schedules: [#{{ name: \"often\", {schedule} }}] }};\n{body}"
    )
}

/// A stage at 03:00 on which the schedule is known.
async fn stage_with(plan: Plan, schedule: &str, body: &str) -> Stage {
    let mut plan = plan.manual();
    plan.ships = false;
    let stage = plan.set().await;
    stage.publish(&playbook(schedule, body)).await;
    eventually("the schedule is known", async || {
        (often(&stage).await["status"] == "active").then_some(())
    })
    .await;
    stage
}

async fn often(stage: &Stage) -> Value {
    stage.mia.get("/schedules/sweep/often").await
}

/// The ticks that are decided, the oldest first, when there are so many of them.
async fn ticks(stage: &Stage, count: usize) -> Vec<Value> {
    eventually(&format!("{count} ticks"), async || {
        let mut ticks = often(stage).await["ticks"].as_array().unwrap().clone();
        ticks.reverse();
        (ticks.len() == count).then_some(ticks)
    })
    .await
}

fn outcomes(ticks: &[Value]) -> Vec<&str> {
    ticks.iter().map(|tick| tick["outcome"].as_str().unwrap()).collect()
}

async fn a_tick_starts_a_run(plan: Plan) {
    let schedule = "cron: \"0 0 * * * *\", inputs: #{ n: 7 }";
    let stage = stage_with(plan, schedule, "[schedule.name, schedule.tick_at, inputs.n]").await;
    assert_eq!(often(&stage).await["next"][0], "2026-11-24T04:00:00Z");
    stage.pass(HOUR_MS);
    let tick = ticks(&stage, 1).await.remove(0);
    let run = stage.over(&id(&tick["run_id"])).await;
    assert_eq!(run["result"], json!(["often", "2026-11-24T04:00:00Z", 7]), "{run}");
    assert_eq!(run["requester"], "schedule often");
    assert_eq!(often(&stage).await["next"][0], "2026-11-24T05:00:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_starts_a_run_that_knows_it() {
    a_tick_starts_a_run(Plan::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_starts_a_run_on_postgres() {
    a_tick_starts_a_run(Plan::new().on_postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_is_caught_up_with_and_what_comes_too_late_is_missed() {
    let mut stage = stage_with(Plan::new(), "cron: \"0 */30 * * * *\"", "1").await;
    stage.pass(3 * HOUR_MS + 300_000);
    let decided = ticks(&stage, 2).await;
    assert_eq!(outcomes(&decided), ["missed", "started"]);
    assert_eq!(decided[0]["tick_at"], "2026-11-24T03:30:00Z");
    assert_eq!(decided[1]["tick_at"], "2026-11-24T06:00:00Z");
    // A node that starts anew decides nothing twice.
    stage.restart().await;
    stage.pass(1_800_000);
    assert_eq!(outcomes(&ticks(&stage, 3).await), ["missed", "started", "started"]);
}

/// Starts one tick whose run stays open, and lets the next one come.
async fn two_ticks(overlap: &str) -> (Stage, String) {
    let schedule = format!("cron: \"0 0 * * * *\", overlap: \"{overlap}\"");
    let stage = stage_with(Plan::new(), &schedule, "wait_signal(\"go\").data").await;
    stage.pass(HOUR_MS);
    let first = id(&ticks(&stage, 1).await[0]["run_id"]);
    stage.run_when(&first, |run| run["status"] == "waiting").await;
    stage.pass(HOUR_MS);
    (stage, first)
}

async fn go(stage: &Stage, run: &str) {
    stage.mia.post(&format!("/runs/{run}/signal"), &json!({"name": "go", "data": 1})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_is_skipped_while_the_run_of_another_is_open() {
    let (stage, first) = two_ticks("skip").await;
    assert_eq!(outcomes(&ticks(&stage, 2).await), ["started", "skipped"]);
    go(&stage, &first).await;
    stage.over(&first).await;
    stage.pass(HOUR_MS);
    assert_eq!(outcomes(&ticks(&stage, 3).await), ["started", "skipped", "started"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_tick_waits_for_the_end_of_the_run_before() {
    let (stage, first) = two_ticks("buffer_one").await;
    eventually("a tick waits", async || {
        (often(&stage).await["waiting_tick"] == "2026-11-24T05:00:00Z").then_some(())
    })
    .await;
    stage.pass(HOUR_MS);
    assert_eq!(outcomes(&ticks(&stage, 2).await), ["started", "skipped"]);
    go(&stage, &first).await;
    stage.over(&first).await;
    stage.pass(2_000);
    let decided = ticks(&stage, 3).await;
    assert_eq!(outcomes(&decided), ["started", "started", "skipped"]);
    assert_eq!(decided[1]["tick_at"], "2026-11-24T05:00:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_takes_the_place_of_the_run_before() {
    let (stage, first) = two_ticks("cancel_other").await;
    let cancelled = stage.over_in_time(&first, 100).await;
    assert_eq!(cancelled["status"], "cancelled", "{cancelled}");
    stage.pass(2_000);
    let decided = ticks(&stage, 2).await;
    assert_eq!(outcomes(&decided), ["started", "started"]);
    assert_ne!(decided[1]["run_id"], json!(first));
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_start_runs_beside_each_other() {
    let (stage, _) = two_ticks("allow_all").await;
    ticks(&stage, 2).await;
    assert_eq!(often(&stage).await["open_runs"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_stands_still_until_it_is_let_go_on() {
    let stage = stage_with(Plan::new(), "cron: \"0 0 * * * *\"", "1").await;
    let path = |verb: &str| format!("/schedules/sweep/often/{verb}");
    let (status, _) = stage.mia.post_refused(&path("pause"), &json!({"note": " "})).await;
    assert_eq!(status, 400);
    let note = json!({"note": "the vendor is at it"});
    let paused = stage.mia.post(&path("pause"), &note).await;
    assert_eq!(paused["paused"]["by"], "mia");
    assert_eq!(stage.mia.post_refused(&path("pause"), &note).await.0, 409);
    stage.pass(2 * HOUR_MS);
    let resumed = stage.mia.post(&path("resume"), &json!({})).await;
    assert_eq!(resumed["next"][0], "2026-11-24T06:00:00Z");
    assert_eq!(stage.mia.post_refused(&path("resume"), &json!({})).await.0, 409);
    stage.pass(HOUR_MS);
    let decided = ticks(&stage, 1).await;
    assert_eq!(decided[0]["tick_at"], "2026-11-24T06:00:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_that_waits_when_it_is_paused_does_not_start_when_it_is_resumed() {
    let (stage, first) = two_ticks("buffer_one").await;
    eventually("a tick waits", async || {
        (often(&stage).await["waiting_tick"] == "2026-11-24T05:00:00Z").then_some(())
    })
    .await;
    let path = |verb: &str| format!("/schedules/sweep/often/{verb}");
    let paused = stage.mia.post(&path("pause"), &json!({"note": "the vendor is at it"})).await;
    assert_eq!(paused["waiting_tick"], Value::Null, "{paused}");
    go(&stage, &first).await;
    stage.over(&first).await;
    stage.mia.post(&path("resume"), &json!({})).await;
    stage.pass(HOUR_MS);
    let decided = ticks(&stage, 2).await;
    assert_eq!(outcomes(&decided), ["started", "started"]);
    assert_eq!(decided[1]["tick_at"], "2026-11-24T06:00:00Z");
    let period = json!({"from": "2026-11-24T04:30:00Z", "until": "2026-11-24T05:30:00Z"});
    let done = stage.mia.post(&path("backfill"), &period).await;
    assert_eq!((done["started"].as_array().unwrap().len(), &done["known"]), (1, &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn people_start_it_now_and_start_what_was_missed() {
    let stage = stage_with(Plan::new(), "cron: \"0 0 * * * *\"", "wait_signal(\"go\").data").await;
    let path = |verb: &str| format!("/schedules/sweep/often/{verb}");
    let first = id(&stage.mia.post(&path("trigger"), &json!({})).await["run_id"]);
    let (status, problem) = stage.mia.post_refused(&path("trigger"), &json!({})).await;
    assert!(status == 409 && problem["detail"].as_str().unwrap().contains(&first), "{problem}");
    stage.pass(1);
    stage.mia.post(&path("trigger"), &json!({"beside": true})).await;
    let run = stage.mia.get(&format!("/runs/{first}")).await;
    assert_eq!(run["requester"], "schedule often, by mia");

    let period = json!({"from": "2026-11-24T00:00:00Z", "until": "2026-11-24T02:30:00Z"});
    let done = stage.mia.post(&path("backfill"), &period).await;
    assert_eq!((done["started"].as_array().unwrap().len(), &done["known"]), (3, &json!(0)));
    let again = stage.mia.post(&path("backfill"), &period).await;
    assert_eq!((again["started"].as_array().unwrap().len(), &again["known"]), (0, &json!(3)));
    for wrong in [
        json!({"from": "2026-11-24T00:00:00Z", "until": "2026-11-25T00:00:00Z"}),
        json!({"from": "2026-11-24T00:10:00Z", "until": "2026-11-24T00:20:00Z"}),
        json!({"from": "2020-11-24T00:10:00Z", "until": "2026-11-24T00:20:00Z"}),
    ] {
        let (status, problem) = stage.mia.post_refused(&path("backfill"), &wrong).await;
        assert_eq!(status, 400, "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_is_not_there_names_the_one_that_is() {
    let stage = stage_with(Plan::new(), "cron: \"0 0 * * * *\"", "1").await;
    let (status, problem) =
        stage.mia.post_refused("/schedules/sweep/oftn/trigger", &json!({})).await;
    assert_eq!(status, 404);
    assert!(problem["detail"].as_str().unwrap().contains("sweep/often"), "{problem}");
}
