//! Security Hub's second version, whose findings are in OCSF.

use super::*;

/// A finding, as Security Hub's second version keeps it.
fn finding(uid: Option<&str>) -> Value {
    let mut finding = json!({
        "class_uid": 2004, "class_name": "Detection Finding", "activity_id": 1, "severity_id": 4,
        "status_id": 1, "time": 1_795_489_080_000_u64,
        "metadata": {"version": "1.6.0", "product": {"uid": "arn:aws:securityhub:us-east-1::productv2/aws/guardduty",
            "name": "GuardDuty", "vendor_name": "AWS"}},
        "finding_info": {"uid": "arn:aws:guardduty:us-east-1:111122223333:detector/d/finding/9", "title": "a host scans ports",
            "types": ["Discovery"], "created_time": 1_795_489_080_000_u64, "modified_time": 1_795_489_080_000_u64},
        "cloud": {"provider": "AWS", "region": "us-east-1", "account": {"uid": ACCOUNT}},
        "resources": [{"uid": "i-0abc1234def567890", "type": "AwsEc2Instance"}],
    });
    if let Some(uid) = uid {
        finding["metadata"]["uid"] = json!(uid);
    }
    finding
}

/// A node that has heard of a finding in OCSF, and its incident.
async fn heard(finding: &Value, on_postgres: bool) -> (Stage, String) {
    let stage = stage(|_| {}, on_postgres).await;
    let state = json!({"state": {"security_hub_v2": [finding]}});
    stage.aws.load(state, stage.runtime.world().now()).unwrap();
    let mut event = event(finding);
    event["detail-type"] = json!("Findings Imported V2");
    let received = stage.detector.post("/webhooks/aws", &event).await;
    let alert = stage.mia.get(&format!("/alerts/{}", id(&received["alert_id"]))).await;
    assert_eq!(alert["source"], "security_hub", "{alert}");
    (stage, id(&received["incident_id"]))
}

impl Stage {
    async fn in_ocsf(&self) -> Value {
        self.call(ACCOUNT, "securityhub:GetFindingsV2", json!({})).await["Findings"][0].clone()
    }
}

async fn hears(uid: Option<&str>, on_postgres: bool) {
    let (stage, incident) = heard(&finding(uid), on_postgres).await;
    stage.judge(&incident, "true_positive").await;
    let run = stage.told(1).await;
    assert_eq!(run["status"], "succeeded", "{run}\n{}", stage.lines(&incident).await);
    let kept = stage.in_ocsf().await;
    let note = format!("true_positive ({incident}): we looked into it");
    assert_eq!((&kept["status_id"], &kept["comment"]), (&json!(2), &json!(note)));
    stage.close(&incident).await;
    let run = stage.told(2).await;
    assert_eq!(
        (&run["status"], &stage.in_ocsf().await["status_id"]),
        (&json!("succeeded"), &json!(4))
    );
    assert_eq!(stage.changes(), ["securityhub:BatchUpdateFindingsV2"; 2]);
    assert_eq!(stage.mia.list("/approvals").await.len(), 0, "who switched it on has said so");

    // What we have said is taken back by an undo, which a person agrees to.
    let path = format!("/runs/{}/undo", id(&run["id"]));
    let undo = id(&stage.mia.post(&path, &json!({"reason": "too early"})).await["id"]);
    stage.approve(&undo).await;
    assert_eq!(stage.over_in_time(&undo, 1_000).await["status"], "succeeded");
    assert_eq!(stage.in_ocsf().await["status_id"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_version_hears_of_it_on_sqlite() {
    hears(Some("0a1b2c"), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_version_hears_of_it_on_postgres() {
    hears(Some("0a1b2c"), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_without_an_id_of_its_own_is_known_by_account_and_product() {
    hears(None, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_has_said_of_it_stays() {
    let (stage, incident) = heard(&finding(Some("0a1b2c")), false).await;
    let theirs = json!({"MetadataUids": ["0a1b2c"], "StatusId": 4, "Comment": "I closed the port"});
    stage.call(ACCOUNT, "securityhub:BatchUpdateFindingsV2", theirs).await;
    stage.judge(&incident, "false_positive").await;
    assert_eq!(stage.told(1).await["status"], "succeeded");
    let kept = stage.in_ocsf().await;
    assert_eq!((&kept["status_id"], &kept["comment"]), (&json!(4), &json!("I closed the port")));
    let lines = stage.lines(&incident).await;
    assert!(lines.contains("somebody else has set it to status 4, which stays"), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_accepted_and_is_not_so_is_said() {
    let (stage, incident) = heard(&finding(Some("0a1b2c")), false).await;
    stage.fault("securityhub:BatchUpdateFindingsV2", FaultKind::AcceptWithoutEffect);
    stage.judge(&incident, "false_positive").await;
    assert_eq!(stage.told(1).await["status"], "failed");
    assert_eq!(stage.in_ocsf().await["status_id"], 1);
}
