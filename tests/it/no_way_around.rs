//! Every way from a script to a change goes past the guard: each way round it is tried here, in an
//! account where people are asked.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_cli::config::Account;
use stanch_engine_core::effect::Mode;
use stanch_engine_core::playbook::Bundle;
use stanch_engine_runtime::playbooks;
use stanch_engine_store::{Tx, playbooks as store};

use crate::stage::{Plan, Stage, is_over};

/// What all of the scripts begin with. `cut` is a plan that turns the key off.
const HEAD: &str = r#"
const PLAYBOOK = #{ name: "try", title: "Tries to get round the guard", mode: "auto" };
fn off(status) {
    change("iam:UpdateAccessKey", #{ UserName: "ci-deploy",
        AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: status }, #{})
}
fn cut_off() {
    aws("iam:UpdateAccessKey", #{ UserName: "ci-deploy",
        AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" })
}
"#;

/// Asks about a plan, and is given a yes.
const ASKED: &str = r#"
let cut = plan([off("Inactive")]);
approval("Turn the key off?", #{ plan: cut, approvers: ["role:responder"] });
"#;

async fn stage() -> Stage {
    let mut plan = Plan::new().mode(Mode::Ask);
    plan.ships = false;
    plan.config.accounts.insert("444455556666".to_owned(), Account::of_mode(Mode::Ask));
    plan.set().await
}

/// Runs a script until it waits or is over.
async fn begun(stage: &Stage, script: &str) -> Value {
    stage.publish(&format!("{HEAD}{script}")).await;
    let run = stage.start_for_finding("try").await;
    stage.run_when(&run, |run| is_over(run) || run["status"] == "waiting").await
}

fn code(run: &Value) -> &str {
    run["error"]["code"].as_str().unwrap_or_else(|| panic!("it has no error: {run}"))
}

fn run_id(run: &Value) -> &str {
    run["id"].as_str().unwrap()
}

/// What `check` has against a script, if anything.
fn objections(stage: &Stage, script: &str) -> Vec<String> {
    let bundle = bundle(script);
    let checked = playbooks::examine(&bundle, stage.runtime.catalogue().operations().as_ref());
    assert!(checked.is_fit() || !checked.diagnostics.is_empty());
    match checked.is_fit() {
        true => Vec::new(),
        false => checked.diagnostics.iter().map(ToString::to_string).collect(),
    }
}

fn bundle(script: &str) -> Bundle {
    playbooks::gather(&format!("{HEAD}{script}"), Path::new(".")).unwrap()
}

/// Runs a script that nobody checked until it waits or is over: it is put into the database as if
/// it had been found fit.
async fn forced(stage: &Stage, script: &str) -> Value {
    let bundle = bundle(script);
    let operations = stage.runtime.catalogue().operations();
    let header = playbooks::examine(&bundle, operations.as_ref()).header.unwrap();
    let published_at = stage.runtime.world().now();
    let (by, source) = ("nobody".to_owned(), "forced".to_owned());
    let digest = bundle.digest();
    let version = store::Version { digest, header, published_at, published_by: by, source };
    let parts = Arc::new((bundle, version));
    let put = stage.runtime.store().write(move |tx: &mut Tx<'_>| {
        let parts = Arc::clone(&parts);
        Box::pin(async move {
            let (bundle, version) = &*parts;
            store::publish(tx, bundle, version).await?;
            store::activate(tx, "try", version.digest, "nobody", version.published_at).await
        })
    });
    put.await.unwrap();
    // So that the node looks which versions there are.
    let at = digest.to_string();
    let other = format!("const PLAYBOOK = #{{ name: \"other\", title: \"{at}\" }};");
    stage.publish(&other).await;
    let run = stage.start_for_finding("try").await;
    stage.run_when(&run, |run| is_over(run) || run["status"] == "waiting").await
}

/// Parameters that turn the key off.
const OFF: &str = r#"#{ UserName: "ci-deploy", AccessKeyId: "AKIAIOSFODNN7EXAMPLE",
    Status: "Inactive" }"#;

