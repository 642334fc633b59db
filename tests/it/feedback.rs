//! Noise that people have judged: a playbook that was just started is not started again, and what is
//! mostly wrong is suggested for suppression.

use serde_json::{Value, json};
use stanch_engine_cli::config::Config;

use crate::stage::{Plan, Stage, id};

const HOUR_MS: i64 = 3_600_000;

/// Ends at once, so that no open run is told instead.
const LOOKS: &str = r#"
const PLAYBOOK = #{ name: "looks", title: "Looks", mode: "ask",
    triggers: [#{ source: "guardduty", type: "*", cooldown: "1h" }] };
log("looked");
"#;

/// A finding about an instance.
fn finding(number: u32, instance: u32, severity: f64) -> Value {
    json!({
        "schemaVersion": "2.0", "accountId": "111122223333", "region": "us-east-1",
        "id": format!("{number:032x}"),
        "arn": format!("arn:aws:guardduty:us-east-1:111122223333:detector/d/finding/{number:032x}"),
        "type": "Recon:EC2/Portscan", "severity": severity, "title": "a host scans ports",
        "description": "d", "createdAt": "2026-11-24T02:58:30.000Z", "updatedAt": "2026-11-24T02:58:30.000Z",
        "resource": {"resourceType": "Instance", "instanceDetails": {"instanceId": format!("i-{instance:017x}")}},
        "service": {"serviceName": "guardduty", "count": 1, "archived": false},
    })
}

async fn stage(toml: &str, playbook: &str, on_postgres: bool) -> Stage {
    let mut plan = Plan::new().manual();
    let read: Config = toml::from_str(toml).unwrap();
    (plan.config.noise, plan.config.correlation, plan.ships) =
        (read.noise, read.correlation, false);
    if on_postgres {
        plan = plan.on_postgres().await;
    }
    let stage = plan.set().await;
    stage.publish(playbook).await;
    stage
}

impl Stage {
    async fn finds(&self, finding: &Value) -> Value {
        self.detector.post("/webhooks/guardduty", finding).await
    }

    /// Sends a finding, and waits for the runs that it started.
    async fn runs_of(&self, finding: &Value) -> Vec<String> {
        let received = self.finds(finding).await;
        let runs: Vec<_> = received["run_ids"].as_array().unwrap().iter().map(id).collect();
        for run in &runs {
            assert_eq!(self.over(run).await["status"], "succeeded");
        }
        runs
    }
}

async fn cools_down(toml: &str, playbook: &str, on_postgres: bool) {
    let stage = stage(toml, playbook, on_postgres).await;
    let first = stage.runs_of(&finding(1, 1, 5.0)).await;
    assert_eq!(first.len(), 1);
    let quiet = stage.finds(&finding(2, 1, 5.0)).await;
    assert_eq!(quiet["run_ids"], json!([]), "{quiet}");
    let told = stage.mia.list(&format!("/incidents/{}/timeline", id(&quiet["incident_id"]))).await;
    let said = format!(
        "not started by cooldown of looks: looks was started about the same less than 1h ago: {}",
        first[0]
    );
    assert!(told.iter().any(|line| line["text"] == json!(said)), "{told:?}");
    assert_eq!(stage.runs_of(&finding(3, 2, 5.0)).await.len(), 1, "another instance");
    assert_eq!(stage.runs_of(&finding(4, 1, 8.0)).await.len(), 1, "worse than it was");
    assert_eq!(stage.runs_of(&finding(5, 1, 8.0)).await.len(), 0);
    assert_eq!(stage.runs_of(&finding(6, 1, 9.5)).await.len(), 1, "critical");
    assert_eq!(stage.runs_of(&finding(7, 1, 9.5)).await.len(), 1, "critical again");
    stage.pass(HOUR_MS);
    assert_eq!(stage.runs_of(&finding(8, 1, 5.0)).await.len(), 1, "an hour later");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_cools_down_on_sqlite() {
    cools_down("", LOOKS, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_cools_down_on_postgres() {
    cools_down("", LOOKS, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cooldown_for_all_holds_where_a_trigger_says_none() {
    let playbook = LOOKS.replace(", cooldown: \"1h\"", "");
    cools_down("[noise]\ncooldown = \"1h\"\n", &playbook, false).await;
}

async fn suggests(on_postgres: bool) {
    let rule = "[[correlation]]\nname = \"resource\"\nby = [\"resource\"]\nwindow = \"1s\"\n";
    let stage = stage(rule, LOOKS, on_postgres).await;
    let suggestions = async || stage.mia.get("/noise/suggestions").await;
    for number in 0..5 {
        assert_eq!(suggestions().await["items"], json!([]), "{number} are too few");
        // Each is an incident of its own, about the same instance.
        stage.pass(HOUR_MS);
        let received = stage.finds(&finding(number, 1, 5.0)).await;
        let body = json!({"verdict": "false_positive", "reason": "our own scanner"});
        stage
            .mia
            .post(&format!("/incidents/{}/verdict", id(&received["incident_id"])), &body)
            .await;
    }
    let found = suggestions().await;
    let item = &found["items"][0];
    assert_eq!((&item["incidents"], &item["false_positives"]), (&json!(5), &json!(5)), "{found}");
    let instance = format!("i-{:017x}", 1);
    assert_eq!(item["match"]["resource"], json!(instance));
    let command = item["command"].as_str().unwrap();
    assert!(command.starts_with("stanch suppressions create --source 'guardduty'"), "{command}");

    // One that was right of six is more than one in ten.
    stage.pass(HOUR_MS);
    let received = stage.finds(&finding(50, 1, 5.0)).await;
    let verdict = format!("/incidents/{}/verdict", id(&received["incident_id"]));
    stage.mia.post(&verdict, &json!({"verdict": "true_positive", "reason": "an attack"})).await;
    let found = suggestions().await;
    assert_eq!((&found["items"], &found["rates"][0]["percent"]), (&json!([]), &json!(83)));
    stage
        .mia
        .post(&verdict, &json!({"verdict": "false_positive", "reason": "not an attack"}))
        .await;
    assert_eq!(suggestions().await["items"][0]["false_positives"], 6);
    // What is suppressed already is not suggested.
    let quiet =
        json!({"match": item["match"], "reason": "noise", "expires_at": "2026-12-20T00:00:00Z"});
    stage.mia.post("/suppressions", &quiet).await;
    let found = suggestions().await;
    assert_eq!((&found["items"], &found["rates"][0]["percent"]), (&json!([]), &json!(100)));
    let (status, _) = stage.mia.ask(reqwest::Method::GET, "/noise/suggestions?days=0", None).await;
    assert_eq!(status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_mostly_wrong_is_suggested_on_sqlite() {
    suggests(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_mostly_wrong_is_suggested_on_postgres() {
    suggests(true).await;
}
