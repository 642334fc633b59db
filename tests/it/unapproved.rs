//! The playbooks that are shipped, where a person says no and where nobody answers: each takes its
//! own branch, and nothing in AWS is changed after it asked.

use std::future::Future;

use serde_json::{Value, json};
use stanch_tests::eventually;

use crate::stage::{Plan, Stage, id, is_over, run_of};

/// The playbooks: how each comes to ask, how long it waits for an answer, what it tells the lead
/// when there is none.
const ASKING: [(&str, i64, Option<&str>); 4] = [
    ("iam-access-key-compromise", 10, Some("is still active, and nobody has decided")),
    ("ec2-instance-compromise", 15, Some("is still on the network, and nobody has decided")),
    ("guardduty-triage", 4 * 60, Some("nobody has triaged")),
    ("undo", 60, None),
];

/// A run that asks, of a playbook that is shipped.
struct Asking {
    stage: Stage,
    run: String,
    approval: String,
    /// What was changed until it asked: evidence may be, and what the run to be undone did.
    before: Vec<String>,
}

impl Asking {
    async fn of(playbook: &str) -> Self {
        let stage = Plan::new().manual().set().await;
        let run = match playbook {
            "iam-access-key-compromise" => run_of(&stage.find_key().await),
            "ec2-instance-compromise" => run_of(&stage.find_instance().await),
            "guardduty-triage" => stage.start_for_finding(playbook).await,
            _ => {
                let run = run_of(&stage.find_key().await);
                let approval = asked(&stage, &run).await;
                let yes = json!({"decision": "approve", "reason": "it is bad",
                    "form": {"verdict": "true_positive"}});
                stage.mia.post(&format!("/approvals/{approval}/decisions"), &yes).await;
                stage.over_in_time(&run, 1_000).await;
                let back = json!({"reason": "a drill"});
                id(&stage.mia.post(&format!("/runs/{run}/undo"), &back).await["id"])
            }
        };
        let approval = asked(&stage, &run).await;
        let before = stage.changes();
        Self { stage, run, approval, before }
    }

    async fn ended(&self, outcome: &str) -> Value {
        let ended = self.stage.over_in_time(&self.run, 1_000).await;
        assert_eq!(ended["status"], "succeeded", "{ended}");
        assert_eq!(ended["result"], outcome, "{ended}");
        assert_eq!(self.stage.changes(), self.before);
        ended
    }
}

/// The approval that a run asks for, when it has come to ask.
async fn asked(stage: &Stage, run: &str) -> String {
    let what = format!("an approval of {run}");
    let approval = eventually(&what, async || {
        let pending = stage.mia.list("/approvals?status=pending").await;
        let found = pending.into_iter().find(|approval| approval["run_id"] == run);
        if found.is_none() {
            let found = stage.mia.get(&format!("/runs/{run}")).await;
            assert!(!is_over(&found), "it asks nobody: {found}");
            stage.pass(500);
        }
        found
    });
    id(&approval.await["id"])
}

async fn each<F: Future<Output = ()>>(tell: impl Fn(&'static str, i64, Option<&'static str>) -> F) {
    for (playbook, minutes, page) in ASKING {
        println!("{playbook}");
        Box::pin(tell(playbook, minutes, page)).await;
    }
}

#[test]
fn every_playbook_that_is_shipped_is_here() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../playbooks");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let shipped = files.filter(|path| path.extension().is_some_and(|e| e == "rhai"));
    let mut shipped: Vec<_> =
        shipped.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    shipped.sort();
    let mut here: Vec<_> = ASKING.iter().map(|(playbook, ..)| *playbook).collect();
    // They have tests of their own: who switched writing back on has said yes to it, and what is collected
    // asks only before it copies a disk or runs a command.
    here.extend(["collect", "logging-baseline", "logging-baseline-account", "write-back"]);
    here.sort_unstable();
    assert_eq!(shipped, here);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_changes_nothing_and_is_the_verdict() {
    each(|playbook, _, _| async move {
        let asking = Asking::of(playbook).await;
        let no = json!({"decision": "reject", "reason": "it is our own scanner",
            "form": {"verdict": "false_positive"}});
        let path = format!("/approvals/{}/decisions", asking.approval);
        assert_eq!(asking.stage.mia.post(&path, &no).await["status"], "rejected");
        let ended = asking.ended("rejected").await;
        let incident = asking.stage.incident(&ended).await;
        let told = Value::from(asking.stage.journal(&asking.run).await).to_string();
        match playbook {
            "undo" => assert!(told.contains("not taken back: it is our own scanner"), "{told}"),
            _ => {
                assert_eq!(incident["verdict"], "false_positive", "{incident}");
                assert_ne!(incident["status"], "contained", "{incident}");
            }
        }
        let paged = asking.stage.paged().join("\n");
        assert!(!paged.contains("nobody has"), "{paged}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_in_time_changes_nothing_and_calls_the_lead() {
    each(|playbook, minutes, page| async move {
        let asking = Asking::of(playbook).await;
        asking.stage.pass(minutes * 60_000);
        let ended = asking.ended("expired").await;
        let path = format!("/approvals/{}", asking.approval);
        assert_eq!(asking.stage.mia.get(&path).await["status"], "expired");
        match page {
            Some(page) => {
                asking.stage.page_that_says(page).await;
                let incident = asking.stage.incident(&ended).await;
                assert_eq!(incident["verdict"], Value::Null, "{incident}");
                assert_ne!(incident["status"], "contained", "{incident}");
            }
            None => {
                let told = Value::from(asking.stage.journal(&asking.run).await).to_string();
                assert!(told.contains("not taken back: nobody answered in time"), "{told}");
            }
        }
    })
    .await;
}
