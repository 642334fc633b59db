//! Who did what: a record for each call that changes something, one chain, and its proof.

use reqwest::Method;
use serde_json::{Value, json};
use stanch_engine_core::audit::Asked;
use stanch_engine_runtime::audit::{self, Pending, verify};
use stanch_engine_server::access::{Needs, RULES};
use stanch_tests::eventually;

use crate::access::filled;
use crate::caller::Caller;
use crate::stage::{Plan, Stage};

const CANARY: &str = "canary-7d1f";

async fn bare() -> Stage {
    let mut plan = Plan::new();
    plan.ships = false;
    plan.set().await
}

/// The records of a verb, the newest first.
async fn records(stage: &Stage, query: &str) -> Vec<Value> {
    stage.admin.list(&format!("/audit?limit=200&{query}")).await
}

async fn exported(stage: &Stage) -> String {
    String::from_utf8(stage.admin.bytes("/audit/export").await).unwrap()
}

/// How many records there are, but for those of looking at the log itself.
async fn count(stage: &Stage) -> usize {
    let is_look = |line: &&str| line.contains("\"verb\":\"audit.");
    let log = exported(stage).await;
    log.lines().filter(|line| line.contains("\"seq\":") && !is_look(line)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_that_changes_something_leaves_one_record_whoever_calls_and_however_it_ends() {
    let stage = Plan::new().set().await;
    let vic = stage.person("vic", &["viewer"]).await;
    let nobody = Caller::new(&stage.url, &format!("stk_{CANARY}"));
    let callers = [(&nobody, 401), (&vic, 403), (&stage.admin, 0)];
    let mut before = count(&stage).await;
    let mut walked = 0;
    let told = RULES.iter().filter(|rule| rule.method != "GET" && rule.needs != Needs::Proof);
    for rule in told {
        for (caller, refused) in callers {
            let path = filled(rule.path.strip_prefix("/v1").unwrap());
            let body = json!({"unheard-of": CANARY, "reason": "to walk the table"});
            let body = (rule.method == "POST").then_some(&body);
            let method: Method = rule.method.parse().unwrap();
            let (status, said) = caller.try_ask(method, &path, body).await.unwrap();
            assert!(refused == 0 || status == refused || status == 400 || status == 404, "{said}");
            let after = count(&stage).await;
            assert_eq!(after, before + 1, "{} {path}: {status} {said}", rule.method);
            before = after;
            let last = records(&stage, "").await;
            let is_look = |record: &Value| record["verb"].as_str().unwrap().starts_with("audit.");
            let last = last.into_iter().find(|record| !is_look(record)).unwrap();
            assert_eq!(last["status"], status, "{last}");
            let outcome = if status < 300 { "done" } else { "refused" };
            assert_eq!(last["outcome"], outcome, "{last}");
            assert_eq!(last["actor"].is_null(), status == 401, "{last}");
            assert_eq!(last["from"], "127.0.0.1");
            assert_eq!(last["code"].is_null(), status < 300, "{last}");
            walked += 1;
        }
    }
    assert!(walked > 100, "{walked}");
    assert!(!exported(&stage).await.contains(CANARY));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_says_who_did_what_to_what_from_where_and_why() {
    let stage = bare().await;
    let made = json!({"name": "mia-phone", "person": "mia", "roles": ["responder"]});
    let phone = stage.admin.post("/tokens", &made).await;
    let phone = Caller::new(&stage.url, phone["token"].as_str().unwrap());
    phone.post("/halt", &json!({"reason": "it spreads"})).await;
    let halted = records(&stage, "verb=halt").await.remove(0);
    let said = ["actor", "token", "verb", "reason", "outcome"].map(|name| halted[name].clone());
    assert_eq!(json!(said), json!(["mia", "mia-phone", "halt.create", "it spreads", "done"]));
    let token = records(&stage, "verb=tokens.create&object=mia-phone").await.remove(0);
    assert_eq!(token["actor"], "admin");
    assert_eq!(token["detail"]["roles"], json!(["responder"]));

    let body = json!({"title": "A laptop was stolen", "severity": "high"});
    let opened = phone.post("/incidents", &body).await;
    let incident = opened["incident_id"].as_str().unwrap();
    phone.post(&format!("/incidents/{incident}/note"), &json!({"text": CANARY})).await;
    phone.bytes(&format!("/incidents/{incident}/export")).await;
    phone.list(&format!("/incidents/{incident}/evidence")).await;
    let about = records(&stage, &format!("object={incident}")).await;
    let verbs: Vec<_> = about.iter().rev().map(|record| record["verb"].clone()).collect();
    let all = ["incidents.create", "incidents.note", "incidents.export", "incidents.evidence.read"];
    assert_eq!(verbs, all);
    // By page, by person, and from a moment on.
    let of_mia = records(&stage, "actor=mia").await;
    assert_eq!(of_mia.len(), 5);
    let first = stage.admin.get("/audit?actor=mia&limit=2").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = stage.admin.list(&format!("/audit?actor=mia&limit=2&cursor={cursor}")).await;
    assert_eq!(second, of_mia[2..4]);
    assert!(records(&stage, "actor=mia&since=2999-01-01T00:00:00Z").await.is_empty());
    // No secret is in it: no token, no text, no answer.
    let log = exported(&stage).await;
    assert!(!log.contains("stk_") && !log.contains(CANARY), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_proves_itself_and_names_the_first_record_that_is_wrong() {
    let stage = bare().await;
    for n in 0..6 {
        stage.person(&format!("p{n}"), &["viewer"]).await;
    }
    let (log, key) = (exported(&stage).await, stage.runtime.public_key());
    let whole = verify(&log, Some(&key)).unwrap();
    let lines: Vec<_> = log.lines().collect();
    assert_eq!((whole.records, whole.is_authenticated), (lines.len() - 1, true));
    let fault = |lines: &[&str]| verify(&(lines.join("\n") + "\n"), Some(&key)).unwrap_err();
    for at in 0..lines.len() - 1 {
        let changed = lines[at].replace("\"outcome\":\"done\"", "\"outcome\":\"failed\"");
        assert_ne!(changed, lines[at]);
        let mut with = lines.clone();
        with[at] = &changed;
        assert!(fault(&with).to_string().contains(&format!("record {at}")), "{}", fault(&with));
        let mut without = lines.clone();
        without.remove(at);
        assert!(fault(&without).to_string().contains(&format!("record {at}")), "{at}");
    }
    let mut swapped = lines.clone();
    swapped.swap(3, 4);
    assert!(fault(&swapped).to_string().contains("record 3"), "{}", fault(&swapped));
    let cut = fault(&lines[..lines.len() - 1]).to_string();
    assert!(cut.contains("no checkpoint"), "{cut}");
    // An older end with the records of now, and somebody else's key.
    let older = log.clone();
    stage.person("later", &["viewer"]).await;
    let newer = exported(&stage).await;
    let mut mixed: Vec<_> = newer.lines().collect();
    let last = mixed.len() - 1;
    mixed[last] = older.lines().last().unwrap();
    let added = fault(&mixed).to_string();
    assert!(added.contains(&format!("record {}", whole.records)), "{added}");
    let other = bare().await.runtime.public_key();
    assert_eq!(verify(&log, Some(&other)).unwrap_err(), audit::Fault::Signature);
}

async fn a_hundred_at_once(stage: Stage) {
    let posts = (0..100).map(|n| {
        let admin = stage.admin.clone();
        async move {
            let body = json!({"name": format!("t{n}"), "roles": ["viewer"]});
            admin.post("/tokens", &body).await
        }
    });
    futures_util::future::join_all(posts).await;
    let log = exported(&stage).await;
    verify(&log, Some(&stage.runtime.public_key())).unwrap();
    let made = |line: &&str| line.contains("\"object\":\"t") && line.contains("tokens.create");
    assert_eq!(log.lines().filter(made).count(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_calls_at_once_keep_one_chain_on_sqlite() {
    a_hundred_at_once(bare().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_calls_at_once_keep_one_chain_on_postgres() {
    a_hundred_at_once(Plan::new().on_postgres().await.set().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_died_over_is_in_the_log_as_unknown() {
    let stage = Plan::new().manual().set().await;
    let asked = Asked {
        at: stage.runtime.world().now(),
        actor: Some("mia".to_owned()),
        token: Some("mia".to_owned()),
        verb: "runs.cancel".to_owned(),
        object: Some("run_x".to_owned()),
        from: "10.0.0.1".to_owned(),
        reason: Some("enough".to_owned()),
        detail: json!({}),
    };
    // Begun, and never ended.
    Pending::new(&stage.runtime, asked).begin(&stage.runtime).await.unwrap();
    assert!(records(&stage, "object=run_x").await.is_empty());
    let left = eventually("the record", async || {
        stage.pass(60_000);
        records(&stage, "object=run_x").await.pop()
    });
    let left = left.await;
    assert_eq!((&left["outcome"], &left["reason"]), (&json!("unknown"), &json!("enough")));
    let is_once = records(&stage, "object=run_x").await.len() == 1;
    assert!(is_once);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_configuration_is_told_once() {
    let mut stage = bare().await;
    assert_eq!(records(&stage, "verb=configuration").await.len(), 1);
    stage.restart().await;
    assert_eq!(records(&stage, "verb=configuration").await.len(), 1);
    stage.configure(|config| config.second_person = true);
    stage.restart().await;
    assert_eq!(records(&stage, "verb=configuration.change").await.len(), 2);
}
