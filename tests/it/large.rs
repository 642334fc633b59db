//! Results that are too large for the journal.

use std::path::PathBuf;

use serde_json::{Value, json};
use stanch_engine_cli::config::Quota;

use crate::stage::{Plan, Stage, id};

const READ: &str = r#"
    const PLAYBOOK = #{ name: "reads", title: "A test", mode: "ask" };
    let seen = aws("cloudtrail:LookupEvents", #{}, #{ paginate: true });
    approval("Go on?", #{});
    let last = seen.Events[seen.Events.len() - 1];
    [seen.Events.len(), last.CloudTrailEvent.len(), type_of(seen)]
"#;

/// A stage with so many events of so many bytes.
async fn stage(events: usize, bytes: usize) -> Stage {
    let mut plan = Plan::new();
    plan.ships = false;
    plan.config.aws.quotas.insert("cloudtrail:*".to_owned(), Quota::PerSecond(10_000.0));
    let stage = plan.set().await;
    stage.publish(READ).await;
    let text = json!({"awsRegion": "us-east-1", "eventID": "x".repeat(bytes)}).to_string();
    stage.aws.add_events((0..events).map(|number| {
        json!({"EventId": number.to_string(), "EventTime": 1_795_489_200, "EventName": "Large",
            "CloudTrailEvent": text})
    }));
    stage
}

async fn start(stage: &Stage) -> String {
    let body = json!({"playbook": "reads", "alert": stage_finding(), "inputs": {}});
    id(&stage.mia.post("/runs", &body).await["id"])
}

fn stage_finding() -> Value {
    use stanch_engine_core::time::Timestamp;
    let now = Timestamp::parse("2026-11-24T03:00:00Z").unwrap();
    stanch_plugins_aws::sandbox::Sandbox::demo_finding(now)
}

/// What the journal holds in the place of the large result, and the file that it names.
async fn stored(stage: &Stage, run: &str) -> (Value, PathBuf) {
    let journal = stage.journal(run).await;
    let mut results = journal.iter().map(|entry| &entry["body"]["result"]);
    let result = results.rfind(|result| result["$stored"].is_string()).unwrap();
    let name = id(&result["$stored"]);
    let (start, rest) = name.split_at(2);
    (result.clone(), stage.dir().join("evidence").join(start).join(rest))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_result_lies_beside_the_journal_and_reads_like_the_value() {
    let mut stage = stage(100, 8_000).await;
    let run = start(&stage).await;
    stage.approval(&run).await;
    let (result, file) = stored(&stage, &run).await;
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!(result["bytes"], bytes.len());
    assert!(bytes.len() > 800_000, "{}", bytes.len());
    let whole: Value = serde_json::from_slice(&bytes).unwrap();
    assert!(whole["Events"].as_array().unwrap().len() >= 100);
    // The run is woken from its journal alone.
    stage.restart().await;
    stage.approve(&run).await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert!(ended["result"][0].as_u64().unwrap() >= 100, "{ended}");
    assert_eq!(ended["result"][2], "map");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_large_result_is_gone_or_changed_says_so_and_goes_on_when_it_is_back() {
    for is_gone in [true, false] {
        let mut stage = stage(100, 8_000).await;
        let run = start(&stage).await;
        stage.approval(&run).await;
        let (_, file) = stored(&stage, &run).await;
        let whole = std::fs::read(&file).unwrap();
        if is_gone {
            std::fs::remove_file(&file).unwrap();
        } else {
            std::fs::write(&file, b"{}").unwrap();
        }
        stage.restart().await;
        stage.approve(&run).await;
        let parked = stage.run_when(&run, |run| run["status"] == "parked").await;
        let detail = id(&parked["parked"]["detail"]);
        assert!(detail.contains("the result of step 1 lies in the evidence folder"), "{detail}");
        assert!(detail.contains("resume the run"), "{detail}");
        std::fs::write(&file, whole).unwrap();
        let why = json!({"reason": "the folder is back"});
        stage.mia.post(&format!("/runs/{run}/resume"), &why).await;
        let ended = stage.run_when(&run, |run| run["status"] == "succeeded").await;
        assert_eq!(ended["result"][2], "map", "{ended}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_megabytes_are_a_result_and_others_go_on_beside_it() {
    let stage = stage(1_600, 32_000).await;
    stage.publish("const PLAYBOOK = #{ name: \"small\", title: \"t\" };\n1").await;
    let run = start(&stage).await;
    for _ in 0..5 {
        let other = stage.start("small", json!({})).await;
        assert_eq!(stage.over(&other).await["result"], 1);
    }
    stage.approval(&run).await;
    let (result, _) = stored(&stage, &run).await;
    assert!(result["bytes"].as_u64().unwrap() > 50_000_000, "{result}");
    stage.approve(&run).await;
    let ended = stage.over(&run).await;
    assert!(ended["result"][0].as_u64().unwrap() >= 1_600, "{ended}");
}