/// How a way round ends.
enum End {
    /// People are asked about the change.
    Asks,
    /// It fails with this code, and these words.
    Fails(&'static str, &'static str),
}

/// The ways round: a script, what `check` has against it, and how it ends where nobody checked it.
const WAYS: [(&str, Option<&str>, End); 13] = [
    ("let f = |x| cut_off(); [1].map(f);", None, End::Asks),
    ("let f = |x| { cut_off(); true }; [1, 2].filter(f);", None, End::Asks),
    (
        "let f = |a, b| { cut_off(); 0 }; let l = [2, 1]; l.sort(f);",
        None,
        End::Fails("playbook", "a step inside a comparer"),
    ),
    (
        "let f = |x| execute(plan([off(\"Inactive\")])); [1].map(f);",
        None,
        End::Fails("plan_not_approved", "nobody approved this plan"),
    ),
    ("let f = Fn(\"cut_off\"); f.call();", None, End::Asks),
    ("let f = Fn(\"cut\" + \"_off\"); f.call();", None, End::Asks),
    (
        "Fn(\"aws\").call(\"iam:UpdateAccessKey\", $OFF);",
        Some("a verb behind a function pointer can't be read"),
        End::Asks,
    ),
    ("\"iam:UpdateAccessKey\".aws($OFF);", Some("hides the call"), End::Asks),
    (
        "let op = \"iam:Update\" + \"AccessKey\"; aws(op, $OFF);",
        Some("names its operation by a value"),
        End::Asks,
    ),
    ("// check: dynamic\nlet op = \"iam:Update\" + \"AccessKey\"; aws(op, $OFF);", None, End::Asks),
    ("wait_until(\"it is so\", #{ timeout: \"1s\" }, || { cut_off(); true });", None, End::Asks),
    ("each([1, 2], #{}, |x| cut_off());", None, End::Asks),
    (
        "action(\"aws.call\", #{ operation: \"iam:UpdateAccessKey\", params: $OFF });",
        None,
        End::Asks,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_hidden_is_made_no_sooner() {
    let stage = stage().await;
    for (script, objection, end) in WAYS {
        let script = script.replace("$OFF", OFF);
        let said = objections(&stage, &script);
        match objection {
            Some(words) => assert!(said.iter().any(|s| s.contains(words)), "{script}: {said:?}"),
            None => assert!(said.is_empty(), "{script}: {said:?}"),
        }
        // What `check` objects to is tried all the same.
        let run = forced(&stage, &script).await;
        match end {
            End::Asks => {
                assert_eq!(run["status"], "waiting", "{script}: {run}");
                let asked = stage.approval(run_id(&run)).await;
                let item = &asked["plan"]["items"][0];
                assert_eq!(item["operation"], "iam:UpdateAccessKey", "{script}: {asked}");
            }
            End::Fails(expected, words) => {
                assert_eq!(code(&run), expected, "{script}: {run}");
                let message = run["error"]["message"].as_str().unwrap();
                assert!(message.contains(words), "{script}: {message}");
            }
        }
        assert!(stage.changes().is_empty(), "{script}: {:?}", stage.changes());
    }
}

/// Whether a step of a run was refused because it was to look and no more.
async fn was_only_to_look(stage: &Stage, run: &Value) -> bool {
    let journal = stage.journal(run_id(run)).await;
    let mut errors = journal.iter().map(|entry| &entry["body"]["error"]);
    errors.any(|error| {
        let message = error["message"].as_str().unwrap_or_default();
        error["code"] == "not_granted" && message.contains("iam:UpdateAccessKey")
    })
}

/// Both are refused twice: by `check`, and by the call itself, which is granted a look and no more.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_looks_changes_nothing() {
    let stage = stage().await;
    let collected = format!("collect(\"keys\", \"iam:UpdateAccessKey\", {OFF});");
    let objects = |script: &str, words: &str| {
        let said = objections(&stage, script);
        assert!(said.iter().any(|said| said.contains(words)), "{said:?}");
    };
    objects(&collected, "`collect` only looks, and `iam:UpdateAccessKey` does not");
    let run = forced(&stage, &collected).await;
    // What can't be collected is told, and the others are.
    assert_eq!(run["status"], "succeeded", "{run}");
    assert!(was_only_to_look(&stage, &run).await);
    assert!(stage.changes().is_empty(), "{:?}", stage.changes());

    // A probe that would change something, of a change that people did approve.
    let probed = format!(
        "let p = plan([change(\"iam:TagUser\", #{{ UserName: \"ci-deploy\", Tags: [] }}, #{{ probe: \
         probe(\"iam:UpdateAccessKey\", {OFF}, \"Anything == 'x'\", #{{ within: \"1s\" }}) }})]); \
         approval(\"Tag it?\", #{{ plan: p }}); execute(p);"
    );
    objects(&probed, "`probe` only looks, and `iam:UpdateAccessKey` does not");
    let run = forced(&stage, &probed).await;
    stage.approve(run_id(&run)).await;
    let ended = stage.over(run_id(&run)).await;
    assert_eq!(code(&ended), "unverified", "{ended}");
    assert!(was_only_to_look(&stage, &run).await);
    assert_eq!(stage.changes(), ["iam:TagUser"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_was_put_together_by_hand_is_no_approved_one() {
    let stage = stage().await;
    let forged = r#"execute(#{ purpose: "contain", items: [#{ operation: "iam:UpdateAccessKey",
        params: #{ UserName: "ci-deploy", AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" },
        account: "111122223333", region: "us-east-1", approved: true }] })"#;
    for script in [forged, &forged.replace(", approved: true", "")] {
        let run = begun(&stage, script).await;
        assert_eq!(run["status"], "failed", "{run}");
        assert!(stage.changes().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_plan_that_is_altered_is_another_plan() {
    for altered in [
        "cut.items[0].params.Status = \"Active\";",
        "cut.items[0].params.UserName = \"somebody\";",
        "cut.items[0].account = \"444455556666\";",
        "cut.items[0].region = \"eu-west-1\";",
        "cut.items[0].operation = \"iam:DeleteAccessKey\"; cut.items[0].params.remove(\"Status\");",
        "cut.items += off(\"Active\");",
        "cut.purpose = \"eradicate\";",
    ] {
        let stage = stage().await;
        let run = begun(&stage, &format!("{ASKED}{altered} execute(cut);")).await;
        stage.approve(run_id(&run)).await;
        let ended = stage.over(run_id(&run)).await;
        assert_eq!(code(&ended), "plan_not_approved", "{altered}");
        assert!(stage.changes().is_empty(), "{altered}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_for_one_execution() {
    let stage = stage().await;
    let twice = format!("{ASKED} execute(cut); execute(cut);");
    let run = begun(&stage, &twice).await;
    stage.approve(run_id(&run)).await;
    let ended = stage.over(run_id(&run)).await;
    assert_eq!(code(&ended), "plan_not_approved");
    assert!(ended["error"]["message"].as_str().unwrap().contains("one execution"), "{ended}");
    assert_eq!(stage.changes(), ["iam:UpdateAccessKey"]);

    let beside = format!("{ASKED} parallel([|| execute(cut), || execute(cut)]);");
    let run = begun(&stage, &beside).await;
    stage.approve(run_id(&run)).await;
    assert_eq!(code(&stage.over(run_id(&run)).await), "plan_not_approved");
    assert!(stage.changes().len() <= 2, "{:?}", stage.changes());

    // Who asks again may do it again.
    let again = format!("{ASKED} execute(cut); {ASKED} execute(cut);");
    let before = stage.changes().len();
    let run = begun(&stage, &again).await;
    stage.approve(run_id(&run)).await;
    let waits = |run: &Value| is_over(run) || run["status"] == "waiting";
    stage.run_when(run_id(&run), waits).await;
    stage.approve(run_id(&run)).await;
    assert_eq!(stage.over(run_id(&run)).await["status"], "succeeded");
    assert_eq!(stage.changes().len(), before + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_run_again_makes_nothing_anew_that_nobody_approved_anew() {
    let stage = stage().await;
    let run = begun(&stage, &format!("{ASKED} execute(cut);")).await;
    let run = run_id(&run);
    stage.approve(run).await;
    assert_eq!(stage.over(run).await["status"], "succeeded");
    let again = async |from: &str| {
        let body = json!({"from_step": from, "reason": "once more"});
        stage.mia.post(&format!("/runs/{run}/retry"), &body).await;
    };
    // The change itself, again, `execute` before it, and that again.
    for (generation, from) in [(2, "3.2"), (3, "3.2"), (4, "3.1"), (5, "3.1")] {
        again(from).await;
        let ended =
            stage.run_when(run, |run| is_over(run) && run["generation"] == generation).await;
        assert_eq!(code(&ended), "plan_not_approved", "{from}: {ended}");
        assert!(ended["error"]["message"].as_str().unwrap().contains("one execution"), "{ended}");
        assert_eq!(stage.changes(), ["iam:UpdateAccessKey"], "{from}");
    }
    again("2").await;
    stage.run_when(run, |run| run["status"] == "waiting").await;
    stage.approve(run).await;
    assert_eq!(stage.over(run).await["status"], "succeeded");
    assert_eq!(stage.changes().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_for_the_run_that_asked() {
    let stage = stage().await;
    let run = begun(&stage, &format!("{ASKED} execute(cut);")).await;
    stage.approve(run_id(&run)).await;
    assert_eq!(stage.over(run_id(&run)).await["status"], "succeeded");
    assert_eq!(stage.changes().len(), 1);
    // The same plan, in a run that asked nobody.
    let run = begun(&stage, "execute(plan([off(\"Inactive\")]));").await;
    assert_eq!(code(&run), "plan_not_approved");

    // A child is a run of its own, whatever its parent hands it.
    let child = HEAD.replace("\"try\"", "\"child\"") + "execute(inputs.plan);";
    stage.publish(&child).await;
    let run = begun(&stage, &format!("{ASKED} run_playbook(\"child\", #{{ plan: cut }});")).await;
    stage.approve(run_id(&run)).await;
    assert_eq!(code(&stage.over(run_id(&run)).await), "plan_not_approved");
    assert_eq!(stage.changes().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_branch_asks_for_itself() {
    let stage = stage().await;
    let run = begun(&stage, "parallel([|| cut_off(), || cut_off()]);").await;
    let pending = stage.mia.list("/approvals?status=pending").await;
    let of_run = pending.iter().filter(|approval| approval["run_id"] == run["id"]);
    assert_eq!(of_run.count(), 2);
    stage.approve(run_id(&run)).await;
    let no = json!({"decision": "reject", "reason": "once is enough"});
    let approval = crate::stage::id(&stage.approval(run_id(&run)).await["id"]);
    stage.mia.post(&format!("/approvals/{approval}/decisions"), &no).await;
    assert_eq!(code(&stage.over(run_id(&run)).await), "approval_rejected");
    assert_eq!(stage.changes(), ["iam:UpdateAccessKey"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_by_hand_is_no_way_round() {
    let stage = stage().await;
    for (script, expected) in [
        (r#"http("PUT", "http://169.254.169.254/latest/api/token")"#, "forbidden_address"),
        (r#"http("GET", "http://2852039166/latest/meta-data/")"#, "forbidden_address"),
        (r#"http("POST", "http://127.0.0.1:1/x", #{ effect: "read" })"#, "bad_input"),
    ] {
        assert_eq!(code(&begun(&stage, script).await), expected, "{script}");
    }
    // What changes something at AWS asks, whatever the script calls it.
    for script in [
        r#"http("PUT", "https://b.s3.amazonaws.com/k?X-Amz-Signature=x", #{ effect: "notify" })"#,
        r#"http("POST", "https://abc.lambda-url.us-east-1.on.aws/", #{ body: #{} })"#,
    ] {
        let run = begun(&stage, script).await;
        assert_eq!(run["status"], "waiting", "{script}: {run}");
        stage.approval(run_id(&run)).await;
    }
}
