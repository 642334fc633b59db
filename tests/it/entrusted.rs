//! Who decides for others: who stands in, who was handed it, and who breaks the glass.

use serde_json::{Value, json};
use stanch_engine_cli::config::Config;

use crate::caller::Caller;
use crate::stage::{Plan, Stage, id};

/// Security is asked, twice.
const TWO: &str = r#"
const PLAYBOOK = #{ name: "two", title: "Asks two", mode: "ask" };
let cut = plan([change("iam:UpdateAccessKey",
    #{ UserName: "ci-deploy", AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" })]);
let gate = approval("Both?", #{ plan: cut, approvers: ["role:security"], quorum: 2, expires: "2h" });
if gate.outcome == "approved" { wait_signal("go", #{ timeout: "1h" }); execute(cut); }
[gate.outcome, gate.decided_by]
"#;

fn yes() -> Value {
    json!({"decision": "approve", "reason": "yes"})
}

async fn set(change: impl FnOnce(&mut Config)) -> Stage {
    let mut plan = Plan::new().manual();
    plan.ships = false;
    change(&mut plan.config);
    let stage = plan.set().await;
    stage.publish(TWO).await;
    stage
}

async fn asked(stage: &Stage) -> (String, String) {
    let run = stage.start_for_finding("two").await;
    let approval = id(&stage.approval(&run).await["id"]);
    (run, format!("/approvals/{approval}"))
}

async fn away(stage: &Stage, person: &str, delegate: &str) {
    let body = json!({"until": "2026-12-01T00:00:00Z", "delegate": delegate, "reason": "on leave"});
    stage.admin.post(&format!("/people/{person}/absent"), &body).await;
}

async fn says(caller: &Caller, path: &str) -> Value {
    caller.post(&format!("{path}/decisions"), &yes()).await["status"].clone()
}

async fn refused(caller: &Caller, path: &str, body: &Value) -> (u16, String) {
    let (status, problem) = caller.post_refused(path, body).await;
    (status, id(&problem["detail"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stands_in_is_one_person_and_speaks_for_one() {
    let stage = set(|_| {}).await;
    let (sue, sam) =
        (stage.person("sue", &["security"]).await, stage.person("sam", &["security"]).await);
    let lea = stage.person("lea", &["viewer"]).await;
    let (run, path) = asked(&stage).await;
    let decisions = format!("{path}/decisions");
    assert_eq!(refused(&lea, &decisions, &yes()).await.0, 403);
    away(&stage, "sue", "lea").await;
    assert_eq!(stage.mia.list("/people/absent").await[0]["delegate"], "lea");
    assert_eq!(says(&lea, &path).await, "pending");
    let (status, detail) = refused(&sue, &decisions, &yes()).await;
    assert_eq!((status, detail.as_str()), (409, "lea has decided for you"));
    let shown = stage.mia.get(&path).await;
    assert_eq!(shown["decisions"][0]["on_behalf"], json!(["sue"]), "{shown}");
    // Also for another who is away she says it once.
    away(&stage, "sam", "lea").await;
    let (status, detail) = refused(&lea, &decisions, &yes()).await;
    assert_eq!((status, detail.as_str()), (409, "you have decided already"));
    stage.admin.post("/people/sam/back", &json!({})).await;
    assert_eq!(says(&sam, &path).await, "approved");
    let incident = id(&stage.mia.get(&format!("/runs/{run}")).await["incident_id"]);
    let told = stage.mia.get(&format!("/incidents/{incident}/timeline")).await.to_string();
    assert!(told.contains("approve by lea for sue: yes"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_said_for_them_what_they_may_not_say() {
    let stage = set(|config| config.approvals.requester_counts = false).await;
    let lea = stage.person("lea", &["viewer"]).await;
    let phone = json!({"name": "mia-2", "person": "mia", "roles": ["security"]});
    stage.admin.post("/tokens", &phone).await;
    let (_, path) = asked(&stage).await;
    away(&stage, "mia", "lea").await;
    let (status, detail) = refused(&lea, &format!("{path}/decisions"), &yes()).await;
    assert_eq!(status, 403, "mia started the run: {detail}");
    // And she stands in for nobody there.
    stage.person("sue", &["security"]).await;
    away(&stage, "sue", "mia").await;
    let (status, detail) = refused(&stage.mia, &format!("{path}/decisions"), &yes()).await;
    assert!(status == 403 && detail.contains("mia started the run"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absence_is_ones_own_and_ends() {
    let stage = set(|_| {}).await;
    stage.person("sue", &["security"]).await;
    let lea = stage.person("lea", &["viewer"]).await;
    let until = |at: &str| json!({"until": at, "delegate": "lea", "reason": "on leave"});
    let soon = until("2026-11-24T04:00:00Z");
    let (status, detail) = refused(&lea, "/people/sue/absent", &soon).await;
    assert_eq!(status, 403, "{detail}");
    for (body, says) in [
        (until("2026-11-24T03:00:00Z"), "has passed"),
        (json!({"until": "2026-11-25T00:00:00Z", "delegate": "nobody", "reason": "x"}), "`nobody`"),
        (json!({"until": "2026-11-25T00:00:00Z", "delegate": "sue", "reason": "x"}), "themselves"),
        (json!({"until": "2026-11-25T00:00:00Z", "delegate": "lea", "reason": " "}), "a reason"),
    ] {
        let (status, detail) = refused(&stage.admin, "/people/sue/absent", &body).await;
        assert!(status == 400 && detail.contains(says), "{status} {detail}");
    }
    stage.admin.post("/people/sue/absent", &soon).await;
    let (_, path) = asked(&stage).await;
    stage.pass(60 * 60 * 1_000);
    let (status, detail) = refused(&lea, &format!("{path}/decisions"), &yes()).await;
    assert_eq!(status, 403, "her time is over: {detail}");
    assert_eq!(refused(&stage.admin, "/people/sue/back", &json!({})).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_handed_over_is_the_others_to_decide_until_it_comes_back() {
    let stage = set(|_| {}).await;
    let (sue, sam) =
        (stage.person("sue", &["security"]).await, stage.person("sam", &["security"]).await);
    let tom = stage.person("tom", &["viewer"]).await;
    let (_, path) = asked(&stage).await;
    let (decisions, handover) = (format!("{path}/decisions"), format!("{path}/handover"));
    let to = |who: &str| json!({"to": who, "reason": "I am on the train"});
    assert!(refused(&tom, &handover, &to("sue")).await.1.contains("you are not asked"));
    assert!(refused(&sue, &handover, &to("nobody")).await.1.contains("nobody of the name"));
    sue.post(&handover, &to("tom")).await;
    stage.page_that_says("sue hands you").await;
    let (status, detail) = refused(&sue, &decisions, &yes()).await;
    assert!(status == 409 && detail.contains("handed it to tom"), "{detail}");
    assert!(refused(&tom, &handover, &to("mia")).await.1.contains("hand it back to sue"));
    tom.post(&handover, &to("sue")).await;
    assert_eq!(refused(&tom, &decisions, &yes()).await.0, 403);
    sue.post(&handover, &to("tom")).await;
    assert_eq!(says(&tom, &path).await, "pending");
    assert_eq!(says(&sam, &path).await, "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_for_who_is_disabled_is_not_carried_out() {
    let stage = set(|_| {}).await;
    let sam = stage.person("sam", &["security"]).await;
    stage.person("sue", &["security"]).await;
    let lea = stage.person("lea", &["viewer"]).await;
    let (run, path) = asked(&stage).await;
    away(&stage, "sue", "lea").await;
    assert_eq!(says(&lea, &path).await, "pending");
    assert_eq!(says(&sam, &path).await, "approved");
    let taken = stage.admin.post("/people/sue/disable", &json!({"reason": "left"})).await;
    assert_eq!(
        (&taken["entrusted_ended"], &taken["decisions_revoked"][0]),
        (&json!(1), &json!(path.trim_start_matches("/approvals/"))),
        "{taken}"
    );
    stage.mia.post(&format!("/runs/{run}/signal"), &json!({"name": "go", "data": {}})).await;
    let ended = stage.over(&run).await;
    assert!(ended.to_string().contains("approval_revoked"), "{ended}");
    assert!(stage.changes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_breaks_the_glass_is_enough_everybody_hears_and_another_looks() {
    let topic = |name: &str| format!("arn:aws:sns:us-east-1:111122223333:{name}");
    let stage = set(|config| {
        config.approvals.requester_counts = false;
        config.approvals.break_glass = vec!["role:incident-lead".to_owned()];
        let topics = [("role:security", "security"), ("role:incident-lead", "leads")];
        config.notify.topics = topics.map(|(who, name)| (who.to_owned(), topic(name))).into();
    })
    .await;
    let (run, path) = asked(&stage).await;
    let glass = format!("{path}/break-glass");
    let why = json!({"reason": "nobody is awake"});
    let (status, detail) = refused(&stage.mia, &glass, &why).await;
    assert!(status == 403 && detail.contains("role:admin, role:incident-lead may"), "{detail}");
    // Whoever started it may, too.
    let phone = json!({"name": "mia-2", "person": "mia", "roles": ["incident-lead"]});
    let made = stage.admin.post("/tokens", &phone).await;
    let mia = Caller::new(&stage.url, made["token"].as_str().unwrap());
    assert_eq!(refused(&mia, &glass, &json!({"reason": " "})).await.0, 400);
    assert_eq!(mia.post(&glass, &why).await["status"], "approved");
    for name in ["security", "leads", "stanch-pages"] {
        stanch_tests::eventually(name, async || {
            let sent = stage.aws.published();
            let heard = |one: &stanch_plugins_aws::sandbox::Published| {
                one.topic_arn == topic(name) && one.message.contains("BREAK-GLASS: mia")
            };
            sent.iter().any(heard).then_some(())
        })
        .await;
    }
    stage.mia.post(&format!("/runs/{run}/signal"), &json!({"name": "go", "data": {}})).await;
    let ended = stage.over_in_time(&run, 1_000).await;
    assert_eq!(ended["result"], json!(["approved", ["mia"]]), "{ended}");
    assert_eq!(stage.changes(), ["iam:UpdateAccessKey"]);

    let incident = id(&ended["incident_id"]);
    let close = format!("/incidents/{incident}/close");
    let over = json!({"reason": "done"});
    assert!(refused(&stage.mia, &close, &over).await.1.contains("nobody has reviewed the glass"));
    let open = stage.mia.list("/break-glass?status=open").await;
    assert_eq!((open.len(), &open[0]["person"]), (1, &json!("mia")), "{open:?}");
    let review = format!("/break-glass/{}/review", id(&open[0]["approval_id"]));
    let (status, detail) = refused(&stage.mia, &review, &json!({"text": "fine"})).await;
    assert!(status == 409 && detail.contains("another person"), "{detail}");
    stage.admin.post(&review, &json!({"text": "the key was in use"})).await;
    assert!(refused(&stage.admin, &review, &json!({"text": "x"})).await.1.contains("already"));
    assert!(stage.mia.list("/break-glass?status=open").await.is_empty());
    let told = stage.mia.get(&format!("/incidents/{incident}/timeline")).await.to_string();
    for words in
        ["BREAK-GLASS by mia: nobody is awake", "break_glass_reviewed by admin: the key was"]
    {
        assert!(told.contains(words), "{words}: {told}");
    }
    let detail = refused(&stage.mia, &close, &over).await.1;
    assert!(!detail.contains("glass"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_glass_is_broken_over_a_yes_and_not_over_a_no() {
    let stage = set(|_| {}).await;
    let sue = stage.person("sue", &["security", "admin"]).await;
    let (_, path) = asked(&stage).await;
    assert_eq!(says(&sue, &path).await, "pending");
    let why = json!({"reason": "it spreads"});
    assert_eq!(sue.post(&format!("{path}/break-glass"), &why).await["status"], "approved");

    let (_, path) = asked(&stage).await;
    let no = json!({"decision": "reject", "reason": "it is our scanner"});
    assert_eq!(sue.post(&format!("{path}/decisions"), &no).await["status"], "rejected");
    let (status, detail) = refused(&stage.admin, &format!("{path}/break-glass"), &why).await;
    assert!(status == 409 && detail.contains("too late"), "{detail}");
}
