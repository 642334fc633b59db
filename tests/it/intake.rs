//! Alerts come in: once, again, newer, as samples, and as what nobody can read.

use serde_json::{Value, json};
use stanch_engine_core::effect::Mode;
use stanch_engine_core::time::Timestamp;
use stanch_plugins_aws::sandbox::Sandbox;

use crate::caller::Caller;
use crate::stage::{KEY, Plan, Stage, id, run_of};

fn finding() -> Value {
    Sandbox::demo_finding(Timestamp::parse("2026-11-24T03:00:00Z").unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finding_is_one_alert_whether_or_not_it_comes_in_an_envelope() {
    let stage = Plan::new().set().await;
    let event = finding();
    let first = stage.detector.post("/webhooks/aws", &event).await;
    for (path, payload) in [
        ("/webhooks/aws", &event),
        ("/webhooks/guardduty", &event),
        ("/webhooks/guardduty", &event["detail"]),
        ("/webhooks/aws", &event["detail"]),
    ] {
        let again = stage.detector.post(path, payload).await;
        assert_eq!(again["duplicate"], true, "{path}");
        assert_eq!(
            (&again["alert_id"], &again["run_ids"]),
            (&first["alert_id"], &first["run_ids"])
        );
    }
    assert_eq!(stage.mia.list("/runs").await.len(), 1);
    let alert = stage.mia.get(&format!("/alerts/{}", id(&first["alert_id"]))).await;
    assert_eq!(alert["deliveries"], 5);
    let resource = &alert["resources"][0];
    assert_eq!((&resource["type"], &resource["id"]), (&json!("AwsIamAccessKey"), &json!(KEY)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_is_told_to_the_run_that_is_open() {
    let stage = Plan::new().set().await;
    let first = stage.detector.post("/webhooks/guardduty", &finding()).await;
    let run = run_of(&first);
    stage.approval(&run).await;
    let mut update = finding();
    update["detail"]["updatedAt"] = json!("2026-11-24T03:20:00.000Z");
    update["detail"]["service"]["count"] = json!(7);
    let updated = stage.detector.post("/webhooks/guardduty", &update).await;
    assert_eq!(updated["duplicate"], false);
    assert_eq!(updated["alert_id"], first["alert_id"]);
    assert_eq!(updated["run_ids"], first["run_ids"]);
    assert_eq!(stage.mia.list("/runs").await.len(), 1);
    let alert = stage.mia.get(&format!("/alerts/{}", id(&first["alert_id"]))).await;
    assert_eq!(alert["count"], 7);
    // What was sent before says nothing new any more.
    let old = stage.detector.post("/webhooks/guardduty", &finding()).await;
    assert_eq!(old["duplicate"], true);
    stage.approve(&run).await;
    assert_eq!(stage.over(&run).await["status"], "succeeded");
}

async fn a_time_that_is_ahead_makes_nothing_old(plan: Plan) {
    let stage = plan.manual().set().await;
    let sent = async |updated_at: &str, count: u32| {
        stage.pass(60_000);
        let mut finding = finding();
        finding["detail"]["updatedAt"] = json!(updated_at);
        finding["detail"]["service"]["count"] = json!(count);
        stage.detector.post("/webhooks/guardduty", &finding).await["duplicate"].clone()
    };
    assert_eq!(sent("2099-01-01T00:00:00.000Z", 5).await, false);
    assert_eq!(sent("2099-01-01T00:00:00.000Z", 5).await, true, "a redelivery of it is one");
    assert_eq!(sent("2026-11-24T02:59:00.000Z", 5).await, true, "what was before it is old");
    assert_eq!(sent("2026-11-24T03:03:30.000Z", 5).await, false, "what comes after it is news");
    assert_eq!(sent("2026-11-24T03:03:30.000Z", 5).await, true);
    assert_eq!(sent("2026-11-24T03:05:30.000Z", 5).await, false);
    let alert = &stage.mia.list("/alerts").await[0];
    assert_eq!(alert["updated_at"], "2026-11-24T03:05:30Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_is_ahead_makes_nothing_old_on_sqlite() {
    a_time_that_is_ahead_makes_nothing_old(Plan::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_is_ahead_makes_nothing_old_on_postgres() {
    a_time_that_is_ahead_makes_nothing_old(Plan::new().on_postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_is_worse_starts_what_the_first_did_not() {
    let stage = Plan::new().set().await;
    let mut mild = finding();
    mild["detail"]["severity"] = json!(2.0);
    let first = stage.detector.post("/webhooks/guardduty", &mild).await;
    assert_eq!(first["run_ids"], json!([]));
    let mut worse = finding();
    worse["detail"]["updatedAt"] = json!("2026-11-24T03:20:00.000Z");
    worse["detail"]["severity"] = json!(8.0);
    let updated = stage.detector.post("/webhooks/guardduty", &worse).await;
    assert_eq!(updated["incident_id"], first["incident_id"]);
    assert_eq!(updated["run_ids"].as_array().unwrap().len(), 1);
    assert_eq!(stage.incident(&updated).await["severity"], "high");
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_about_one_thing_join_one_incident_and_one_run() {
    let stage = Plan::new().set().await;
    let first = stage.detector.post("/webhooks/guardduty", &finding()).await;
    let mut other = finding();
    other["detail"]["id"] = json!("0ac0ffee00000000000000000000beef");
    other["detail"]["arn"] =
        json!("arn:aws:guardduty:us-east-1:111122223333:detector/d/finding/0ac0ffee");
    other["detail"]["type"] = json!("Recon:IAMUser/MaliciousIPCaller.Custom");
    let second = stage.detector.post("/webhooks/guardduty", &other).await;
    assert_eq!(second["duplicate"], false);
    assert_ne!(second["alert_id"], first["alert_id"]);
    assert_eq!(second["incident_id"], first["incident_id"]);
    assert_eq!(second["run_ids"], first["run_ids"], "one open run per playbook and subject");
    assert_eq!(stage.incident(&first).await["alerts"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_window_an_alert_opens_an_incident_of_its_own() {
    let stage = Plan::new().manual().set().await;
    let first = stage.find_key().await;
    let run = run_of(&first);
    stage.approve(&run).await;
    stage.over(&run).await;
    stage.pass(25 * 60 * 60 * 1_000);
    let mut other = finding();
    other["detail"]["id"] = json!("0ac0ffee00000000000000000000beef");
    let second = stage.detector.post("/webhooks/guardduty", &other).await;
    assert_ne!(second["incident_id"], first["incident_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contained_incident_that_is_seen_again_is_opened_again_and_paged() {
    let stage = Plan::new().manual().set().await;
    let first = stage.find_key().await;
    let run = run_of(&first);
    stage.approve(&run).await;
    stage.over(&run).await;
    assert_eq!(stage.incident(&first).await["status"], "contained");

    stage.pass(10 * 60 * 1_000);
    let mut late = finding();
    late["detail"]["updatedAt"] = json!("2026-11-24T03:09:00.000Z");
    late["detail"]["service"]["eventLastSeen"] = json!("2026-11-24T03:08:00.000Z");
    let again = stage.detector.post("/webhooks/guardduty", &late).await;
    assert_eq!(again["incident_id"], first["incident_id"]);
    assert_eq!(stage.incident(&first).await["status"], "open");
    stage.page_that_says("is seen again").await;
}

/// A playbook that changes by itself, as far as it is let.
const HASTY: &str = r#"
const PLAYBOOK = #{ name: "hasty", title: "Cuts off and asks nobody", mode: "auto",
    subject: "AwsIamAccessKey", triggers: [#{ source: "guardduty", type: "*", min_severity: "low" }] };
let key = subject();
let cut = plan([change("iam:UpdateAccessKey",
    #{ UserName: "ci-deploy", AccessKeyId: key.id, Status: "Inactive" },
    #{ inverse: change("iam:UpdateAccessKey",
        #{ UserName: "ci-deploy", AccessKeyId: key.id, Status: "Active" }),
       probe: probe("iam:ListAccessKeys", #{ UserName: "ci-deploy" },
        `AccessKeyMetadata[?AccessKeyId=='${key.id}'] | [0].Status == 'Inactive'`) })]);
execute(cut)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_never_changes_aws() {
    let mut plan = Plan::new().mode(Mode::Auto);
    plan.ships = false;
    let stage = plan.set().await;
    stage.publish(HASTY).await;
    let mut sample = finding();
    sample["detail"]["service"]["additionalInfo"]["sample"] = json!(true);
    let received = stage.detector.post("/webhooks/guardduty", &sample).await;
    let ended = stage.over(&run_of(&received)).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert_eq!(ended["result"]["observed"], true, "{ended}");
    assert!(stage.changes().is_empty());
    let incident = stage.incident(&received).await;
    assert_eq!((&incident["sample"], &incident["status"]), (&json!(true), &json!("open")));
    // It is in nobody's KPIs, and it does not stand in the way of the real thing.
    assert_eq!(stage.mia.get("/kpis?window=1d").await["incidents"], 0);
    let mut real = finding();
    real["detail"]["id"] = json!("0ac0ffee00000000000000000000beef");
    let received = stage.detector.post("/webhooks/guardduty", &real).await;
    stage.over(&run_of(&received)).await;
    assert_eq!(stage.changes(), ["iam:UpdateAccessKey"]);
    assert_eq!(stage.incident(&received).await["status"], "contained");
}

async fn is_alive(stage: &Stage) {
    let received = stage.find_key().await;
    stage.approval(&run_of(&received)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_read_is_refused_and_kept() {
    let stage = Plan::new().set().await;
    let bodies = ["", "not json", "[]", "null", "{}", "{\"detail\":{}}", "\u{0}\u{1}", "{\"a\":"];
    for body in bodies {
        let (status, problem) = stage.detector.send("/webhooks/guardduty", body).await;
        assert_eq!((status, &problem["code"]), (422, &json!("ST0401")), "{body:?}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("it was kept as ded_"), "{problem}");
    }
    let letters = stage.mia.list("/dead-letters").await;
    assert_eq!(letters.len(), bodies.len());
    assert!(letters.iter().any(|letter| letter["body_base64"] == "bm90IGpzb24="));
    is_alive(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_become_worse_is_taken_though_its_sender_tells_no_time() {
    let stage = Plan::new().set().await;
    let said = |severity: &str| json!({"id": "s1", "title": "a scan", "severity": severity});
    let first = stage.detector.post("/webhooks/generic", &said("low")).await;
    let worse = stage.detector.post("/webhooks/generic", &said("critical")).await;
    assert_eq!((&worse["alert_id"], &worse["duplicate"]), (&first["alert_id"], &json!(false)));
    let path = format!("/incidents/{}", first["incident_id"].as_str().unwrap());
    assert_eq!(stage.mia.get(&path).await["severity"], "critical");
    let milder = stage.detector.post("/webhooks/generic", &said("low")).await;
    assert_eq!(milder["duplicate"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mark_of_utf_8_before_a_payload_is_no_hindrance() {
    let stage = Plan::new().set().await;
    let marked = format!("\u{feff}{}", finding());
    let (status, received) = stage.detector.send("/webhooks/guardduty", marked).await;
    assert_eq!(status, 202, "{received}");
    assert!(stage.mia.list("/dead-letters").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_read_of_a_payload_is_taken_and_all_of_it_is_kept_with_what_can_not() {
    let stage = Plan::new().set().await;
    let mut broken = finding();
    broken["detail"].as_object_mut().unwrap().remove("severity");
    let payload = json!([finding(), broken]);
    let received = stage.detector.post("/webhooks/auto", &payload).await;
    assert_eq!(received["alerts"].as_array().unwrap().len(), 1);
    let letters = stage.mia.list("/dead-letters").await;
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    let reason = letter["reason"].as_str().unwrap();
    assert!(reason.starts_with("[1]: guardduty: `detail.severity`"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finding_without_a_field_is_taken_or_named() {
    let stage = Plan::new().set().await;
    let whole = finding();
    let members: Vec<String> = whole["detail"].as_object().unwrap().keys().cloned().collect();
    for member in members {
        let mut finding = whole["detail"].clone();
        finding.as_object_mut().unwrap().remove(&member);
        let body = finding.to_string();
        let (status, answer) = stage.detector.send("/webhooks/guardduty", body).await;
        match status {
            202 => {}
            422 => assert!(answer["detail"].as_str().unwrap().contains(&member), "{answer}"),
            _ => panic!("without {member}: {status} {answer}"),
        }
    }
    is_alive(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_without_the_right_token() {
    let stage = Plan::new().set().await;
    let stranger = Caller::new(&stage.url, "stk_0123456789abcdef0123456789abcdef");
    let viewer = stage.person("vic", &["viewer"]).await;
    for caller in [&stranger, &Caller::new(&stage.url, ""), &viewer] {
        let (status, problem) = caller.post_refused("/webhooks/guardduty", &finding()).await;
        assert!(matches!(status, 401 | 403), "{problem}");
    }
    // What sends findings may do nothing else.
    let (status, _) = stage.detector.post_refused("/halt", &json!({"reason": "x"})).await;
    assert!(matches!(status, 401 | 403));
    let (status, _) = viewer.post_refused("/halt", &json!({"reason": "x"})).await;
    assert_eq!(status, 403);
    assert!(stage.mia.list("/alerts").await.is_empty());
    assert!(stage.mia.list("/dead-letters").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_20_mb_is_refused() {
    let stage = Plan::new().set().await;
    let body = vec![b' '; 20 << 20];
    let (status, problem) = stage.detector.send("/webhooks/guardduty", body).await;
    assert_eq!((status, &problem["status"]), (413, &json!(413)), "{problem}");
    is_alive(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_not_there_is_answered_with_those_that_are() {
    let stage = Plan::new().set().await;
    let (status, problem) = stage.detector.post_refused("/webhooks/gardduty", &finding()).await;
    assert_eq!(status, 404);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("auto, aws,") && detail.contains(" guardduty,"), "{problem}");
}
