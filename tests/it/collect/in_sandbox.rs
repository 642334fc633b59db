//! What moto does not play: the trail, detectors, commands on hosts, queries that take their time.

use serde_json::{Value, json};

use super::Scene;
use crate::stage::{ACCOUNT, KEY, USER};

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_is_asked_by_key_and_read_for_an_address() {
    let it = Scene::in_sandbox().await;
    it.collect("trail-of-key", KEY, json!({"since": "24h"})).await;
    let kept = it.kept_as(&format!("trail of key {KEY}")).await;
    let events = kept["regions"]["us-east-1"]["Events"].as_array().unwrap().len();
    assert_eq!(events, 12, "{kept}");
    it.collect("trail-of-principal", USER, json!({"since": "10m"})).await;
    let kept = it.kept_as(&format!("trail of {USER}")).await;
    let some = kept["regions"]["us-east-1"]["Events"].as_array().unwrap().len();
    assert!(some > 0 && some < events, "only of the period: {some}");

    let found = it.collect("trail-of-address", "198.51.100.77", json!({})).await;
    assert_eq!((&found["matching"], &found["read"]), (&json!(10), &json!(12)), "{found}");
    assert_eq!(found["cut_off"], false);
    let kept = it.kept_as("trail of 198.51.100.77").await;
    assert_eq!(kept["events"].as_array().unwrap().len(), 10);
    assert!(!kept["events"].to_string().contains("203.0.113.10"), "{kept}");
    let says = it.refused("trail-of-nothing", "x", json!({})).await;
    assert!(says.contains("trail-of-nothing"), "{says}");
}

