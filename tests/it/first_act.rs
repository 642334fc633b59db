//! The first thing that a person does about an incident is when they took it, whatever it is.

use serde_json::{Value, json};

use crate::stage::{ACCOUNT, Plan, Stage, id};

const ASKS: &str =
    "const PLAYBOOK = #{ name: \"asks\", title: \"T\" };\napproval(\"May I?\", #{}).outcome";
const BREAKS: &str =
    "const PLAYBOOK = #{ name: \"breaks\", title: \"T\" };\nlog(\"once\"); fail(\"nothing works\")";

/// An incident, and its alert.
async fn open(stage: &Stage, what: &str) -> (String, String) {
    let body = json!({
        "title": format!("{what} was stolen"), "severity": "high", "account": ACCOUNT,
        "region": "eu-west-1", "resources": [{"type": "AwsIamUser", "id": what}],
    });
    let incident = id(&stage.mia.post("/incidents", &body).await["incident_id"]);
    let shown = stage.mia.get(&format!("/incidents/{incident}")).await;
    (incident, id(&shown["alerts"][0]["alert_id"]))
}

async fn is_taken(stage: &Stage, incident: &str) -> bool {
    let shown = stage.mia.get(&format!("/incidents/{incident}")).await;
    let marks = shown["milestones"].as_array().unwrap();
    let mark = marks.iter().find(|mark| mark["milestone"] == "acknowledged_at");
    assert_eq!(shown["acknowledged_by"] == "mia", mark.is_some(), "{shown}");
    mark.is_some_and(|mark| mark["source"] == "mia")
}

/// A run about the alert, which nobody named an incident for.
async fn run(stage: &Stage, playbook: &str, alert: &str) -> String {
    let body: Value = json!({"playbook": playbook, "alert": alert});
    id(&stage.mia.post("/runs", &body).await["id"])
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_person_does_to_a_run_takes_its_incident() {
    let mut plan = Plan::new();
    plan.ships = false;
    let stage = plan.set().await;
    stage.publish(ASKS).await;
    stage.publish(BREAKS).await;
    let why = |act: &str| match act {
        "retry" => json!({"reason": "it is mended", "from_step": "1"}),
        _ => json!({"reason": "it is ours"}),
    };
    for (playbook, act) in [("asks", "cancel"), ("asks", "pause"), ("breaks", "retry")] {
        let (incident, alert) = open(&stage, act).await;
        let run = run(&stage, playbook, &alert).await;
        match playbook {
            "asks" => drop(stage.approval(&run).await),
            _ => drop(stage.over(&run).await),
        }
        assert!(!is_taken(&stage, &incident).await, "{act}: nobody did anything yet");
        stage.mia.post(&format!("/runs/{run}/{act}"), &why(act)).await;
        assert!(is_taken(&stage, &incident).await, "{act}");
    }
    let (incident, _) = open(&stage, "start").await;
    stage.mia.post("/runs", &json!({"playbook": "breaks", "incident": incident})).await;
    assert!(is_taken(&stage, &incident).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn so_do_evidence_and_a_hold_and_looking_does_not() {
    let mut plan = Plan::new();
    plan.ships = false;
    let stage = plan.set().await;
    let (incident, _) = open(&stage, "a key").await;
    stage.mia.list(&format!("/incidents/{incident}/timeline")).await;
    stage.mia.bytes(&format!("/incidents/{incident}/export")).await;
    assert!(!is_taken(&stage, &incident).await, "who looks has done nothing");
    let path = format!("/incidents/{incident}/evidence?label=photo");
    assert_eq!(stage.mia.send(&path, "a photo").await.0, 201);
    assert!(is_taken(&stage, &incident).await);
    let (incident, _) = open(&stage, "a car").await;
    let why = json!({"reason": "a court wants it"});
    stage.admin.post(&format!("/incidents/{incident}/note"), &json!({"text": "seen"})).await;
    stage.mia.post(&format!("/incidents/{incident}/evidence/hold"), &why).await;
    let shown = stage.mia.get(&format!("/incidents/{incident}")).await;
    assert_eq!(shown["acknowledged_by"], "admin", "the first one counts");
    let (incident, _) = open(&stage, "a bag").await;
    stage.mia.post(&format!("/incidents/{incident}/evidence/hold"), &why).await;
    assert!(is_taken(&stage, &incident).await);
}
