//! Detectors hear what people made of their findings, and nothing that others have said is lost.

mod second;

use serde_json::{Value, json};
use stanch_engine_cli::config::WriteBack;
use stanch_engine_core::effect::Mode;
use stanch_plugins_aws::sandbox::{FaultKind, Sandbox};
use stanch_tests::eventually;

use crate::stage::{ACCOUNT, Plan, Stage, id};

const PRODUCT: &str = "arn:aws:securityhub:us-east-1::product/aws/macie";
const HUB_ID: &str = "arn:aws:macie:us-east-1:111122223333:finding/1";

async fn stage(set: impl FnOnce(&mut Plan), on_postgres: bool) -> Stage {
    let mut plan = Plan::new().manual();
    plan.config.write_back = WriteBack { security_hub: true, guardduty: true, account: None };
    plan.ships = false;
    set(&mut plan);
    if on_postgres {
        plan = plan.on_postgres().await;
    }
    plan.set().await
}

impl Stage {
    /// Says what an incident was.
    async fn judge(&self, incident: &str, verdict: &str) {
        let body = json!({"verdict": verdict, "reason": "we looked into it"});
        self.mia.post(&format!("/incidents/{incident}/verdict"), &body).await;
    }

    async fn close(&self, incident: &str) {
        let body = json!({"reason": "done", "force": true});
        self.mia.post(&format!("/incidents/{incident}/close"), &body).await;
    }

    /// The newest run that writes back, when it is over; `number` of them there must be by then.
    async fn told(&self, number: usize) -> Value {
        let runs = eventually("a run that writes back", async || {
            let runs = self.mia.list("/runs?playbook=write-back").await;
            if runs.len() < number {
                self.pass(1_000);
            }
            Some(runs).filter(|runs| runs.len() >= number)
        });
        let runs = runs.await;
        assert_eq!(runs.len(), number);
        self.over_in_time(&id(&runs[0]["id"]), 1_000).await
    }

    /// What GuardDuty keeps of the demo's finding.
    async fn kept(&self) -> Value {
        let all = json!({"DetectorId": "d", "FindingIds": ["8ac1f2d3e4b5a6978899aabbccddeeff"]});
        self.call(ACCOUNT, "guardduty:GetFindings", all).await["Findings"][0]["Service"].clone()
    }

    async fn hub(&self) -> Value {
        let all = self.call(ACCOUNT, "securityhub:GetFindings", json!({})).await;
        all["Findings"][0].clone()
    }

    async fn lines(&self, incident: &str) -> String {
        let lines = self.mia.list(&format!("/incidents/{incident}/timeline")).await;
        lines.iter().map(|line| format!("{}\n", line["text"].as_str().unwrap())).collect()
    }
}

