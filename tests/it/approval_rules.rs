//! Who must say yes: several rules at once, whom tags name, what is filled in, and what nobody can
//! say yes to.

use serde_json::{Value, json};
use stanch_engine_cli::config::Config;

use crate::caller::Caller;
use crate::stage::{Plan, Stage, id};

const RULES: &str = r#"
const PLAYBOOK = #{ name: "rules", title: "Asks by rules", mode: "auto" };
let cut = plan([change("iam:UpdateAccessKey",
    #{ UserName: "ci-deploy", AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" })]);
let gate = approval("Cut it off?", #{ plan: cut, expires: "10m", approvers: [
    #{ of: "role:security", count: 2 }, #{ of: "tag:owner", count: 1 } ] });
[gate.outcome, gate.decided_by]
"#;

const FORM: &str = r#"
const PLAYBOOK = #{ name: "form", title: "Asks for more", mode: "auto" };
let gate = approval("Isolate it?", #{ approvers: ["role:responder"], form: #{
    type: "object", required: ["ticket", "blast"], properties: #{
        ticket: #{ type: "string", pattern: "^INC-[0-9]+$" },
        blast: #{ type: "integer", minimum: 1, maximum: 50 },
        note: #{ type: "string" } } } });
[gate.outcome, gate.form.ticket, gate.form.blast + 1, gate.form.note]
"#;

fn yes() -> Value {
    json!({"decision": "approve", "reason": "yes"})
}

async fn set(change: impl FnOnce(&mut Config)) -> Stage {
    let mut plan = Plan::new().manual();
    plan.ships = false;
    change(&mut plan.config);
    plan.set().await
}

/// Starts a playbook, and gives the run and the path of what it asks.
async fn asked(stage: &Stage, text: &str, playbook: &str) -> (String, String) {
    stage.publish(text).await;
    let run = stage.start_for_finding(playbook).await;
    let approval = id(&stage.approval(&run).await["id"]);
    (run, format!("/approvals/{approval}"))
}

async fn decide(caller: &Caller, path: &str) -> Value {
    caller.post(&format!("{path}/decisions"), &yes()).await["status"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_rule_wants_its_own_people_and_a_tag_names_who_is_asked() {
    let stage = set(|_| {}).await;
    let sue = stage.person("sue", &["security"]).await;
    // The demo's user bears `owner = platform-team`. Pat is of that team and of security, too.
    let pat = stage.person("pat", &["security", "platform-team"]).await;
    let (run, path) = asked(&stage, RULES, "rules").await;
    let shown = stage.mia.get(&path).await;
    assert_eq!(shown["rules"][1]["of"], json!(["platform-team", "role:platform-team"]), "{shown}");
    let why = shown["rules"][1]["why"].as_str().unwrap();
    assert!(why.contains("owner=platform-team on what iam:UpdateAccessKey"), "{why}");
    assert_eq!(shown["quorum"], 3);

    let (status, problem) = stage.mia.post_refused(&format!("{path}/decisions"), &yes()).await;
    assert_eq!(status, 403, "{problem}");
    assert_eq!(decide(&sue, &path).await, "pending");
    assert_eq!(decide(&pat, &path).await, "pending");
    let missing = stage.mia.get(&path).await["missing"].clone();
    assert_eq!(
        missing.as_array().map(Vec::len),
        Some(1),
        "two fill two places of three: {missing}"
    );
    let sam = stage.person("sam", &["security"]).await;
    assert_eq!(decide(&sam, &path).await, "approved", "pat is the owner then");
    let ended = stage.over(&run).await;
    assert_eq!(ended["result"][0], "approved", "{ended}");
    let shown = stage.mia.get(&path).await;
    let pat =
        &shown["decisions"].as_array().unwrap().iter().find(|d| d["person"] == "pat").unwrap();
    assert_eq!(pat["counts_as"], json!(["role:platform-team", "role:security"]), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_say_yes_to_is_told_at_once() {
    let stage = set(|config| config.approvals.requester_counts = false).await;
    stage.person("sue", &["security"]).await;
    let text = RULES.replace("tag:owner", "tag:nobody-knows").replace("count: 2", "count: 3");
    let (_, path) = asked(&stage, &text, "rules").await;
    let shown = stage.mia.get(&path).await;
    let why = shown["out_of_reach"].as_str().unwrap().to_owned();
    assert!(why.contains("3 of role:security must say yes, and admin, sue can"), "{why}");
    assert!(
        why.contains("iam:UpdateAccessKey in 111122223333 touches has the tag `nobody-knows`"),
        "{why}"
    );
    let page = stage.page_that_says("Nobody can approve").await;
    assert!(page.contains(&why), "{page}");

    // Who starts it does not count, also where they are asked.
    let text = FORM.replace("\"form\"", "\"alone\"").replace("role:responder", "mia");
    let (_, path) = asked(&stage, &text, "alone").await;
    let why = stage.mia.get(&path).await["out_of_reach"].clone();
    assert_eq!(why, "1 of mia must say yes, and nobody can");
    let (_, path) = asked(&stage, FORM, "form").await;
    assert_eq!(stage.mia.get(&path).await["out_of_reach"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_filled_in_is_checked_and_reaches_the_playbook_as_it_is() {
    let stage = set(|_| {}).await;
    let (run, path) = asked(&stage, FORM, "form").await;
    let decisions = format!("{path}/decisions");
    for (form, says) in [
        (json!(null), "`form.ticket` is missing; `form.blast` is missing"),
        (json!({"ticket": "INC-1", "blast": "7"}), "`form.blast` must be a whole number"),
        (json!({"ticket": "7", "blast": 7}), "`form.ticket` must fit ^INC-[0-9]+$"),
        (json!({"ticket": "INC-1", "blast": 7, "nte": ""}), "`form.nte` is not asked for"),
    ] {
        let said = json!({"decision": "approve", "reason": "yes", "form": form});
        let (status, problem) = stage.mia.post_refused(&decisions, &said).await;
        assert_eq!(status, 400, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    let form = json!({"ticket": "INC-1", "blast": 7});
    stage.mia.post(&decisions, &json!({"decision": "approve", "reason": "y", "form": form})).await;
    assert_eq!(stage.over(&run).await["result"], json!(["approved", "INC-1", 8, null]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_playbook_that_asks_what_can_not_be_held_is_not_published() {
    let stage = set(|_| {}).await;
    for (text, says) in [
        (FORM.replace("pattern: ", "format: "), "format"),
        (FORM.replace("^INC-[0-9]+$", "("), "pattern"),
        (RULES.replace("count: 2", "cuont: 2"), "cuont"),
        (RULES.replace("#{ of: \"role:security\", count: 2 }", "\"sue\""), "not both"),
    ] {
        let body = json!({"main": text, "source": "a test"});
        let (status, problem) = stage.admin.post_refused("/playbooks", &body).await;
        assert_eq!(status, 422, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    let text = RULES.replace("plan: cut, ", "");
    stage.publish(&text).await;
    let run = stage.start_for_finding("rules").await;
    let ended = stage.over(&run).await;
    assert!(
        ended["error"]["message"].as_str().unwrap().contains("give the approval its `plan`"),
        "{ended}"
    );
}

const EACH: &str = r#"
const PLAYBOOK = #{ name: "each", title: "Asks for each", mode: "ask" };
each(["ann", "bob", "cat"], #{ max_errors: 3 }, |name| {
    let cut = plan([change("iam:UpdateAccessKey",
        #{ UserName: name, AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" }, #{})]);
    approval(`Cut off ${name}?`, #{ plan: cut, approvers: ["role:responder"] }).outcome
})
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_alike_is_listed_and_a_plan_that_was_not_looked_at_is_not_decided_about() {
    let stage = set(|_| {}).await;
    let (_, other) = asked(&stage, FORM, "form").await;
    stage.publish(EACH).await;
    let run = stage.start_for_finding("each").await;
    let asked = stanch_tests::eventually("three questions", async || {
        let pending = stage.mia.list("/approvals?status=pending").await;
        let own: Vec<Value> = pending.into_iter().filter(|one| one["run_id"] == *run).collect();
        (own.len() == 3).then_some(own)
    })
    .await;
    let first = id(&asked[0]["id"]);
    let alike = stage.mia.list(&format!("/approvals?identical_to={first}")).await;
    let digests: std::collections::BTreeSet<String> =
        alike.iter().map(|one| id(&one["plan_sha256"])).collect();
    assert_eq!((alike.len(), digests.len()), (3, 3), "{alike:?}");
    let alone = id(&json!(other.trim_start_matches("/approvals/")));
    assert_eq!(stage.mia.list(&format!("/approvals?identical_to={alone}")).await.len(), 1);

    let path = format!("/approvals/{first}/decisions");
    let with = |plan: &Value| json!({"decision": "approve", "reason": "y", "plan_sha256": plan});
    let (status, problem) = stage.mia.post_refused(&path, &with(&asked[1]["plan_sha256"])).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("look at it again"), "{problem}");
    let said = stage.mia.post(&path, &with(&asked[0]["plan_sha256"])).await;
    assert_eq!(said["status"], "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_after_it_was_asked_is_new() {
    let stage = set(|_| {}).await;
    let (run, path) = asked(&stage, FORM, "form").await;
    let before = stage.mia.get(&path).await;
    assert_eq!(before["new_since"], json!({"evidence": [], "alerts": []}), "{before}");
    assert_eq!(before["evidence_head"].as_str().map(str::len), Some(64), "{before}");
    stage.pass(1_000);
    let keeps = "const PLAYBOOK = #{ name: \"keeps\", title: \"Keeps\" }; evidence(\"more\", 1);";
    stage.publish(keeps).await;
    let incident = stage.mia.get(&format!("/runs/{run}")).await["incident_id"].clone();
    let body = json!({"playbook": "keeps", "incident": incident});
    let other = id(&stage.mia.post("/runs", &body).await["id"]);
    stage.over(&other).await;
    let after = stage.mia.get(&path).await;
    assert_eq!(after["new_since"]["evidence"][0]["label"], "more", "{after}");
    assert_eq!(after["evidence_head"], before["evidence_head"], "it stays as it stood");
}
