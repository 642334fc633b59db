//! What follows an incident: its checklist, the score, who signs it off, and when customers felt it.

use serde_json::{Map, Value, json};

use crate::stage::{ACCOUNT, Plan, Stage, id, run_of};

const ASKS: &str = r#"
const PLAYBOOK = #{ name: "asks", title: "Asks afterwards", mode: "ask",
    review: ["Were all sessions revoked?", "Was the key deleted?"] };
log("done");
"#;

async fn stage(on_postgres: bool) -> Stage {
    let mut plan = Plan::new();
    plan.ships = false;
    if on_postgres {
        plan = plan.on_postgres().await;
    }
    let stage = plan.set().await;
    stage.publish(ASKS).await;
    stage
}

/// An incident in which the playbook ran.
async fn incident(stage: &Stage) -> String {
    let run = stage.start_for_finding("asks").await;
    stage.over(&run).await;
    id(&stage.mia.get(&format!("/runs/{run}")).await["incident_id"])
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shipped_playbook_that_contains_or_triages_asks_what_is_its_own() {
    let stage = Plan::new().set().await;
    let mut ran = Vec::new();
    for received in [stage.find_key().await, stage.find_instance().await] {
        ran.push(run_of(&received));
    }
    ran.push(stage.start_for_finding("guardduty-triage").await);
    for run in ran {
        let run = stage.mia.get(&format!("/runs/{run}")).await;
        let (name, incident) = (id(&run["playbook"]), id(&run["incident_id"]));
        let review = stage.mia.get(&format!("/incidents/{incident}/review")).await;
        let questions = review["questions"].as_array().unwrap();
        let own: Vec<_> = questions.iter().filter(|one| one["playbook"] == *name).collect();
        assert!((3..=5).contains(&own.len()), "{name}: {own:?}");
    }
}

async fn close(stage: &Stage, incident: &str) {
    let body = json!({"reason": "over", "verdict": "true_positive", "force": true});
    stage.mia.post(&format!("/incidents/{incident}/close"), &body).await;
}

async fn share(stage: &Stage, name: &str) -> (i64, i64) {
    let report = stage.mia.get("/kpis").await;
    let shares = report["shares"].as_array().unwrap();
    let found = shares.iter().find(|share| share["name"] == name).unwrap();
    (found["part"].as_i64().unwrap(), found["whole"].as_i64().unwrap())
}

async fn from_the_checklist_to_the_kpi(on_postgres: bool) {
    let stage = stage(on_postgres).await;
    let incident = incident(&stage).await;
    let path = format!("/incidents/{incident}/review");
    let sign_off = format!("{path}/sign-off");
    let begun = stage.mia.get(&path).await;
    let questions = begun["questions"].as_array().unwrap();
    let keys: Vec<String> = questions.iter().map(|question| id(&question["key"])).collect();
    assert!(
        keys.contains(&"asks.2".to_owned()) && keys.contains(&"evidence".to_owned()),
        "{keys:?}"
    );
    assert_eq!((&begun["score"], &begun["answers"]), (&Value::Null, &json!({})));
    assert_eq!(begun["open"].as_array().unwrap().len(), keys.len());

    let why = json!({"reason": "looked at it"});
    let (_, says) = stage.mia.post_refused(&sign_off, &why).await;
    assert!(says["detail"].to_string().contains("is not closed"), "{says}");
    close(&stage, &incident).await;
    let (_, says) = stage.mia.post_refused(&sign_off, &why).await;
    assert!(says["detail"].to_string().contains("nobody has answered"), "{says}");
    let some = json!({"answers": {"asks.1": "yes", "asks.2": "no"}});
    let answered = stage.mia.post(&path, &some).await;
    // One of ten: what nobody has answered yet is no yes.
    assert_eq!((&answered["score"], keys.len()), (&json!(10), 10), "{answered}");
    assert_eq!(share(&stage, "investigation_quality").await, (10, 100));
    let (_, says) = stage.mia.post_refused(&sign_off, &why).await;
    assert!(says["detail"].to_string().contains("are open: scope"), "{says}");
    let rest: Map<String, Value> = keys
        .iter()
        .filter(|key| !key.starts_with("asks."))
        .map(|key| (key.clone(), json!(if key == "recovery" { "not_applicable" } else { "yes" })))
        .collect();
    let whole = stage.mia.post(&path, &json!({"answers": rest})).await;
    // Eight of nine that apply.
    assert_eq!((&whole["score"], &whole["open"]), (&json!(88), &json!([])), "{whole}");
    let (_, says) = stage.mia.post_refused(&sign_off, &why).await;
    assert!(says["detail"].to_string().contains("somebody else signs it off"), "{says}");
    assert_eq!(share(&stage, "review_completion").await, (0, 1));
    let ben = stage.person("ben", &["responder"]).await;
    let signed = ben.post(&sign_off, &why).await;
    assert_eq!(signed["signed_off_by"], "ben", "{signed}");
    assert_eq!(share(&stage, "investigation_quality").await, (88, 100));
    assert_eq!(share(&stage, "review_completion").await, (1, 1));
    assert_eq!(share(&stage, "reopen_rate").await, (0, 1));
    let told = stage.mia.get(&format!("/incidents/{incident}/timeline")).await.to_string();
    for words in
        ["review by mia: 10 of 10 answered, 88 of 100", "sign-off by ben: 88 of 100: looked"]
    {
        assert!(told.contains(words), "{words}: {told}");
    }

    // What goes on is not signed off any more, and has not been over.
    let again = json!({"reason": "it is back"});
    stage.mia.post(&format!("/incidents/{incident}/reopen"), &again).await;
    let now = stage.mia.get(&path).await;
    assert_eq!((&now["signed_off_by"], &now["score"]), (&Value::Null, &json!(88)), "{now}");
    assert_eq!(share(&stage, "reopen_rate").await, (1, 1));
    assert_eq!(share(&stage, "review_completion").await, (0, 0));
    close(&stage, &incident).await;
    assert_eq!(share(&stage, "reopen_rate").await, (1, 1), "each incident counts once");
    assert_eq!(share(&stage, "review_completion").await, (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_goes_from_its_checklist_to_the_kpi_on_sqlite() {
    from_the_checklist_to_the_kpi(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_goes_from_its_checklist_to_the_kpi_on_postgres() {
    from_the_checklist_to_the_kpi(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_answered_is_refused_and_nothing_is_kept() {
    let stage = stage(false).await;
    let incident = incident(&stage).await;
    let path = format!("/incidents/{incident}/review");
    for (body, words) in [
        (json!({"answers": {"asks.3": "yes"}}), "not on the checklist"),
        (json!({"answers": {"scope": "maybe"}}), "maybe"),
        (json!({"answers": {}}), "empty"),
    ] {
        let (_, says) = stage.mia.post_refused(&path, &body).await;
        assert!(says["detail"].to_string().contains(words), "{says}");
    }
    assert_eq!(stage.mia.get(&path).await["answers"], json!({}));
    let nowhere = "/incidents/inc_01JA0000000000000000000000/review";
    assert_eq!(stage.mia.ask(reqwest::Method::GET, nowhere, None).await.0, 404);
    let vic = stage.person("vic", &["viewer"]).await;
    let yes = json!({"answers": {"scope": "yes"}});
    assert_eq!(vic.post_refused(&path, &yes).await.0, 403);
}

/// An alarm of CloudWatch as EventBridge sends it.
fn alarm(state: &str, at: &str, before: (&str, &str)) -> Value {
    json!({
        "version": "0", "id": format!("{state}-{at}"), "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch", "account": ACCOUNT, "time": at, "region": "us-east-1",
        "resources": [format!("arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:shop-5xx")],
        "detail": {"alarmName": "shop-5xx", "state": {"value": state, "reason": "r", "timestamp": at},
            "previousState": {"value": before.0, "timestamp": before.1}, "configuration": {"metrics": []}},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn when_customers_felt_it_is_taken_from_an_alarm() {
    let stage = stage(false).await;
    let incident = incident(&stage).await;
    let path = format!("/incidents/{incident}/impact");
    let begun = ("OK", "2026-11-20T00:00:00Z");
    let broke = alarm("ALARM", "2026-11-24T03:10:00Z", begun);
    let alert = id(&stage.detector.post("/webhooks/aws", &broke).await["alert_id"]);
    let body = json!({"alert": alert, "reason": "the shop was down"});
    stage.mia.post(&path, &body).await;
    let marks = async || {
        let shown = stage.mia.get(&format!("/incidents/{incident}")).await;
        let all = shown["milestones"].as_array().unwrap().clone();
        let at = |name: &str| {
            all.iter().find(|mark| mark["milestone"] == name).map(|mark| id(&mark["at"]))
        };
        (at("impact_started_at"), at("impact_ended_at"))
    };
    let start = Some("2026-11-24T03:10:00Z".to_owned());
    assert_eq!(marks().await, (start.clone(), None), "it goes on");
    let works = alarm("OK", "2026-11-24T03:40:00Z", ("ALARM", "2026-11-24T03:10:00Z"));
    stage.detector.post("/webhooks/aws", &works).await;
    stage.mia.post(&path, &body).await;
    assert_eq!(marks().await, (start, Some("2026-11-24T03:40:00Z".to_owned())));
    let kpis = stage.mia.get(&format!("/incidents/{incident}/kpis")).await;
    assert_eq!(kpis["kpis"]["customer_impact"]["ms"], 30 * 60 * 1_000, "{kpis}");
    let told = stage.mia.get(&format!("/incidents/{incident}/timeline")).await.to_string();
    assert!(
        told.contains("impact by mia: from 2026-11-24T03:10:00Z to 2026-11-24T03:40:00Z"),
        "{told}"
    );

    let found = id(&stage.find_key().await["alert_id"]);
    let (_, says) = stage.mia.post_refused(&path, &json!({"alert": found, "reason": "x"})).await;
    assert!(says["detail"].to_string().contains("guardduty"), "{says}");
    let none = json!({"alert": "alr_01JA0000000000000000000000", "reason": "x"});
    let (_, says) = stage.mia.post_refused(&path, &none).await;
    assert!(says["detail"].to_string().contains("there is no alert"), "{says}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_people_found_is_what_the_detectors_missed() {
    let stage = stage(false).await;
    let found = incident(&stage).await;
    let body = json!({"title": "a laptop was stolen", "severity": "high", "account": ACCOUNT});
    let missed = id(&stage.mia.post("/incidents", &body).await["incident_id"]);
    for incident in [&found, &missed] {
        let real = json!({"verdict": "true_positive", "reason": "it was"});
        stage.mia.post(&format!("/incidents/{incident}/verdict"), &real).await;
    }
    assert_eq!(share(&stage, "detection_recall").await, (1, 2));
    let parts = stage.mia.list("/kpis/detection_recall/incidents").await;
    let part = |incident: &String| {
        let of = parts.iter().find(|part| part["incident"] == incident.as_str()).unwrap();
        (of["part"].clone(), of["whole"].clone())
    };
    assert_eq!(part(&found), (json!(1), json!(1)));
    assert_eq!(part(&missed), (json!(0), json!(1)), "the figure leads to what was missed");
}
