//! Signals to runs, alerts from runs, and runs that call each other.

use serde_json::{Value, json};
use stanch_tests::eventually;

use crate::stage::{Plan, Stage, id, is_over};

async fn stage_with(texts: &[String]) -> Stage {
    let mut plan = Plan::new().manual();
    plan.ships = false;
    let stage = plan.set().await;
    for text in texts {
        stage.publish(text).await;
    }
    stage
}

fn playbook(name: &str, header: &str, body: &str) -> String {
    format!("const PLAYBOOK = #{{ name: \"{name}\", title: \"A test\", {header} }};\n{body}")
}

async fn waiting(stage: &Stage, run: &str) -> Value {
    stage.run_when(run, |run| run["status"] == "waiting").await
}

async fn signal(stage: &Stage, run: &str, name: &str, data: Value) {
    stage.mia.post(&format!("/runs/{run}/signal"), &json!({"name": name, "data": data})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_wakes_the_run_that_waits_for_it_and_says_who_sent_it() {
    let body = "let s = wait_signal(\"go\", #{ timeout: \"1h\" }); [s.name, s.data.n, s.by, s.at]";
    let stage = stage_with(&[playbook("waits", "mode: \"ask\"", body)]).await;
    let run = stage.start("waits", json!({})).await;
    assert_eq!(waiting(&stage, &run).await["wake_at"], "2026-11-24T04:00:00Z");
    signal(&stage, &run, "go", json!({"n": 7})).await;
    let result = stage.over(&run).await["result"].clone();
    assert_eq!(result, json!(["go", 7, "mia", "2026-11-24T03:00:00Z"]));
    let late = stage.mia.post_refused(&format!("/runs/{run}/signal"), &json!({"name": "go"})).await;
    assert_eq!(late.0, 409, "{}", late.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_that_come_early_are_kept_and_each_is_had_once_and_in_order() {
    let body = "sleep(\"1h\");
        let heard = [wait_signal(\"a\").data, wait_signal([\"b\", \"a\"]).data, wait_signal(\"a\").data];
        try { wait_signal(\"a\", #{ timeout: \"1m\" }); } catch (e) { heard.push(e.code); }
        heard";
    let mut stage = stage_with(&[playbook("late", "mode: \"ask\"", body)]).await;
    let run = stage.start("late", json!({})).await;
    waiting(&stage, &run).await;
    for (name, n) in [("a", 1), ("a", 2), ("b", 3), ("a", 4), ("unheard", 5)] {
        signal(&stage, &run, name, json!(n)).await;
    }
    waiting(&stage, &run).await;
    stage.restart().await;
    let ended = stage.over_in_time(&run, 60_000).await;
    assert_eq!(ended["result"], json!([1, 2, 4, "timeout"]), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_that_wait_for_the_same_signal_get_one_each() {
    let body = "parallel([|| wait_signal(\"go\").data, || wait_signal(\"go\").data])";
    let stage = stage_with(&[playbook("pair", "mode: \"ask\"", body)]).await;
    let run = stage.start("pair", json!({})).await;
    waiting(&stage, &run).await;
    signal(&stage, &run, "go", json!(1)).await;
    eventually("the first has it", async || {
        let journal = stage.journal(&run).await;
        journal.iter().any(|entry| entry["kind"] == "step_succeeded").then_some(())
    })
    .await;
    assert!(!is_over(&stage.mia.get(&format!("/runs/{run}")).await));
    signal(&stage, &run, "go", json!(2)).await;
    assert_eq!(stage.over(&run).await["result"], json!([1, 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_can_not_be_one_is_refused() {
    let stage = stage_with(&[playbook("waits", "mode: \"ask\"", "wait_signal(\"go\")")]).await;
    let run = stage.start("waits", json!({})).await;
    for name in ["", "alert", "with space", "../x"] {
        let path = format!("/runs/{run}/signal");
        let (status, problem) = stage.mia.post_refused(&path, &json!({"name": name})).await;
        assert_eq!(status, 400, "{name}: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_hears_of_further_alerts_about_its_subject() {
    let header = "subject: \"AwsIamAccessKey\", triggers: [#{ source: \"guardduty\" }]";
    let stage = stage_with(&[playbook("hears", header, "wait_signal(\"alert\").data.count")]).await;
    let received = stage.find_key().await;
    let run = id(&received["run_ids"][0]);
    waiting(&stage, &run).await;
    let alert = stage.mia.get(&format!("/alerts/{}", id(&received["alert_id"]))).await;
    let mut again = alert["raw"].clone();
    again["detail"]["service"]["count"] = json!(99);
    let told = stage.detector.post("/webhooks/guardduty", &again).await;
    assert_eq!(told["run_ids"], json!([run]));
    assert_eq!(stage.over(&run).await["result"], 99);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_raises_an_alert_that_starts_another_playbook_once() {
    let raises =
        "let raised = raise_alert(#{ type: \"Hunt:Found\", title: \"found\", severity: \"high\",
            id: \"same\", resources: [#{ type: \"AwsIamUser\", id: \"ann\" }] });
        [raised.run_ids.len(), raised.duplicate]";
    let answers = "triggers: [#{ source: \"playbook\", type: \"Hunt:*\" }]";
    let stage = stage_with(&[
        playbook("hunts", "mode: \"ask\"", raises),
        playbook("answers", answers, "[alert.title, alert.resources[0].id, alert.severity_score]"),
    ])
    .await;
    let first = stage.start("hunts", json!({})).await;
    assert_eq!(stage.over(&first).await["result"], json!([1, false]));
    let answer = eventually("the answer", async || {
        stage.mia.list("/runs?playbook=answers").await.into_iter().find(is_over)
    })
    .await;
    assert_eq!(answer["result"], json!(["found", "ann", 70]));
    // The same alert again is an update of it, and starts nothing twice.
    stage.pass(1_000);
    let second = stage.start("hunts", json!({})).await;
    assert_eq!(stage.over(&second).await["result"], json!([0, false]));
    assert_eq!(stage.mia.list("/runs?playbook=answers").await.len(), 1);
    let alerts = stage.mia.list("/alerts").await;
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0]["raw"]["raised_by"]["playbook"], "hunts");
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_that_raise_each_other_come_to_an_end() {
    let raise = |kind: &str| {
        format!(
            "raise_alert(#{{ type: \"{kind}\", title: \"{kind}\", severity: \"low\" }}).run_ids.len()"
        )
    };
    let stage = stage_with(&[
        playbook("ping", "triggers: [#{ source: \"playbook\", type: \"ping\" }]", &raise("pong")),
        playbook("pong", "triggers: [#{ source: \"playbook\", type: \"pong\" }]", &raise("ping")),
        playbook("own", "triggers: [#{ source: \"playbook\", type: \"own\" }]", &raise("own")),
    ])
    .await;
    let own = stage.start("own", json!({})).await;
    assert_eq!(stage.over(&own).await["result"], 0, "nothing starts itself");
    let run = stage.start("ping", json!({})).await;
    assert_eq!(stage.over(&run).await["result"], 1);
    let looped = eventually("the end of the loop", async || {
        let runs = stage.mia.list("/runs").await;
        runs.into_iter().find(|run| run["status"] == "failed")
    })
    .await;
    assert_eq!(looped["error"]["code"], "alert_loop", "{looped}");
    assert_eq!(stage.mia.list("/alerts").await.len(), 4, "one of `own`, and three of the loop");
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_and_outputs_are_those_that_the_header_declares() {
    let header = "inputs: #{ n: \"integer\", why: \"string?\" }, outputs: #{ twice: \"integer\" }";
    let body = "if inputs.n == 0 { return \"nothing\"; } #{ twice: inputs.n * 2, }";
    let parent = "let caught = [];
        for given in [#{ n: 4 }, #{ n: \"4\" }, #{ m: 4 }, #{ n: 0 }] {
            try { caught.push(run_playbook(\"twice\", given).twice); }
            catch (e) { caught.push([e.code, e.message, e.run]); }
        }
        caught";
    let stage =
        stage_with(&[playbook("twice", header, body), playbook("parent", "mode: \"ask\"", parent)])
            .await;
    let run = stage.start("parent", json!({})).await;
    let result = stage.over(&run).await["result"].clone();
    assert_eq!(result[0], 8);
    assert_eq!(
        result[1],
        json!(["wrong_inputs", "`twice`: the input `n` is \"4\", and not integer", null])
    );
    let said = result[2][1].as_str().unwrap();
    assert!(said.contains("there is no input `m`") && said.contains("`n` (integer) is missing"));
    assert_eq!(result[3][0], "wrong_outputs");
    assert!(result[3][1].as_str().unwrap().contains("no map with twice"), "{result}");
    let child = id(&result[3][2]);
    assert_eq!(stage.mia.get(&format!("/runs/{child}")).await["status"], "failed");
    let asked = json!({"playbook": "twice", "inputs": {"n": true}});
    let (status, problem) = stage.mia.post_refused("/runs", &asked).await;
    assert_eq!(status, 400);
    assert!(problem["detail"].as_str().unwrap().contains("not integer"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_takes_too_long_is_ended() {
    let parent = "try { run_playbook(\"slow\", #{}, #{ timeout: \"10m\" }) }
        catch (e) { return [e.code, e.run]; }";
    let stage = stage_with(&[
        playbook("slow", "mode: \"ask\"", "sleep(\"1h\");"),
        playbook("parent", "mode: \"ask\"", parent),
    ])
    .await;
    let run = stage.start("parent", json!({})).await;
    waiting(&stage, &run).await;
    let child = eventually("the child", async || {
        let runs = stage.mia.list("/runs?playbook=slow&status=waiting").await;
        runs.first().map(|run| id(&run["id"]))
    })
    .await;
    stage.pass(600_000);
    assert_eq!(stage.over(&run).await["result"], json!(["timeout", child]));
    assert_eq!(stage.over(&child).await["status"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_reaches_the_children_and_theirs() {
    let calls = |name: &str| format!("run_playbook(\"{name}\")");
    let stage = stage_with(&[
        playbook("a", "mode: \"ask\"", &calls("b")),
        playbook("b", "mode: \"ask\"", &calls("c")),
        playbook("c", "mode: \"ask\"", "sleep(\"1h\")"),
    ])
    .await;
    let run = stage.start("a", json!({})).await;
    eventually("three that wait", async || {
        (stage.mia.list("/runs?status=waiting").await.len() == 3).then_some(())
    })
    .await;
    stage.mia.post(&format!("/runs/{run}/cancel"), &json!({"reason": "enough"})).await;
    eventually("three that are cancelled", async || {
        (stage.mia.list("/runs?status=cancelled").await.len() == 3).then_some(())
    })
    .await;
}
