//! What people do about incidents by hand, from opening one to opening it again.

use serde_json::{Value, json};
use stanch_tests::eventually;

use crate::bundle::unpack;
use crate::caller::Caller;
use crate::stage::{ACCOUNT, Plan, Stage, id};

async fn stage() -> Stage {
    let mut plan = Plan::new();
    plan.ships = false;
    plan.set().await
}

async fn open(caller: &Caller) -> String {
    let body = json!({
        "title": "A laptop was stolen", "severity": "high", "account": ACCOUNT,
        "region": "eu-west-1", "resources": [{"type": "AwsIamUser", "id": "lea"}],
    });
    id(&caller.post("/incidents", &body).await["incident_id"])
}

async fn show(caller: &Caller, incident: &str) -> Value {
    caller.get(&format!("/incidents/{incident}")).await
}

fn marked(incident: &Value, milestone: &str) -> Option<String> {
    let all = incident["milestones"].as_array().unwrap();
    let found = all.iter().find(|mark| mark["milestone"] == milestone)?;
    Some(id(&found["at"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_goes_by_hand_from_its_beginning_to_its_end_and_back() {
    let stage = stage().await;
    let mia = &stage.mia;
    let incident = open(mia).await;
    let path = |what: &str| format!("/incidents/{incident}/{what}");
    let opened = show(mia, &incident).await;
    assert_eq!((&opened["status"], &opened["severity"]), (&json!("open"), &json!("high")));
    assert_eq!(opened["alerts"][0]["source"], "manual");
    assert!(marked(&opened, "acknowledged_at").is_none());

    mia.post(&path("note"), &json!({"text": "it was in a taxi"})).await;
    assert!(marked(&show(mia, &incident).await, "acknowledged_at").is_some());
    let at = "2026-11-24T01:00:00Z";
    let mark = json!({"milestone": "occurred_at", "at": at, "reason": "lea says so"});
    mia.post(&path("milestone"), &mark).await;
    assert_eq!(marked(&show(mia, &incident).await, "occurred_at").as_deref(), Some(at));

    let lost = json!({"verdict": "true_positive", "reason": "it is gone"});
    let judged = mia.post(&path("verdict"), &lost).await;
    assert_eq!(judged["verdict"], "true_positive");
    let close = json!({"reason": "it was wiped"});
    let (status, refused) = mia.post_refused(&path("close"), &close).await;
    assert_eq!(status, 409);
    assert!(refused["detail"].as_str().unwrap().contains("nothing is contained"), "{refused}");
    let forced = json!({"reason": "it was wiped from afar", "force": true});
    assert_eq!(mia.post(&path("close"), &forced).await["status"], "closed");
    assert!(marked(&show(mia, &incident).await, "closed_at").is_some());
    assert_eq!(mia.post_refused(&path("close"), &forced).await.0, 409);

    let again = mia.post(&path("reopen"), &json!({"reason": "it was not"})).await;
    assert_eq!(again["status"], "open");
    assert!(marked(&show(mia, &incident).await, "closed_at").is_none());
    assert_eq!(mia.post_refused(&path("reopen"), &json!({"reason": "x"})).await.0, 409);

    let told = mia.get(&path("timeline")).await["items"].to_string();
    for words in ["it was in a taxi", "true_positive: it is gone", "close by", "reopen by"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let chain = unpack(&mia.bytes(&path("export")).await)["details.jsonl"].clone();
    let chain = String::from_utf8_lossy(&chain).into_owned();
    assert!(
        chain.contains("it was in a taxi") && chain.contains("nothing is contained"),
        "{chain}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_not_over_while_a_run_is_under_way_or_nobody_has_judged_it() {
    let stage = stage().await;
    let text = "const PLAYBOOK = #{ name: \"p\", title: \"t\" };\napproval(\"Go on?\", #{ expires: \"24h\" }).outcome";
    stage.publish(text).await;
    let run = stage.start_for_finding("p").await;
    stage.approval(&run).await;
    let incident = id(&stage.mia.get(&format!("/runs/{run}")).await["incident_id"]);
    let path = format!("/incidents/{incident}/close");
    let close = json!({"reason": "enough"});
    let (_, refused) = stage.mia.post_refused(&path, &close).await;
    let said = refused["detail"].as_str().unwrap();
    assert!(said.contains(&run) && said.contains("nobody has said what it was"), "{said}");
    stage.mia.post(&format!("/runs/{run}/cancel"), &json!({"reason": "enough"})).await;
    stage.over(&run).await;
    let judged = json!({"reason": "it was a test", "verdict": "benign_positive"});
    let closed = stage.mia.post(&path, &judged).await;
    assert_eq!(
        (&closed["status"], &closed["verdict"]),
        (&json!("closed"), &json!("benign_positive"))
    );
    // Its pages are over with it.
    let open = async || {
        let pages = stage.mia.list("/pages?status=open").await;
        pages.iter().all(|page| page["incident_id"] != incident.as_str()).then_some(())
    };
    eventually("its pages to be over", open).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_is_refused_and_changes_nothing() {
    let stage = stage().await;
    let incident = open(&stage.mia).await;
    let path = |what: &str| format!("/incidents/{incident}/{what}");
    let why = "x";
    for (what, body, words) in [
        ("note", json!({"text": "  "}), "empty"),
        ("note", json!({"text": "x".repeat(20_001)}), "20000"),
        ("verdict", json!({"verdict": "true_positive", "reason": ""}), "reason"),
        ("verdict", json!({"verdict": "maybe", "reason": why}), "maybe"),
        ("milestone", json!({"milestone": "contained_at", "reason": why}), "by hand"),
        (
            "milestone",
            json!({"milestone": "recovered_at", "at": "2999-01-01T00:00:00Z", "reason": why}),
            "not come",
        ),
        ("close", json!({"reason": ""}), "reason"),
    ] {
        let (status, refused) = stage.mia.post_refused(&path(what), &body).await;
        assert!((400..=422).contains(&status), "{what} {body}: {refused}");
        assert!(refused["detail"].to_string().contains(words), "{what} {body}: {refused}");
    }
    for body in [
        json!({"title": " ", "severity": "low"}),
        json!({"title": "a\0b", "severity": "low"}),
        json!({"title": "t", "severity": "dreadful"}),
        json!({"title": "t", "severity": "low", "account": "42"}),
    ] {
        let (status, refused) = stage.mia.post_refused("/incidents", &body).await;
        assert!((400..=422).contains(&status), "{body}: {refused}");
    }
    let absent = "/incidents/inc_01JA0000000000000000000000/note";
    assert_eq!(stage.mia.post_refused(absent, &json!({"text": "t"})).await.0, 404);
    let vic = stage.person("vic", &["viewer"]).await;
    assert_eq!(vic.post_refused(&path("note"), &json!({"text": "t"})).await.0, 403);
    let untouched = show(&stage.mia, &incident).await;
    assert_eq!((&untouched["status"], &untouched["verdict"]), (&json!("open"), &Value::Null));
    assert!(marked(&untouched, "acknowledged_at").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_what_is_said_and_stands_in_the_record() {
    let stage = Plan::new().set().await;
    let received = stage.find_key().await;
    stage.person("tom", &["viewer"]).await;
    let path = format!("/incidents/{}", id(&received["incident_id"]));
    let assign = format!("{path}/assign");
    for (body, says) in [
        (json!({"reason": "x"}), "nobody is named"),
        (json!({"lead": "nobody", "reason": "x"}), "nobody of the name `nobody`"),
        (json!({"lead": "mia", "reason": " "}), "say why"),
    ] {
        let (status, problem) = stage.mia.post_refused(&assign, &body).await;
        assert!(status == 400 && problem.to_string().contains(says), "{problem}");
    }
    let first = json!({"lead": "mia", "scribe": "tom", "reason": "it is large"});
    stage.mia.post(&assign, &first).await;
    stage.mia.post(&assign, &json!({"lead": "tom", "reason": "mia sleeps"})).await;
    let assigned = stage.mia.get(&path).await["assigned"].clone();
    assert_eq!(assigned, json!({"lead": "tom", "scribe": "tom"}));
    let told = stage.mia.get(&format!("{path}/timeline")).await.to_string();
    assert!(told.contains("assign by mia: lead: mia, scribe: tom: it is large"), "{told}");
}
