//! A user's script decides by what an alert joins, and one that fails decides nothing.

use serde_json::{Value, json};
use stanch_engine_runtime::correlators::Correlator;
use stanch_tests::eventually;

use crate::stage::{Plan, Stage, id};

/// Alerts of one campaign, which only the raw payload names, are one incident.
const CAMPAIGN: &str = r#"
fn keys(alert) {
    if alert.source != "guardduty" { return; }
    let told = alert.raw.service.additionalInfo?.campaign;
    if told == () { return; }
    if told == "apart" { return #{ keys: [alert.id], only: true }; }
    if told == "broken" { throw "no such campaign"; }
    #{ keys: [`campaign/${told}`], window: "2h" }
}
"#;

fn finding(number: u32, instance: u32, campaign: &str) -> Value {
    json!({
        "schemaVersion": "2.0", "accountId": "111122223333", "region": "us-east-1",
        "id": format!("{number:032x}"),
        "arn": format!("arn:aws:guardduty:us-east-1:111122223333:detector/d/finding/{number:032x}"),
        "type": "Recon:EC2/Portscan", "severity": 5, "title": "a host scans ports",
        "description": "d", "createdAt": "2026-11-24T02:58:30.000Z", "updatedAt": "2026-11-24T02:58:30.000Z",
        "resource": {"resourceType": "Instance", "instanceDetails": {"instanceId": format!("i-{instance:017x}")}},
        "service": {"serviceName": "guardduty", "count": 1, "archived": false,
            "additionalInfo": {"campaign": campaign}},
    })
}

async fn stage(script: &str, on_postgres: bool) -> Stage {
    let mut plan = Plan::new().manual();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("campaign.rhai"), script).unwrap();
    plan.config.correlation_dir = Some(folder.path().to_owned());
    plan.ships = false;
    if on_postgres {
        plan = plan.on_postgres().await;
    }
    plan.set().await
}

async fn joins(on_postgres: bool) {
    let stage = stage(CAMPAIGN, on_postgres).await;
    let sent = async |number, instance, campaign: &str| {
        stage.detector.post("/webhooks/guardduty", &finding(number, instance, campaign)).await
    };
    let first = sent(1, 1, "7").await;
    let second = sent(2, 2, "7").await;
    assert_eq!(second["incident_id"], first["incident_id"], "another instance, the same campaign");
    let alert = stage.mia.get(&format!("/alerts/{}", id(&second["alert_id"]))).await;
    assert_eq!(alert["joined"]["rule"], "script campaign");
    let told = stage.mia.list(&format!("/incidents/{}/timeline", id(&first["incident_id"]))).await;
    let said = "joined by the rule script campaign: script campaign/campaign/7";
    assert!(told.iter().any(|line| line["text"].as_str().unwrap().contains(said)), "{told:?}");
    // The built-in rules hold beside it.
    let by_resource = sent(3, 2, "8").await;
    assert_eq!(by_resource["incident_id"], first["incident_id"]);
    // And where it says `only`, they do not.
    let apart = sent(4, 1, "apart").await;
    assert_ne!(apart["incident_id"], first["incident_id"]);
    // One that fails leaves it to the built-in rules, and pages once.
    let broken = sent(5, 1, "broken").await;
    assert_eq!(broken["incident_id"], first["incident_id"]);
    sent(6, 1, "broken").await;
    let pages = eventually("a page about the script", async || {
        let pages = stage.mia.list("/pages").await;
        let pages: Vec<_> =
            pages.into_iter().filter(|page| page["code"] == "correlation_script").collect();
        Some(pages).filter(|pages| !pages.is_empty())
    });
    let pages = pages.await;
    assert_eq!(pages.len(), 1);
    assert!(pages[0]["message"].as_str().unwrap().contains("campaign.rhai:7:"), "{pages:?}");
    // Its window is its own.
    stage.pass(3 * 3_600_000);
    assert_ne!(sent(7, 9, "7").await["incident_id"], first["incident_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_what_a_script_says_on_sqlite() {
    joins(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_what_a_script_says_on_postgres() {
    joins(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_that_takes_its_time_keeps_nobody_else_waiting() {
    let stage = stage("fn keys(alert) { loop {} }", false).await;
    let many: Vec<_> = (1..=60).map(|number| finding(number, number, "7")).collect();
    let payload = json!(many);
    let mut taken = std::pin::pin!(stage.detector.post("/webhooks/guardduty", &payload));
    let mut answered = 0;
    let received = loop {
        tokio::select! {
            received = &mut taken => break received,
            _ = stage.mia.list("/alerts") => answered += 1,
        }
    };
    assert_eq!(received["alerts"].as_array().unwrap().len(), 60);
    // They are three seconds of computing.
    assert!(answered > 10, "{answered} others were answered meanwhile");
}

#[test]
fn the_script_of_the_page_is_one() {
    let page = include_str!("../../docs/noise.md");
    let (_, rest) = page.split_once("`correlation/campaign.rhai`").unwrap();
    let (_, rest) = rest.split_once("```rhai\n").unwrap();
    let script = rest.split_once("```").unwrap().0;
    let window = stanch_engine_core::span::Span::from_secs(60);
    Correlator::new("campaign", script, window).unwrap();
}
