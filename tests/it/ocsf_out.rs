//! Others are told what happens, in OCSF: whole, in order, and again where nobody knows.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
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

/// Has the sandbox's S3 take whatever is put.
fn takes_objects(stage: &Stage) {
    let request = http::Request::builder().method("POST").uri("/_sandbox/answers");
    let answers = json!({"operation": "s3:PutObject", "output": {"ETag": "\"x\""}}).to_string();
    let said =
        stage.aws.answer(&request.body(answers.into()).unwrap(), stage.runtime.world().now());
    assert!(
        matches!(said, stanch_plugins_aws::sandbox::Answer::Response(it) if it.status().is_success())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_gets_objects_of_lines() {
    let mut plan = Plan::new().manual();
    plan.ships = false;
    plan.config.ocsf_out =
        sinks("[[ocsf_out]]\nname = \"lake\"\nbucket = \"siem-events\"\nprefix = \"ocsf/\"\n");
    let stage = plan.set().await;
    takes_objects(&stage);
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

/// The rows of a file of Parquet, as another reader than ours has them, without what is absent.
fn rows(file: &[u8]) -> Vec<Value> {
    const READ: &str = "
import json, sys, pyarrow.parquet as parquet
def there(value):
    if isinstance(value, dict):
        return {name: there(it) for name, it in value.items() if it is not None}
    return [there(it) for it in value] if isinstance(value, list) else value
print(json.dumps(there(parquet.read_table(sys.argv[1]).to_pylist())))
";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.parquet");
    std::fs::write(&path, file).unwrap();
    let mut command = std::process::Command::new(stanch_tests::python());
    let ran = command.args(["-c", READ]).arg(&path).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

/// What was put into the lake: for each object its source, its folder there, and its rows.
fn put(stage: &Stage) -> Vec<(String, String, Vec<Value>)> {
    let calls = stage.aws.calls().into_iter();
    let puts = calls.filter(|call| call.operation == "s3:PutObject" && call.outcome == "ok");
    let object = |params: Value| {
        assert_eq!(params["Bucket"], "aws-security-data-lake-eu-west-1-x");
        let key = id(&params["Key"]).strip_prefix("ext/").unwrap().to_owned();
        let (source, folder) = key.split_once('/').unwrap();
        let body = BASE64.decode(params["Body"].as_str().unwrap()).unwrap();
        (source.to_owned(), folder.rsplit_once('/').unwrap().0.to_owned(), rows(&body))
    };
    puts.map(|call| object(call.params)).collect()
}

const LAKE: &str = r#"
[[ocsf_out]]
name = "findings"
bucket = "aws-security-data-lake-eu-west-1-x"
region = "eu-west-1"
lake_source = "stanch-findings"
classes = ["detection_finding"]

[[ocsf_out]]
name = "incidents"
bucket = "aws-security-data-lake-eu-west-1-x"
region = "eu-west-1"
account = "111122223333"
lake_source = "stanch-incidents"
classes = ["incident_finding"]

[[ocsf_out]]
name = "changes"
bucket = "aws-security-data-lake-eu-west-1-x"
region = "eu-west-1"
lake_source = "stanch-changes"
classes = ["remediation_activity"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_gets_parquet_that_says_what_the_lines_say() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ocsf.ndjson");
    let mut plan = Plan::new().manual();
    let lines = format!("[[ocsf_out]]\nname = \"file\"\nfile = {file:?}\n");
    plan.config.ocsf_out = sinks(&format!("{lines}{LAKE}"));
    let stage = plan.set().await;
    takes_objects(&stage);
    let found = stage.find_key().await;
    let run = run_of(&found);
    stage.approve(&run).await;
    assert_eq!(stage.over_in_time(&run, 500).await["status"], "succeeded");
    let incident = id(&found["incident_id"]);
    let body = json!({"reason": "done", "verdict": "true_positive"});
    stage.mia.post(&format!("/incidents/{incident}/close"), &body).await;
    let is_end = |it: &Value| it["class_uid"] == 2005 && it["activity_id"] == 3;
    let uids = |events: &[Value]| -> std::collections::BTreeSet<String> {
        events.iter().map(|it| id(&it["metadata"]["uid"])).collect()
    };
    let (told, objects) = eventually("all of it in the lake", async || {
        stage.pass(60_000);
        let told = events(&std::fs::read_to_string(&file).unwrap_or_default());
        let objects = put(&stage);
        let rows: Vec<_> = objects.iter().flat_map(|(.., rows)| rows.clone()).collect();
        let is_all = told.iter().any(is_end) && uids(&rows) == uids(&told);
        is_all.then_some((told, objects))
    })
    .await;
    for (source, place, rows) in &objects {
        assert_eq!(place, "region=eu-west-1/accountId=111122223333/eventDay=20261124");
        let class = match source.as_str() {
            "stanch-findings" => 2004,
            "stanch-incidents" => 2005,
            "stanch-changes" => 7001,
            other => panic!("{other}"),
        };
        assert!(rows.iter().all(|row| row["class_uid"] == class), "one class a source: {rows:?}");
        assert!(rows.is_sorted_by_key(|row| row["time"].as_i64()), "in the order of time");
        for row in rows {
            let line = told.iter().find(|it| it["metadata"]["uid"] == row["metadata"]["uid"]);
            // An incident is told as it stands then, and the lake is told later; in the end it is the same.
            if class != 2005 || is_end(row) {
                assert_eq!(Some(row), line);
            }
        }
    }
    assert_eq!(objects.len(), 3, "an object for each source, and not one for each look");
}
