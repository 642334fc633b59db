//! Others are told what happens, in OCSF: whole, in order, and again where nobody knows.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use stanch_engine_cli::config::{Config, OcsfOut};
use stanch_engine_server::{Reply, serve_with};
use stanch_tests::eventually;
use tokio::net::TcpListener;

use crate::stage::{Plan, Stage, id, run_of};

fn sinks(toml: &str) -> Vec<OcsfOut> {
    toml::from_str::<Config>(toml).unwrap().ocsf_out
}

fn events(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of_class(events: &[Value], class: u32) -> Vec<&Value> {
    events.iter().filter(|event| event["class_uid"] == class).collect()
}

async fn a_whole_story(on_postgres: bool) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ocsf.ndjson");
    let mut plan = Plan::new();
    plan.config.ocsf_out = sinks(&format!("[[ocsf_out]]\nname = \"file\"\nfile = {file:?}\n"));
    if on_postgres {
        plan = plan.on_postgres().await;
    }
    let stage = plan.set().await;
    let found = stage.find_key().await;
    let run = run_of(&found);
    stage.approve(&run).await;
    assert_eq!(stage.over(&run).await["status"], "succeeded");
    let incident = id(&found["incident_id"]);
    let body = json!({"reason": "done", "verdict": "true_positive"});
    stage.mia.post(&format!("/incidents/{incident}/close"), &body).await;
    let told = eventually("the end of the incident", async || {
        let told = events(&std::fs::read_to_string(&file).unwrap_or_default());
        told.iter().any(|it| it["class_uid"] == 2005 && it["activity_id"] == 3).then_some(told)
    });
    let told = told.await;
    for event in &told {
        for name in [
            "activity_id",
            "category_uid",
            "class_uid",
            "severity_id",
            "time",
            "type_uid",
            "metadata",
        ] {
            assert!(!event[name].is_null(), "{name}: {event}");
        }
        assert_eq!(event["metadata"]["version"], "1.3.0");
        assert_eq!(event["metadata"]["correlation_uid"], json!(incident));
    }
    let findings = of_class(&told, 2004);
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0]["finding_info"]["title"].is_string()
            && findings[0]["finding_info"]["uid"].is_string()
    );
    assert_eq!(findings[0]["cloud"]["account"]["uid"], "111122223333");
    let incidents = of_class(&told, 2005);
    let activities: Vec<_> =
        incidents.iter().map(|it| it["activity_id"].as_u64().unwrap()).collect();
    assert_eq!((activities.first(), activities.last()), (Some(&1), Some(&3)));
    assert_eq!(incidents.last().unwrap()["verdict_id"], 2);
    assert!(incidents.iter().all(|it| it["finding_info_list"][0]["uid"].is_string()));
    let changes = of_class(&told, 7001);
    let made: Vec<_> = changes.iter().map(|it| id(&it["activity_name"])).collect();
    assert_eq!(made, ["iam:UpdateAccessKey", "iam:PutUserPolicy"]);
    assert!(changes.iter().all(|it| it["status_id"] == 1 && it["command_uid"].is_string()));
    let uids: std::collections::BTreeSet<_> =
        told.iter().map(|it| id(&it["metadata"]["uid"])).collect();
    assert_eq!(uids.len(), told.len(), "nothing is told twice where nothing went wrong");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_has_the_whole_story_on_sqlite() {
    a_whole_story(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_has_the_whole_story_on_postgres() {
    a_whole_story(true).await;
}

/// A collector: its address, what it was sent, and whether it takes anything.
async fn collector(refuses: u32) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    let sent: Arc<Mutex<Vec<String>>> = Arc::default();
    let (kept, left) = (sent.clone(), Mutex::new(refuses));
    let answer = move |request: http::Request<bytes::Bytes>| {
        let mut left = left.lock().unwrap();
        let is_refused = *left > 0;
        *left = left.saturating_sub(1);
        assert_eq!(request.headers()["content-type"], "application/x-ndjson");
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        kept.lock().unwrap().push(body);
        let mut response = http::Response::new(bytes::Bytes::new());
        if is_refused {
            *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        }
        Reply::Response(response)
    };
    tokio::spawn(serve_with(listener, answer, std::future::pending()));
    (url, sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_taken_is_sent_again_and_what_was_is_not() {
    let (url, sent) = collector(2).await;
    let mut plan = Plan::new().manual();
    plan.ships = false;
    plan.config.ocsf_out = sinks(&format!(
        "[[ocsf_out]]\nname = \"siem\"\nurl = \"{url}\"\nclasses = [\"detection_finding\"]\n"
    ));
    let mut stage: Stage = plan.set().await;
    stage.find_key().await;
    let count = || sent.lock().unwrap().len();
    eventually("the third try", async || {
        stage.pass(1_000);
        (count() >= 3).then_some(())
    })
    .await;
    let all = sent.lock().unwrap().clone();
    assert!(all[0] == all[1] && all[1] == all[2], "the same lines, until they are taken");
    assert_eq!(events(&all[2]).len(), 1);
    // What was taken is not sent again, also not by a node that starts anew.
    stage.restart().await;
    stage.find_instance().await;
    eventually("the next alert", async || {
        stage.pass(1_000);
        (count() >= 4).then_some(())
    })
    .await;
    let last = events(&sent.lock().unwrap().clone()[3]);
    assert_eq!(last.len(), 1);
    assert_ne!(last[0]["metadata"]["uid"], events(&all[2])[0]["metadata"]["uid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_gets_objects_of_lines() {
    let mut plan = Plan::new().manual();
    plan.ships = false;
    plan.config.ocsf_out =
        sinks("[[ocsf_out]]\nname = \"lake\"\nbucket = \"siem-events\"\nprefix = \"ocsf/\"\n");
    let stage = plan.set().await;
    let request = http::Request::builder().method("POST").uri("/_sandbox/answers");
    let answers = json!({"operation": "s3:PutObject", "output": {"ETag": "\"x\""}}).to_string();
    let said =
        stage.aws.answer(&request.body(answers.into()).unwrap(), stage.runtime.world().now());
    assert!(
        matches!(said, stanch_plugins_aws::sandbox::Answer::Response(it) if it.status().is_success())
    );
    stage.find_key().await;
    let put = eventually("an object", async || {
        stage.pass(1_000);
        stage
            .aws
            .calls()
            .into_iter()
            .find(|call| call.operation == "s3:PutObject" && call.outcome == "ok")
    });
    let put = put.await;
    assert_eq!(put.params["Bucket"], "siem-events");
    let key = put.params["Key"].as_str().unwrap();
    assert!(key.starts_with("ocsf/2026/11/24/") && key.ends_with(".ndjson"), "{key}");
}
