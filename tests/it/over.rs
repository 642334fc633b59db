//! What is over when it first comes is no work, until it comes back.

use serde_json::{Value, json};

use crate::stage::{ACCOUNT, Plan, id};

/// Is started by whatever comes, and waits for a person.
const ASKS: &str = r#"
const PLAYBOOK = #{ name: "asks", title: "Asks", mode: "ask", triggers: [#{ source: "*", type: "*" }] };
approval("Go on?", #{ expires: "90d" }).outcome
"#;

const OVER: &str = "2026-11-24T02:50:00Z";

fn alarm(state: &str, at: &str) -> Value {
    json!({
        "version": "0", "id": format!("{state}-{at}"), "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch", "account": ACCOUNT, "time": at, "region": "us-east-1",
        "resources": [format!("arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:shop-5xx")],
        "detail": {"alarmName": "shop-5xx", "state": {"value": state, "reason": "r", "timestamp": at},
            "configuration": {"metrics": []}},
    })
}

fn rule(compliance: &str, at: &str) -> Value {
    json!({
        "messageType": "ComplianceChangeNotification", "configRuleName": "r",
        "resourceType": "AWS::S3::Bucket", "resourceId": "evidence", "awsRegion": "us-east-1",
        "awsAccountId": ACCOUNT,
        "newEvaluationResult": {"complianceType": compliance, "resultRecordedTime": at},
    })
}

/// A finding in Security Hub's format.
fn finding(number: u32, said: (&str, &str), at: &str) -> Value {
    let (compliance, workflow) = said;
    json!({
        "SchemaVersion": "2018-10-08", "Id": format!("f{number}"), "GeneratorId": "g",
        "ProductArn": "arn:aws:securityhub:us-east-1::product/aws/securityhub",
        "AwsAccountId": ACCOUNT, "Region": "us-east-1", "Types": ["Effects/Data Exposure"],
        "CreatedAt": "2026-11-24T02:10:00Z", "UpdatedAt": at, "Severity": {"Label": "HIGH"},
        "Title": "a bucket is public", "Description": "Anybody can read it.",
        "Compliance": {"Status": compliance}, "Workflow": {"Status": workflow},
        "RecordState": "ACTIVE",
        "Resources": [{"Type": "AwsS3Bucket", "Id": format!("arn:aws:s3:::bucket-{number}")}],
    })
}

/// Each as it is over, with its status, and as it comes back.
fn all() -> [(Value, &'static str, Value); 4] {
    let (over, back) = (OVER, "2026-11-24T02:55:00Z");
    [
        (alarm("OK", over), "resolved", alarm("ALARM", back)),
        (rule("COMPLIANT", over), "resolved", rule("NON_COMPLIANT", back)),
        (finding(1, ("PASSED", "NEW"), over), "resolved", finding(1, ("FAILED", "NEW"), back)),
        (
            finding(2, ("FAILED", "SUPPRESSED"), over),
            "suppressed",
            finding(2, ("FAILED", "NEW"), back),
        ),
    ]
}

async fn is_no_work_until_it_comes_back(plan: Plan) {
    let mut plan = plan.manual();
    plan.ships = false;
    let stage = plan.set().await;
    stage.publish(ASKS).await;
    let mut kept = Vec::new();
    for (over, status, _) in all() {
        let answer = stage.detector.post("/webhooks/aws", &over).await;
        let (incident, runs) = (&answer["incident_id"], &answer["run_ids"]);
        assert_eq!((incident, runs), (&Value::Null, &json!([])), "{over}");
        let alert = stage.mia.get(&format!("/alerts/{}", id(&answer["alert_id"]))).await;
        assert_eq!((&alert["status"], &alert["incident_id"]), (&json!(status), &Value::Null));
        assert_eq!(stage.detector.post("/webhooks/aws", &over).await["duplicate"], true);
        kept.push(id(&answer["alert_id"]));
    }
    for path in ["/incidents", "/runs"] {
        assert_eq!(stage.mia.list(path).await, Vec::<Value>::new(), "{path}");
    }
    assert_eq!(stage.mia.get("/kpis?window=30d").await["incidents"], 0);

    for ((over, _, back), kept) in all().into_iter().zip(kept) {
        let taken = stage.detector.post("/webhooks/aws", &back).await;
        assert_eq!((&taken["alert_id"], &taken["duplicate"]), (&json!(kept), &json!(false)));
        assert_eq!(taken["run_ids"].as_array().unwrap().len(), 1, "{back}");
        assert_eq!(stage.incident(&taken).await["status"], "open");
        // What ends in its incident stays there.
        let ends = over.to_string().replace(OVER, "2026-11-24T02:58:00Z");
        let ended = stage.detector.post("/webhooks/aws", &ends.parse().unwrap()).await;
        assert_eq!(ended["incident_id"], taken["incident_id"], "{ends}");
    }
    assert_eq!(stage.mia.list("/incidents").await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_no_work_until_it_comes_back_on_sqlite() {
    is_no_work_until_it_comes_back(Plan::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_no_work_until_it_comes_back_on_postgres() {
    is_no_work_until_it_comes_back(Plan::new().on_postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_names_has_an_incident_though_it_is_over() {
    let stage = Plan::new().manual().set().await;
    let kept = stage.detector.post("/webhooks/aws", &alarm("OK", OVER)).await;
    assert_eq!(kept["incident_id"], Value::Null);
    let path = format!("/alerts/{}/replay", id(&kept["alert_id"]));
    let named = stage.mia.post(&path, &json!({})).await;
    assert!(named["incident_id"].is_string(), "{named}");
}
