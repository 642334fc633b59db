//! How runs end, and how they begin again: what is deferred, what is run again, what goes on as new.

use serde_json::{Value, json};
use stanch_tests::eventually;

use crate::stage::{Plan, Stage, id};

async fn stage_with(header: &str, body: &str) -> Stage {
    let mut plan = Plan::new().manual();
    plan.ships = false;
    let stage = plan.set().await;
    let text = format!("const PLAYBOOK = #{{ name: \"p\", title: \"A test\", {header} }};\n{body}");
    stage.publish(&text).await;
    stage
}

fn why() -> Value {
    json!({"reason": "a test says so"})
}

async fn waiting(stage: &Stage, run: &str) -> Value {
    stage.run_when(run, |run| run["status"] == "waiting").await
}

/// Whether a run has said something.
async fn said(stage: &Stage, run: &str, words: &str) -> bool {
    let journal = stage.journal(run).await;
    journal.iter().any(|e| e["body"]["head"]["args"]["value"] == words)
}

async fn cancel(stage: &Stage, run: &str) {
    stage.mia.post(&format!("/runs/{run}/cancel"), &why()).await;
}

async fn signal(stage: &Stage, run: &str, name: &str, data: Value) {
    stage.mia.post(&format!("/runs/{run}/signal"), &json!({"name": name, "data": data})).await;
}

async fn retry(stage: &Stage, run: &str, from: Option<&str>) {
    let body = json!({"from_step": from, "reason": "it is mended"});
    stage.mia.post(&format!("/runs/{run}/retry"), &body).await;
}

/// How often a step was asked for.
fn asked(journal: &[Value], key: &str) -> usize {
    let heads = journal.iter().filter(|e| e["body"]["key"] == key && !e["body"]["head"].is_null());
    heads.count()
}

