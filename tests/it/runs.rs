//! Runs: started, timed, stopped, let go on, and pinned to their text.

use serde_json::{Value, json};
use stanch_tests::eventually;

use crate::stage::{Plan, Stage, id};

async fn stage_with(text: &str) -> Stage {
    let mut plan = Plan::new().manual();
    plan.ships = false;
    let stage = plan.set().await;
    stage.publish(text).await;
    stage
}

fn playbook(name: &str, body: &str) -> String {
    format!("const PLAYBOOK = #{{ name: \"{name}\", title: \"A test\", mode: \"ask\" }};\n{body}")
}

fn why() -> Value {
    json!({"reason": "a test says so"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sleep_ends_at_its_time_and_not_before() {
    let stage = stage_with(&playbook("naps", "let a = now(); sleep(\"1h\"); [a, now()]")).await;
    let run = stage.start("naps", json!({})).await;
    let waiting = stage.run_when(&run, |run| run["status"] == "waiting").await;
    assert_eq!(waiting["wake_at"], "2026-11-24T04:00:00Z");
    stage.pass(3_599_999);
    assert_eq!(stage.mia.get(&format!("/runs/{run}")).await["status"], "waiting");
    stage.pass(1);
    let ended = stage.over(&run).await;
    assert_eq!(ended["result"], json!(["2026-11-24T03:00:00Z", "2026-11-24T04:00:00Z"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_asks_again_until_it_is_so_or_its_time_is_over() {
    let body = "let n = 0;
        wait_until(\"three looks\", #{ every: \"10s\", timeout: \"1m\" }, || { n += 1; n >= inputs.looks });
        n";
    let stage = stage_with(&playbook("waits", body)).await;
    for (looks, status) in [(3, "succeeded"), (100, "failed")] {
        let run = stage.start("waits", json!({"looks": looks})).await;
        let woken_at = std::cell::RefCell::new(Value::Null);
        let ended = stage
            .run_when(&run, |run| {
                // Once for each sleep, however often it is seen.
                if run["status"] == "waiting" && *woken_at.borrow() != run["wake_at"] {
                    stage.pass(10_000);
                    woken_at.replace(run["wake_at"].clone());
                }
                crate::stage::is_over(run)
            })
            .await;
        assert_eq!(ended["status"], status, "{ended}");
        if status == "failed" {
            assert_eq!(ended["error"]["code"], "timeout");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiter_of_aws_waits_without_a_thread_and_gives_up_in_the_end() {
    let text = r#"wait_for("iam:UserExists", #{ UserName: inputs.user }).User.UserName"#;
    let stage = stage_with(&playbook("awaits", text)).await;
    let there = stage.start_for_finding_with("awaits", json!({"user": "ci-deploy"})).await;
    assert_eq!(stage.over(&there).await["result"], "ci-deploy");
    let gone = stage.start_for_finding_with("awaits", json!({"user": "nobody"})).await;
    let waiting = stage.run_when(&gone, |run| run["status"] == "waiting").await;
    assert_eq!(waiting["wake_at"], "2026-11-24T03:00:01Z");
    let ended = stage.over_in_time(&gone, 1_000).await;
    assert_eq!(ended["error"]["code"], "waited_too_long", "{ended}");
    let looks = stage.aws.calls().into_iter().filter(|call| call.params["UserName"] == "nobody");
    assert_eq!(looks.count(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_takes_too_long_is_ended_and_paged() {
    let text = playbook("slow", "sleep(\"10d\"); 1").replace("mode:", "timeout: \"1h\", mode:");
    let stage = stage_with(&text).await;
    let run = stage.start("slow", json!({})).await;
    stage.run_when(&run, |run| run["status"] == "waiting").await;
    stage.pass(3_600_000);
    let ended = stage.over(&run).await;
    assert_eq!(ended["error"]["code"], "timeout", "{ended}");
    stage.page_that_says("took longer than it may").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_cancelled() {
    let stage = stage_with(&playbook("naps", "sleep(\"1h\"); 1")).await;
    let run = stage.start("naps", json!({})).await;
    stage.run_when(&run, |run| run["status"] == "waiting").await;
    stage.mia.post(&format!("/runs/{run}/cancel"), &why()).await;
    assert_eq!(stage.over(&run).await["status"], "cancelled");
    let (status, problem) = stage.mia.post_refused(&format!("/runs/{run}/cancel"), &why()).await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("it is cancelled"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_a_cancelled_run_is_asked_no_more() {
    let stage = stage_with(&playbook("asks", "approval(\"May I?\", #{}).outcome")).await;
    let run = stage.start("asks", json!({})).await;
    let approval = id(&stage.approval(&run).await["id"]);
    stage.mia.post(&format!("/runs/{run}/cancel"), &why()).await;
    stage.over(&run).await;
    assert!(stage.mia.list("/approvals?status=pending").await.is_empty());
    let yes = json!({"decision": "approve", "reason": "late"});
    let path = format!("/approvals/{approval}/decisions");
    assert_eq!(stage.mia.post_refused(&path, &yes).await.0, 409);
    let open = stage.mia.list("/pages?status=open").await;
    assert!(open.iter().all(|page| page["code"] != "approval"), "{open:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_run_stands_still_until_it_is_resumed() {
    let stage = stage_with(&playbook("naps", "sleep(\"1h\"); sleep(\"1h\"); 1")).await;
    let run = stage.start("naps", json!({})).await;
    stage.run_when(&run, |run| run["status"] == "waiting").await;
    stage.mia.post(&format!("/runs/{run}/pause"), &why()).await;
    stage.run_when(&run, |run| run["status"] == "paused").await;
    stage.pass(3 * 3_600_000);
    // Another run shows that the time has passed for everybody.
    stage.publish(&playbook("brief", "sleep(\"1s\"); 1")).await;
    let other = stage.start("brief", json!({})).await;
    stage.run_when(&other, |run| run["status"] == "waiting").await;
    stage.pass(1_000);
    stage.over(&other).await;
    assert_eq!(stage.mia.get(&format!("/runs/{run}")).await["status"], "paused");
    stage.mia.post(&format!("/runs/{run}/resume"), &why()).await;
    let waiting = stage.run_when(&run, |run| run["status"] == "waiting").await;
    assert!(!waiting["wake_at"].is_null());
    stage.pass(3_600_000);
    assert_eq!(stage.over(&run).await["status"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_run_beside_each_other_and_children_for_their_parent() {
    let stage = stage_with(&playbook("child", "sleep(\"1m\"); inputs.n * 2")).await;
    let parent = "parallel([
            || { sleep(\"1h\"); \"slept\" },
            || run_playbook(\"child\", #{ n: 21 }),
            || run_playbook(\"child\", #{ n: 4 }),
        ])";
    stage.publish(&playbook("parent", parent)).await;
    let run = stage.start("parent", json!({})).await;
    let children = eventually("two children", async || {
        let runs = stage.mia.list("/runs?playbook=child").await;
        let waiting = runs.iter().filter(|run| run["status"] == "waiting").count();
        (waiting == 2).then_some(runs)
    })
    .await;
    assert!(children.iter().all(|child| child["parent_id"] == *run));
    stage.pass(3_600_000);
    assert_eq!(stage.over(&run).await["result"], json!(["slept", 42, 8]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_fails_fails_its_parent_where_it_was_called() {
    let stage = stage_with(&playbook("child", "fail(\"no luck\")")).await;
    let parent = "try { run_playbook(\"child\"); } catch (e) { return `caught ${e.message}`; }";
    stage.publish(&playbook("parent", parent)).await;
    let run = stage.start("parent", json!({})).await;
    let result = id(&stage.over(&run).await["result"]);
    assert!(result.starts_with("caught run_") && result.ends_with("no luck"), "{result}");
    // A playbook that calls itself comes to an end, too.
    stage.publish(&playbook("endless", "run_playbook(\"endless\")")).await;
    let run = stage.start("endless", json!({})).await;
    assert_eq!(stage.over(&run).await["status"], "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_keeps_the_text_that_it_began_with() {
    let first = playbook("versions", "approval(\"Go on?\", #{}); 1");
    let stage = stage_with(&first).await;
    let old = stage.start("versions", json!({})).await;
    stage.approval(&old).await;
    let second = stage.publish(&playbook("versions", "approval(\"Go on now?\", #{}); 2")).await;
    let new = stage.start("versions", json!({})).await;
    stage.approve(&old).await;
    stage.approve(&new).await;
    assert_eq!(stage.over(&old).await["result"], 1);
    assert_eq!(stage.over(&new).await["result"], 2);

    let versions = stage.mia.list("/playbooks/versions/versions").await;
    assert_eq!(versions.len(), 2);
    stage.admin.post("/playbooks/versions/rollback", &json!({})).await;
    let back = stage.start("versions", json!({})).await;
    stage.approve(&back).await;
    assert_eq!(stage.over(&back).await["result"], 1);
    stage.admin.post("/playbooks/versions/activate", &json!({"digest": second})).await;
    let forth = stage.start("versions", json!({})).await;
    stage.approve(&forth).await;
    assert_eq!(stage.over(&forth).await["result"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_nothing() {
    let mut stage =
        stage_with(&playbook("asks", "let a = now(); approval(\"May I?\", #{}); a")).await;
    let run = stage.start("asks", json!({})).await;
    stage.approval(&run).await;
    stage.restart().await;
    stage.approve(&run).await;
    assert_eq!(stage.over(&run).await["result"], "2026-11-24T03:00:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn loops_and_recursion_without_end_are_stopped_and_the_node_stands() {
    let stage = stage_with(&playbook("loops", "loop {}")).await;
    stage.publish(&playbook("recurses", "fn f(n) { f(n + 1) } f(0)")).await;
    stage.publish(&playbook("hoards", "let a = []; loop { a.push(a); }")).await;
    stage
        .publish(&playbook(
            "sorts",
            "let f = |x, y| { log(\"x\"); x - y }; let a = [3, 1, 2]; a.sort(f); a",
        ))
        .await;
    stage.publish(&playbook("fine", "1")).await;
    for name in ["loops", "recurses", "hoards", "sorts"] {
        let run = stage.start(name, json!({})).await;
        let ended = stage.over(&run).await;
        assert!(matches!(ended["status"].as_str(), Some("failed" | "parked")), "{name}: {ended}");
        let said = ended["error"]["message"].as_str().or(ended["parked"]["detail"].as_str());
        assert!(said.is_some_and(|said| said.len() > 10), "{name}: {ended}");
        let fine = stage.start("fine", json!({})).await;
        assert_eq!(stage.over(&fine).await["result"], 1);
    }
}