fn rows(count: usize, last: &str) -> Value {
    let row = |at: &str| json!([{"field": "@timestamp", "value": at}, {"field": "srcAddr", "value": "10.0.0.1"}]);
    let mut rows = vec![row("2026-11-24 01:00:00.000"); count - 1];
    rows.push(row(last));
    rows.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn flow_logs_are_asked_part_by_part_through_a_restart() {
    let mut it = Scene::in_sandbox().await;
    let answer = |id: &str, status: &str, rows: Value| {
        json!({"operation": "logs:GetQueryResults", "match": {"queryId": id},
            "output": {"status": status, "results": rows}})
    };
    let mut waiting = answer("q1", "Running", json!([]));
    waiting["times"] = json!(2);
    let start =
        |id: &str| json!({"operation": "logs:StartQuery", "times": 1, "output": {"queryId": id}});
    it.script(json!([
        start("q1"),
        start("q2"),
        waiting,
        answer("q1", "Complete", rows(10_000, "2026-11-24 02:00:00.000")),
        answer("q2", "Complete", rows(3, "2026-11-24 02:30:00.000")),
    ]));
    let more = json!({"more": {"group": "flow"}});
    let run = it.begin("flows-of-address", "10.0.0.1", more.clone()).await;
    it.stage.run_when(&run, |run| run["status"] == "waiting").await;
    it.stage.restart().await;
    let found = it.result(&run).await;
    assert_eq!(found, json!({"rows": 10_003, "parts": 2, "cut_off": false}));
    assert_eq!(it.sent("logs:StartQuery"), 2, "each part is asked for once");
    let calls = it.stage.aws.calls();
    let second = calls.iter().filter(|call| call.operation == "logs:StartQuery").nth(1).unwrap();
    // 2026-11-24T02:00:00Z: where the first part ended.
    assert_eq!(second.params["startTime"], 1_795_485_600_i64, "{second:?}");
    let text = second.params["queryString"].as_str().unwrap();
    assert!(text.contains("srcAddr = '10.0.0.1' or dstAddr"), "{text}");
    let says = it.refused("flows-of-address", "10.0.0.1' or 1=1", more).await;
    assert!(says.contains("no address"), "{says}");
    it.script(json!([start("q3"), answer("q3", "Failed", json!([]))]));
    let says = it.refused("lines", "app", json!({})).await;
    assert!(says.contains("ended as Failed"), "{says}");
}

#[tokio::test(flavor = "multi_thread")]
async fn detectors_are_asked_for_what_they_say_and_said() {
    let it = Scene::in_sandbox().await;
    let finding = "8ac1f2d3e4b5a6978899aabbccddeeff";
    it.collect("guardduty", finding, json!({})).await;
    let kept = it.kept_as(&format!("guardduty {finding}")).await;
    assert!(kept.to_string().contains(USER), "{kept}");
    let about = json!({"more": {"field": "resource.accessKeyDetails.userName"}});
    it.collect("guardduty-about", USER, about).await;

    let hub = "arn:aws:securityhub:us-east-1:111122223333:finding/1";
    let product = "arn:aws:securityhub:us-east-1::product/aws/macie";
    it.script(json!([{"operation": "securityhub:GetFindingHistory", "output": {"Records": [{
        "FindingIdentifier": {"Id": hub, "ProductArn": product},
        "UpdateTime": "2026-11-24T02:00:00Z", "FindingCreated": false,
        "UpdateSource": {"Type": "BATCH_UPDATE_FINDINGS", "Identity": "mallory"},
        "Updates": [{"UpdatedField": "Workflow.Status", "OldValue": "NEW", "NewValue": "SUPPRESSED"}],
    }]}}]));
    it.collect("security-hub", hub, json!({"more": {"product_arn": product}})).await;
    let kept = it.kept_as(&format!("history of security hub {hub}")).await;
    assert!(kept.to_string().contains("mallory"), "{kept}");

    let arn = format!("arn:aws:iam::{ACCOUNT}:user/{USER}");
    let found = it.collect("detective", &arn, json!({"since": "7d"})).await;
    assert_eq!(found["status"], "SUCCESSFUL", "{found}");
    let kept = it.kept_as(&format!("indicators of {arn}")).await;
    assert!(kept.to_string().contains("198.51.100.77"), "{kept}");
    assert_eq!(it.sent("detective:StartInvestigation"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_iam_gathers_is_waited_for_and_read_to_its_end() {
    let it = Scene::in_sandbox().await;
    let service = |name: &str, used: bool| {
        let mut service = json!({"ServiceName": name, "ServiceNamespace": name});
        if used {
            service["LastAuthenticated"] = json!("2026-11-20T00:00:00Z");
        }
        service
    };
    let page = |status: &str, services: Value, more: bool, times: u32| {
        json!({"operation": "iam:GetServiceLastAccessedDetails", "times": times, "output": {
            "JobStatus": status, "JobCreationDate": "2026-11-24T00:00:00Z",
            "JobCompletionDate": "2026-11-24T00:00:01Z", "ServicesLastAccessed": services,
            "IsTruncated": more, "Marker": if more { json!("m") } else { Value::Null }}})
    };
    it.script(json!([
        {"operation": "iam:GenerateServiceLastAccessedDetails",
            "output": {"JobId": "00000000-0000-4000-8000-000000000001"}},
        page("IN_PROGRESS", json!([]), false, 1),
        page("COMPLETED", json!([service("s3", true)]), true, 1),
        page("COMPLETED", json!([service("ecs", false), service("iam", true)]), false, 1),
    ]));
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/{USER}");
    let found = it.collect("iam-last-accessed", &arn, json!({})).await;
    assert_eq!((&found["used"], &found["of"]), (&json!(2), &json!(3)), "{found}");
    let kept = it.kept_as(&format!("last use by {arn}")).await;
    assert_eq!(kept["services_never_used"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_looked_into_once_people_agree_what_goes_first_first() {
    const INSTANCE: &str = "i-0abc1234def567890";
    let it = Scene::in_sandbox().await;
    let there = json!({"CommandId": "c", "InstanceId": INSTANCE, "Status": "Success",
        "StatusDetails": "Success", "ResponseCode": 0,
        "StandardOutputContent": "== memory\n== connections\ntcp 10.0.1.23:4711\n== processes\nkworkerds\n"});
    let command = json!({"CommandId": "c", "Status": "Success", "StatusDetails": "Success"});
    it.script(json!([
        {"operation": "ssm:ListCommands", "output": {"Commands": [command]}},
        {"operation": "ssm:ListCommandInvocations", "output": {"CommandInvocations": [
            {"CommandId": "c", "InstanceId": INSTANCE, "Status": "Success", "StatusDetails": "Success"}]}},
        {"operation": "ssm:GetCommandInvocation", "output": there},
    ]));
    it.denied("live-response", INSTANCE).await;
    assert_eq!(it.sent("ssm:SendCommand"), 0, "a no sends nothing");
    let memory = json!({"more": {"memory_command": "avml /dev/shm/m"}});
    let run = it.begin("live-response", INSTANCE, memory).await;
    let approval = it.stage.approval(&run).await.to_string();
    assert!(approval.contains("ssm:SendCommand"), "{approval}");
    assert_eq!(it.sent("ssm:SendCommand"), 0, "nothing is sent before somebody agrees");
    it.stage.approve(&run).await;
    let found = it.result(&run).await;
    assert_eq!(found["sections"], json!(["memory", "connections", "processes"]), "{found}");
    let calls = it.stage.aws.calls();
    let sent = calls.iter().find(|call| call.operation == "ssm:SendCommand").unwrap();
    let lines = sent.params["Parameters"]["commands"].to_string();
    let place = |word: &str| lines.find(word).unwrap_or_else(|| panic!("{word}: {lines}"));
    let order =
        ["avml", "== connections", "== processes", "== users", "== recent files"].map(place);
    assert!(order.is_sorted(), "by how soon it is gone: {lines}");
    let kept = it.kept_as(&format!("live response of {INSTANCE}")).await;
    assert!(kept["output"].as_str().unwrap().contains("kworkerds"), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_is_kept_with_the_hash_of_its_code_and_a_sealed_environment() {
    let it = Scene::in_sandbox().await;
    let configuration = json!({"FunctionName": "pay", "CodeSha256": "q1w2", "Runtime": "python3.13",
        "FunctionArn": format!("arn:aws:lambda:us-east-1:{ACCOUNT}:function:pay"),
        "Environment": {"Variables": {"TOKEN": "hunter2hunter2"}}});
    it.script(json!([
        {"operation": "lambda:GetFunctionConfiguration", "output": configuration},
        {"operation": "lambda:ListVersionsByFunction", "output": {"Versions": [configuration]}},
        {"operation": "lambda:GetPolicy", "output": {"Policy": "{\"Statement\":[]}", "RevisionId": "r"}},
    ]));
    it.collect("function", "pay", json!({})).await;
    let kept = it.kept_as("function pay").await;
    assert_eq!(kept["code_sha256"], "q1w2");
    assert!(!kept.to_string().contains("hunter2"), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_resource_was_configured_is_read_page_by_page() {
    let it = Scene::in_sandbox().await;
    let item = |at: &str, status: &str| {
        json!({"resourceType": "AWS::S3::Bucket", "resourceId": "cards", "resourceName": "cards",
            "configurationItemCaptureTime": at, "configurationItemStatus": status})
    };
    let page = |items: Value, next: Value| {
        json!({"operation": "config:GetResourceConfigHistory", "times": 1,
            "output": {"configurationItems": items, "nextToken": next}})
    };
    it.script(json!([
        {"operation": "config:ListDiscoveredResources", "output": {"resourceIdentifiers": [
            {"resourceType": "AWS::S3::Bucket", "resourceId": "cards", "resourceName": "cards"}]}},
        page(json!([item("2026-11-23T08:00:00Z", "OK")]), json!("n")),
        page(json!([item("2026-11-24T02:00:00Z", "ResourceDeleted")]), Value::Null),
    ]));
    let more = json!({"more": {"type": "AWS::S3::Bucket"}, "since": "2d"});
    let ids = it.collect("config-of-named", "cards", more).await;
    assert_eq!(ids, json!(["cards"]));
    let kept = it.kept_as("history of cards").await;
    let history = kept["regions"]["us-east-1"]["configurationItems"].as_array().unwrap();
    assert_eq!(history.len(), 2, "{kept}");
    assert_eq!(history[1]["configurationItemStatus"], "ResourceDeleted");
}