const TIDIES: &str = "defer(|| { sleep(\"5m\"); log(\"tidied\"); }); sleep(\"2h\"); log(\"never\")";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deferred_is_done_when_a_run_is_cancelled_even_by_the_next_node() {
    let mut stage = stage_with("mode: \"ask\"", TIDIES).await;
    let run = stage.start("p", json!({})).await;
    assert_eq!(waiting(&stage, &run).await["wake_at"], "2026-11-24T05:00:00Z");
    cancel(&stage, &run).await;
    let closing = stage.run_when(&run, |run| run["wake_at"] == "2026-11-24T03:05:00Z").await;
    assert_eq!(closing["status"], "waiting");
    stage.restart().await;
    stage.pass(300_000);
    let ended = stage.over(&run).await;
    assert_eq!(ended["status"], "cancelled", "{ended}");
    assert_eq!(ended["error"]["message"], "mia: a test says so");
    assert!(said(&stage, &run, "tidied").await && !said(&stage, &run, "never").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_cancel_ends_it_at_once() {
    let stage = stage_with("mode: \"ask\"", TIDIES).await;
    let run = stage.start("p", json!({})).await;
    waiting(&stage, &run).await;
    cancel(&stage, &run).await;
    stage.run_when(&run, |run| run["wake_at"] == "2026-11-24T03:05:00Z").await;
    cancel(&stage, &run).await;
    assert_eq!(stage.over(&run).await["status"], "cancelled");
    assert!(!said(&stage, &run, "tidied").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_run_that_is_cancelled_tidies_up_too() {
    let stage = stage_with("mode: \"ask\"", "defer(|| log(\"tidied\")); sleep(\"2h\");").await;
    let run = stage.start("p", json!({})).await;
    waiting(&stage, &run).await;
    stage.mia.post(&format!("/runs/{run}/pause"), &why()).await;
    stage.run_when(&run, |run| run["status"] == "paused").await;
    cancel(&stage, &run).await;
    assert_eq!(stage.over(&run).await["status"], "cancelled");
    assert!(said(&stage, &run, "tidied").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_takes_too_long_tidies_up_and_fails() {
    let stage = stage_with("timeout: \"1h\"", TIDIES).await;
    let run = stage.start("p", json!({})).await;
    waiting(&stage, &run).await;
    stage.pass(3_600_000);
    stage.run_when(&run, |run| run["wake_at"] == "2026-11-24T04:05:00Z").await;
    stage.pass(300_000);
    let ended = stage.over(&run).await;
    assert_eq!((&ended["status"], &ended["error"]["code"]), (&json!("failed"), &json!("timeout")));
    assert!(said(&stage, &run, "tidied").await);
    stage.page_that_says("took longer than it may").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deferred_has_an_hour() {
    let stage = stage_with("mode: \"ask\"", "defer(|| sleep(\"3h\")); 1").await;
    let run = stage.start("p", json!({})).await;
    assert_eq!(waiting(&stage, &run).await["wake_at"], "2026-11-24T04:00:00Z");
    stage.pass(3_600_000);
    let ended = stage.over(&run).await;
    assert_eq!(ended["status"], "failed");
    stage.page_that_says("what was deferred took longer than it may").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_that_could_not_tidy_up_pages() {
    let stage = stage_with("mode: \"ask\"", "defer(|| fail(\"no luck\")); sleep(\"2h\");").await;
    let run = stage.start("p", json!({})).await;
    waiting(&stage, &run).await;
    cancel(&stage, &run).await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["status"], "cancelled");
    assert!(ended["error"]["message"].as_str().unwrap().contains("no luck"), "{ended}");
    stage.page_that_says("no luck").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_failed_is_run_again_from_where_it_failed() {
    let body = "let began = now(); log(\"once\");
        let heard = wait_signal(\"go\", #{ timeout: \"1m\" }).data;
        log(\"after\"); [began, heard]";
    let mut stage = stage_with("mode: \"ask\"", body).await;
    let run = stage.start("p", json!({})).await;
    waiting(&stage, &run).await;
    let path = format!("/runs/{run}/retry");
    let (status, problem) = stage.mia.post_refused(&path, &why()).await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("let it end"), "{problem}");
    stage.pass(60_000);
    assert_eq!(stage.over(&run).await["error"]["code"], "timeout");
    let unknown = json!({"from_step": "33", "reason": "x"});
    assert_eq!(stage.mia.post_refused(&path, &unknown).await.0, 404);

    // It fails once more, and that pages once more.
    retry(&stage, &run, None).await;
    let again = waiting(&stage, &run).await;
    assert_eq!((&again["generation"], &again["error"]), (&json!(2), &json!(null)));
    stage.pass(60_000);
    stage.over(&run).await;
    eventually("two pages", async || {
        (stage.paged().iter().filter(|page| page.contains("p failed")).count() == 2).then_some(())
    })
    .await;

    retry(&stage, &run, None).await;
    waiting(&stage, &run).await;
    stage.restart().await;
    signal(&stage, &run, "go", json!(7)).await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["result"], json!(["2026-11-24T03:00:00Z", 7]), "{ended}");
    let journal = stage.journal(&run).await;
    assert_eq!((asked(&journal, "2"), asked(&journal, "3"), asked(&journal, "4")), (1, 3, 1));
    let began: Vec<_> = journal.iter().filter(|e| e["kind"] == "generation_started").collect();
    assert_eq!(began.len(), 2);
    assert_eq!(began[1]["body"]["by"]["by"], "mia");
    assert_eq!(began[1]["body"]["started"]["generation"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_run_again_from_a_step_and_what_it_does_has_new_tokens() {
    let body = "let a = wait_signal(\"a\").data; notify(\"role:responder\", \"n\"); [a, wait_signal(\"b\").data]";
    let stage = stage_with("mode: \"ask\"", body).await;
    let run = stage.start("p", json!({})).await;
    for (name, data) in [("a", 1), ("b", 2)] {
        signal(&stage, &run, name, json!(data)).await;
    }
    assert_eq!(stage.over(&run).await["result"], json!([1, 2]));
    let (status, problem) = stage.mia.post_refused(&format!("/runs/{run}/retry"), &why()).await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("--from"), "{problem}");
    // A signal that its step gives back is had again.
    retry(&stage, &run, Some("2")).await;
    let ended = stage.run_when(&run, |r| r["generation"] == 2 && r["status"] == "succeeded").await;
    assert_eq!(ended["result"], json!([1, 2]));
    let journal = stage.journal(&run).await;
    let tokens: Vec<_> = journal.iter().filter_map(|e| e["body"]["token"].as_str()).collect();
    assert_eq!(tokens.len(), 2);
    assert_ne!(tokens[0], tokens[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_items_that_failed_are_run_again() {
    let body = "let ended = each([1, 2, 3], #{ max_errors: 3 },
            |n| wait_signal(`go${n}`, #{ timeout: \"1m\" }).data);
        log(\"after\");
        ended.map(|r| r.value)";
    let stage = stage_with("mode: \"ask\"", body).await;
    let run = stage.start("p", json!({})).await;
    waiting(&stage, &run).await;
    for (name, data) in [("go1", 10), ("go3", 30)] {
        signal(&stage, &run, name, json!(data)).await;
    }
    stage.pass(60_000);
    assert_eq!(stage.over(&run).await["result"], json!([10, null, 30]));
    retry(&stage, &run, None).await;
    waiting(&stage, &run).await;
    signal(&stage, &run, "go2", json!(20)).await;
    let ended = stage.run_when(&run, |r| r["generation"] == 2 && r["status"] == "succeeded").await;
    assert_eq!(ended["result"], json!([10, 20, 30]));
    let journal = stage.journal(&run).await;
    let counts = ["1.0.1", "1.1.1", "1.2.1", "2"].map(|key| asked(&journal, key));
    assert_eq!(counts, [1, 2, 1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_goes_on_where_it_stood_when_it_is_run_again() {
    let body = "defer(|end| log(`tidied ${end.status}`)); let n = wait_signal(\"go\").data; n";
    let stage = stage_with("mode: \"ask\"", body).await;
    let run = stage.start("p", json!({})).await;
    waiting(&stage, &run).await;
    cancel(&stage, &run).await;
    assert_eq!(stage.over(&run).await["status"], "cancelled");
    retry(&stage, &run, None).await;
    waiting(&stage, &run).await;
    signal(&stage, &run, "go", json!(5)).await;
    assert_eq!(stage.over(&run).await["result"], 5);
    assert!(said(&stage, &run, "tidied cancelled").await);
    assert!(said(&stage, &run, "tidied succeeded").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_run_goes_on_as_new_and_loses_no_signal() {
    let body = "let heard = wait_signal(\"tick\").data;
        if heard == 4 { return [inputs.sum, alert]; }
        continue_as_new(#{ sum: inputs.sum + heard })";
    let mut stage = stage_with("inputs: #{ sum: \"integer\" }", body).await;
    let run = stage.start("p", json!({"sum": 0})).await;
    waiting(&stage, &run).await;
    for tick in 1..=3 {
        signal(&stage, &run, "tick", json!(tick)).await;
    }
    stage.run_when(&run, |run| run["generation"] == 4 && run["status"] == "waiting").await;
    stage.restart().await;
    signal(&stage, &run, "tick", json!(4)).await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["result"], json!([6, null]), "{ended}");
    let journal = stage.journal(&run).await;
    assert_eq!(journal.iter().filter(|e| e["kind"] == "generation_started").count(), 3);
    // What failed in its last generation is run again in that.
    let (status, _) = stage.mia.post_refused(&format!("/runs/{run}/retry"), &why()).await;
    assert_eq!(status, 409);
    retry(&stage, &run, Some("1")).await;
    let ended = stage.run_when(&run, |r| r["generation"] == 5 && r["status"] == "succeeded").await;
    assert_eq!(ended["result"], json!([6, null]));
}

#[tokio::test(flavor = "multi_thread")]
async fn as_new_with_the_wrong_inputs_is_an_error() {
    let body = "sleep(\"1s\"); continue_as_new(#{ summ: 1 })";
    let stage = stage_with("inputs: #{ sum: \"integer?\" }", body).await;
    let run = stage.start("p", json!({})).await;
    let ended = stage.over_in_time(&run, 1_000).await;
    assert_eq!(ended["error"]["code"], "wrong_inputs");
    assert!(ended["error"]["message"].as_str().unwrap().contains("did you mean `sum`"), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_too_many_steps_is_parked_and_others_go_on() {
    let stage = stage_with("mode: \"ask\"", "for i in 0..10_001 { log(i); }").await;
    let run = stage.start("p", json!({})).await;
    let parked = stage.over(&run).await;
    assert_eq!((&parked["status"], &parked["parked_reason"]), (&json!("parked"), &json!("limit")));
    assert!(parked["parked"]["detail"].as_str().unwrap().contains("10000 steps"), "{parked}");
    stage.page_that_says("10000 steps").await;
    stage.publish("const PLAYBOOK = #{ name: \"fine\", title: \"t\" };\n1").await;
    let fine = stage.start("fine", json!({})).await;
    assert_eq!(stage.over(&fine).await["result"], 1);
    cancel(&stage, &run).await;
    let ended = stage.run_when(&run, |run| run["status"] == "cancelled").await;
    assert_eq!(id(&ended["id"]), run);
}
