//! Tokens that end, people with two of them, and people who leave.

use serde_json::{Value, json};
use stanch_engine_core::effect::Mode;

use crate::caller::Caller;
use crate::stage::{Plan, Stage, id};

const TWO: &str = r#"
const PLAYBOOK = #{ name: "two", title: "Asks two", mode: "ask" };
approval("Both of you?", #{ approvers: ["role:responder"], quorum: 2, expires: "10m" }).outcome
"#;

/// It waits between the yes and what it is for.
const LATER: &str = r#"
const PLAYBOOK = #{ name: "later", title: "Does it later", mode: "ask" };
let cut = plan([change("iam:UpdateAccessKey",
    #{ UserName: "build-bot", AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" })]);
approval("Cut it off?", #{ plan: cut, approvers: ["role:responder"], expires: "10m" });
wait_signal("go", #{ timeout: "1h" });
execute(cut);
"#;

fn yes() -> Value {
    json!({"decision": "approve", "reason": "yes"})
}

async fn token(stage: &Stage, body: Value) -> Caller {
    let made = stage.admin.post("/tokens", &body).await;
    Caller::new(&stage.url, made["token"].as_str().unwrap())
}

async fn asked(stage: &Stage, playbook: &str) -> (String, String) {
    let run = stage.start_for_finding(playbook).await;
    let approval = id(&stage.approval(&run).await["id"]);
    (run, format!("/approvals/{approval}/decisions"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_with_two_tokens_is_one_person() {
    let stage = Plan::new().set().await;
    stage.publish(TWO).await;
    let (_, path) = asked(&stage, "two").await;
    let phone = json!({"name": "mia-phone", "person": "mia", "roles": ["responder"]});
    let phone = token(&stage, phone).await;
    assert_eq!(stage.mia.post(&path, &yes()).await["status"], "pending");
    let (status, problem) = phone.post_refused(&path, &yes()).await;
    assert_eq!((status, &problem["detail"]), (409, &json!("you have decided already")));
    let lea = stage.person("lea", &["responder"]).await;
    assert_eq!(lea.post(&path, &yes()).await["status"], "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_started_it_or_wrote_it_does_not_say_yes_to_it() {
    let mut plan = Plan::new();
    plan.ships = false;
    plan.config.approvals.requester_counts = false;
    let stage = plan.set().await;
    let ann = stage.person("ann", &["author", "responder"]).await;
    let body = json!({"main": TWO.replace("quorum: 2", "quorum: 1"), "source": "a test"});
    ann.post("/playbooks", &body).await;
    let run = id(&stage.mia.post("/runs", &json!({"playbook": "two"})).await["id"]);
    let path = format!("/approvals/{}/decisions", id(&stage.approval(&run).await["id"]));
    let phone = json!({"name": "mia-phone", "person": "mia", "roles": ["responder"]});
    let phone = token(&stage, phone).await;
    for (who, what) in [
        (&stage.mia, "mia started the run"),
        (&phone, "mia started the run"),
        (&ann, "ann published the playbook"),
    ] {
        let (status, problem) = who.post_refused(&path, &yes()).await;
        assert_eq!(status, 403, "{problem}");
        assert!(problem["detail"].to_string().contains(what), "{problem}");
        assert!(problem["detail"].to_string().contains("requester_counts"), "{problem}");
    }
    // A child asks in the name of the run above it; a no of theirs is a no.
    let no = json!({"decision": "reject", "reason": "I was wrong"});
    assert_eq!(stage.mia.post(&path, &no).await["status"], "rejected");
    let run = id(&stage.mia.post("/runs", &json!({"playbook": "two"})).await["id"]);
    let path = format!("/approvals/{}/decisions", id(&stage.approval(&run).await["id"]));
    let lea = stage.person("lea", &["responder"]).await;
    assert_eq!(lea.post(&path, &yes()).await["status"], "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_run_started_by_an_alert_does_not_say_yes_to_it() {
    let mut plan = Plan::new();
    plan.ships = false;
    plan.config.approvals.requester_counts = false;
    let stage = plan.set().await;
    let found = stage.find_key().await;
    let heard = r#"mode: "ask", triggers: [#{ source: "*", type: "*" }]"#;
    stage.publish(&TWO.replace("quorum: 2", "quorum: 1").replace(r#"mode: "ask""#, heard)).await;
    let lea = stage.person("lea", &["responder"]).await;
    lea.post(&format!("/alerts/{}/replay", id(&found["alert_id"])), &json!({})).await;
    lea.post("/incidents", &json!({"title": "it is odd", "severity": "high"})).await;
    let runs = stage.mia.list("/runs").await;
    assert_eq!(runs.len(), 2, "{runs:?}");
    for run in runs {
        let approval = id(&stage.approval(run["id"].as_str().unwrap()).await["id"]);
        let path = format!("/approvals/{approval}/decisions");
        let (status, problem) = lea.post_refused(&path, &yes()).await;
        assert!(status == 403 && problem.to_string().contains("lea started the run"), "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_runs_a_run_again_does_not_say_yes_to_it() {
    let mut plan = Plan::new();
    plan.ships = false;
    plan.config.approvals.requester_counts = false;
    let stage = plan.set().await;
    stage.publish(&TWO.replace("quorum: 2", "quorum: 1")).await;
    let run = id(&stage.mia.post("/runs", &json!({"playbook": "two"})).await["id"]);
    let path = format!("/approvals/{}/decisions", id(&stage.approval(&run).await["id"]));
    let lea = stage.person("lea", &["responder"]).await;
    lea.post(&path, &json!({"decision": "reject", "reason": "no"})).await;
    stage.over(&run).await;
    let again = json!({"from_step": "1", "reason": "on second thoughts"});
    lea.post(&format!("/runs/{run}/retry"), &again).await;
    stage.run_when(&run, |run| run["status"] == "waiting").await;
    let path = format!("/approvals/{}/decisions", id(&stage.approval(&run).await["id"]));
    let (status, problem) = lea.post_refused(&path, &yes()).await;
    assert!(status == 403 && problem.to_string().contains("lea ran the run again"), "{problem}");
    let zoe = stage.person("zoe", &["responder"]).await;
    assert_eq!(zoe.post(&path, &yes()).await["status"], "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_expires_is_rotated_and_revoked() {
    let stage = Plan::new().manual().set().await;
    let short = json!({"name": "ci", "roles": ["viewer"], "expires": "1h"});
    let short = token(&stage, short).await;
    short.get("/runs").await;
    stage.pass(60 * 60 * 1_000);
    let (status, problem) = short.post_refused("/runs", &json!({})).await;
    assert_eq!((status, &problem["code"]), (401, &json!("ST0303")), "{problem}");
    // Another secret would be no good either.
    let (status, problem) = stage.admin.post_refused("/tokens/ci/rotate", &json!({})).await;
    assert!(status == 404 && problem.to_string().contains("that is good"), "{problem}");

    let old = stage.person("bob", &["viewer"]).await;
    let made = stage.admin.post("/tokens/bob/rotate", &json!({})).await;
    let new = Caller::new(&stage.url, made["token"].as_str().unwrap());
    new.get("/runs").await;
    assert_eq!(old.post_refused("/runs", &json!({})).await.0, 401);
    stage.admin.delete("/tokens/bob").await;
    assert_eq!(new.post_refused("/runs", &json!({})).await.0, 401);
    assert_eq!(stage.admin.post_refused("/tokens/bob/rotate", &json!({})).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_would_be_good_for_nothing_is_not_made() {
    let stage = Plan::new().set().await;
    for (wrong, word) in [
        (json!({"name": "x", "roles": ["responder,incident-lead"]}), "each by itself"),
        (json!({"name": "x", "roles": ["viewer", ""]}), "can't be a role"),
        (json!({"name": "x", "roles": ["role:responder"]}), "can't be a role"),
        (json!({"name": "x", "roles": ["viewer"], "expires": "0s"}), "no time"),
        (json!({"name": "x y", "roles": ["viewer"]}), "can't be a name"),
    ] {
        let (status, problem) = stage.admin.post_refused("/tokens", &wrong).await;
        assert!(status == 400 && problem.to_string().contains(word), "{word}: {problem}");
    }
    let group = json!({"name": "x", "roles": ["viewer", "incident-lead"]});
    token(&stage, group).await.get("/runs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_of_who_was_disabled_does_not_count_for_a_quorum() {
    let stage = Plan::new().set().await;
    stage.publish(TWO).await;
    let (run, path) = asked(&stage, "two").await;
    assert_eq!(stage.mia.post(&path, &yes()).await["status"], "pending");
    let lea = stage.person("lea", &["responder"]).await;
    let zoe = stage.person("zoe", &["responder"]).await;
    let why = json!({"reason": "left"});
    let taken = stage.admin.post("/people/mia/disable", &why).await;
    assert_eq!(taken["tokens_revoked"], 1, "{taken}");
    assert_eq!(taken["decisions_revoked"].as_array().map(Vec::len), Some(1), "{taken}");
    assert_eq!(stage.mia.post_refused(&path, &yes()).await.0, 401);
    let again = json!({"name": "mia-2", "person": "mia", "roles": ["responder"]});
    let (status, problem) = stage.admin.post_refused("/tokens", &again).await;
    assert_eq!(status, 409, "{problem}");
    assert_eq!(lea.post(&path, &yes()).await["status"], "pending");
    assert_eq!(zoe.post(&path, &yes()).await["status"], "approved");
    let found = eventually_over(&lea, &run).await;
    assert_eq!(found["result"], "approved", "{found}");
    assert_eq!(stage.admin.post_refused("/people/mia/disable", &why).await.0, 409);
    assert_eq!(stage.admin.post_refused("/people/admin/disable", &why).await.0, 409);
    stage.admin.post("/people/mia/enable", &json!({})).await;
    token(&stage, again).await.get("/runs").await;
}

async fn eventually_over(caller: &Caller, run: &str) -> Value {
    stanch_tests::eventually("the run's end", async || {
        let found = caller.get(&format!("/runs/{run}")).await;
        crate::stage::is_over(&found).then_some(found)
    })
    .await
}

/// Approves, disables whoever did if wanted, lets it go on, and gives the run.
async fn carried_out(stage: &Stage, disables: bool) -> Value {
    stage.publish(LATER).await;
    let (run, path) = asked(stage, "later").await;
    let lea = stage.person("lea", &["responder"]).await;
    assert_eq!(lea.post(&path, &yes()).await["status"], "approved");
    if disables {
        let taken = stage.admin.post("/people/lea/disable", &json!({"reason": "left"})).await;
        assert_eq!(taken["decisions_revoked"].as_array().map(Vec::len), Some(1), "{taken}");
    }
    let go = json!({"name": "go", "data": {}});
    stage.mia.post(&format!("/runs/{run}/signal"), &go).await;
    stage.over(&run).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_who_was_disabled_approved_is_not_carried_out() {
    let stage = Plan::new().mode(Mode::Ask).set().await;
    let ended = carried_out(&stage, false).await;
    assert_eq!(stage.changes(), ["iam:UpdateAccessKey"], "{ended}");

    let stage = Plan::new().mode(Mode::Ask).set().await;
    let ended = carried_out(&stage, true).await;
    assert_eq!(ended["status"], "failed", "{ended}");
    assert!(ended.to_string().contains("approval_revoked"), "{ended}");
    assert_eq!(stage.changes(), Vec::<String>::new());
}
