//! Incidents that are parts of another: each goes on by itself, and the whole is over when they are.

use serde_json::{Value, json};

use crate::bundle::unpack;
use crate::caller::Caller;
use crate::stage::{ACCOUNT, Plan, Stage, id};

const OTHER: &str = "444455556666";

async fn stage(on_postgres: bool) -> Stage {
    let mut plan = Plan::new();
    plan.ships = false;
    if on_postgres {
        plan = plan.on_postgres().await;
    }
    plan.set().await
}

impl Stage {
    async fn made(&self, title: &str, account: &str) -> String {
        let body = json!({"title": title, "severity": "high", "account": account});
        id(&self.mia.post("/incidents", &body).await["incident_id"])
    }

    async fn shown(&self, incident: &str) -> Value {
        self.mia.get(&format!("/incidents/{incident}")).await
    }

    async fn attach(&self, part: &str, to: &str) -> Value {
        let body = json!({"to": to, "reason": "one campaign"});
        self.mia.post(&format!("/incidents/{part}/attach"), &body).await
    }

    async fn not_attached(&self, part: &str, to: &str, because: &str) {
        let body = json!({"to": to, "reason": "one campaign"});
        let (status, refused) =
            self.mia.post_refused(&format!("/incidents/{part}/attach"), &body).await;
        let said = refused["detail"].as_str().unwrap_or_default();
        assert!((400..=409).contains(&status) && said.contains(because), "{status} {refused}");
    }

    async fn timeline_of(&self, incident: &str) -> String {
        Value::from(self.mia.list(&format!("/incidents/{incident}/timeline")).await).to_string()
    }
}

fn over() -> Value {
    json!({"verdict": "false_positive", "reason": "done"})
}

fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| id(&one["id"])).collect()
}

