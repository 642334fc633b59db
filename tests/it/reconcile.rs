//! What detectors list is compared with what came: nothing is missed, and nothing is taken twice.

use serde_json::{Value, json};
use stanch_engine_cli::config::Config;
use stanch_plugins_aws::sandbox::FaultKind;
use stanch_tests::eventually;
use stanch_tests::moto::Moto;

use crate::stage::{ACCOUNT, Plan, Stage, id};

const QUARTER_MS: i64 = 15 * 60_000;

/// A finding about an instance of its own, as EventBridge delivers it.
fn finding(number: u32, at: &str) -> Value {
    json!({
        "schemaVersion": "2.0", "accountId": ACCOUNT, "region": "us-east-1", "partition": "aws",
        "id": format!("{number:032x}"),
        "arn": format!("arn:aws:guardduty:us-east-1:{ACCOUNT}:detector/d/finding/{number:032x}"),
        "type": "Recon:EC2/Portscan", "severity": 5.0, "title": "a host scans ports",
        "description": "It scans the ports of a host on the internet.",
        "createdAt": at, "updatedAt": at,
        "resource": {"resourceType": "Instance", "instanceDetails": {"instanceId": format!("i-{number:017x}")}},
        "service": {"serviceName": "guardduty", "detectorId": "d", "count": 1, "archived": false,
            "eventFirstSeen": at, "eventLastSeen": at},
    })
}

/// The same as `GetFindings` answers it.
fn listed(finding: &Value) -> Value {
    let capital = |name: &str| name[..1].to_uppercase() + &name[1..];
    match finding {
        Value::Object(all) => {
            all.iter().map(|(name, value)| (capital(name), listed(value))).collect()
        }
        other => other.clone(),
    }
}

async fn stage(more: &str, on_postgres: bool) -> Stage {
    let mut plan = Plan::new().manual();
    let read: Config = toml::from_str(&format!("[reconcile]\n{more}")).unwrap();
    (plan.config.reconcile, plan.ships) = (read.reconcile, false);
    if on_postgres {
        plan = plan.on_postgres().await;
    }
    let stage = plan.set().await;
    stage.round("complete").await;
    stage
}

impl Stage {
    async fn reconciled(&self) -> Value {
        self.mia.get("/reconcile").await
    }

    /// The first list, when its last look has ended so, at the time that it is.
    async fn round(&self, outcome: &str) -> Value {
        let now = self.mia.get("/reconcile").await["items"][0]["checked_at"].clone();
        let what = format!("a look that ends as {outcome}, and is no older than {now}");
        eventually(&what, async || {
            let found = self.reconciled().await["items"][0].clone();
            Some(found).filter(|it| it["outcome"] == outcome)
        })
        .await
    }

    /// Lets time pass until the next look has ended so.
    async fn next_round(&self, outcome: &str) -> Value {
        let before = self.reconciled().await["items"][0]["checked_at"].clone();
        self.pass(QUARTER_MS + 1_000);
        eventually(&format!("the next look, {outcome}"), async || {
            let found = self.reconciled().await["items"][0].clone();
            let is_next = found["checked_at"] != before && found["outcome"] != "waiting";
            if is_next {
                assert_eq!(found["outcome"], outcome, "{found}");
            } else {
                self.pass(100);
            }
            is_next.then_some(found)
        })
        .await
    }
}

async fn alerts(stage: &Stage) -> usize {
    stage.mia.list("/alerts?limit=500").await.len()
}

