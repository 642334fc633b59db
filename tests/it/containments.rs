//! What was contained has an owner, who is asked when its time is over, and nothing is taken back by
//! itself.

use serde_json::{Value, json};
use stanch_engine_core::effect::Mode;
use stanch_tests::eventually;

use crate::stage::{Plan, Stage, id, run_of};

const DAY_MS: i64 = 86_400_000;

const CUTS: &str = r#"
const PLAYBOOK = #{ name: "cuts", title: "Cuts", mode: "auto" };
execute(plan([change("iam:UpdateAccessKey", #{ UserName: "ci-deploy",
    AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" })]));
"#;

/// A key that is cut off, approved by mia; the run.
async fn contained(plan: Plan) -> (Stage, String) {
    let stage = plan.set().await;
    let run = run_of(&stage.find_key().await);
    stage.approve(&run).await;
    let ended = match stage.clock {
        Some(_) => stage.over_in_time(&run, 500).await,
        None => stage.over(&run).await,
    };
    assert_eq!(ended["status"], "succeeded", "{ended}");
    (stage, run)
}

async fn only(stage: &Stage) -> Value {
    let mut all = stage.mia.list("/containments").await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// The containment, when its owner was asked so often.
async fn asked(stage: &Stage, times: u32) -> Value {
    eventually(&format!("the owner asked {times} times"), async || {
        Some(only(stage).await).filter(|it| it["asked"] == times)
    })
    .await
}

/// The page that asks and that nobody took.
async fn open_page(stage: &Stage) -> Value {
    let open = stage.mia.list("/pages?status=open").await;
    let mut asks: Vec<Value> =
        open.into_iter().filter(|page| page["code"] == "containment").collect();
    assert_eq!(asks.len(), 1, "{asks:?}");
    asks.remove(0)
}

async fn is_asked_about_until_somebody_says_what_becomes_of_it(plan: Plan) {
    let (mut stage, run) = contained(plan.manual()).await;
    let it = only(&stage).await;
    assert_eq!((&it["status"], &it["owner"]), (&json!("open"), &json!("mia")), "{it}");
    assert_eq!(it["run_id"], run);
    let operations: Vec<_> =
        it["changes"].as_array().unwrap().iter().map(|one| one["operation"].clone()).collect();
    assert_eq!(operations, ["iam:UpdateAccessKey", "iam:PutUserPolicy"]);
    let path = format!("/containments/{}", id(&it["id"]));
    let changes = stage.changes();

    // Another process takes it up where this one left it.
    stage.restart().await;
    stage.pass(3 * DAY_MS + 60_000);
    asked(&stage, 1).await;
    let page = open_page(&stage).await;
    let said = page["message"].as_str().unwrap();
    assert!(said.contains("stanch containments extend") && said.contains(&run), "{said}");
    stage.page_that_says("Nothing is taken back by itself").await;
    let told = stage.admin.list("/audit?verb=containments.expire").await;
    assert_eq!((told.len(), &told[0]["object"]), (1, &it["id"]), "{told:?}");

    // Who takes the page and says nothing is asked again.
    stage.mia.post(&format!("/pages/{}/ack", id(&page["id"])), &json!({})).await;
    stage.pass(DAY_MS);
    asked(&stage, 2).await;
    assert_ne!(open_page(&stage).await["id"], page["id"]);

    let until = stage.runtime.world().now().plus_ms(10 * DAY_MS);
    let longer = json!({"until": until, "reason": "the review is on Friday"});
    let extended = stage.mia.post(&format!("{path}/extend"), &longer).await;
    assert_eq!(extended["expires_at"], json!(until), "{extended}");
    assert!(stage.mia.list("/pages?status=open").await.is_empty(), "nothing is asked now");
    stage.pass(10 * DAY_MS + 60_000);
    asked(&stage, 3).await;
    let tom = json!({"to": "role:night", "reason": "it is night"});
    assert_eq!(stage.mia.post(&format!("{path}/handover"), &tom).await["owner"], "role:night");
    let good = json!({"reason": "the key is not needed any more"});
    let ended = stage.mia.post(&format!("{path}/finalize"), &good).await;
    assert_eq!((&ended["status"], &ended["ended_by"]), (&json!("final"), &json!("mia")));
    assert!(stage.mia.list("/containments?status=open").await.is_empty());
    // Nothing was taken back by all of that.
    assert_eq!(stage.changes(), changes);

    let incident = id(&it["incident_id"]);
    let told = stage.mia.get(&format!("/incidents/{incident}/timeline")).await.to_string();
    for words in ["extend by mia: ", "handover by mia: ", "finalize by mia: ", "the review is on"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    for verb in ["extend", "handover", "finalize"] {
        let told = stage.admin.list(&format!("/audit?verb=containments.{verb}")).await;
        assert_eq!((told.len(), &told[0]["actor"]), (1, &json!("mia")), "{verb}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_asked_about_until_somebody_says_what_becomes_of_it_on_sqlite() {
    is_asked_about_until_somebody_says_what_becomes_of_it(Plan::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_asked_about_until_somebody_says_what_becomes_of_it_on_postgres() {
    is_asked_about_until_somebody_says_what_becomes_of_it(Plan::new().on_postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_ends_it_and_the_undo_of_that_has_it_stand_again() {
    for plan in [Plan::new(), Plan::new().on_postgres().await] {
        let (stage, run) = contained(plan).await;
        let undo = async |run: &str| {
            let begun =
                stage.mia.post(&format!("/runs/{run}/undo"), &json!({"reason": "a drill"})).await;
            let undo = id(&begun["id"]);
            stage.approve(&undo).await;
            assert_eq!(stage.over(&undo).await["status"], "succeeded");
            undo
        };
        let first = undo(&run).await;
        let it = only(&stage).await;
        assert_eq!((&it["status"], &it["undone_by"]), (&json!("undone"), &json!(first)), "{it}");
        undo(&first).await;
        let it = only(&stage).await;
        assert_eq!((&it["status"], &it["ended_by"]), (&json!("open"), &Value::Null), "{it}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_owns_what_is_contained_and_only_what_can_be_is_said_of_it() {
    let stage = Plan::new().set().await;
    let (vic, _lea) =
        (stage.person("vic", &["viewer"]).await, stage.person("lea", &["viewer"]).await);
    let received = stage.find_key().await;
    let assign = format!("/incidents/{}/assign", id(&received["incident_id"]));
    stage.mia.post(&assign, &json!({"lead": "lea", "reason": "hers"})).await;
    let run = run_of(&received);
    stage.approve(&run).await;
    stage.over(&run).await;
    let it = only(&stage).await;
    assert_eq!(it["owner"], "lea");
    let path = |verb: &str| format!("/containments/{}/{verb}", id(&it["id"]));
    let why = json!({"reason": "x"});
    assert_eq!(vic.post_refused(&path("finalize"), &why).await.0, 403);
    let absent = "/containments/ctn_01JA0000000000000000000000/finalize";
    assert_eq!(stage.mia.post_refused(absent, &why).await.0, 404);
    let now = stage.runtime.world().now();
    for (verb, body, says) in [
        ("extend", json!({"until": now, "reason": "x"}), "has passed"),
        ("extend", json!({"until": now.plus_ms(91 * DAY_MS), "reason": "x"}), "90 days"),
        ("extend", json!({"until": now.plus_ms(DAY_MS), "reason": " "}), "a reason"),
        ("handover", json!({"to": "zed", "reason": "x"}), "nobody of the name `zed`"),
    ] {
        let (status, problem) = stage.mia.post_refused(&path(verb), &body).await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(status == 400 && detail.contains(says), "{status} {detail}");
    }
    assert_eq!(only(&stage).await, it);
    stage.mia.post(&path("finalize"), &why).await;
    let (status, problem) = stage.mia.post_refused(&path("finalize"), &why).await;
    assert!(status == 409 && problem["detail"].to_string().contains("is final"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_only_observed_leaves_none() {
    let mut plan = Plan::new().mode(Mode::Observe);
    plan.ships = false;
    let stage = plan.set().await;
    stage.publish(CUTS).await;
    let run = stage.start_for_finding("cuts").await;
    stage.over(&run).await;
    assert!(stage.mia.list("/containments").await.is_empty(), "it was only observed");
}
