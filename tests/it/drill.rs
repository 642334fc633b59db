//! A drill is the one sample that changes something, and reaches nobody but its own user. The drill
//! itself is tried by the program's own tests.

use serde_json::json;
use stanch_engine_core::time::Timestamp;
use stanch_plugins_aws::sandbox::Sandbox;

use crate::stage::{Plan, USER, run_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_that_only_says_that_it_is_a_drill_changes_nobody_else() {
    let stage = Plan::new().set().await;
    let at = Timestamp::parse("2026-11-24T03:00:00Z").unwrap();
    let mut finding = Sandbox::demo_finding(at);
    // The key is somebody's; its user is said to be a drill's.
    finding["detail"]["title"] = json!("[SAMPLE] a drill");
    finding["detail"]["resource"]["accessKeyDetails"]["userName"] = json!("stanch-drill-0123");
    let received = stage.detector.post("/webhooks/guardduty", &finding).await;
    let run = run_of(&received);
    stage.approve(&run).await;
    let ended = stage.over(&run).await;
    assert!(stage.changes().is_empty(), "{:?}", stage.changes());
    let journal = serde_json::Value::from(stage.journal(&run).await).to_string();
    assert!(journal.contains("\"sample\"") && journal.contains(USER), "{ended}\n{journal}");
}
