//! One alert becomes a contained, proven incident, and is taken back.

use serde_json::{Value, json};
use stanch_engine_runtime::evidence::verify;

use crate::stage::{KEY, Plan, Stage, id, run_of};

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    of_a_key(Plan::new().set().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    of_a_key(Plan::new().on_postgres().await.set().await).await;
}

async fn of_a_key(stage: Stage) {
    let received = stage.find_key().await;
    assert_eq!(received["duplicate"], false);
    let run = run_of(&received);
    let again = stage.find_key_again(&received).await;
    assert_eq!(again["duplicate"], true);
    assert_eq!(again["run_ids"], received["run_ids"]);

    let approval = stage.approval(&run).await;
    assert!(stage.changes().is_empty(), "it changes nothing before it is told to");
    // Nobody is paged about what is decided before the page has gone out.
    let page = stage.page_that_says(KEY).await;
    assert!(page.contains(&id(&approval["id"])), "{page}");
    let planned: Vec<&Value> =
        approval["plan"]["items"].as_array().unwrap().iter().map(|c| &c["operation"]).collect();
    assert_eq!(planned, ["iam:UpdateAccessKey", "iam:PutUserPolicy"]);
    assert_eq!(stage.approve(&run).await["status"], "approved");

    let ended = stage.over(&run).await;
    assert_eq!((&ended["status"], &ended["result"]), (&json!("succeeded"), &json!("approved")));
    assert_eq!(stage.changes(), ["iam:UpdateAccessKey", "iam:PutUserPolicy"]);
    let incident = stage.incident(&received).await;
    assert_eq!(incident["status"], "contained");
    assert_eq!(incident["verdict"], "true_positive");
    assert_eq!(incident["acknowledged_by"], "mia");

    kpis(&stage, &incident).await;
    bundle(&stage, &incident).await;
    undo(&stage, &run, &received).await;
}

async fn kpis(stage: &Stage, incident: &Value) {
    let report = stage.mia.get("/kpis?window=1d").await;
    assert_eq!(report["incidents"], 1);
    let all = report["kpis"].as_array().unwrap();
    // Nobody has recovered or closed anything, no customer felt it, and the verdict of the form came
    // in the same moment in which it was acknowledged.
    let later = ["time_to_recover", "time_to_resolve", "customer_impact"];
    let is_there = |kpi: &&Value| !later.contains(&kpi["name"].as_str().unwrap());
    for kpi in all.iter().filter(is_there) {
        assert_eq!(kpi["count"], 1, "{kpi}");
        assert!(kpi["p50_ms"].as_i64().unwrap() >= 0, "{kpi}");
        assert_eq!(kpi["p95_ms"], kpi["p50_ms"], "{kpi}");
    }
    let milestones = incident["milestones"].as_array().unwrap();
    let order: Vec<&str> = milestones.iter().map(|m| m["milestone"].as_str().unwrap()).collect();
    for milestone in [
        "occurred_at",
        "detected_at",
        "received_at",
        "first_automated_at",
        "acknowledged_at",
        "contain_requested_at",
        "contained_at",
        "verdict_at",
    ] {
        assert!(order.contains(&milestone), "{milestone} is not among {order:?}");
    }
}

async fn bundle(stage: &Stage, incident: &Value) {
    let incident = id(&incident["id"]);
    let items = stage.mia.list(&format!("/incidents/{incident}/evidence")).await;
    let labels: Vec<&Value> = items.iter().map(|item| &item["label"]).collect();
    assert!(
        labels.contains(&&json!("trail")) && labels.contains(&&json!("iam-user")),
        "{labels:?}"
    );
    let bundle = stage.mia.bytes(&format!("/incidents/{incident}/export")).await;
    let verified = verify::verify(&bundle, Some(&stage.runtime.public_key())).unwrap();
    // What was collected, and the payload of the alert.
    assert_eq!(verified.items, items.len() + 1);
    assert!(verified.is_authenticated);
}

async fn undo(stage: &Stage, run: &str, received: &Value) {
    let path = format!("/runs/{run}/undo");
    let undo = id(&stage.mia.post(&path, &json!({"reason": "it was a drill"})).await["id"]);
    stage.approve(&undo).await;
    let ended = stage.over(&undo).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let all = stage.changes();
    assert_eq!(all[2..], ["iam:DeleteUserPolicy", "iam:UpdateAccessKey"], "in reverse");
    let last = stage.aws.calls().into_iter().rfind(|c| c.operation == "iam:UpdateAccessKey");
    assert_eq!(last.unwrap().params["Status"], "Active");
    assert_eq!(stage.incident(received).await["status"], "open");
}
