//! Versions of playbooks: a second person, and runs that are given another version.

use serde_json::{Value, json};

use crate::bundle::unpack;
use crate::caller::Caller;
use crate::stage::{Plan, Stage, id};

fn playbook(before: &str, after: &str) -> String {
    format!(
        "const PLAYBOOK = #{{ name: \"p\", title: \"Waits\" }};\n\
         let got = {before};\n\
         let gate = approval(\"Go on?\", #{{ expires: \"24h\" }}).outcome;\n{after}\n"
    )
}

async fn publish(caller: &Caller, text: &str) -> Value {
    caller.post("/playbooks", &json!({"main": text, "source": "commit 4f2c1e9"})).await
}

/// A run that waits for people.
async fn waiting(stage: &Stage) -> String {
    stage.publish(&playbook("now()", "gate")).await;
    let run = stage.start_for_finding("p").await;
    stage.approval(&run).await;
    stage.run_when(&run, |run| run["status"] == "waiting").await;
    run
}

fn migrate(run: &str) -> String {
    format!("/runs/{run}/migrate")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_person_makes_it_active() {
    let mut plan = Plan::new();
    plan.ships = false;
    plan.config.second_person = true;
    let stage = plan.set().await;
    let ann = stage.person("ann", &["author"]).await;
    let bob = stage.person("bob", &["author"]).await;
    let first = publish(&ann, &playbook("1", "gate")).await;
    assert_eq!((&first["changed"], &first["awaits_second_person"]), (&json!(false), &json!(true)));
    // Nobody's word counts twice, neither by publishing again nor by activating.
    assert_eq!(publish(&ann, &playbook("1", "gate")).await["awaits_second_person"], true);
    let digest = json!({"digest": first["digest"]});
    let (status, refused) = ann.post_refused("/playbooks/p/activate", &digest).await;
    assert_eq!(status, 403, "{refused}");
    assert!(refused["detail"].to_string().contains("second person"), "{refused}");
    let listed = ann.list("/playbooks").await;
    assert!(listed.iter().all(|active| active["name"] != "p"), "{listed:?}");
    bob.post("/playbooks/p/activate", &digest).await;

    // Publishing what another has published is a yes, too.
    let second = publish(&bob, &playbook("2", "gate")).await;
    assert_eq!(second["changed"], false);
    let agreed = publish(&ann, &playbook("2", "gate")).await;
    assert_eq!(
        (&agreed["changed"], &agreed["awaits_second_person"]),
        (&json!(true), &json!(false))
    );
    // Back to what two have seen goes one alone.
    let back = bob.post("/playbooks/p/rollback", &json!({})).await;
    assert_eq!(back["digest"], first["digest"]);
    // A second time would bring back what was just taken away.
    let (status, refused) = ann.post_refused("/playbooks/p/rollback", &json!({})).await;
    assert_eq!(status, 409, "{refused}");
    assert!(refused["detail"].to_string().contains("stanch playbooks activate p"), "{refused}");
    let versions = ann.list("/playbooks/p/versions").await;
    let active: Vec<_> = versions.iter().filter(|version| version["active"] == true).collect();
    assert_eq!(active.len(), 1, "{versions:?}");
    assert_eq!(active[0]["digest"], first["digest"]);
    assert_eq!(ann.list("/playbooks/p/versions").await[0]["source"], "commit 4f2c1e9");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_active_after_a_rollback_can_be_rolled_back_again() {
    let stage = Plan::new().set().await;
    let ann = stage.person("ann", &["author"]).await;
    let back = async || ann.post("/playbooks/p/rollback", &json!({})).await["digest"].clone();
    let first = publish(&ann, &playbook("1", "gate")).await;
    let (status, refused) = ann.post_refused("/playbooks/p/rollback", &json!({})).await;
    assert_eq!(status, 409, "{refused}");
    assert!(refused["detail"].to_string().contains("never another version"), "{refused}");
    let second = publish(&ann, &playbook("2", "gate")).await;
    assert_eq!(back().await, first["digest"]);
    // It was no mistake of the version: it goes forward again, and back from there.
    ann.post("/playbooks/p/activate", &json!({"digest": second["digest"]})).await;
    assert_eq!(back().await, first["digest"]);
    publish(&ann, &playbook("3", "gate")).await;
    assert_eq!(back().await, first["digest"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_rule_one_person_is_enough() {
    let stage = Plan::new().set().await;
    let ann = stage.person("ann", &["author"]).await;
    let published = publish(&ann, &playbook("1", "gate")).await;
    assert_eq!(published["changed"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_with_a_version_that_fits_its_journal() {
    let stage = Plan::new().set().await;
    let run = waiting(&stage).await;
    let author = stage.person("ann", &["author", "responder"]).await;
    let fixed = publish(&author, &playbook("now()", "`new: ${gate}`")).await;
    let why = json!({"reason": "a better end"});

    // Without a reason, or without the role, nothing happens.
    assert_eq!(author.post_refused(&migrate(&run), &json!({})).await.0, 400);
    let responder = stage.person("rob", &["responder"]).await;
    assert_eq!(responder.post_refused(&migrate(&run), &why).await.0, 403);
    let trial = json!({"reason": "a better end", "trial": true});
    let tried = author.post(&migrate(&run), &trial).await;
    assert_eq!((&tried["migrated"], &tried["to"]), (&json!(false), &fixed["digest"]));
    let before = author.get(&format!("/runs/{run}")).await;
    assert_ne!(before["digest"], fixed["digest"]);

    let moved = author.post(&migrate(&run), &why).await;
    assert_eq!((&moved["migrated"], &moved["from"]), (&json!(true), &before["digest"]));
    // A second time there is nothing to do.
    assert_eq!(author.post_refused(&migrate(&run), &why).await.0, 409);
    stage.approve(&run).await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["result"], "new: approved", "{ended}");
    assert_eq!(ended["digest"], fixed["digest"]);
    let incident = id(&ended["incident_id"]);
    let bundle = unpack(&stage.mia.bytes(&format!("/incidents/{incident}/export")).await);
    let custody = String::from_utf8_lossy(&bundle["details.jsonl"]).into_owned();
    assert!(custody.contains("a better end") && custody.contains("migrated"), "{custody}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_does_not_fit_is_refused_and_the_run_keeps_its_own() {
    let stage = Plan::new().set().await;
    let run = waiting(&stage).await;
    let author = stage.person("ann", &["author", "responder"]).await;
    let why = json!({"reason": "try"});
    for (text, words) in [
        // Something else where the journal holds an answer.
        (playbook("aws(\"iam:ListUsers\", #{})", "gate"), "iam:ListUsers"),
        // It asks for nothing of what is open.
        ("const PLAYBOOK = #{ name: \"p\", title: \"t\" };\nnow();\n1".to_owned(), "approval"),
        // It waits for something else, and would never hear of the approval.
        (
            "const PLAYBOOK = #{ name: \"p\", title: \"t\" };\nnow();\nsleep(\"1h\");".to_owned(),
            "approval",
        ),
        // It fails where the run stands.
        (playbook("now()", "gate").replace("let gate", "fail(\"no\"); let gate"), "no"),
    ] {
        publish(&author, &text).await;
        let (status, refused) = author.post_refused(&migrate(&run), &why).await;
        assert_eq!(status, 409, "{text}: {refused}");
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains(words) && detail.contains("keeps its own"), "{text}: {detail}");
    }
    let absent = json!({"reason": "try", "to": "0".repeat(64)});
    assert_eq!(author.post_refused(&migrate(&run), &absent).await.0, 404);
    let nowhere = migrate("run_01JA0000000000000000000000");
    assert_eq!(author.post_refused(&nowhere, &why).await.0, 404);
    stage.approve(&run).await;
    assert_eq!(stage.over(&run).await["result"], "approved");
    let (status, late) = author.post_refused(&migrate(&run), &why).await;
    assert!(status == 409 && late.to_string().contains("no more"), "{late}");
}
