//! What local files know of an address makes an alert worse, and says so.

use serde_json::json;
use stanch_engine_cli::config::Config;

use crate::stage::{Plan, run_of};

/// Says what is known, and how bad it is then.
const ENRICHED: &str = r#"
import "lib/enrich" as enrich;
const PLAYBOOK = #{ name: "enriched", title: "Says what is known", mode: "ask",
    triggers: [#{ source: "guardduty", type: "*" }] };
enrich::of_alert(alert, config)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_address_on_a_list_adds_its_points() {
    let folder = tempfile::tempdir().unwrap();
    let (bad, stix) = (folder.path().join("bad"), folder.path().join("stix.json"));
    std::fs::write(&bad, "198.51.100.0/24 # scanners\n").unwrap();
    let bundle = json!({"type": "bundle", "objects": [{"type": "indicator", "name": "APT 0", "pattern_type": "stix",
        "pattern": "[ipv4-addr:value = '198.51.100.23']", "valid_from": "2026-01-01T00:00:00Z"}]});
    std::fs::write(&stix, bundle.to_string()).unwrap();
    let toml = format!(
        "[[intel.lists]]\nname = \"scanners\"\nfile = {bad:?}\npoints = 5\nsays = \"a scanner\"\n\
         [[intel.lists]]\nname = \"apt\"\nfile = {stix:?}\nformat = \"stix\"\npoints = 30\n"
    );
    let mut plan = Plan::new();
    plan.config.intel = toml::from_str::<Config>(&toml).unwrap().intel;
    plan.ships = false;
    let stage = plan.set().await;
    stage.publish(ENRICHED).await;
    let finding = json!({
        "schemaVersion": "2.0", "accountId": "111122223333", "region": "us-east-1", "id": "f".repeat(32),
        "arn": format!("arn:aws:guardduty:us-east-1:111122223333:detector/d/finding/{}", "f".repeat(32)),
        "type": "Recon:IAMUser/MaliciousIPCaller", "severity": 4.0, "title": "t", "description": "d",
        "createdAt": "2026-11-24T02:58:30.000Z", "updatedAt": "2026-11-24T02:58:30.000Z",
        "resource": {"resourceType": "AccessKey", "accessKeyDetails": {"accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "userName": "ci-deploy", "userType": "IAMUser", "principalId": "AIDA1"}},
        "service": {"serviceName": "guardduty", "count": 1, "archived": false, "action": {
            "actionType": "AWS_API_CALL", "awsApiCallAction": {"api": "ListUsers", "serviceName": "iam.amazonaws.com",
                "callerType": "Remote IP", "remoteIpDetails": {"ipAddressV4": "198.51.100.23"}}}},
    });
    let received = stage.detector.post("/webhooks/guardduty", &finding).await;
    let run = stage.over(&run_of(&received)).await;
    assert_eq!(run["status"], "succeeded", "{run}");
    let known = &run["result"];
    assert_eq!(known["ip"]["lists"].as_array().unwrap().len(), 2, "{run}");
    let text = known["score"]["text"].as_str().unwrap();
    let said = "40 (guardduty says medium) + 30 (198.51.100.23 is APT 0) = 70, high";
    assert_eq!(text, said, "the worst list counts, once");
}
