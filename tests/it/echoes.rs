//! What detectors see of our own work goes to the incident that it is a part of; what only looks
//! like it does not.

use serde_json::{Value, json};

use crate::stage::{ACCOUNT, KEY, Plan, Stage, USER, id, run_of};

const CONTAIN: &str = "arn:aws:iam::111122223333:role/stanch-contain";

/// Waits for a person, once for each record of CloudTrail that starts it.
const ASKS: &str = r#"
const PLAYBOOK = #{ name: "asks", title: "Asks", mode: "ask",
    triggers: [#{ source: "cloudtrail", type: "iam:*" }, #{ source: "guardduty", type: "Stealth:*" }] };
approval("Go on?", #{ expires: "90d" }).outcome
"#;

/// A node that has contained the demo's key, and what its finding was answered with.
async fn contained(on_postgres: bool) -> (Stage, Value) {
    let mut plan = Plan::new();
    plan.config.aws.roles.read = Some("arn:aws:iam::{account}:role/stanch-read".to_owned());
    plan.config.aws.roles.contain = Some("arn:aws:iam::{account}:role/stanch-contain".to_owned());
    if on_postgres {
        plan = plan.on_postgres().await;
    }
    let stage = plan.set().await;
    stage.publish(ASKS).await;
    let found = stage.find_key().await;
    let run = run_of(&found);
    stage.approve(&run).await;
    assert_eq!(stage.over(&run).await["status"], "succeeded");
    (stage, found)
}

fn session(found: &Value) -> String {
    format!("{}.{}", id(&found["incident_id"]), run_of(found))
}

/// CloudTrail's record of a call, as EventBridge delivers it.
fn record(number: u32, role: &str, session: &str, call: &str, params: &Value) -> Value {
    let name = role.rsplit('/').next().unwrap();
    let account = role.split(':').nth(4).unwrap();
    let now = stanch_engine_runtime::system::world().now();
    json!({
        "version": "0", "id": format!("{number:08}-0000-0000-0000-000000000000"),
        "detail-type": "AWS API Call via CloudTrail", "source": "aws.iam", "account": account,
        "time": now, "region": "us-east-1", "resources": [],
        "detail": {
            "eventVersion": "1.08", "eventID": format!("{number:08}-1111-1111-1111-111111111111"),
            "eventTime": now, "eventSource": "iam.amazonaws.com", "eventName": call,
            "awsRegion": "us-east-1", "sourceIPAddress": "198.51.100.7", "userAgent": "stanch",
            "requestParameters": params, "responseElements": null, "recipientAccountId": account,
            "userIdentity": {
                "type": "AssumedRole", "principalId": format!("AROA1:{session}"),
                "arn": format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"),
                "accountId": account, "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
                "sessionContext": {
                    "sessionIssuer": {"type": "Role", "arn": role, "accountId": account, "userName": name},
                    "sourceIdentity": session,
                },
            },
        },
    })
}

fn key_of_the_demo() -> Value {
    json!({"userName": USER, "accessKeyId": KEY, "status": "Inactive"})
}

async fn sent(stage: &Stage, event: &Value) -> Value {
    stage.detector.post("/webhooks/aws", event).await
}

async fn pages(stage: &Stage, code: &str) -> usize {
    let pages = stage.mia.list("/pages").await;
    pages.iter().filter(|page| page["code"] == code).count()
}

async fn goes_to_its_incident(on_postgres: bool) {
    let (stage, found) = contained(on_postgres).await;
    let before = stage.incident(&found).await;
    let event = record(1, CONTAIN, &session(&found), "UpdateAccessKey", &key_of_the_demo());
    let echo = sent(&stage, &event).await;
    assert_eq!(echo["incident_id"], found["incident_id"], "{echo}");
    assert_eq!(echo["run_ids"], json!([]), "it starts nothing, although a playbook wants it");
    let alert = stage.mia.get(&format!("/alerts/{}", id(&echo["alert_id"]))).await;
    assert_eq!(alert["joined"]["echo"]["run"], json!(run_of(&found)));
    let after = stage.incident(&found).await;
    assert_eq!((&after["status"], &after["severity"]), (&before["status"], &before["severity"]));
    let path = format!("/incidents/{}/timeline", id(&found["incident_id"]));
    let told = stage.mia.list(&path).await;
    let said = format!("our own work: UpdateAccessKey was asked for by {}", run_of(&found));
    assert!(told.iter().any(|line| line["text"].as_str().unwrap().contains(&said)), "{told:?}");
    // A read of the guard's is ours, too, and is in no journal.
    let look = json!({"userName": USER});
    let event = record(2, CONTAIN, &session(&found), "ListAttachedUserPolicies", &look);
    assert_eq!(sent(&stage, &event).await["run_ids"], json!([]));
    assert_eq!(pages(&stage, "own_session_misused").await, 0);
    assert_eq!(pages(&stage, "seen_again").await, 0);

    // Detectors look at us, too.
    let stealth = |number: u32, session: &str| {
        json!({
            "schemaVersion": "2.0", "accountId": ACCOUNT, "region": "us-east-1", "id": format!("{number:032x}"),
            "arn": format!("arn:aws:guardduty:us-east-1:{ACCOUNT}:detector/d/finding/{number:032x}"),
            "type": "Stealth:IAMUser/PasswordPolicyChange", "severity": 2, "title": "a policy was changed",
            "description": "d", "createdAt": "2026-11-24T02:58:30.000Z", "updatedAt": "2026-11-24T02:58:30.000Z",
            "resource": {"resourceType": "AccessKey", "accessKeyDetails": {"accessKeyId": "ASIAIOSFODNN7EXAMPLE",
                "principalId": format!("AROA1:{session}"), "userName": "stanch-contain", "userType": "AssumedRole"}},
            "service": {"serviceName": "guardduty", "count": 1, "archived": false,
                "action": {"actionType": "AWS_API_CALL", "awsApiCallAction": {"api": "PutUserPolicy",
                    "serviceName": "iam.amazonaws.com"}}},
        })
    };
    let seen = sent(&stage, &stealth(1, &session(&found))).await;
    assert_eq!((&seen["incident_id"], &seen["run_ids"]), (&found["incident_id"], &json!([])));
    let other = sent(&stage, &stealth(2, "mallory")).await;
    assert_ne!(other["incident_id"], found["incident_id"]);
    assert_eq!(other["run_ids"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_work_goes_to_its_incident_on_sqlite() {
    goes_to_its_incident(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_work_goes_to_its_incident_on_postgres() {
    goes_to_its_incident(true).await;
}

/// Each is an attack that looks like us, and is heard as one.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_looks_like_us_starts_what_it_has_to() {
    let (stage, found) = contained(false).await;
    let (ours, run) = (session(&found), run_of(&found));
    let key = key_of_the_demo();
    let other_role = "arn:aws:iam::111122223333:role/attacker";
    let elsewhere = "arn:aws:iam::444455556666:role/stanch-containment";
    let by_path = "arn:aws:iam::111122223333:role/evil/stanch-contain";
    for (number, role) in [other_role, elsewhere, by_path].into_iter().enumerate() {
        let number = u32::try_from(number).unwrap();
        let event = record(10 + number, role, &ours, "UpdateAccessKey", &key);
        let heard = sent(&stage, &event).await;
        assert_eq!(heard["run_ids"].as_array().unwrap().len(), 1, "{role}: {heard}");
        let alert = stage.mia.get(&format!("/alerts/{}", id(&heard["alert_id"]))).await;
        assert_eq!(alert["joined"].get("echo"), None, "{role}: {alert}");
    }
    // The role of another account is not told to be misused: it is none of ours.
    assert_eq!(pages(&stage, "own_session_misused").await, 0);

    // Our role, and what no run asked for: on another key, another call, by a run that is not there.
    let other_key =
        json!({"userName": "ceo", "accessKeyId": "AKIAI44QH8DHBEXAMPLE", "status": "Inactive"});
    let incident = id(&found["incident_id"]);
    let unknown = format!("{incident}.run_{}", "0".repeat(26));
    for (number, session, call, params) in [
        (20, ours.as_str(), "UpdateAccessKey", &other_key),
        (21, ours.as_str(), "CreateAccessKey", &json!({"userName": USER})),
        (22, unknown.as_str(), "UpdateAccessKey", &key),
    ] {
        let heard = sent(&stage, &record(number, CONTAIN, session, call, params)).await;
        assert_eq!(heard["run_ids"].as_array().unwrap().len(), 1, "{call} {params}: {heard}");
    }
    assert_eq!(pages(&stage, "own_session_misused").await, 2, "one for each session");
    let told = stage.mia.list("/pages").await;
    let told = told
        .iter()
        .find(|page| page["run_id"] == json!(run) && page["code"] == "own_session_misused");
    assert!(told.unwrap()["message"].as_str().unwrap().contains("revoke the sessions"));
}