async fn a_whole_and_its_parts(on_postgres: bool) {
    let stage = stage(on_postgres).await;
    let whole = stage.made("a campaign", ACCOUNT).await;
    let one = stage.made("a host", ACCOUNT).await;
    let two = stage.made("another host", OTHER).await;
    for part in [&one, &two] {
        assert_eq!(stage.attach(part, &whole).await["part_of"], json!(whole));
    }
    let shown = stage.shown(&whole).await;
    assert_eq!(ids(&shown["parts"]), [one.clone(), two.clone()]);
    assert_eq!((&shown["part_of"], &shown["children"]), (&Value::Null, &json!([])));
    let told = stage.timeline_of(&whole).await;
    assert!(
        told.contains(&format!("attach by mia: {one} is a part of it: one campaign")),
        "{told}"
    );
    let told = stage.timeline_of(&one).await;
    assert!(told.contains(&format!("attach by mia: a part of {whole}: one campaign")), "{told}");

    // Reports name each other; the bundle's chain has who said it.
    let report = stage.mia.get(&format!("/incidents/{whole}/report?format=json")).await;
    assert_eq!(
        (ids(&report["parts"]), &report["part_of"]),
        (vec![one.clone(), two.clone()], &Value::Null)
    );
    let report = stage.mia.get(&format!("/incidents/{two}/report?format=json")).await;
    assert_eq!(report["part_of"], json!(whole));
    let page = stage.mia.bytes(&format!("/incidents/{whole}/report")).await;
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("## Parts") && page.contains("another host"), "{page}");
    for incident in [&whole, &one] {
        let bundle = unpack(&stage.mia.bytes(&format!("/incidents/{incident}/export")).await);
        let chain = String::from_utf8_lossy(&bundle["details.jsonl"]).into_owned();
        assert!(chain.contains("\"decision\":\"attach\"") && chain.contains(&one), "{chain}");
    }
    let audit = stage.admin.list("/audit?verb=incidents.attach").await;
    assert_eq!((audit.len(), &audit[0]["actor"]), (2, &json!("mia")), "{audit:?}");

    // The whole is over when its parts are; who leaves goes on alone.
    let close = |incident: &str| format!("/incidents/{incident}/close");
    let (status, refused) = stage.mia.post_refused(&close(&whole), &over()).await;
    let said = refused["detail"].as_str().unwrap();
    assert!(status == 409 && said.contains(&format!("{one}, a part of it, is open")), "{refused}");
    stage.mia.post(&close(&one), &over()).await;
    let body = json!({"reason": "it was the printer"});
    let left = stage.mia.post(&format!("/incidents/{two}/detach"), &body).await;
    assert_eq!(left["part_of"], Value::Null);
    assert!(stage.timeline_of(&whole).await.contains(&format!("{two} is no part of it any more")));
    assert_eq!(stage.mia.post(&close(&whole), &over()).await["status"], "closed");
    assert_eq!(stage.shown(&two).await["status"], "open");
    let (status, _) = stage.mia.post_refused(&format!("/incidents/{two}/detach"), &body).await;
    assert_eq!(status, 409, "it is a part of nothing");
    stage.not_attached(&two, &whole, "is closed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_is_over_when_its_parts_are_on_sqlite() {
    a_whole_and_its_parts(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_is_over_when_its_parts_are_on_postgres() {
    a_whole_and_its_parts(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_one_level_and_a_refusal_says_where_to_attach() {
    let stage = stage(false).await;
    let whole = stage.made("a campaign", ACCOUNT).await;
    let (part, third) = (stage.made("a host", ACCOUNT).await, stage.made("a key", ACCOUNT).await);
    stage.attach(&part, &whole).await;
    stage.not_attached(&whole, &whole, "itself").await;
    stage.not_attached(&whole, &part, "detach it first").await;
    stage.not_attached(&third, &part, &format!("attach {third} to {whole}")).await;
    stage.not_attached(&part, &whole, "already").await;
    let other = stage.made("another campaign", ACCOUNT).await;
    stage.not_attached(&whole, &other, "detach them, or attach each").await;
    stage.not_attached(&third, "inc_00000000000000000000000000", "there is no").await;
    // A part goes from the one to the other.
    stage.attach(&part, &other).await;
    assert_eq!(stage.shown(&whole).await["parts"], json!([]));
    assert!(stage.timeline_of(&whole).await.contains(&format!("{part} is no part of it any more")));
    let forced = json!({"verdict": "false_positive", "reason": "done", "force": true});
    stage.mia.post(&format!("/incidents/{other}/close"), &forced).await;
    assert_eq!(
        stage.shown(&part).await["status"],
        "open",
        "what was forced closes the whole alone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_go_where_the_whole_goes_on() {
    let stage = stage(false).await;
    let whole = stage.made("a campaign", ACCOUNT).await;
    let (one, two) = (stage.made("a host", ACCOUNT).await, stage.made("a key", ACCOUNT).await);
    stage.attach(&one, &whole).await;
    stage.attach(&two, &whole).await;
    let merge = |from: &str| format!("/incidents/{from}/merge");
    let into_part = json!({"into": one, "reason": "the same"});
    let (status, refused) = stage.mia.post_refused(&merge(&whole), &into_part).await;
    assert!(status == 409 && refused.to_string().contains("can have none"), "{refused}");
    assert_eq!(stage.shown(&whole).await["status"], "open", "what was refused changed nothing");
    let other = stage.made("the campaign that it is", ACCOUNT).await;
    stage.mia.post(&merge(&whole), &json!({"into": other, "reason": "the same"})).await;
    assert_eq!(ids(&stage.shown(&other).await["parts"]), [one.clone(), two.clone()]);
    assert_eq!(stage.shown(&one).await["part_of"], json!(other));
    // What goes on in the whole is no part of it any more.
    stage.mia.post(&merge(&two), &json!({"into": other, "reason": "the same"})).await;
    let shown = stage.shown(&other).await;
    assert_eq!(ids(&shown["parts"]), [one]);
    assert_eq!(stage.shown(&two).await["part_of"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_attaches_must_reach_both_and_say_why() {
    let stage = stage(false).await;
    let (whole, part) = (stage.made("whole", OTHER).await, stage.made("part", ACCOUNT).await);
    let path = format!("/incidents/{part}/attach");
    let body = json!({"to": whole, "reason": "one campaign"});
    let reader = stage.person("ron", &["viewer"]).await;
    assert_eq!(reader.post_refused(&path, &body).await.0, 403);
    let why = json!({"to": whole, "reason": " "});
    assert_eq!(stage.mia.post_refused(&path, &why).await.0, 400);
    let eva = json!({"name": "eva", "roles": ["responder"], "scope": {"accounts": [ACCOUNT]}});
    let made = stage.admin.post("/tokens", &eva).await;
    let near = Caller::new(&stage.url, made["token"].as_str().unwrap());
    assert_eq!(near.post_refused(&path, &body).await.0, 403);
    let mine = stage.made("mine", ACCOUNT).await;
    let body = json!({"to": mine, "reason": "one campaign"});
    assert_eq!(near.post(&path, &body).await["part_of"], json!(mine));
}
