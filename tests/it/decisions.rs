//! People decide: enough of them, in time, once each, and only those who are asked.

use serde_json::{Value, json};
use stanch_engine_core::effect::Mode;
use stanch_tests::eventually;

use crate::caller::Caller;
use crate::stage::{Plan, Stage, id, run_of};

const TWO: &str = r#"
const PLAYBOOK = #{ name: "two", title: "Asks two", mode: "ask" };
let gate = approval("Both of you?", #{ approvers: ["role:responder", "lea"], quorum: 2,
    expires: "10m", escalate: ["role:incident-lead"] });
[gate.outcome, gate.decided_by, gate.reason]
"#;

fn says(decision: &str) -> Value {
    json!({"decision": decision, "reason": format!("I {decision}")})
}

async fn asked() -> (Stage, String, String) {
    let stage = Plan::new().manual().set().await;
    stage.publish(TWO).await;
    let run = stage.start("two", json!({})).await;
    let approval = id(&stage.approval(&run).await["id"]);
    (stage, run, format!("/approvals/{approval}/decisions"))
}

async fn refused(caller: &Caller, path: &str, body: &Value) -> (u16, String) {
    let (status, problem) = caller.post_refused(path, body).await;
    (status, id(&problem["detail"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_is_of_distinct_people() {
    let (stage, run, path) = asked().await;
    let lea = stage.person("lea", &["viewer"]).await;
    assert_eq!(stage.mia.post(&path, &says("approve")).await["status"], "pending");
    let (status, detail) = refused(&stage.mia, &path, &says("approve")).await;
    assert_eq!((status, detail.as_str()), (409, "you have decided already"));
    stage.pass(1);
    assert_eq!(lea.post(&path, &says("approve")).await["status"], "approved");
    let ended = stage.over(&run).await;
    assert_eq!(ended["result"], json!(["approved", ["mia", "lea"], "I approve"]), "{ended}");
    let (status, detail) = refused(&lea, &path, &says("reject")).await;
    assert_eq!((status, detail.as_str()), (409, "it is too late: the approval is approved"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_decide_at_once_are_both_counted() {
    for _ in 0..5 {
        let (stage, run, path) = asked().await;
        let lea = stage.person("lea", &["viewer"]).await;
        let (yes, no) = (says("approve"), says("reject"));
        let (a, b) = tokio::join!(stage.mia.post(&path, &yes), lea.post(&path, &yes));
        let mut statuses = [a["status"].clone(), b["status"].clone()];
        statuses.sort_by_key(Value::to_string);
        assert_eq!(statuses, ["approved", "pending"]);
        assert_eq!(stage.over(&run).await["result"][0], "approved");
        refused(&lea, &path, &no).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_no_is_a_no() {
    let (stage, run, path) = asked().await;
    let lea = stage.person("lea", &["viewer"]).await;
    stage.mia.post(&path, &says("approve")).await;
    assert_eq!(lea.post(&path, &says("reject")).await["status"], "rejected");
    assert_eq!(stage.over(&run).await["result"], json!(["rejected", ["lea"], "I reject"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_asked_decides_nothing() {
    let (stage, _, path) = asked().await;
    for (name, role) in [("vic", "viewer"), ("aut", "author"), ("app", "approver")] {
        let stranger = stage.person(name, &[role]).await;
        let (status, detail) = refused(&stranger, &path, &says("approve")).await;
        assert_eq!(status, 403, "{role}");
        assert!(detail.contains("role:responder, lea"), "{detail}");
    }
    let unknown = "/approvals/apr_01M87VQBM55RB8VF4ZNEQGSCGY/decisions";
    assert_eq!(refused(&stage.mia, unknown, &says("approve")).await.0, 404);
    assert_eq!(refused(&stage.mia, "/approvals/nonsense/decisions", &says("approve")).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_needs_a_reason_and_the_form() {
    let stage = Plan::new().set().await;
    let run = run_of(&stage.find_key().await);
    let approval = id(&stage.approval(&run).await["id"]);
    let path = format!("/approvals/{approval}/decisions");
    for (body, says) in [
        (json!({"decision": "approve"}), "reason"),
        (
            json!({"decision": "approve", "reason": " ", "form": {"verdict": "true_positive"}}),
            "reason",
        ),
        (json!({"decision": "approve", "reason": "x"}), "verdict"),
        (json!({"decision": "approve", "reason": "x", "form": {"verdict": "maybe"}}), "verdict"),
        (json!({"decision": "perhaps", "reason": "x"}), "perhaps"),
        (json!({"decision": "approve", "reason": "x", "froms": {}}), "froms"),
    ] {
        let (status, detail) = refused(&stage.mia, &path, &body).await;
        assert_eq!(status, 400, "{body}: {detail}");
        assert!(detail.contains(says), "{body}: {detail}");
    }
    // A look decides nothing.
    stage.mia.get(&format!("/approvals/{approval}")).await;
    assert_eq!(stage.approve(&run).await["status"], "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_a_no_and_people_hear_of_it() {
    let (stage, run, path) = asked().await;
    stage.mia.post(&path, &says("approve")).await;
    stage.pass(10 * 60 * 1_000);
    let lea = stage.person("lea", &["viewer"]).await;
    let (status, detail) = refused(&lea, &path, &says("approve")).await;
    assert_eq!((status, detail.as_str()), (409, "it is too late: the approval is expired"));
    assert_eq!(stage.over(&run).await["result"], json!(["expired", [], null]));
    stage.page_that_says("Nobody answered in time, which is a no").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_goes_up_the_chain_until_somebody_takes_it() {
    let mut plan = Plan::new().manual();
    let topic = |name: &str| format!("arn:aws:sns:us-east-1:111122223333:{name}");
    let topics = [("role:responder", "responders"), ("role:incident-lead", "leads")];
    plan.config.notify.topics =
        topics.iter().map(|(who, name)| ((*who).to_owned(), topic(name))).collect();
    let stage = plan.set().await;
    let run = run_of(&stage.find_key().await);
    let approval = stage.approval(&run).await;
    let heard = async |name: &str, times: usize| {
        eventually(&format!("message {times} at {name}"), async || {
            let sent = stage.aws.published();
            let here = sent.iter().filter(|sent| sent.topic_arn == topic(name)).count();
            (here >= times).then_some(())
        })
        .await;
    };
    heard("responders", 1).await;
    stage.pass(5 * 60 * 1_000);
    heard("leads", 1).await;
    let pages = stage.mia.list("/pages").await;
    let page = pages.iter().find(|page| page["run_id"] == *run).unwrap();
    assert!(page["message"].as_str().unwrap().contains(approval["id"].as_str().unwrap()));
    stage.mia.post(&format!("/pages/{}/ack", id(&page["id"])), &json!({})).await;
    let before = stage.aws.published().len();
    stage.pass(4 * 60 * 1_000);
    // The clock's move reached the pager once the expiry, which comes later, is heard of.
    stage.pass(2 * 60 * 1_000);
    stage.page_that_says("Nobody answered in time").await;
    let after = stage.aws.published();
    let repeated = after[before..].iter().filter(|sent| sent.message.contains("It is a no at"));
    assert_eq!(repeated.count(), 0, "a page that was taken is over: {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_yes_of_two_silences_nothing() {
    let mut plan = Plan::new().mode(Mode::Auto);
    plan.ships = false;
    let stage = plan.set().await;
    let header = |name: &str| format!("const PLAYBOOK = #{{ name: \"{name}\", title: \"T\" }};\n");
    stage.publish(&(header("two") + "approval(\"May I?\", #{ quorum: 2 }).outcome")).await;
    stage.publish(&(header("breaks") + "fail(\"nothing works\")")).await;
    let asks = stage.start_for_finding("two").await;
    let broken = stage.start_for_finding("breaks").await;
    stage.over(&broken).await;
    let open = async || {
        let pages = stage.mia.list("/pages?status=open").await;
        pages.iter().filter(|page| page["run_id"] == *asks || page["run_id"] == *broken).count()
    };
    stage.approve(&asks).await;
    assert_eq!(open().await, 2, "one more is asked, and the failure stands");
    let path = format!("/approvals/{}/decisions", id(&stage.approval(&asks).await["id"]));
    let lea = stage.person("lea", &["responder"]).await;
    lea.post(&path, &says("approve")).await;
    assert_eq!(stage.over(&asks).await["result"], "approved");
    assert_eq!(open().await, 1, "the failure still stands");
    let pages = stage.mia.list("/pages?status=open").await;
    let path = format!("/pages/{}/ack", id(&pages[0]["id"]));
    let viewer = stage.person("vic", &["viewer"]).await;
    assert_eq!(viewer.post_refused(&path, &json!({})).await.0, 403);
    lea.post(&path, &json!({})).await;
    assert_eq!(open().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_can_be_taken_back_until_enough_have_said_it() {
    let (stage, run, path) = asked().await;
    let lea = stage.person("lea", &["viewer"]).await;
    let withdraw = path.replace("/decisions", "/withdraw");
    let why = json!({"reason": "the wrong key"});
    let (status, detail) = refused(&stage.mia, &withdraw, &why).await;
    assert_eq!((status, detail.as_str()), (400, "you have said nothing that could be taken back"));
    stage.mia.post(&path, &says("approve")).await;
    stage.mia.post(&withdraw, &why).await;
    let shown = lea.get(&path.replace("/decisions", "")).await;
    assert!(shown["decisions"][0]["revoked_at"].is_string(), "{shown}");
    // It does not count, and can be said anew.
    assert_eq!(lea.post(&path, &says("approve")).await["status"], "pending");
    assert_eq!(stage.mia.post(&path, &says("approve")).await["status"], "approved");
    assert_eq!(stage.over(&run).await["result"][0], "approved");
    let (status, detail) = refused(&stage.mia, &withdraw, &why).await;
    assert_eq!((status, detail.as_str()), (409, "it is too late: the approval is approved"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_who_decide_at_once_exactly_the_quorum_counts() {
    let stage = Plan::new().set().await;
    stage.publish(&TWO.replace("\"lea\"], quorum: 2", "\"lea\"], quorum: 7")).await;
    let run = stage.start("two", json!({})).await;
    let approval = id(&stage.approval(&run).await["id"]);
    let path = format!("/approvals/{approval}/decisions");
    let mut people = Vec::new();
    for number in 0..100 {
        people.push(stage.person(&format!("person-{number}"), &["responder"]).await);
    }
    let mut deciding = tokio::task::JoinSet::new();
    for person in people {
        let path = path.clone();
        deciding.spawn(async move {
            person.try_ask(reqwest::Method::POST, &path, Some(&says("approve"))).await.unwrap()
        });
    }
    let said = deciding.join_all().await;
    let with = |wanted: &str| said.iter().filter(|(_, body)| body["status"] == wanted).count();
    let too_late = said.iter().filter(|(status, _)| *status == 409).count();
    assert_eq!((with("pending"), with("approved"), too_late), (6, 1, 93));
    let ended = stage.over(&run).await;
    assert_eq!(ended["result"][1].as_array().map(Vec::len), Some(7), "{ended}");
}
