//! What a run changed is taken back: in reverse, after a look, and only what can be.

use serde_json::{Value, json};
use stanch_engine_core::effect::Mode;

use crate::stage::{ACCOUNT, KEY, Plan, Stage, USER, id, run_of};

async fn contained() -> (Stage, String) {
    let stage = Plan::new().set().await;
    let run = run_of(&stage.find_key().await);
    stage.approve(&run).await;
    assert_eq!(stage.over(&run).await["status"], "succeeded");
    (stage, run)
}

async fn undo(stage: &Stage, run: &str) -> String {
    let path = format!("/runs/{run}/undo");
    id(&stage.mia.post(&path, &json!({"reason": "a drill"})).await["id"])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_longer_stands_is_told_before_anybody_says_yes() {
    let (stage, run) = contained().await;
    let on = json!({"UserName": USER, "AccessKeyId": KEY, "Status": "Active"});
    // Somebody else switches it on, past Stanch.
    stage.call(ACCOUNT, "iam:UpdateAccessKey", on).await;
    let undo = undo(&stage, &run).await;
    let approval = stage.approval(&undo).await;
    assert!(approval["title"].as_str().unwrap().contains("1 of it no longer stands"), "{approval}");
    let journal = json!(stage.journal(&undo).await).to_string();
    assert!(journal.contains("iam:UpdateAccessKey no longer stands"), "{journal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_takes_nothing_back() {
    let (stage, run) = contained().await;
    let undo = undo(&stage, &run).await;
    let approval = id(&stage.approval(&undo).await["id"]);
    let no = json!({"decision": "reject", "reason": "it is still bad"});
    stage.mia.post(&format!("/approvals/{approval}/decisions"), &no).await;
    let ended = stage.over(&undo).await;
    assert_eq!((&ended["status"], &ended["result"]), (&json!("succeeded"), &json!("rejected")));
    assert_eq!(stage.changes().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_undone_once_at_a_time_and_an_undo_can_be_undone() {
    let (stage, run) = contained().await;
    let first = undo(&stage, &run).await;
    stage.approval(&first).await;
    let path = format!("/runs/{run}/undo");
    let (status, problem) = stage.mia.post_refused(&path, &json!({"reason": "again"})).await;
    assert_eq!(status, 409, "{problem}");
    stage.approve(&first).await;
    stage.over(&first).await;
    assert_eq!(stage.changes().len(), 4);
    // What is undone is not contained: the clock of the KPI runs again.
    let found = stage.mia.get(&format!("/runs/{run}")).await;
    let kpis = stage.mia.get(&format!("/incidents/{}/kpis", id(&found["incident_id"]))).await;
    assert_eq!(kpis["kpis"]["time_to_contain"]["state"], "open", "{kpis}");

    let again = undo(&stage, &first).await;
    stage.approve(&again).await;
    assert_eq!(stage.over(&again).await["status"], "succeeded");
    assert_eq!(stage.changes()[4..], ["iam:UpdateAccessKey", "iam:PutUserPolicy"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_child_changed_is_taken_back_with_its_parent() {
    let stage = Plan::new().mode(Mode::Auto).set().await;
    stage
        .publish(
            r#"const PLAYBOOK = #{ name: "cuts", title: "Cuts", mode: "auto" };
            execute(plan([change("iam:UpdateAccessKey", #{ UserName: "ci-deploy",
                AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" }, #{
                inverse: change("iam:UpdateAccessKey", #{ UserName: "ci-deploy",
                    AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Active" }) })]));"#,
        )
        .await;
    stage
        .publish(
            r#"const PLAYBOOK = #{ name: "parent", title: "Has it done", mode: "auto" };
            run_playbook("cuts", #{});"#,
        )
        .await;
    let run = stage.start_for_finding("parent").await;
    assert_eq!(stage.over(&run).await["status"], "succeeded");
    let undo = undo(&stage, &run).await;
    stage.approve(&undo).await;
    stage.over(&undo).await;
    let statuses = stage.aws.calls().into_iter().filter(|c| c.operation == "iam:UpdateAccessKey");
    let statuses: Vec<_> = statuses.map(|call| call.params["Status"].clone()).collect();
    assert_eq!(statuses, ["Inactive", "Active"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_had_to_agree_agrees_to_the_undo_whatever_was_asked_beside() {
    let stage = Plan::new().mode(Mode::Ask).set().await;
    let zoe = stage.person("zoe", &["viewer"]).await;
    stage
        .publish(
            r#"const PLAYBOOK = #{ name: "twice", title: "Asks twice", mode: "ask" };
            fn key(status) { plan([change("iam:UpdateAccessKey", #{ UserName: "ci-deploy",
                AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: status }, #{})]) }
            let cut = key("Inactive");
            let gate = approval("Cut it off?", #{ plan: cut, approvers: ["role:responder"] });
            if gate.outcome == "approved" { execute(cut); }
            approval("And on again?", #{ plan: key("Active"), approvers: ["zoe"] }).outcome"#,
        )
        .await;
    let run = stage.start_for_finding("twice").await;
    assert_eq!(stage.approve(&run).await["status"], "approved");
    let asked = stanch_tests::eventually("the second question", async || {
        let asked = stage.approval(&run).await;
        (asked["title"] == "And on again?").then_some(asked)
    });
    let path = format!("/approvals/{}/decisions", id(&asked.await["id"]));
    zoe.post(&path, &json!({"decision": "reject", "reason": "not yet"})).await;
    assert_eq!(stage.over(&run).await["result"], "rejected");
    let asked = stage.approval(&undo(&stage, &run).await).await;
    assert_eq!(asked["approvers"], json!(["role:responder"]), "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_nothing_has_nothing_to_take_back() {
    let stage = Plan::new().set().await;
    stage.publish("const PLAYBOOK = #{ name: \"idle\", title: \"Does nothing\" }; 1").await;
    let run = stage.start("idle", json!({})).await;
    stage.over(&run).await;
    let undo = undo(&stage, &run).await;
    let ended = stage.over(&undo).await;
    assert_eq!(ended["error"]["code"], "nothing_to_undo", "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_not_over_is_not_undone() {
    let stage = Plan::new().set().await;
    let run = run_of(&stage.find_key().await);
    stage.approval(&run).await;
    let path = format!("/runs/{run}/undo");
    let (status, problem) = stage.mia.post_refused(&path, &json!({"reason": "x"})).await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("cancel it first"), "{problem}");
    let (status, _) = stage.mia.post_refused(&path, &json!({"reason": ""})).await;
    assert_eq!(status, 400);
}

/// The steps of a run that are of a verb, in order.
async fn steps(stage: &Stage, run: &str, verb: &str) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for entry in stage.journal(run).await {
        let body = &entry["body"];
        if body["head"]["verb"] == verb && !keys.contains(&id(&body["key"])) {
            keys.push(id(&body["key"]));
        }
    }
    keys
}

async fn undo_step(stage: &Stage, run: &str, step: &str) -> String {
    let body = json!({"step": step, "reason": "no more than that"});
    let begun = stage.mia.post(&format!("/runs/{run}/undo"), &body).await;
    assert_eq!((&begun["undoes"], &begun["step"]), (&json!(run), &json!(step)));
    id(&begun["id"])
}

async fn containment(stage: &Stage) -> Value {
    let mut all = stage.mia.list("/containments").await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

async fn one_step_is_taken_back_by_itself(plan: Plan) {
    let stage = plan.set().await;
    let found = stage.find_key().await;
    let run = run_of(&found);
    stage.approve(&run).await;
    assert_eq!(stage.over(&run).await["status"], "succeeded");
    let made = stage.changes();
    assert_eq!(made, ["iam:UpdateAccessKey", "iam:PutUserPolicy"]);
    let keys = steps(&stage, &run, "change").await;
    assert_eq!(keys.len(), 2, "{keys:?}");

    let first = undo_step(&stage, &run, &keys[0]).await;
    let asked = stage.approval(&first).await;
    let title = asked["title"].as_str().unwrap();
    assert!(title.contains(&format!("the step {} of {run}", keys[0])), "{title}");
    assert_eq!(asked["plan"]["items"].as_array().unwrap().len(), 1, "{asked}");
    // Nothing else of the run is taken back meanwhile.
    let path = format!("/runs/{run}/undo");
    let (status, _) = stage.mia.post_refused(&path, &json!({"reason": "all of it"})).await;
    assert_eq!(status, 409);
    stage.approve(&first).await;
    assert_eq!(stage.over(&first).await["status"], "succeeded");
    assert_eq!(stage.changes()[2..], ["iam:UpdateAccessKey"]);
    assert_eq!(stage.incident(&found).await["status"], "open");
    let it = containment(&stage).await;
    assert_eq!(it["status"], "open", "the rest stands: {it}");
    let undone =
        |it: &Value| [it["changes"][0]["undone_by"].clone(), it["changes"][1]["undone_by"].clone()];
    assert_eq!(undone(&it), [json!(first), Value::Null]);

    let second = undo_step(&stage, &run, &keys[1]).await;
    stage.approve(&second).await;
    assert_eq!(stage.over(&second).await["status"], "succeeded");
    assert_eq!(stage.changes()[3..], ["iam:DeleteUserPolicy"]);
    let it = containment(&stage).await;
    assert_eq!((&it["status"], &it["undone_by"]), (&json!("undone"), &json!(second)), "{it}");

    // The undo of one of them has that stand again, and no more.
    let again = undo(&stage, &first).await;
    stage.approve(&again).await;
    assert_eq!(stage.over(&again).await["status"], "succeeded");
    let it = containment(&stage).await;
    assert_eq!(it["status"], "open", "{it}");
    assert_eq!(undone(&it), [Value::Null, json!(second)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_step_is_taken_back_by_itself_on_sqlite() {
    one_step_is_taken_back_by_itself(Plan::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_step_is_taken_back_by_itself_on_postgres() {
    one_step_is_taken_back_by_itself(Plan::new().on_postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_had_to_agree_to_a_plan_agrees_to_the_undo_of_its_step_and_nobody_else() {
    let stage = Plan::new().mode(Mode::Ask).set().await;
    let zoe = stage.person("zoe", &["viewer"]).await;
    stage
        .publish(
            r#"const PLAYBOOK = #{ name: "twice", title: "Asks twice", mode: "ask" };
            let deny = plan([change("iam:PutUserPolicy", #{ UserName: "ci-deploy", PolicyName: "deny",
                PolicyDocument: `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`
                }, #{})]);
            let gate = approval("Deny it all?", #{ plan: deny, approvers: ["role:responder"] });
            if gate.outcome == "approved" { execute(deny); }
            let cut = plan([change("iam:UpdateAccessKey", #{ UserName: "ci-deploy",
                AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" }, #{})]);
            let also = approval("And cut it off?", #{ plan: cut, approvers: ["zoe"] });
            if also.outcome == "approved" { execute(cut); }
            also.outcome"#,
        )
        .await;
    let run = stage.start_for_finding("twice").await;
    assert_eq!(stage.approve(&run).await["status"], "approved");
    let asked = stanch_tests::eventually("the second question", async || {
        let asked = stage.approval(&run).await;
        (asked["title"] == "And cut it off?").then_some(asked)
    });
    let decisions = |asked: &Value| format!("/approvals/{}/decisions", id(&asked["id"]));
    let yes = json!({"decision": "approve", "reason": "cut it"});
    zoe.post(&decisions(&asked.await), &yes).await;
    assert_eq!(stage.over(&run).await["result"], "approved");
    let keys = steps(&stage, &run, "change").await;
    let plan_of = |key: &String| key.rsplit_once('.').unwrap().0.to_owned();
    let no = json!({"decision": "reject", "reason": "it stays"});
    // By the change, and by its plan.
    for (step, approvers) in [
        (keys[0].clone(), json!(["role:responder"])),
        (plan_of(&keys[0]), json!(["role:responder"])),
        (keys[1].clone(), json!(["zoe"])),
        (plan_of(&keys[1]), json!(["zoe"])),
    ] {
        let undo = undo_step(&stage, &run, &step).await;
        let asked = stage.approval(&undo).await;
        assert_eq!(asked["approvers"], approvers, "{step}: {asked}");
        let says = if approvers == json!(["zoe"]) { &zoe } else { &stage.mia };
        says.post(&decisions(&asked), &no).await;
        assert_eq!(stage.over(&undo).await["result"], "rejected");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_changed_nothing_is_refused_with_those_that_did() {
    let (stage, run) = contained().await;
    let refused = async |run: &str, step: &str| {
        let body = json!({"step": step, "reason": "x"});
        let (status, problem) = stage.mia.post_refused(&format!("/runs/{run}/undo"), &body).await;
        (status, problem["detail"].as_str().unwrap().to_owned())
    };
    let keys = steps(&stage, &run, "change").await;
    let (status, detail) = refused(&run, "99").await;
    assert!(status == 400 && detail.contains("no step 99"), "{status} {detail}");
    assert!(detail.contains(&format!("{} (iam:UpdateAccessKey)", keys[0])), "{detail}");
    let undo = undo(&stage, &run).await;
    stage.approve(&undo).await;
    stage.over(&undo).await;
    let own = steps(&stage, &undo, "change").await;
    let (status, detail) = refused(&undo, &own[0]).await;
    assert!(status == 400 && detail.contains("undo all of it"), "{status} {detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_started_a_run_is_undone_there() {
    let stage = Plan::new().mode(Mode::Auto).set().await;
    stage.publish("const PLAYBOOK = #{ name: \"idle\", title: \"Does nothing\" }; 1").await;
    stage
        .publish(
            r#"const PLAYBOOK = #{ name: "parent", title: "Has it done", mode: "auto" };
            run_playbook("idle", #{});"#,
        )
        .await;
    let run = stage.start_for_finding("parent").await;
    assert_eq!(stage.over(&run).await["status"], "succeeded");
    let step = steps(&stage, &run, "run_playbook").await.remove(0);
    let body = json!({"step": step, "reason": "x"});
    let (status, problem) = stage.mia.post_refused(&format!("/runs/{run}/undo"), &body).await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(status == 400 && detail.contains("undo that run"), "{status} {detail}");
}