/// A finding of Security Hub, as it keeps it.
fn in_hub(workflow: &str) -> Value {
    json!({
        "SchemaVersion": "2018-10-08", "Id": HUB_ID, "ProductArn": PRODUCT, "ProductName": "Macie",
        "GeneratorId": "g", "AwsAccountId": ACCOUNT, "Region": "us-east-1", "Types": ["TTPs/Discovery"],
        "CreatedAt": "2026-11-24T02:58:00.000Z", "UpdatedAt": "2026-11-24T02:58:00.000Z",
        "Severity": {"Label": "HIGH"}, "Title": "a bucket is open", "Description": "d",
        "Resources": [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::cards"}],
        "Workflow": {"Status": workflow}, "RecordState": "ACTIVE",
    })
}

fn event(finding: &Value) -> Value {
    json!({
        "version": "0", "id": "e", "detail-type": "Security Hub Findings - Imported", "source": "aws.securityhub",
        "account": ACCOUNT, "time": "2026-11-24T02:59:00Z", "region": "us-east-1", "resources": [],
        "detail": {"findings": [finding]},
    })
}

/// A node that has heard of the hub's finding, and its incident.
async fn of_hub(set: impl FnOnce(&mut Plan), on_postgres: bool) -> (Stage, String) {
    let stage = stage(set, on_postgres).await;
    let finding = in_hub("NEW");
    stage.call(ACCOUNT, "securityhub:BatchImportFindings", json!({"Findings": [finding]})).await;
    let received = stage.detector.post("/webhooks/aws", &event(&finding)).await;
    (stage, id(&received["incident_id"]))
}

async fn guardduty_hears(on_postgres: bool) {
    let stage = stage(|_| {}, on_postgres).await;
    let incident = id(&stage.find_key().await["incident_id"]);
    stage.judge(&incident, "false_positive").await;
    let run = stage.told(1).await;
    assert_eq!(run["status"], "succeeded", "{run}\n{}", stage.lines(&incident).await);
    let kept = stage.kept().await;
    assert_eq!((&kept["UserFeedback"], &kept["Archived"]), (&json!("NOT_USEFUL"), &json!(false)));
    // Nobody was asked, although the account asks: who switched it on has said so.
    assert_eq!(stage.mia.list("/approvals").await.len(), 0);
    stage.close(&incident).await;
    assert_eq!(stage.told(2).await["status"], "succeeded");
    assert_eq!(stage.kept().await["Archived"], true);
    assert_eq!(
        stage.changes(),
        ["guardduty:UpdateFindingsFeedback", "guardduty:ArchiveFindings"],
        "each once"
    );
    assert!(stage.lines(&incident).await.contains("guardduty:ArchiveFindings"));

    // The detector's answer to it does not open the incident again.
    let mut archived = Sandbox::demo_finding(stage.runtime.world().now());
    archived["detail"]["service"]["archived"] = json!(true);
    archived["detail"]["updatedAt"] = json!("2026-11-24T09:00:00.000Z");
    let again = stage.detector.post("/webhooks/guardduty", &archived).await;
    assert_eq!(stage.incident(&again).await["status"], "closed");
    assert_eq!(
        stage.mia.list("/pages").await.iter().filter(|p| p["code"] == "seen_again").count(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn guardduty_hears_of_it_on_sqlite() {
    guardduty_hears(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guardduty_hears_of_it_on_postgres() {
    guardduty_hears(true).await;
}

async fn hub_hears(on_postgres: bool) {
    let (stage, incident) = of_hub(|_| {}, on_postgres).await;
    stage.judge(&incident, "true_positive").await;
    assert_eq!(stage.told(1).await["status"], "succeeded");
    let kept = stage.hub().await;
    assert_eq!(kept["Workflow"]["Status"], "NOTIFIED");
    assert_eq!(kept["Note"]["UpdatedBy"], "stanch");
    assert_eq!(
        kept["Note"]["Text"],
        json!(format!("true_positive ({incident}): we looked into it"))
    );
    stage.close(&incident).await;
    assert_eq!(stage.told(2).await["status"], "succeeded");
    assert_eq!(stage.hub().await["Workflow"]["Status"], "RESOLVED");
    // Opened again and judged otherwise: what we have said ourselves we may say anew.
    stage.mia.post(&format!("/incidents/{incident}/reopen"), &json!({"reason": "x"})).await;
    stage.judge(&incident, "false_positive").await;
    assert_eq!(stage.told(3).await["status"], "succeeded");
    assert_eq!(stage.hub().await["Workflow"]["Status"], "SUPPRESSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn security_hub_hears_of_it_on_sqlite() {
    hub_hears(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn security_hub_hears_of_it_on_postgres() {
    hub_hears(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_has_said_meanwhile_stays() {
    let (stage, incident) = of_hub(|_| {}, false).await;
    let theirs = json!({
        "FindingIdentifiers": [{"Id": HUB_ID, "ProductArn": PRODUCT}],
        "Workflow": {"Status": "RESOLVED"}, "Note": {"Text": "I closed the bucket", "UpdatedBy": "kim"},
    });
    stage.call(ACCOUNT, "securityhub:BatchUpdateFindings", theirs).await;
    stage.judge(&incident, "false_positive").await;
    assert_eq!(stage.told(1).await["status"], "succeeded");
    let kept = stage.hub().await;
    assert_eq!(
        (&kept["Workflow"]["Status"], &kept["Note"]["UpdatedBy"]),
        (&json!("RESOLVED"), &json!("kim"))
    );
    assert!(
        stage.lines(&incident).await.contains("somebody else has set it to RESOLVED, which stays")
    );

    let found = stage.find_key().await;
    let incident = id(&found["incident_id"]);
    let which = json!({"DetectorId": "d", "FindingIds": ["8ac1f2d3e4b5a6978899aabbccddeeff"], "Feedback": "USEFUL"});
    stage.call(ACCOUNT, "guardduty:UpdateFindingsFeedback", which).await;
    stage.judge(&incident, "false_positive").await;
    assert_eq!(stage.told(2).await["status"], "succeeded");
    assert_eq!(stage.kept().await["UserFeedback"], "USEFUL");
    assert!(
        stage.lines(&incident).await.contains("somebody else has said USEFUL of it, which stays")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_and_is_not_so_is_said() {
    let (stage, incident) = of_hub(|_| {}, false).await;
    stage.fault("securityhub:BatchUpdateFindings", FaultKind::AcceptWithoutEffect);
    stage.judge(&incident, "false_positive").await;
    let run = stage.told(1).await;
    assert_eq!(run["status"], "failed", "{run}");
    assert_eq!(stage.hub().await["Workflow"]["Status"], "NEW");
    let pages = stage.mia.list("/pages").await;
    let page = pages.iter().find(|page| page["code"] == "ST0105");
    assert!(page.unwrap()["message"].as_str().unwrap().contains("NOT EFFECTIVE"), "{pages:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_only_observed_it_is_recorded_and_not_told() {
    let (stage, incident) = of_hub(
        |plan| {
            let observed = stanch_engine_cli::config::Account::of_mode(Mode::Observe);
            plan.config.accounts.insert(ACCOUNT.to_owned(), observed);
        },
        false,
    )
    .await;
    stage.judge(&incident, "false_positive").await;
    assert_eq!(stage.told(1).await["status"], "succeeded");
    assert_eq!(stage.hub().await["Workflow"]["Status"], "NEW");
    assert!(stage.lines(&incident).await.contains("recorded, and not told"));
}

/// Somebody's own playbook of the same name has none of its rights.
#[tokio::test(flavor = "multi_thread")]
async fn only_what_comes_with_the_binary_is_not_asked_about() {
    let stage = stage(|_| {}, false).await;
    let own = r#"
const PLAYBOOK = #{ name: "write-back", title: "Not ours", mode: "auto" };
aws("guardduty:ArchiveFindings", #{ DetectorId: "d", FindingIds: ["8ac1f2d3e4b5a6978899aabbccddeeff"] })
"#;
    stage.publish(own).await;
    let run = stage.start_for_finding("write-back").await;
    stage.approval(&run).await;
    assert_eq!(stage.kept().await["Archived"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_and_what_nobody_switched_on_are_told_nothing() {
    let stage = stage(|plan| plan.config.write_back.guardduty = false, false).await;
    let incident = id(&stage.find_key().await["incident_id"]);
    stage.judge(&incident, "false_positive").await;
    let mut sample = in_hub("NEW");
    sample["Sample"] = json!(true);
    stage.call(ACCOUNT, "securityhub:BatchImportFindings", json!({"Findings": [sample]})).await;
    let received = stage.detector.post("/webhooks/aws", &event(&sample)).await;
    stage.judge(&id(&received["incident_id"]), "false_positive").await;
    // The one that is told shows that the others were passed over.
    let mut real = in_hub("NEW");
    real["Id"] = json!("arn:aws:macie:us-east-1:111122223333:finding/2");
    stage.call(ACCOUNT, "securityhub:BatchImportFindings", json!({"Findings": [real]})).await;
    let received = stage.detector.post("/webhooks/aws", &event(&real)).await;
    stage.judge(&id(&received["incident_id"]), "false_positive").await;
    let run = stage.told(1).await;
    assert_eq!(run["incident_id"], received["incident_id"]);
    let told = stage.changes().into_iter().filter(|made| made != "securityhub:BatchImportFindings");
    assert_eq!(told.collect::<Vec<_>>(), ["securityhub:BatchUpdateFindings"]);
}
