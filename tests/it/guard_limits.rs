//! How much is done without asking, how much is destroyed, how soon again, and when not.

use serde_json::{Value, json};
use stanch_engine_cli::config::{Freeze, Guard};
use stanch_engine_core::effect::Mode;
use stanch_engine_core::span::Span;
use stanch_engine_core::time::Timestamp;

use crate::stage::{Plan, Stage, id};

/// A plan that makes as many users as it is told to, without asking.
const MANY: &str = r#"
const PLAYBOOK = #{ name: "many", title: "Changes much", mode: "auto" };
let items = [];
for n in 0..inputs.count {
    items.push(change("iam:CreateUser", #{ UserName: `user-${n}` }, #{}));
}
execute(plan(items)).effective
"#;

/// A key that is turned off outside of any plan.
const ONE: &str = r#"
const PLAYBOOK = #{ name: "one", title: "Turns a key off", mode: "auto" };
aws("iam:UpdateAccessKey", #{ UserName: "ci-deploy", AccessKeyId: "AKIAIOSFODNN7EXAMPLE",
    Status: inputs.status });
"done"
"#;

/// Something that can't be undone, approved.
const DESTROY: &str = r#"
const PLAYBOOK = #{ name: "destroy", title: "Destroys", mode: "auto" };
if inputs.keeps { evidence("before", #{ key: "AKIAIOSFODNN7EXAMPLE" }); }
let gone = plan([change("iam:DeleteAccessKey",
    #{ UserName: "ci-deploy", AccessKeyId: "AKIAIOSFODNN7EXAMPLE" }, #{})]);
approval("Delete it?", #{ plan: gone });
execute(gone);
"#;

async fn set(change: impl FnOnce(&mut Guard)) -> Stage {
    let mut plan = Plan::new().manual().mode(Mode::Auto);
    plan.ships = false;
    change(&mut plan.config.guard);
    plan.config.guard.owner = Some("team sec".to_owned());
    let stage = plan.set().await;
    for text in [MANY, ONE, DESTROY] {
        stage.publish(text).await;
    }
    stage
}

async fn ended(stage: &Stage, playbook: &str, inputs: Value) -> Value {
    let run = stage.start_for_finding_with(playbook, inputs).await;
    stage.over_in_time(&run, 1_000).await
}

fn refused(ended: &Value, code: &str, words: &[&str]) {
    let message = ended["error"].to_string();
    for word in std::iter::once(&code).chain(words) {
        assert!(message.contains(word), "{word}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn much_at_once_is_asked_about_also_in_auto() {
    let stage = set(|guard| guard.ask_above = Some(2)).await;
    let little = ended(&stage, "many", json!({"count": 2})).await;
    assert_eq!(little["status"], "succeeded", "{little}");
    let much = ended(&stage, "many", json!({"count": 3})).await;
    refused(&much, "plan_not_approved", &["touches 3 resources", "ask_above", "team sec"]);
    assert_eq!(stage.changes().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_run_has_changed_rests_unless_people_approve() {
    let stage = set(|guard| guard.cooldown = Some(Span::from_secs(600))).await;
    let off = json!({"status": "Inactive"});
    assert_eq!(ended(&stage, "one", off.clone()).await["result"], "done");
    let again = ended(&stage, "one", json!({"status": "Active"})).await;
    refused(&again, "cooling_down", &["rests for 10m", "cooldown", "team sec"]);
    let incident = id(&again["incident_id"]);
    let told = stage.mia.get(&format!("/incidents/{incident}/timeline")).await.to_string();
    assert!(told.contains("rests for 10m"), "{told}");

    let run = stage.start_for_finding_with("destroy", json!({"keeps": false})).await;
    stage.approve(&run).await;
    assert_eq!(stage.over_in_time(&run, 1_000).await["status"], "succeeded");
    stage.pass(600_000);
    let rested = ended(&stage, "one", off).await;
    assert_ne!(rested["error"]["code"], "cooling_down", "{rested}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_destroyed_beyond_the_budget_nor_before_evidence() {
    let stage = set(|guard| {
        guard.destroy_per_day = Some(1);
        guard.evidence_first = true;
    })
    .await;
    let destroyed = async |keeps: bool| {
        let run = stage.start_for_finding_with("destroy", json!({"keeps": keeps})).await;
        stage.approve(&run).await;
        stage.over_in_time(&run, 1_000).await
    };
    let bare = destroyed(false).await;
    refused(&bare, "no_evidence", &["evidence_first", "team sec"]);
    assert!(stage.changes().is_empty(), "{:?}", stage.changes());
    destroyed(true).await;
    assert_eq!(stage.changes(), ["iam:DeleteAccessKey"]);
    refused(&destroyed(true).await, "budget_spent", &["destroy_per_day", "24 hours", "team sec"]);
    assert_eq!(stage.changes().len(), 1);
    stage.pass(24 * 60 * 60 * 1_000 + 1);
    destroyed(true).await;
    assert_eq!(stage.changes().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_window_people_are_asked_or_nothing_is_changed() {
    let window = |strict| Freeze {
        name: "year-end".to_owned(),
        reason: "the books are closed".to_owned(),
        owner: "finance".to_owned(),
        starts_at: Timestamp::parse("2026-11-24T00:00:00Z").unwrap(),
        ends_at: Timestamp::parse("2026-11-24T06:00:00Z").unwrap(),
        accounts: Vec::new(),
        strict,
    };
    let off = json!({"status": "Inactive"});
    let stage = set(|guard| guard.freeze.push(window(false))).await;
    let run = stage.start_for_finding_with("one", off.clone()).await;
    stage.approve(&run).await;
    assert_eq!(stage.over(&run).await["result"], "done");
    let plan = ended(&stage, "many", json!({"count": 1})).await;
    refused(&plan, "plan_not_approved", &["year-end", "finance", "the books are closed"]);

    let stage = set(|guard| guard.freeze.push(window(true))).await;
    refused(
        &ended(&stage, "one", off.clone()).await,
        "frozen",
        &["year-end", "finance", "stanch.toml"],
    );
    assert!(stage.changes().is_empty());
    stage.pass(3 * 60 * 60 * 1_000);
    assert_eq!(ended(&stage, "one", off).await["result"], "done");
}
