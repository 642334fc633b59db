//! Noise is tamed and nothing is lost: rules of correlation, suppressions, maintenance, storms, and
//! sources that fall silent.

use serde_json::{Value, json};
use stanch_engine_cli::config::Config;

use crate::stage::{Plan, Stage, id};

const HOUR_MS: i64 = 3_600_000;

/// Waits for a person, once for each alert that starts it.
const ASKS: &str = r#"
const PLAYBOOK = #{ name: "asks", title: "Asks", mode: "ask",
    triggers: [#{ source: "guardduty", type: "*" }] };
approval("Go on?", #{ expires: "90d" }).outcome
"#;

/// A finding about an instance of its own.
fn finding(number: u32) -> Value {
    json!({
        "schemaVersion": "2.0", "accountId": "111122223333", "region": "us-east-1",
        "id": format!("{number:032x}"),
        "arn": format!("arn:aws:guardduty:us-east-1:111122223333:detector/d/finding/{number:032x}"),
        "type": "Recon:EC2/Portscan", "severity": 5, "title": "a host scans ports",
        "description": "It scans the ports of a host on the internet.",
        "createdAt": "2026-11-24T02:58:30.000Z", "updatedAt": "2026-11-24T02:58:30.000Z",
        "resource": {"resourceType": "Instance", "instanceDetails": {"instanceId": format!("i-{number:017x}")}},
        "service": {"serviceName": "guardduty", "count": 1, "archived": false,
            "eventFirstSeen": "2026-11-24T02:50:00.000Z", "eventLastSeen": "2026-11-24T02:56:00.000Z"},
    })
}

fn updated(mut finding: Value, at: &str) -> Value {
    finding["updatedAt"] = json!(at);
    finding
}

async fn stage(toml: &str, on_postgres: bool) -> Stage {
    let mut plan = Plan::new().manual();
    let read: Config = toml::from_str(toml).unwrap();
    (plan.config.correlation, plan.config.storms) = (read.correlation, read.storms);
    (plan.config.sources, plan.ships) = (read.sources, false);
    if on_postgres {
        plan = plan.on_postgres().await;
    }
    let stage = plan.set().await;
    stage.publish(ASKS).await;
    stage
}

impl Stage {
    async fn find(&self, finding: &Value) -> Value {
        self.detector.post("/webhooks/guardduty", finding).await
    }

    async fn count(&self, path: &str) -> usize {
        self.mia.list(path).await.len()
    }

    async fn suppress(&self, body: Value) -> String {
        id(&self.mia.post("/suppressions", &body).await["id"])
    }
}

/// Each test on both databases.
macro_rules! both {
    ($($name:ident($stage:ident: $toml:expr) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn body($stage: Stage) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                body(stage($toml, false).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                body(stage($toml, true).await).await;
            }
        }
    )*};
}

const BY_ADDRESS: &str = r#"
[[correlation]]
name = "address"
by = ["account", "ip"]
window = "2h"
when = { source = "guardduty", type = "*:IAMUser/*" }
"#;

/// A finding about a key and a user of its own, used from an address.
fn key_finding(number: u32, ip: &str) -> Value {
    let mut finding = finding(number);
    finding["type"] = json!("Recon:IAMUser/MaliciousIPCaller");
    finding["resource"] = json!({"resourceType": "AccessKey", "accessKeyDetails": {
        "accessKeyId": format!("AKIA{number:016}"), "userName": format!("user-{number}"), "userType": "IAMUser",
        "principalId": format!("AIDA{number:016}")}});
    finding["service"]["action"] = json!({"actionType": "AWS_API_CALL", "awsApiCallAction": {
        "api": "ListUsers", "serviceName": "iam.amazonaws.com", "callerType": "Remote IP",
        "remoteIpDetails": {"ipAddressV4": ip}}});
    finding
}

const QUIET: &str = "";
const STORMS: &str = "[[storms]]\nname = \"scans\"\nmore_than = 3\nwithin = \"10m\"\n";
const SILENT: &str = "[sources.guardduty]\nsilent_after = \"2h\"\n";

both! {
    a_rule_joins_what_shares_an_address_and_says_so(stage: BY_ADDRESS) {
        let first = stage.find(&key_finding(1, "198.51.100.7")).await;
        let second = stage.find(&key_finding(2, "198.51.100.7")).await;
        let other = stage.find(&key_finding(3, "198.51.100.8")).await;
        assert_eq!(second["incident_id"], first["incident_id"]);
        assert_ne!(other["incident_id"], first["incident_id"]);
        let alert = stage.mia.get(&format!("/alerts/{}", id(&second["alert_id"]))).await;
        assert_eq!(alert["joined"]["rule"], "address");
        assert!(alert["joined"]["key"].as_str().unwrap().ends_with("/198.51.100.7"), "{alert}");
        let began = stage.mia.get(&format!("/alerts/{}", id(&first["alert_id"]))).await;
        assert_eq!(began["joined"], Value::Null);
        // The rule's window is its own, shorter than that of the resource.
        stage.pass(3 * HOUR_MS);
        let late = stage.find(&key_finding(4, "198.51.100.7")).await;
        assert_ne!(late["incident_id"], first["incident_id"]);
        let same_key = stage.find(&{ let mut it = key_finding(1, "198.51.100.7"); it["id"] = json!("f".repeat(32)); it }).await;
        assert_eq!(same_key["incident_id"], first["incident_id"]);
    }

    what_is_suppressed_is_stored_and_counted_and_starts_nothing(stage: QUIET) {
        let quiet = stage.suppress(json!({"match": {"type": "Recon:*", "resource": "i-*"},
            "reason": "our own scanner", "expires_at": "2026-11-24T05:00:00Z"})).await;
        let kept = stage.find(&finding(1)).await;
        assert_eq!((&kept["incident_id"], &kept["run_ids"]), (&Value::Null, &json!([])));
        assert_eq!(kept["alerts"][0]["suppressed_by"], json!(quiet));
        let again = stage.find(&finding(1)).await;
        assert_eq!((&again["duplicate"], &again["alert_id"]), (&json!(true), &kept["alert_id"]));
        stage.find(&updated(finding(1), "2026-11-24T03:10:00.000Z")).await;
        let shown = stage.mia.get(&format!("/suppressions/{quiet}")).await;
        assert_eq!((&shown["count"], &shown["status"]), (&json!(2), &json!("active")));
        assert_eq!(shown["created_by"], "mia");
        let listed = stage.mia.list("/alerts?status=suppressed").await;
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0]["deliveries"], 3);
        assert_eq!((stage.count("/incidents").await, stage.count("/runs").await), (0, 0));

        // What is critical gets through.
        let mut critical = finding(2);
        critical["severity"] = json!(9.5);
        assert_eq!(stage.find(&critical).await["run_ids"].as_array().unwrap().len(), 1);

        // Over: a redelivery of what was quiet is heard as if it came for the first time.
        stage.pass(2 * HOUR_MS);
        let heard = stage.find(&finding(1)).await;
        assert_eq!((&heard["duplicate"], &heard["alert_id"]), (&json!(false), &kept["alert_id"]));
        assert_eq!(heard["run_ids"].as_array().unwrap().len(), 1);
        assert_eq!(stage.count("/alerts?status=suppressed").await, 0);
        let now = stage.mia.get(&format!("/alerts/{}", id(&kept["alert_id"]))).await;
        assert_eq!(now["updated_at"], "2026-11-24T03:10:00Z", "the newest version stands");
        assert_eq!(stage.find(&finding(1)).await["duplicate"], true);
        assert_eq!(stage.mia.get(&format!("/suppressions/{quiet}")).await["status"], "expired");
    }

    what_becomes_worse_is_heard_although_its_kind_is_suppressed(stage: QUIET) {
        let first = stage.find(&finding(1)).await;
        stage.suppress(json!({"match": {"source": "guardduty"}, "reason": "noise",
            "expires_at": "2026-11-25T03:00:00Z"})).await;
        let same = stage.find(&updated(finding(1), "2026-11-24T03:10:00.000Z")).await;
        assert_eq!(same["incident_id"], first["incident_id"]);
        assert!(same["alerts"][0]["suppressed_by"].is_string(), "{same}");
        let mut worse = updated(finding(1), "2026-11-24T03:20:00.000Z");
        worse["severity"] = json!(8);
        let heard = stage.find(&worse).await;
        assert_eq!(heard["alerts"][0]["suppressed_by"], Value::Null);
        assert_eq!(stage.incident(&first).await["severity"], "high");
    }

    a_maintenance_window_begins_and_is_ended_by_a_person(stage: QUIET) {
        let window = stage.suppress(json!({"kind": "maintenance", "match": {"account": "111122223333"},
            "reason": "patching", "starts_at": "2026-11-24T04:00:00Z", "expires_at": "2026-11-24T08:00:00Z"})).await;
        assert_eq!(stage.mia.get(&format!("/suppressions/{window}")).await["status"], "planned");
        assert!(stage.find(&finding(1)).await["incident_id"].is_string());
        stage.pass(HOUR_MS);
        let quiet = stage.find(&finding(2)).await;
        assert_eq!(quiet["incident_id"], Value::Null);
        // A person wants one of them after all.
        let replayed = stage.mia.post(&format!("/alerts/{}/replay", id(&quiet["alert_id"])), &json!({})).await;
        assert!(replayed["incident_id"].is_string(), "{replayed}");
        assert_eq!(replayed["run_ids"].as_array().unwrap().len(), 1);
        let path = format!("/suppressions/{window}/end");
        let ended = stage.mia.post(&path, &json!({})).await;
        assert_eq!((&ended["status"], &ended["ended_by"]), (&json!("ended"), &json!("mia")));
        assert_eq!(stage.mia.post_refused(&path, &json!({})).await.0, 409);
        assert!(stage.find(&finding(3)).await["incident_id"].is_string());
        assert_eq!(stage.count("/suppressions?status=open").await, 0);
    }

    a_storm_is_one_incident_with_a_count_and_one_page(stage: STORMS) {
        // The first of its type in the account is looked at by itself and not counted.
        let mut incidents = Vec::new();
        for number in 0..20 {
            incidents.push(stage.find(&finding(number)).await);
        }
        let own = incidents.iter().filter(|it| !it["run_ids"].as_array().unwrap().is_empty()).count();
        assert_eq!(own, 5, "one new to the account, three that are no storm yet, and the storm's own");
        let storm = &incidents[4];
        assert!(incidents[5..].iter().all(|it| it["incident_id"] == storm["incident_id"]));
        let shown = stage.incident(storm).await;
        assert_eq!(shown["alerts"].as_array().unwrap().len(), 16);
        assert_eq!(shown["storm"]["count"], 19);
        assert!(shown["title"].as_str().unwrap().starts_with("Storm: more than 3"), "{shown}");
        // Those of one millisecond are in no order.
        let alerts = shown["alerts"].as_array().unwrap();
        let joined = alerts.iter().filter(|alert| alert["joined"]["storm"] == "scans").count();
        assert!(joined >= 15, "{shown}");
        let pages = stage.mia.list("/pages").await;
        assert_eq!(pages.iter().filter(|page| page["code"] == "storm").count(), 1);
        assert_eq!(stage.count("/alerts").await, 20);

        let mut critical = finding(50);
        critical["severity"] = json!(9.5);
        let apart = stage.find(&critical).await;
        assert_ne!(apart["incident_id"], storm["incident_id"]);
        let mut elsewhere = finding(51);
        elsewhere["accountId"] = json!("444455556666");
        assert_ne!(stage.find(&elsewhere).await["incident_id"], storm["incident_id"]);
        // A redelivery in the storm is a duplicate, and counts nowhere.
        assert_eq!(stage.find(&finding(10)).await["duplicate"], true);
        assert_eq!(stage.incident(storm).await["storm"]["count"], 19);

        stage.pass(11 * 60_000);
        let after = stage.find(&finding(60)).await;
        assert_ne!(after["incident_id"], storm["incident_id"]);
        assert_eq!(after["run_ids"].as_array().unwrap().len(), 1);
    }

    incidents_are_made_one_and_taken_apart(stage: QUIET) {
        stage.publish(&ASKS.replace("\"*\"", "\"Nothing\"")).await;
        let (first, second) = (stage.find(&finding(1)).await, stage.find(&finding(2)).await);
        let (one, other) = (id(&first["incident_id"]), id(&second["incident_id"]));
        assert_ne!(one, other);
        let body = json!({"into": one, "reason": "one attacker"});
        let merged = stage.mia.post(&format!("/incidents/{other}/merge"), &body).await;
        assert_eq!(merged["id"], json!(one));
        let whole = stage.mia.get(&format!("/incidents/{one}")).await;
        assert_eq!(whole["alerts"].as_array().unwrap().len(), 2);
        let moved = stage.mia.get(&format!("/alerts/{}", id(&second["alert_id"]))).await;
        assert_eq!((&moved["joined"]["by"], &moved["incident_id"]), (&json!("mia"), &json!(one)));
        assert_eq!(whole["children"][0]["id"], json!(other));
        let gone = stage.mia.get(&format!("/incidents/{other}")).await;
        assert_eq!((&gone["status"], &gone["merged_into"]), (&json!("closed"), &json!(one)));
        assert_eq!(gone["alerts"], json!([]));
        // What comes next about the second instance comes to the whole, and so does an update.
        let mut next = finding(2);
        next["id"] = json!("e".repeat(32));
        assert_eq!(stage.find(&next).await["incident_id"], json!(one));
        let update = stage.find(&updated(finding(2), "2026-11-24T03:30:00.000Z")).await;
        assert_eq!(update["incident_id"], json!(one));
        assert_eq!(stage.mia.post_refused(&format!("/incidents/{other}/merge"), &body).await.0, 409);
        assert_eq!(stage.mia.get("/kpis?window=30d").await["incidents"], 1);

        let moved = json!({"alerts": [second["alert_id"]], "reason": "another host after all"});
        let new = stage.mia.post(&format!("/incidents/{one}/split"), &moved).await;
        let new_id = id(&new["id"]);
        assert_eq!(new["split_from"], json!(one));
        let shown = stage.mia.get(&format!("/incidents/{new_id}")).await;
        assert_eq!(shown["alerts"].as_array().unwrap().len(), 1);
        // Whoever splits it off has taken it.
        let marks = shown["milestones"].as_array().unwrap();
        assert!(marks.len() == 4 && marks.iter().any(|mark| mark["milestone"] == "acknowledged_at"));
        let update = stage.find(&updated(finding(2), "2026-11-24T03:40:00.000Z")).await;
        assert_eq!(update["incident_id"], json!(new_id));
        // The other alert about the instance was left, and with it what comes next.
        let mut next = finding(2);
        next["id"] = json!("d".repeat(32));
        assert_eq!(stage.find(&next).await["incident_id"], json!(one));
        for (alerts, part) in [
            (json!([]), "empty"),
            (json!([second["alert_id"]]), "no alert of"),
        ] {
            let body = json!({"alerts": alerts, "reason": "x"});
            let (status, problem) = stage.mia.post_refused(&format!("/incidents/{one}/split"), &body).await;
            assert!(status == 400 && problem.to_string().contains(part), "{problem}");
        }
        let all = json!({"alerts": [second["alert_id"]], "reason": "x"});
        let (_, problem) = stage.mia.post_refused(&format!("/incidents/{new_id}/split"), &all).await;
        assert!(problem.to_string().contains("must stay"), "{problem}");
    }

    an_incident_with_an_open_run_is_not_closed_under_it(stage: QUIET) {
        let (first, second) = (stage.find(&finding(1)).await, stage.find(&finding(2)).await);
        let body = json!({"into": first["incident_id"], "reason": "one attacker"});
        let path = format!("/incidents/{}/merge", id(&second["incident_id"]));
        let (status, problem) = stage.mia.post_refused(&path, &body).await;
        assert!(status == 409 && problem.to_string().contains(second["run_ids"][0].as_str().unwrap()), "{problem}");
        assert_eq!(stage.incident(&second).await["status"], "open");
        let run = id(&second["run_ids"][0]);
        stage.mia.post(&format!("/runs/{run}/cancel"), &json!({"reason": "merged"})).await;
        stage.over(&run).await;
        stage.mia.post(&path, &body).await;
        assert_eq!(stage.incident(&first).await["alerts"].as_array().unwrap().len(), 2);
    }

    a_source_that_falls_silent_is_an_alert_and_a_page_until_it_is_heard(stage: SILENT) {
        stage.find(&finding(1)).await;
        stage.pass(HOUR_MS);
        assert_eq!(stage.count("/alerts?source=stanch").await, 0);
        stage.pass(HOUR_MS + 60_000);
        stage.page_that_says("guardduty has said nothing for 2h").await;
        let silent = stage.mia.list("/alerts?source=stanch").await;
        assert_eq!((silent.len(), &silent[0]["type"]), (1, &json!("SilentSource/guardduty")));
        assert_eq!(silent[0]["status"], "active");
        // Once a silence, however long it is.
        stage.pass(10 * HOUR_MS);
        stage.find(&finding(2)).await;
        let over = stage.mia.list("/alerts?source=stanch").await;
        assert_eq!((over.len(), &over[0]["status"]), (1, &json!("resolved")));
        let open = stage.mia.list("/pages?status=open").await;
        assert!(open.iter().all(|page| page["code"] != "silent_source"), "{open:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suppression_that_can_not_be_is_refused() {
    let stage = stage(QUIET, false).await;
    let until = "2026-11-25T03:00:00Z";
    for (body, part) in [
        (json!({"match": {}, "reason": "x", "expires_at": until}), "every alert"),
        (json!({"match": {"type": "*"}, "reason": "x", "expires_at": until}), "every alert"),
        (json!({"match": {"type": "a"}, "reason": "", "expires_at": until}), "reason"),
        (
            json!({"match": {"type": "a"}, "reason": "x", "expires_at": "2026-11-24T02:00:00Z"}),
            "too early",
        ),
        (
            json!({"match": {"type": "a"}, "reason": "x", "expires_at": "2029-11-24T02:00:00Z"}),
            "longer than",
        ),
        (json!({"match": {"sorce": "a"}, "reason": "x", "expires_at": until}), "sorce"),
        (json!({"match": {"type": "a"}, "reason": "x"}), "expires_at"),
    ] {
        let (status, problem) = stage.mia.post_refused("/suppressions", &body).await;
        assert_eq!(status, 400, "{body}");
        assert!(problem.to_string().contains(part), "{body}: {problem}");
    }
    let viewer = stage.person("vic", &["viewer"]).await;
    let good = json!({"match": {"type": "a"}, "reason": "x", "expires_at": until});
    assert_eq!(viewer.post_refused("/suppressions", &good).await.0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_never_said_anything_is_missed_too() {
    let stage = stage(SILENT, false).await;
    // It is waited for from the first look on, which the clock must not overtake.
    stage.pass(60_000);
    stanch_tests::eventually("the silence", async || {
        stage.pass(30 * 60_000);
        (stage.count("/alerts?source=stanch").await == 1).then_some(())
    })
    .await;
}