async fn what_never_came_is_taken(on_postgres: bool) {
    let stage = stage("sources = [\"guardduty\"]", on_postgres).await;
    let (had, missed_before) = (alerts(&stage).await, stage.reconciled().await["missed"].clone());
    let all: Vec<_> = (0..120).map(|number| finding(number, "2026-11-24T02:58:30.000Z")).collect();
    stage.aws.add_findings(all.iter().map(listed));
    for finding in &all[..3] {
        stage.detector.post("/webhooks/guardduty", finding).await;
    }
    let row = stage.next_round("complete").await;
    let missed =
        stage.reconciled().await["missed"].as_u64().unwrap() - missed_before.as_u64().unwrap();
    // The two of the demo changed in the last minutes, and were not due before.
    let demo = missed - 117;
    assert!(demo <= 2, "{row}");
    assert_eq!(alerts(&stage).await, had + 120 + usize::try_from(demo).unwrap());

    // It is as if it had come: by its own source, in an incident, and it is said how it was found.
    let found = stage.mia.list("/alerts?limit=500").await;
    let found = found.iter().find(|alert| alert["id"] == format!("{:032x}", 119)).unwrap();
    assert_eq!((&found["source"], &found["deliveries"]), (&json!("guardduty"), &json!(1)));
    let told = stage.mia.list(&format!("/incidents/{}/timeline", id(&found["incident_id"]))).await;
    assert!(
        told.iter().any(|line| line["text"].as_str().unwrap().contains("found by reconciliation"))
    );
    // And when it comes late after all, it is a duplicate.
    let late = stage.detector.post("/webhooks/guardduty", &all[119]).await;
    assert_eq!((&late["duplicate"], &late["incident_id"]), (&json!(true), &found["incident_id"]));

    // Nothing is taken again from the overlap of two looks; a later version is.
    let before = alerts(&stage).await;
    stage.next_round("complete").await;
    let changed = json!({"DetectorId": "d", "FindingIds": [all[5]["id"]], "Feedback": "USEFUL"});
    stage.call(ACCOUNT, "guardduty:UpdateFindingsFeedback", changed).await;
    let row = stage.next_round("complete").await;
    assert_eq!((alerts(&stage).await, &row["updated"]), (before, &json!(1)));
    assert_eq!(row["missed"].as_u64().unwrap(), missed + missed_before.as_u64().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_came_is_taken_on_sqlite() {
    what_never_came_is_taken(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_came_is_taken_on_postgres() {
    what_never_came_is_taken(true).await;
}

async fn both_ways_at_once(on_postgres: bool) {
    let stage = stage("sources = [\"guardduty\"]", on_postgres).await;
    let had = alerts(&stage).await;
    let all: Vec<_> = (0..40).map(|number| finding(number, "2026-11-24T02:45:00.000Z")).collect();
    stage.aws.add_findings(all.iter().map(listed));
    let before = stage.reconciled().await["items"][0]["checked_at"].clone();
    stage.pass(1_000);
    let mut sent = tokio::task::JoinSet::new();
    for finding in all {
        let detector = stage.detector.clone();
        sent.spawn(async move { detector.post("/webhooks/guardduty", &finding).await });
    }
    stage.mia.post("/reconcile", &json!({})).await;
    assert_eq!(sent.join_all().await.len(), 40);
    eventually("the look that was asked for", async || {
        let found = stage.reconciled().await["items"][0].clone();
        (found["checked_at"] != before && found["outcome"] == "complete").then_some(())
    })
    .await;
    assert_eq!(alerts(&stage).await, had + 40);
    let incidents = stage.mia.list("/incidents?limit=500").await;
    assert_eq!(incidents.len(), had + 40, "each has an incident of its own, and no second one");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_by_both_ways_at_once_is_one_on_sqlite() {
    both_ways_at_once(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_by_both_ways_at_once_is_one_on_postgres() {
    both_ways_at_once(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_is_denied_is_said_and_made_up_for() {
    let stage = stage("sources = [\"guardduty\"]", false).await;
    let good = stage.reconciled().await["items"][0].clone();
    stage.aws.add_findings([listed(&finding(1, "2026-11-24T02:58:00.000Z"))]);
    stage.fault("guardduty:ListFindings", FaultKind::Denied);
    let denied = stage.next_round("denied").await;
    assert_eq!(denied["complete_until"], good["complete_until"], "nothing was compared since");
    assert!(denied["error"].as_str().unwrap().contains("AccessDenied"), "{denied}");
    let missed = denied["missed"].as_u64().unwrap();
    let made_up = stage.next_round("complete").await;
    assert!(made_up["missed"].as_u64().unwrap() > missed, "{made_up}");
    assert_eq!(made_up["error"], Value::Null);
    // What is throttled once is tried again in the same look.
    stage.fault("guardduty:ListFindings", FaultKind::Throttle);
    stage.fault("guardduty:GetFindings", FaultKind::Throttle);
    stage.next_round("complete").await;
}

/// A finding as Security Hub has it.
fn hub(number: u32, product: &str, workflow: &str) -> Value {
    json!({
        "SchemaVersion": "2018-10-08", "Id": format!("arn:aws:x:us-east-1:{ACCOUNT}:finding/{number}"),
        "ProductArn": format!("arn:aws:securityhub:us-east-1::product/aws/{}", product.to_lowercase()),
        "ProductName": product, "GeneratorId": "g", "AwsAccountId": ACCOUNT, "Region": "us-east-1",
        "Types": ["TTPs/Discovery"], "CreatedAt": "2026-11-24T02:58:00.000Z",
        "UpdatedAt": "2026-11-24T02:58:00.000Z", "Severity": {"Label": "HIGH"}, "Title": product,
        "Description": "d", "Resources": [{"Type": "AwsEc2Instance", "Id": format!("i-{number:017x}")}],
        "Workflow": {"Status": workflow}, "RecordState": "ACTIVE",
    })
}

/// The account that moto plays. It has Security Hub's lists, in pages of its own, and of GuardDuty's
/// the detectors.
const MOTOS: &str = "123456789012";

#[tokio::test(flavor = "multi_thread")]
async fn what_moto_lists_is_taken_page_by_page() {
    let moto = Moto::start().await;
    let mut plan = Plan::new().manual();
    let toml = format!(
        "[reconcile]\naccounts = [\"{MOTOS}\"]\nsources = [\"guardduty\", \"security_hub\"]\n"
    );
    let read: Config = toml::from_str(&toml).unwrap();
    (plan.config.reconcile, plan.ships) = (read.reconcile, false);
    plan.aws_url = Some(moto.url().to_owned());
    let stage = plan.set().await;
    stage.round("off").await;
    let all: Vec<_> = (0..130).map(|number| hub(number, "Macie", "NEW")).collect();
    for some in all.chunks(100) {
        stage.call(MOTOS, "securityhub:BatchImportFindings", json!({"Findings": some})).await;
    }
    for finding in &all[..5] {
        stage.detector.post("/webhooks/aws", finding).await;
    }
    let hub = async |missed: u64| {
        eventually("what moto lists of the hub", async || {
            let found = stage.reconciled().await["items"][1].clone();
            Some(found).filter(|it| it["outcome"] == "complete" && it["missed"] == missed)
        })
        .await
    };
    let off = stage.next_round("off").await;
    assert!(off["error"].as_str().unwrap().contains("no detector"), "{off}");
    hub(125).await;
    assert_eq!(alerts(&stage).await, 130);
    // The same list again tells nothing new.
    stage.next_round("off").await;
    hub(125).await;
    assert_eq!(alerts(&stage).await, 130);
    assert!(moto.log().matches("/findings").count() >= 4, "{}", moto.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn security_hub_tells_what_it_has_from_others() {
    let stage = stage("sources = [\"guardduty\", \"security_hub\"]", false).await;
    let findings = [
        hub(1, "Inspector", "NEW"),
        hub(2, "GuardDuty", "NEW"),
        hub(3, "Macie", "SUPPRESSED"),
        hub(4, "Macie", "NOTIFIED"),
    ];
    stage.call(ACCOUNT, "securityhub:BatchImportFindings", json!({"Findings": findings})).await;
    stage.next_round("complete").await;
    let found = eventually("what the hub has", async || {
        let found = stage.reconciled().await["items"][1].clone();
        Some(found).filter(|it| it["outcome"] == "complete" && it["missed"] != 0)
    });
    assert_eq!(found.await["missed"], 2);
    let alerts = stage.mia.list("/alerts?source=security_hub").await;
    let mut titles: Vec<_> = alerts.iter().map(|alert| id(&alert["title"])).collect();
    titles.sort();
    assert_eq!(titles, ["Inspector", "Macie"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_compared_that_nobody_configured() {
    let stage = Plan::new().set().await;
    assert_eq!(stage.reconciled().await["items"], json!([]));
    let (status, problem) = stage.mia.post_refused("/reconcile", &json!({})).await;
    assert!(status == 409 && problem.to_string().contains("[reconcile]"), "{problem}");
}
