//! Old journals leave the database, and are read where they went.

mod deleting;

use serde_json::{Value, json};
use stanch_engine_core::span::Span;
use stanch_tests::eventually;

use crate::bundle::unpack;
use crate::stage::{Plan, Stage, id};

const DAY_MS: i64 = 24 * 3_600 * 1_000;

const TEXT: &str = "const PLAYBOOK = #{ name: \"p\", title: \"t\" };\n\
    log(\"what was found\");\naws(\"iam:ListUsers\", #{}).Users.len()";

async fn stage(plan: Plan) -> Stage {
    let mut plan = plan.manual();
    plan.ships = false;
    plan.config.retention.journals = Some(Span::from_secs(90 * 86_400));
    let stage = plan.set().await;
    stage.publish(TEXT).await;
    stage
}

/// A run that has ended, and its incident.
async fn ended(stage: &Stage) -> (String, String) {
    let run = stage.start_for_finding("p").await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    (run, id(&ended["incident_id"]))
}

async fn close(stage: &Stage, incident: &str) {
    let body = json!({"reason": "over", "verdict": "benign_positive"});
    stage.mia.post(&format!("/incidents/{incident}/close"), &body).await;
}

async fn archived(stage: &Stage, run: &str) -> Value {
    eventually("the journal to be archived", async || {
        stage.pass(3_600 * 1_000);
        let found = stage.mia.get(&format!("/runs/{run}")).await;
        (!found["archived"].is_null()).then_some(found)
    })
    .await
}

async fn goes_and_is_read(stage: &Stage) {
    let (run, incident) = ended(stage).await;
    let (alone, _) = {
        let run = stage.start("p", json!({})).await;
        (run.clone(), stage.over(&run).await)
    };
    let before = stage.journal(&run).await;
    let told = |timeline: Value| {
        let lines = timeline["items"].as_array().unwrap().clone();
        lines.into_iter().filter(|line| line["kind"] == "step").collect::<Vec<_>>()
    };
    let timeline = format!("/incidents/{incident}/timeline");
    let steps = told(stage.mia.get(&timeline).await);
    assert!(before.len() > 2 && !steps.is_empty());

    // What is of no incident goes by age alone; what is of an open one stays, however old.
    stage.pass(91 * DAY_MS);
    archived(stage, &alone).await;
    assert!(stage.mia.get(&format!("/runs/{run}")).await["archived"].is_null());

    close(stage, &incident).await;
    let found = archived(stage, &run).await;
    assert_eq!(found["archived"]["entries"], before.len());
    assert_eq!((&found["status"], &found["result"]), (&json!("succeeded"), &json!(1)));
    assert_eq!(stage.journal(&run).await, before);
    assert_eq!(told(stage.mia.get(&timeline).await), steps);
    let evidence = stage.mia.list(&format!("/incidents/{incident}/evidence")).await;
    let item = evidence.iter().find(|item| item["label"] == format!("journal of {run}"));
    assert_eq!(item.unwrap()["sha256"], found["archived"]["sha256"]);
    let bundle = unpack(&stage.mia.bytes(&format!("/incidents/{incident}/export")).await);
    let journal = String::from_utf8_lossy(&bundle[&format!("journal/{run}.jsonl")]).into_owned();
    assert_eq!(journal.lines().count(), before.len());

    // It is over for good.
    let again = json!({"reason": "once more", "from_step": "1"});
    let (status, refused) = stage.mia.post_refused(&format!("/runs/{run}/retry"), &again).await;
    assert!(status == 409 && refused.to_string().contains("archived"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_journal_goes_to_the_evidence_and_is_read_there() {
    goes_and_is_read(&stage(Plan::new()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_journal_goes_to_the_evidence_and_is_read_there_on_postgres() {
    goes_and_is_read(&stage(Plan::new().on_postgres().await).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_in_the_archive_is_not_taken_for_a_journal() {
    let stage = stage(Plan::new()).await;
    let (run, incident) = ended(&stage).await;
    close(&stage, &incident).await;
    stage.pass(91 * DAY_MS);
    let hash = id(&archived(&stage, &run).await["archived"]["sha256"]);
    let file = find(&stage.dir().join("evidence"), &hash).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[20] ^= 1;
    let mut writable = std::fs::metadata(&file).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut writable, 0o600);
    std::fs::set_permissions(&file, writable).unwrap();
    std::fs::write(&file, bytes).unwrap();
    let path = format!("/runs/{run}/journal");
    let (status, told) = stage.mia.try_ask(reqwest::Method::GET, &path, None).await.unwrap();
    assert!(status == 503 && told["detail"].to_string().contains(&hash), "{status} {told}");
}

fn find(folder: &std::path::Path, name: &str) -> Option<std::path::PathBuf> {
    std::fs::read_dir(folder).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => find(&path, name),
            false => {
                let own = path.file_name().unwrap().to_string_lossy().into_owned();
                (own.len() > 32 && name.ends_with(&own)).then_some(path)
            }
        }
    })
}

#[test]
fn less_than_a_day_is_refused_and_what_can_not_be() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stanch.toml");
    let in_bucket = "evidence = \"30d\"\n[evidence]\nstore = \"s3://b/p\"";
    for (text, words) in [
        ("journals = \"1h\"", "`retention.journals`: 1h is less than a day"),
        ("evidence = \"23h\"", "`retention.evidence`: 23h is less than a day"),
        (in_bucket, "lies in a bucket, where Stanch deletes nothing"),
    ] {
        std::fs::write(&file, format!("[retention]\n{text}\n")).unwrap();
        let refused = stanch_engine_cli::config::Config::load(Some(&file), &|_| None).unwrap_err();
        assert!(refused.to_string().contains(words), "{refused}");
    }
}
