//! Backups of a server at work, and what becomes of them after a `kill -9`: what was changed after the
//! backup is not changed again. AWS's stand-in and a ledger outside count the calls.

use std::path::Path;

use serde_json::{Value, json};
use stanch_tests::eventually;
use stanch_tests::postgres::Database;
use stanch_tests::process::Process;

use crate::nodes::Ledger;
use crate::sandbox::Played;
use crate::server::{Folder, Ran, Server, finding};

/// A change of each kind: one that sets a value and has a probe, one that AWS can be asked about, one
/// that nobody can be asked about, and one by a token.
const CHANGES: &str = r#"
const PLAYBOOK = #{ name: "asks", title: "Changes", mode: "auto",
    triggers: [#{ source: "guardduty", type: "*" }] };
let p = plan([change("iam:UpdateAccessKey", #{ UserName: "ci-deploy",
    AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" })]);
approval("Go on?", #{ plan: p, expires: "1h" });
execute(p);
aws("ec2:CreateSnapshots", #{ InstanceSpecification: #{ InstanceId: "i-0abc1234def567890" } });
aws("iam:CreateAccessKey", #{ UserName: "ci-deploy" });
action("http.request", #{ method: "POST", url: config.ledger, retry: "token",
    effect: "change", body: #{ alert: alert.id } });
"done"
"#;

/// What it calls.
const CALLED: [&str; 3] = ["iam:UpdateAccessKey", "ec2:CreateSnapshots", "iam:CreateAccessKey"];

/// A change that nobody is asked about.
const CUTS: &str = r#"
const PLAYBOOK = #{ name: "asks", title: "Cuts", mode: "auto",
    triggers: [#{ source: "guardduty", type: "*" }] };
execute(plan([change("iam:UpdateAccessKey", #{ UserName: "ci-deploy",
    AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" })]));
"done"
"#;

/// A call by a token, and nothing else.
const TELLS: &str = r#"
const PLAYBOOK = #{ name: "asks", title: "Tells", mode: "auto",
    triggers: [#{ source: "guardduty", type: "*" }] };
action("http.request", #{ method: "POST", url: config.ledger, retry: "token",
    effect: "change", body: #{ alert: alert.id } });
"done"
"#;

/// Evidence, and a question.
const KEEPS: &str = r#"
const PLAYBOOK = #{ name: "asks", title: "Keeps", mode: "auto",
    triggers: [#{ source: "guardduty", type: "*" }] };
for number in 0..5 { evidence(`note ${number}`, #{ of: alert.id, number: number }); }
approval("Go on?", #{ expires: "1h" }).outcome
"#;

/// A folder with a playbook, for an account in which changes are made.
fn folder(playbook: &str, ledger: &str) -> Folder {
    let folder = Folder::new();
    folder.write("playbooks/asks.rhai", playbook);
    folder.write("stanch.toml", &config("data", ledger));
    folder
}

fn config(data_dir: &str, ledger: &str) -> String {
    format!(
        "listen = \"127.0.0.1:0\"\nlog_format = \"json\"\nplaybooks = \"playbooks\"\n\
         data_dir = \"{data_dir}\"\n[config]\nledger = \"{ledger}\"\n\
         [accounts.111122223333]\nmode = \"auto\"\n"
    )
}

async fn serve(played: &Played, folder: Folder) -> Server {
    Server::started(Process::start(&mut played.command(&folder, &["serve"])), folder).await
}

/// Kills a server, and leaves the folder without a database.
async fn lose(server: Server) -> Folder {
    let Server { mut process, folder, .. } = server;
    process.kill().await;
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.path().join(format!("data/stanch.db{end}")));
    }
    folder
}

async fn well(ran: impl Future<Output = Ran>) -> Ran {
    let ran = ran.await;
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

async fn calls(played: &Played, operation: &str) -> usize {
    played.calls().await.iter().filter(|call| call["operation"] == operation).count()
}

async fn run_when(server: &Server, run: &str, fits: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("{run} as it is waited for"), async || {
        let (_, found) = server.get(&format!("/v1/runs/{run}")).await;
        fits(&found).then_some(found)
    })
    .await
}

async fn approve(server: &Server, run: &str) {
    let approval = eventually("an approval", async || {
        let (_, pending) = server.get("/v1/approvals?status=pending").await;
        let of_run = pending["items"].as_array()?.iter().find(|one| one["run_id"] == run)?;
        of_run["id"].as_str().map(str::to_owned)
    })
    .await;
    well(server.run(&["approve", &approval, "--reason", "a test"])).await;
}

fn run_of(received: &Value) -> String {
    received["run_ids"][0].as_str().unwrap_or_else(|| panic!("{received}")).to_owned()
}

/// The step of a parked run that is in doubt.
async fn doubt(server: &Server, run: &str) -> String {
    let parked = run_when(server, run, |run| run["status"] == "parked").await;
    assert_eq!(parked["parked_reason"], "in_doubt", "{parked}");
    let (_, journal) = server.get(&format!("/v1/runs/{run}/journal?limit=1000")).await;
    let doubts = journal["items"].as_array().unwrap().iter().rev();
    let mut doubts = doubts.filter(|entry| entry["kind"] == "step_doubted");
    let doubt = doubts.next().unwrap_or_else(|| panic!("{journal}"));
    doubt["body"]["key"].as_str().unwrap().to_owned()
}

async fn say(server: &Server, run: &str, step: &str, outcome: &str) {
    let line = ["retry", run, "--step", step, "--outcome", outcome, "--reason", "I looked"];
    well(server.run(&line)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_after_a_backup_is_not_changed_again() {
    let ledger = Ledger::open().await;
    let folder = folder(CHANGES, &ledger.url);
    let played = Played::start(&folder, &["--demo"]).await;
    let server = serve(&played, folder).await;
    let (_, received) = server.send("f1").await;
    let run = run_of(&received);
    run_when(&server, &run, |run| run["status"] == "waiting").await;
    well(server.run(&["backup", "-o", "kept"])).await;
    approve(&server, &run).await;
    let ended = run_when(&server, &run, |run| run["finished_at"].is_string()).await;
    assert_eq!(ended["result"], "done", "{ended}");

    let folder = lose(server).await;
    let said = well(folder.run(&["--json", "restore", "kept"])).await.json();
    assert_eq!(said["marked"]["unfinished_runs"], 1, "{said}");
    let server = serve(&played, folder).await;
    let (_, halted) = server.get("/v1/halt").await;
    assert_eq!(halted["halted"]["by"], "stanch restore", "{halted}");
    assert!(halted["halted"]["reason"].to_string().contains("nothing after 20"), "{halted}");
    approve(&server, &run).await;
    // A run about something that is newer goes its way, so that this one could have.
    let mut newer = finding("f2");
    newer["updatedAt"] = json!("2099-01-01T00:00:00.000Z");
    let token = server.folder.secret("webhook.token");
    let (_, newer) = server.post("/v1/webhooks/guardduty", &token, newer.to_string()).await;
    run_when(&server, &run_of(&newer), |run| run["status"] == "waiting").await;
    let (_, rests) = server.get(&format!("/v1/runs/{run}")).await;
    assert_eq!(rests["status"], "queued", "{rests}");
    well(server.run(&["unhalt"])).await;

    let step = doubt(&server, &run).await;
    let (_, shown) = server.get(&format!("/v1/runs/{run}")).await;
    assert!(shown["parked"].to_string().contains("CreateAccessKey"), "{shown}");
    assert!(shown["parked"].to_string().contains("from a backup"), "{shown}");
    say(&server, &run, &step, "succeeded").await;
    let next = eventually("the next doubt", async || {
        let next = doubt(&server, &run).await;
        (next != step).then_some(next)
    })
    .await;
    say(&server, &run, &next, "succeeded").await;
    let ended = run_when(&server, &run, |run| run["finished_at"].is_string()).await;
    assert_eq!((&ended["status"], &ended["result"]), (&json!("succeeded"), &json!("done")));
    for operation in CALLED {
        assert_eq!(calls(&played, operation).await, 1, "{operation}");
    }
    assert_eq!(ledger.calls(), 1);
    let incident = received["incident_id"].as_str().unwrap();
    well(server.run(&["export", incident, "-o", "bundle.zip"])).await;
    let key = ["verify", "bundle.zip", "--key", "data/keys/evidence.pub"];
    well(server.run(&key)).await;
    let chain = server.get(&format!("/v1/incidents/{incident}/timeline")).await.1.to_string();
    assert!(chain.contains("UpdateAccessKey"), "{chain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_under_way_is_not_repeated_by_its_token() {
    let ledger = Ledger::open().await;
    let folder = folder(TELLS, &ledger.url);
    let played = Played::start(&folder, &["--demo"]).await;
    let server = serve(&played, folder).await;
    ledger.hold();
    let run = run_of(&server.send("f1").await.1);
    eventually("the call", async || (ledger.calls() == 1).then_some(())).await;
    well(server.run(&["backup", "-o", "kept.zip"])).await;
    let folder = lose(server).await;
    ledger.let_go();
    well(folder.run(&["restore", "kept.zip"])).await;
    let server = serve(&played, folder).await;
    well(server.run(&["unhalt"])).await;
    let step = doubt(&server, &run).await;
    assert_eq!(ledger.calls(), 1, "a token may be forgotten when a backup is restored");
    say(&server, &run, &step, "repeat").await;
    let ended = run_when(&server, &run, |run| run["finished_at"].is_string()).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert_eq!(ledger.calls(), 2, "a person said so");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_comes_again_after_the_restore_changes_nothing_again() {
    let folder = folder(CUTS, "");
    let played = Played::start(&folder, &["--demo"]).await;
    let server = serve(&played, folder).await;
    well(server.run(&["backup", "-o", "kept"])).await;
    let run = run_of(&server.send("f1").await.1);
    run_when(&server, &run, |run| run["status"] == "succeeded").await;

    let folder = lose(server).await;
    well(folder.run(&["restore", "kept"])).await;
    let server = serve(&played, folder).await;
    let again = run_of(&server.send("f1").await.1);
    assert_ne!(again, run);
    well(server.run(&["unhalt"])).await;
    let ended = run_when(&server, &again, |run| run["finished_at"].is_string()).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert_eq!(calls(&played, "iam:UpdateAccessKey").await, 1);
    let (_, journal) = server.get(&format!("/v1/runs/{again}/journal?limit=1000")).await;
    assert!(journal.to_string().contains("looked_up"), "{journal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_busy_server_is_of_one_moment_and_whole() {
    let server = folder(KEEPS, "").serve().await;
    let mut sent = Vec::new();
    for number in 0..30 {
        sent.push(server.send(&format!("f{number}")).await.1);
        if number == 15 {
            well(server.run(&["backup", "-o", "kept.zip", "--with-keys"])).await;
        }
    }
    // Somewhere else, with nothing of the old folder.
    let elsewhere = folder(KEEPS, "");
    let kept = server.folder.path().join("kept.zip");
    let said = well(elsewhere.run(&["--json", "restore", kept.to_str().unwrap()])).await.json();
    assert_eq!((&said["damaged"], &said["has_keys"]), (&json!([]), &json!(true)), "{said}");
    let restored = elsewhere.serve().await;
    well(restored.run(&["unhalt"])).await;
    for received in &sent[..15] {
        let run = run_of(received);
        approve(&restored, &run).await;
        run_when(&restored, &run, |run| run["status"] == "succeeded").await;
    }
    let incident = sent[0]["incident_id"].as_str().unwrap();
    well(restored.run(&["export", incident, "-o", "bundle.zip"])).await;
    let key = server.folder.path().join("data/keys/evidence.pub");
    let verified = ["--json", "verify", "bundle.zip", "--key", key.to_str().unwrap()];
    let verified = well(restored.run(&verified)).await.json();
    assert_eq!(verified["bundle"]["items"], 6, "five notes and the payload: {verified}");
}

#[tokio::test]
async fn what_can_not_be_backed_up_or_restored_is_refused_and_changes_nothing() {
    let server = folder(KEEPS, "").serve().await;
    let run = run_of(&server.send("f1").await.1);
    run_when(&server, &run, |run| run["status"] == "waiting").await;
    well(server.run(&["backup", "-o", "kept"])).await;
    let refused = async |folder: &Folder, line: &[&str], says: &str| {
        let ran = folder.run(line).await;
        assert!(ran.code == 1 && ran.err.contains(says), "{line:?} {says}: {ran:?}");
        assert!(ran.err.contains("ST050"), "{ran:?}");
    };
    refused(&server.folder, &["backup", "-o", "kept"], "something already").await;
    refused(&server.folder, &["restore", "kept"], "ST0504").await;
    let Server { mut process, folder: old, .. } = server;
    process.terminate().await;
    let before = std::fs::read(old.path().join("data/stanch.db")).unwrap();
    refused(&old, &["restore", "kept"], "there is a database already").await;
    refused(&old, &["restore", "nothing.zip"], "there is a database already").await;
    assert_eq!(std::fs::read(old.path().join("data/stanch.db")).unwrap(), before);
    assert_eq!(old.run(&["restore"]).await.code, 2);

    let new = folder(KEEPS, "");
    let kept = old.path().join("kept");
    refused(&new, &["backup", "-o", "x"], "there is no database").await;
    refused(&new, &["restore", "--mark"], "no database to mark").await;
    refused(&new, &["restore", "playbooks"], "no backup.json").await;
    let database = kept.join("stanch.db");
    let mut bytes = std::fs::read(&database).unwrap();
    bytes[5_000] ^= 1;
    std::fs::write(&database, &bytes).unwrap();
    refused(&new, &["restore", kept.to_str().unwrap()], "its digest is").await;
    bytes[5_000] ^= 1;
    std::fs::write(&database, &bytes).unwrap();
    let item = first_item(&kept.join("evidence"));
    std::fs::write(&item, "another").unwrap();
    let left: Vec<_> = std::fs::read_dir(new.path().join("data")).unwrap().collect();
    assert!(left.len() <= 1, "nothing but the lock: {left:?}");
    let ran = well(new.run(&["restore", kept.to_str().unwrap()])).await;
    assert_eq!(ran.out.matches("DAMAGED").count(), 1, "{ran:?}");
    assert!(ran.out.contains("no keys are here"), "{ran:?}");
}

fn first_item(evidence: &Path) -> std::path::PathBuf {
    let folders = std::fs::read_dir(evidence).unwrap().map(|entry| entry.unwrap().path());
    let folder = folders.filter(|path| path.is_dir()).min().unwrap();
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).min().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_its_own_tools_are_named_and_what_they_restored_is_marked() {
    let (ledger, database) = (Ledger::open().await, Database::create().await);
    let folder = folder(TELLS, &ledger.url);
    let command = |line: &[&str]| {
        let mut command = folder.command(line);
        command.env("STANCH_DATABASE_URL", database.url());
        command
    };
    let run = async |line: &[&str]| Ran::of(command(line).output().await.unwrap());
    for line in [&["backup", "-o", "kept"][..], &["restore", "kept"]] {
        let ran = run(line).await;
        assert!(ran.code == 1 && ran.err.contains("ST0508"), "{ran:?}");
        assert!(ran.err.contains("pg_") && ran.err.contains("restore --mark"), "{ran:?}");
    }
    let mut node = Process::start(&mut command(&["serve"]));
    let line = node.wait_for_line(|line| line.contains("\"message\":\"serving\"")).await;
    let line: Value = serde_json::from_str(&line).unwrap();
    let url = format!("http://{}", line["fields"]["address"].as_str().unwrap());
    ledger.hold();
    let http = stanch_plugins_http::client_builder().build().unwrap();
    let post = http.post(format!("{url}/v1/webhooks/guardduty"));
    let post = post.bearer_auth(folder.secret("webhook.token"));
    post.body(finding("f1").to_string()).send().await.unwrap();
    eventually("the call", async || (ledger.calls() == 1).then_some(())).await;
    let ran = run(&["restore", "--mark"]).await;
    assert!(ran.code == 1 && ran.err.contains("stop every node"), "{ran:?}");

    // A node that sleeps, and whose last word has grown old, is back after the restore.
    node.freeze();
    database.query("update nodes set seen_at = seen_at - 60000000").await;
    let said = run(&["--json", "restore", "--mark"]).await;
    assert_eq!((said.code, &said.json()["marked"]["unfinished_runs"]), (0, &json!(1)), "{said:?}");
    let state = "select r.status, r.epoch > 1000000000, s.name from runs r, settings s \
                 where s.name = 'halt'";
    assert_eq!(database.query(state).await, "queued|t|halt");
    let journal = "select md5(string_agg(seq || kind || body, ',' order by seq)) from journal";
    let before = database.query(journal).await;
    ledger.let_go();
    node.thaw();
    node.wait_for_line(|line| line.contains("another node has the run now")).await;
    assert_eq!(database.query(journal).await, before);
    assert_eq!(database.query(state).await, "queued|t|halt", "it rests");
    assert_eq!(ledger.calls(), 1);
}
