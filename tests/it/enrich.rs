//! What `lib/enrich` finds out about an alert, as moto plays AWS.

use serde_json::{Value, json};

use crate::organization::{MANAGEMENT, Organization, organization_with};
use crate::stage::{Plan, run_of};

/// Says what is known, and how bad it is then.
const ENRICHED: &str = r#"
import "lib/enrich" as enrich;
const PLAYBOOK = #{ name: "enriched", title: "Says what is known", mode: "ask",
    triggers: [#{ source: "security_hub", type: "*" }] };
let known = enrich::of_alert(alert, config);
severity(known.score.severity);
known
"#;

const SETTINGS: &str = r#"
organization_account = "123456789012"
owner_tags = ["team"]

[[criticality]]
ou = "payments"
points = 10
says = "of payments"

[[criticality]]
type = "AwsS3Bucket"
tag = "stage"
value = "production"
points = 25
says = "a bucket of production"

[[criticality]]
account = "999999999999"
points = 90
says = "somebody else's"
"#;

async fn organization(settings: &str) -> Organization {
    let set = |plan: &mut Plan| plan.config.config = toml::from_str(settings).unwrap();
    let it = organization_with(set).await;
    it.stage.publish(ENRICHED).await;
    it
}

/// A finding about a bucket, a user, a topic and what nobody knows.
fn finding(account: &str) -> Value {
    let resource = |kind: &str, id: String| json!({"Type": kind, "Id": id, "Partition": "aws", "Region": "us-east-1"});
    json!({
        "SchemaVersion": "2018-10-08", "Id": "f1", "ProductArn": "arn:aws:securityhub:us-east-1::product/aws/macie",
        "GeneratorId": "macie", "AwsAccountId": account, "Region": "us-east-1",
        "Types": ["Sensitive Data Identifications/PII"],
        "CreatedAt": "2026-11-24T03:00:00Z", "UpdatedAt": "2026-11-24T03:00:00Z",
        "Severity": {"Label": "MEDIUM"}, "Title": "a bucket holds secrets", "Description": "d",
        "Resources": [
            resource("AwsS3Bucket", "arn:aws:s3:::cards".to_owned()),
            resource("AwsIamUser", format!("arn:aws:iam::{account}:user/mia")),
            resource("AwsSnsTopic", format!("arn:aws:sns:us-east-1:{account}:alarms")),
            resource("AwsS3Bucket", "arn:aws:s3:::gone".to_owned()),
        ],
    })
}

/// Makes what the finding is about.
async fn furnish(it: &Organization) {
    let account = &it.in_inner;
    let call =
        async |operation: &str, params: Value| it.stage.call(account, operation, params).await;
    call("s3:CreateBucket", json!({"Bucket": "cards"})).await;
    let tags = |pairs: &[(&str, &str)]| -> Value {
        pairs.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
    };
    let tagging = json!({"TagSet": tags(&[("stage", "production"), ("team", "cards")])});
    call("s3:PutBucketTagging", json!({"Bucket": "cards", "Tagging": tagging})).await;
    call("iam:CreateUser", json!({"UserName": "mia", "Tags": tags(&[("team", "web")])})).await;
    call("sns:CreateTopic", json!({"Name": "alarms", "Tags": tags(&[("team", "ops")])})).await;
    let of_account = json!({"ResourceId": account, "Tags": tags(&[("cost", "42")])});
    it.stage.call(MANAGEMENT, "organizations:TagResource", of_account).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_known_by_its_account_its_resources_and_a_sum() {
    let it = organization(SETTINGS).await;
    furnish(&it).await;
    let sent = it.stage.detector.post("/webhooks/aws", &finding(&it.in_inner)).await;
    let run = it.stage.over(&run_of(&sent)).await;
    assert_eq!(run["status"], "succeeded", "{run}");
    let known = &run["result"];
    let account = &known["account"];
    assert_eq!((&account["name"], &account["ou_name"]), (&json!("cards"), &json!("payments")));
    assert_eq!(account["tags"], json!({"cost": "42"}));
    let resources = known["resources"].as_array().unwrap();
    let owners: Vec<&Value> = resources.iter().map(|one| &one["owner"]).collect();
    assert_eq!(owners, [&json!("cards"), &json!("web"), &json!("ops"), &Value::Null], "{known}");
    assert_eq!(
        resources[0]["criticality"],
        json!({"points": 25, "says": "a bucket of production"})
    );
    assert_eq!(resources[1]["criticality"]["says"], "of payments");
    assert_eq!(known["score"]["score"], 65, "{known}");
    assert_eq!(
        known["score"]["text"],
        "40 (security_hub says medium) + 25 (cards is a bucket of production) = 65, medium"
    );
    // What could not be learnt is said, and stopped nothing.
    let unknown = known["unknown"].as_array().unwrap();
    assert_eq!(unknown.len(), 1, "{unknown:?}");
    assert!(unknown[0].as_str().unwrap().starts_with("tags of gone: NoSuchBucket"), "{unknown:?}");
    let evidence = it
        .stage
        .mia
        .list(&format!("/incidents/{}/evidence", sent["incident_id"].as_str().unwrap()))
        .await;
    assert!(evidence.iter().any(|item| item["label"] == "enrichment"), "{evidence:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_organization_it_says_so_and_goes_on() {
    let it = organization("").await;
    let sent = it.stage.detector.post("/webhooks/aws", &finding(&it.in_inner)).await;
    let run = it.stage.over(&run_of(&sent)).await;
    assert_eq!(run["status"], "succeeded", "{run}");
    let unknown = run["result"]["unknown"].to_string();
    for part in ["organization_account", "tags of cards: NoSuchBucket", "tags of mia: NoSuchEntity"]
    {
        assert!(unknown.contains(part), "{part}: {unknown}");
    }
    assert_eq!(run["result"]["score"]["score"], 40);
}
