//! What others than AWS send, field by field, from the fixtures.

use serde_json::{Value, json};
use stanch_engine_cli::config::Config;
use stanch_engine_cli::wiring;
use stanch_engine_runtime::intake;
use stanch_plugins_aws::Roles;
use stanch_plugins_http::Secrets;

use crate::payloads::{catalogue, fixtures};

/// The members of the only alert of a fixture, without what it came from.
fn read(file: &str) -> Value {
    let body = std::fs::read(fixtures().join(file)).unwrap();
    let reading = intake::normalize(&catalogue(), "auto", &body).unwrap();
    let [alert] = &reading.alerts[..] else { panic!("{reading:?}") };
    let mut said = serde_json::to_value(alert).unwrap();
    said.as_object_mut().unwrap().retain(|name, value| name != "raw" && !value.is_null());
    said
}

fn check(rows: Vec<(&str, Value)>) {
    for (file, expected) in rows {
        let said = read(file);
        for (name, value) in expected.as_object().unwrap() {
            let found = match name.as_str() {
                "ip" => said["actor"]["ip"].clone(),
                "resource" => {
                    let first = &said["resources"][0];
                    json!(format!(
                        "{}/{}",
                        first["type"].as_str().unwrap(),
                        first["id"].as_str().unwrap()
                    ))
                }
                name => said[name].clone(),
            };
            assert_eq!(&found, value, "{file}: {name} in {said}");
        }
    }
}

#[test]
fn each_field_is_where_its_pager_says_it() {
    check(vec![
        (
            "alertmanager.group.json",
            json!({
                "id": "fp1", "type": "DiskFull", "title": "disk full", "severity": "critical",
                "account": "111122223333", "region": "eu-west-1", "status": "active",
                "occurred_at": "2026-11-24T03:00:00Z", "updated_at": "2026-11-24T03:00:00Z",
                "url": "http://p.example", "resource": "AwsEc2Instance/i-0abcdef12",
            }),
        ),
        (
            "grafana.group.json",
            json!({
                "id": "fp2", "type": "High", "severity": "medium", "status": "resolved",
                "updated_at": "2026-11-24T03:05:00Z", "url": "http://g.example/p",
            }),
        ),
        (
            "pagerduty.v3.json",
            json!({
                "id": "P1", "type": "incident.triggered", "title": "t", "severity": "high",
                "status": "active", "detected_at": "2026-11-24T03:00:00Z",
                "updated_at": "2026-11-24T03:05:00Z", "url": "https://p.example/1",
            }),
        ),
        (
            "opsgenie.create.json",
            json!({
                "id": "o1", "type": "Create", "title": "m", "severity": "critical", "status": "active",
                "account": "111122223333", "region": "eu-west-1",
                "detected_at": "2026-11-24T03:05:12.5Z", "resource": "AwsEc2Instance/i-0abcdef12",
            }),
        ),
    ]);
}

#[test]
fn each_field_is_where_its_watcher_says_it() {
    check(vec![
        (
            "datadog.default.json",
            json!({
                "id": "77", "type": "metric_alert_monitor", "title": "CPU", "description": "b",
                "severity": "high", "status": "active", "account": "111122223333",
                "region": "eu-west-1", "updated_at": "2026-11-24T03:05:12.5Z", "url": "https://d.example",
            }),
        ),
        (
            "sentry.issue.json",
            json!({
                "id": "9", "title": "t", "severity": "critical", "status": "active", "count": 4,
                "detected_at": "2026-11-24T03:00:00Z", "updated_at": "2026-11-24T03:05:00Z",
                "url": "https://s.example",
            }),
        ),
        (
            "wazuh.alert.json",
            json!({
                "id": "1.2", "type": "rule/5402", "title": "sudo", "description": "l", "severity": "high",
                "count": 2, "occurred_at": "2026-11-24T03:05:12.5Z", "ip": "198.51.100.7",
                "resource": "Other/001",
            }),
        ),
        (
            "generic.plain.json",
            json!({
                "id": "g1", "title": "Strange login", "severity": "high", "account": "111122223333",
                "region": "eu-west-1", "detected_at": "2026-11-24T03:05:12Z", "ip": "198.51.100.7",
                "resource": "AwsIamUser/mia",
            }),
        ),
    ]);
}

#[test]
fn a_sender_of_the_configuration_is_read_by_its_paths() {
    let config: Config = toml::from_str(
        r#"
        [sources.scanner]
        recognise = "tool == 'scanner'"
        alerts = "results"
        id = "key"
        type = "rule"
        title = "text"
        severity = "rank"
        severities = { A = "critical" }
        account = "cloud.account"
        region = "cloud.region"
        resources = "things[].arn"
        occurred_at = "seen"
        resolved = "state == 'gone'"
        "#,
    )
    .unwrap();
    let catalogue = wiring::catalogue(&config, None, Secrets::default(), Roles::default()).unwrap();
    let one = |key: &str, rank: Value, state: &str| {
        json!({"key": key, "rule": "open-port", "text": "22 is open", "rank": rank, "state": state,
            "cloud": {"account": "111122223333", "region": "eu-west-1"}, "seen": 1_795_489_512,
            "things": [{"arn": "arn:aws:ec2:eu-west-1:111122223333:instance/i-0abcdef12"}]})
    };
    let payload = json!({"tool": "scanner", "results": [
        one("1", json!("A"), "there"), one("2", json!(55), "gone"), one("3", json!("purple"), "there"),
    ]});
    for name in ["auto", "scanner"] {
        let reading = intake::normalize(&catalogue, name, payload.to_string().as_bytes()).unwrap();
        let said = serde_json::to_value(&reading.alerts).unwrap();
        assert_eq!(said[0]["source"], "scanner");
        assert_eq!(said[0]["dedup_key"], "scanner:1:111122223333:eu-west-1");
        assert_eq!(
            (&said[0]["severity"], &said[0]["status"]),
            (&json!("critical"), &json!("active"))
        );
        assert_eq!(
            (&said[1]["severity_score"], &said[1]["status"]),
            (&json!(55), &json!("resolved"))
        );
        assert_eq!(said[0]["resources"][0]["id"], "i-0abcdef12");
        assert_eq!(said[0]["occurred_at"], "2026-11-24T03:05:12Z");
        assert!(reading.refused[0].to_string().contains("sources.scanner.severity"));
    }
}

#[test]
fn a_mapping_that_cannot_be_is_refused_at_the_start() {
    for (text, part) in [
        ("[sources.x]\nseverity = \"a[\"", "sources.x.severity"),
        ("[sources.x]\nid = \"a\"", "sources.x.severity"),
        ("[sources.\"a b\"]\nseverity = \"a\"", "sources.a b.name"),
    ] {
        let config: Config = toml::from_str(text).unwrap();
        let error =
            wiring::catalogue(&config, None, Secrets::default(), Roles::default()).err().unwrap();
        assert!(error.to_string().contains(part), "{error}");
    }
    assert!(toml::from_str::<Config>("[sources.x]\nseverty = \"a\"").is_err());
}
