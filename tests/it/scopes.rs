//! Roles that reach only some accounts, playbooks and severities.

use serde_json::{Value, json};
use stanch_engine_core::scope::CustomRole;

use crate::caller::Caller;
use crate::stage::{ACCOUNT, Plan, Stage, id};

const ASKS: &str = r#"
const PLAYBOOK = #{ name: "NAME", title: "Asks", mode: "ask" };
approval("May I?", #{ approvers: ["role:approver"], expires: "1h" }).outcome
"#;

fn yes() -> Value {
    json!({"decision": "approve", "reason": "yes"})
}

async fn set() -> Stage {
    let mut plan = Plan::new();
    plan.ships = false;
    let night = CustomRole {
        is: vec!["approver".to_owned(), "responder".to_owned()],
        playbooks: vec!["iam-*".to_owned()],
        ..CustomRole::default()
    };
    plan.config.roles.insert("night".to_owned(), night);
    let stage = plan.set().await;
    for name in ["iam-key", "ec2-box"] {
        stage.publish(&ASKS.replace("NAME", name)).await;
    }
    stage
}

async fn token(stage: &Stage, name: &str, roles: &[&str], scope: Value) -> Caller {
    let body = json!({"name": name, "roles": roles, "scope": scope});
    let made = stage.admin.post("/tokens", &body).await;
    Caller::new(&stage.url, made["token"].as_str().unwrap())
}

async fn asked(stage: &Stage, playbook: &str) -> (String, String) {
    let run = stage.start_for_finding(playbook).await;
    (run.clone(), id(&stage.approval(&run).await["id"]))
}

async fn status(caller: &Caller, method: reqwest::Method, path: &str, body: Option<Value>) -> u16 {
    caller.try_ask(method, path, body.as_ref()).await.unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_reaches_what_it_names_and_nothing_else() {
    use reqwest::Method;
    let stage = set().await;
    let ((run, iam), (other_run, ec2)) =
        (asked(&stage, "iam-key").await, asked(&stage, "ec2-box").await);
    let by = |name: &'static str, scope: Value| token(&stage, name, &["approver"], scope);
    let iam_only = by("iam-only", json!({"playbooks": ["iam-*"]})).await;
    let elsewhere = by("elsewhere", json!({"accounts": ["444455556666"]})).await;
    let harmless = by("harmless", json!({"max_severity": "low"})).await;
    let decide = |id: &str| format!("/approvals/{id}/decisions");
    for caller in [&iam_only, &elsewhere, &harmless] {
        assert_eq!(status(caller, Method::POST, &decide(&ec2), Some(yes())).await, 403);
        assert_eq!(status(caller, Method::GET, &format!("/approvals/{ec2}"), None).await, 403);
        assert_eq!(status(caller, Method::GET, &format!("/runs/{other_run}"), None).await, 403);
        // What is about everything is for roles that reach everywhere.
        for path in ["/kpis", "/playbooks", "/alerts", "/break-glass"] {
            assert_eq!(status(caller, Method::GET, path, None).await, 403, "{path}");
        }
    }
    assert!(elsewhere.list("/approvals").await.is_empty());
    assert!(harmless.list("/runs").await.is_empty());
    let seen = iam_only.list("/approvals").await;
    assert_eq!((seen.len(), id(&seen[0]["id"])), (1, iam.clone()));
    assert_eq!(iam_only.list("/runs").await.len(), 1);
    assert_eq!(iam_only.get(&format!("/runs/{run}")).await["playbook"], "iam-key");
    assert_eq!(iam_only.post(&decide(&iam), &yes()).await["status"], "approved");
    let here = by("here", json!({"accounts": [ACCOUNT], "max_severity": "critical"})).await;
    assert_eq!(here.post(&decide(&ec2), &yes()).await["status"], "approved");
    assert_eq!(here.list("/incidents").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_of_ones_own_is_what_it_is_made_of_where_it_reaches() {
    let stage = set().await;
    let nia = token(&stage, "nia", &["night"], json!({})).await;
    let (_, iam) = asked(&stage, "iam-key").await;
    let (_, ec2) = asked(&stage, "ec2-box").await;
    let (status, problem) = nia.post_refused(&format!("/approvals/{ec2}/decisions"), &yes()).await;
    assert_eq!(status, 403, "{problem}");
    let said = nia.post(&format!("/approvals/{iam}/decisions"), &yes()).await;
    assert_eq!(said["status"], "approved");
    let alert = stage.mia.list("/alerts").await[0]["alert_id"].clone();
    let start = |playbook: &str| json!({"playbook": playbook, "alert": alert});
    nia.post("/runs", &start("iam-key")).await;
    let (status, problem) = nia.post_refused("/runs", &start("ec2-box")).await;
    assert_eq!(status, 403, "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_reach_it_can_not_be_counted_on() {
    let stage = set().await;
    // The first administrator may answer for any group: three are asked, and two reach it.
    token(&stage, "amy", &["approver"], json!({})).await;
    token(&stage, "eve", &["approver"], json!({"playbooks": ["ec2-*"]})).await;
    let text = ASKS.replace("NAME", "iam-three").replace("\"1h\"", "\"1h\", quorum: 3");
    stage.publish(&text).await;
    let (_, approval) = asked(&stage, "iam-three").await;
    let why = stage.mia.get(&format!("/approvals/{approval}")).await["out_of_reach"].clone();
    assert_eq!(why, "3 of role:approver must say yes, and admin, amy can");
    let wrong = json!({"name": "w", "roles": ["viewer"], "scope": {"accounts": ["42"]}});
    let (status, problem) = stage.admin.post_refused("/tokens", &wrong).await;
    assert!(status == 400 && problem.to_string().contains("12 digits"), "{problem}");
}
