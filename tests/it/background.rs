//! What `lib/background` learns of an alert: the calls of its principal, the changes of its resources,
//! what Detective found, and how GuardDuty's other findings stand.

use serde_json::{Value, json};
use stanch_engine_core::time::Clock as _;
use stanch_plugins_aws::sandbox::FaultKind;

use crate::stage::{ACCOUNT, KEY, Plan, Stage, USER, id, run_of};

/// Says what lies behind an alert.
const BEHIND: &str = r#"
import "lib/background" as background;
const PLAYBOOK = #{ name: "behind", title: "Says what lies behind", mode: "ask",
    triggers: [#{ source: "guardduty", type: "*" }] };
background::of_alert(alert)
"#;

/// Has Detective investigate the user of an alert.
const INVESTIGATES: &str = r#"
import "lib/background" as background;
const PLAYBOOK = #{ name: "investigates", title: "Has it investigated", mode: "ask",
    inputs: #{ arn: "string" } };
background::investigate(inputs.arn, "2026-11-23T00:00:00Z")
"#;

const MINUTE_MS: i64 = 60_000;

async fn stage() -> Stage {
    let mut plan = Plan::new().manual();
    plan.ships = false;
    let stage = plan.set().await;
    stage.publish(BEHIND).await;
    stage.publish(INVESTIGATES).await;
    stage
}

impl Stage {
    async fn arn(&self) -> String {
        let user = self.call(ACCOUNT, "iam:GetUser", json!({"UserName": USER})).await;
        id(&user["User"]["Arn"])
    }

    /// What a run about the finding of the key says, and the finding's incident.
    async fn behind(&self) -> (Value, Value) {
        let received = self.find_key().await;
        let run = self.over_in_time(&run_of(&received), 1_000).await;
        assert_eq!(run["status"], "succeeded", "{run}");
        (run["result"].clone(), received)
    }

    /// What AWS Config has recorded of the user.
    fn recorded(&self) {
        let version = |at: &str, status: &str| {
            json!({"configurationItemCaptureTime": at, "configurationItemStatus": status,
                "resourceType": "AWS::IAM::User", "resourceId": "AIDA1"})
        };
        let answers = json!({"answers": [
            {"operation": "config:ListDiscoveredResources",
                "match": {"resourceType": "AWS::IAM::User", "resourceName": USER},
                "output": {"resourceIdentifiers": [{"resourceId": "AIDA1", "resourceName": USER}]}},
            {"operation": "config:GetResourceConfigHistory", "match": {"resourceId": "AIDA1"},
                "output": {"configurationItems": [version("2026-11-24T02:00:00Z", "OK"),
                    version("2026-10-24T02:00:00Z", "ResourceDiscovered")]}},
        ]});
        self.aws.load(answers, self.clock.as_ref().unwrap().now()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_behind_a_finding_is_told() {
    let stage = stage().await;
    stage.recorded();
    let arn = stage.arn().await;
    let graph = stage.call(ACCOUNT, "detective:ListGraphs", json!({})).await;
    for entity in [arn.clone(), arn.replace(USER, "somebody-else")] {
        let asked = json!({"GraphArn": graph["GraphList"][0]["Arn"], "EntityArn": entity,
            "ScopeStartTime": "2026-11-23T00:00:00Z", "ScopeEndTime": "2026-11-24T00:00:00Z"});
        stage.call(ACCOUNT, "detective:StartInvestigation", asked).await;
    }
    stage.pass(3 * MINUTE_MS);
    let (behind, received) = stage.behind().await;

    let calls = &behind["calls"];
    assert_eq!(calls["of"], KEY);
    let seen = calls["seen"].as_array().unwrap();
    assert!(seen.len() > 1, "{behind}");
    let first = &seen[0];
    assert!(first["operation"].as_str().unwrap().contains(':'), "{first}");
    assert!(first["ip"].is_string() && first["at"].is_string(), "{first}");
    let counts = calls["operations"].as_object().unwrap().values();
    assert_eq!(counts.filter_map(Value::as_u64).sum::<u64>(), seen.len() as u64);
    let refused = seen.iter().filter(|one| one["error"].is_string()).count();
    assert!(refused > 0 && calls["refused"] == refused, "{behind}");

    let changed = &behind["changes"]["resources"][0];
    assert_eq!(
        (&changed["id"], &changed["changes"][0]["at"]),
        (&json!(USER), &json!("2026-11-24T02:00:00Z"))
    );
    assert_eq!(changed["changes"].as_array().unwrap().len(), 2);

    let found = behind["investigations"]["found"].as_array().unwrap();
    assert_eq!(found.len(), 1, "that of somebody else is none of ours: {behind}");
    assert_eq!((&found[0]["of"], &found[0]["status"]), (&json!(arn), &json!("SUCCESSFUL")));
    assert_eq!(found[0]["indicators"], json!(["FLAGGED_IP_ADDRESS"]));

    let listed = stage.call(ACCOUNT, "guardduty:ListFindings", json!({"DetectorId": "d"})).await;
    let open = listed["FindingIds"].as_array().unwrap().len();
    assert_eq!(
        (&behind["statistics"]["open"], &behind["statistics"]["of_type"]),
        (&json!(open), &json!(1))
    );
    assert_eq!(behind["unknown"], json!([]));
    let text = behind["text"].as_str().unwrap();
    assert!(text.contains("2 changes of its resources; 1 investigations; 1 of "), "{text}");
    let path = format!("/incidents/{}/evidence", id(&received["incident_id"]));
    let evidence = stage.mia.list(&path).await;
    assert!(evidence.iter().any(|item| item["label"] == "background"), "{evidence:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_asked_is_told_and_stops_nothing() {
    let stage = stage().await;
    for operation in [
        "cloudtrail:LookupEvents",
        "config:ListDiscoveredResources",
        "detective:ListGraphs",
        "guardduty:GetFindingsStatistics",
    ] {
        stage.fault(operation, FaultKind::Denied);
    }
    let (behind, _) = stage.behind().await;
    let unknown = behind["unknown"].to_string();
    for part in ["calls in us-east-1: ", "changes of ", "investigations: ", "statistics: "] {
        assert!(unknown.contains(part), "{part}: {unknown}");
    }
    assert!(unknown.contains("AccessDenied"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_investigation_is_begun_and_waited_for() {
    let stage = stage().await;
    let arn = stage.arn().await;
    let run = stage.start("investigates", json!({"arn": arn})).await;
    let ended = stage.over_in_time(&run, 5_000).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let found = &ended["result"];
    assert_eq!((&found["of"], &found["status"]), (&json!(arn), &json!("SUCCESSFUL")));
    assert_eq!(found["indicators"], json!(["FLAGGED_IP_ADDRESS"]));
    let begun = stage.aws.calls().into_iter();
    assert_eq!(begun.filter(|call| call.operation == "detective:StartInvestigation").count(), 1);
}
