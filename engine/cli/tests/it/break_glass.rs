//! The glass is broken, and the kill switch thrown, at the machine: with the server down, and the identity provider, too.

use std::os::unix::fs::MetadataExt as _;

use serde_json::Value;
use stanch_tests::eventually;
use stanch_tests::process::Process;

use crate::sandbox::Played;
use crate::server::{Folder, Ran, Server};

/// An identity provider that nobody answers for.
const DOWN: &str = "[oidc]\nissuer = \"http://127.0.0.1:1\"\naudience = \"stanch\"\n";

/// A playbook that asks, and then changes something.
const CHANGES: &str = r#"
const PLAYBOOK = #{ name: "asks", title: "Asks", mode: "auto",
    triggers: [#{ source: "guardduty", type: "*" }] };
approval("Go on?", #{ expires: "1h" });
execute(plan([change("iam:UpdateAccessKey",
    #{ UserName: "ci-deploy", AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" })]));
"#;

const KEY: [&str; 8] =
    ["break-glass", "key", "-o", "glass.key", "--person", "mia", "--reason", "the yearly one"];

async fn set() -> Server {
    let folder = Folder::new();
    let text = std::fs::read_to_string(folder.path().join("stanch.toml")).unwrap();
    folder.write("stanch.toml", &format!("{text}{DOWN}"));
    folder.serve().await
}

/// Sends a finding, and gives the run that asks.
async fn asking(server: &Server, finding: &str) -> String {
    let (_, received) = server.send(finding).await;
    let run = received["run_ids"][0].as_str().unwrap().to_owned();
    let waits = server.get(&format!("/v1/runs/{run}?wait=20")).await.1;
    assert_eq!(waits["status"], "waiting", "{waits}");
    run
}

async fn waiting(folder: &Folder) -> Vec<Value> {
    let ran = folder.run(&["--json", "break-glass", "waiting"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()["items"].as_array().unwrap().clone()
}

async fn breaks(folder: &Folder, approval: &str, key: &str) -> Ran {
    let reason = "the provider is down, and it spreads";
    let with = ["--offline", key, "--person", "mia", "--reason", reason];
    folder.run(&[&["break-glass", approval], with.as_slice()].concat()).await
}

async fn switches(folder: &Folder, verb: &str, key: &str) -> Ran {
    let with = ["--offline", key, "--person", "mia", "--reason", "it spreads"];
    folder.run(&[&["--json", verb], with.as_slice()].concat()).await
}

/// Says yes, and gives the run when it has ended.
async fn approved(server: &Server, run: &str, approval: &str) -> Value {
    assert_eq!(server.run(&["approve", approval, "--reason", "go on"]).await.code, 0);
    eventually("the end", async || {
        let found = server.get(&format!("/v1/runs/{run}")).await.1;
        matches!(found["status"].as_str(), Some("succeeded" | "failed")).then_some(found)
    })
    .await
}

async fn ends_approved(server: &Server, run: &str) {
    eventually("the end", async || {
        let found = server.get(&format!("/v1/runs/{run}")).await.1;
        (found["result"] == "approved").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_from_the_safe_answers_with_the_server_down_and_beside_it() {
    let mut server = set().await;
    let made = server.folder.run(&KEY).await;
    assert_eq!(made.code, 0, "{made:?}");
    let key = server.folder.path().join("glass.key");
    assert_eq!(std::fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
    assert_eq!(server.folder.run(&KEY).await.code, 1, "a file that is there is not written over");
    let run = asking(&server, "1").await;
    server.process.kill().await;

    let folder = server.folder;
    let asked = waiting(&folder).await;
    assert_eq!((asked.len(), &asked[0]["title"]), (1, &"Go on?".into()), "{asked:?}");
    let approval = asked[0]["id"].as_str().unwrap().to_owned();
    let broken = breaks(&folder, &approval, "glass.key").await;
    assert!(broken.code == 0 && broken.out.contains("is approved"), "{broken:?}");
    assert!(waiting(&folder).await.is_empty());
    let again = breaks(&folder, &approval, "glass.key").await;
    assert!(again.code == 1 && again.err.contains("too late"), "{again:?}");

    let server = folder.serve().await;
    ends_approved(&server, &run).await;
    let open = server.get("/v1/break-glass?status=open").await.1;
    assert_eq!(open["items"][0]["person"], "mia", "{open}");
    let pages = server.get("/v1/pages").await.1.to_string();
    assert!(
        pages.contains("BREAK-GLASS: mia approved") && pages.contains("offline key"),
        "{pages}"
    );
    let told = server.get("/v1/audit?verb=break-glass").await.1;
    let said: Vec<_> = told["items"].as_array().unwrap().iter().rev().collect();
    let outcomes: Vec<_> = said
        .iter()
        .map(|one| format!("{} {}", one["verb"], one["outcome"]).replace('"', ""))
        .collect();
    let expected =
        ["break-glass.key done", "break-glass.offline done", "break-glass.offline refused"];
    assert_eq!(outcomes, expected, "{told}");
    assert!(said[1]["detail"]["signature"].is_string(), "{told}");
    let ran = server.run(&["break-glass", "review", &approval, "--text", "it was right"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");

    // Beside a server that works, which finds it by itself.
    let run = asking(&server, "2").await;
    let approval = waiting(&server.folder).await[0]["id"].as_str().unwrap().to_owned();
    let broken = breaks(&server.folder, &approval, "glass.key").await;
    assert_eq!(broken.code, 0, "{broken:?}");
    ends_approved(&server, &run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_good_any_more_answers_nothing() {
    let server = set().await;
    asking(&server, "1").await;
    let folder = &server.folder;
    let approval = waiting(folder).await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(folder.run(&KEY).await.code, 0);
    std::fs::rename(folder.path().join("glass.key"), folder.path().join("old.key")).unwrap();
    assert_eq!(folder.run(&KEY).await.code, 0);
    let old = breaks(folder, &approval, "old.key").await;
    assert!(old.code == 1 && old.err.contains("not the one that is good here"), "{old:?}");
    let none = breaks(folder, &approval, "no.key").await;
    assert_eq!(none.code, 1, "{none:?}");
    let revoke =
        ["break-glass", "key", "--revoke", "--person", "mia", "--reason", "the safe was open"];
    assert_eq!(folder.run(&revoke).await.code, 0);
    let revoked = breaks(folder, &approval, "glass.key").await;
    assert!(
        revoked.code == 1 && revoked.err.contains("no offline key is good here"),
        "{revoked:?}"
    );
    assert_eq!(folder.run(&revoke).await.code, 1, "there is none");
    assert_eq!(waiting(folder).await.len(), 1);
    // Elsewhere than at the machine of a node there is nothing to open.
    let elsewhere = Folder::new();
    let lost = elsewhere.run(&["break-glass", "waiting"]).await;
    assert!(lost.code == 1 && lost.err.contains("no keys of a node"), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_from_the_safe_throws_the_kill_switch_with_the_server_down_and_beside_it() {
    let folder = Folder::new();
    let played = Played::start(&folder, &["--demo"]).await;
    let text = std::fs::read_to_string(folder.path().join("stanch.toml")).unwrap();
    let account = "[accounts.111122223333]\nmode = \"auto\"\n";
    folder.write("stanch.toml", &format!("{text}{DOWN}{account}"));
    folder.write("playbooks/asks.rhai", CHANGES);
    let serve = async |folder: Folder| {
        let mut command = played.command(&folder, &["serve"]);
        Server::started(Process::start(&mut command), folder).await
    };
    let server = serve(folder).await;
    assert_eq!(server.folder.run(&KEY).await.code, 0);

    // Beside a server that works: what it was about to change is not changed.
    let run = asking(&server, "1").await;
    let approval = waiting(&server.folder).await[0]["id"].as_str().unwrap().to_owned();
    let thrown = switches(&server.folder, "halt", "glass.key").await;
    assert_eq!(thrown.json()["halted"], true, "{thrown:?}");
    let ended = approved(&server, &run, &approval).await;
    assert_eq!((&ended["status"], &ended["error"]["code"]), (&"failed".into(), &"halted".into()));
    assert_eq!(server.get("/readyz").await.1["halted"], true);
    let back = switches(&server.folder, "unhalt", "glass.key").await;
    assert_eq!(back.json()["halted"], false, "{back:?}");
    let again = switches(&server.folder, "unhalt", "glass.key").await;
    assert!(again.code == 1 && again.err.contains("was not thrown"), "{again:?}");

    // With the server down: it starts halted.
    let run = asking(&server, "2").await;
    let Server { mut process, folder, .. } = server;
    process.kill().await;
    let approval = waiting(&folder).await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(switches(&folder, "halt", "glass.key").await.code, 0);
    let server = serve(folder).await;
    let halted = server.get("/v1/halt").await.1;
    assert_eq!(halted["halted"]["by"], "mia", "{halted}");
    assert_eq!(halted["halted"]["reason"], "it spreads", "{halted}");
    let ended = approved(&server, &run, &approval).await;
    assert_eq!(ended["error"]["code"], "halted", "{ended}");
    let was_changed = |call: &Value| call["operation"] == "iam:UpdateAccessKey";
    assert!(!played.calls().await.iter().any(was_changed));

    // And what was halted goes on once it is taken back.
    assert_eq!(switches(&server.folder, "unhalt", "glass.key").await.code, 0);
    // The node looks every moment, and its metrics are of what it knows by itself.
    eventually("the node to know of it", async || {
        server.text("/metrics").await.lines().any(|line| line == "stanch_halted 0").then_some(())
    })
    .await;
    let run = asking(&server, "3").await;
    let approval = waiting(&server.folder).await[0]["id"].as_str().unwrap().to_owned();
    let ended = approved(&server, &run, &approval).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert!(played.calls().await.iter().any(was_changed));

    let told = server.get("/v1/audit?verb=unhalt").await.1;
    let said = |one: &Value| format!("{} {}", one["verb"], one["outcome"]).replace('"', "");
    let outcomes: Vec<_> = told["items"].as_array().unwrap().iter().rev().map(said).collect();
    let done = "unhalt.offline done";
    assert_eq!(outcomes, [done, "unhalt.offline refused", done], "{told}");
    let told = server.get("/v1/audit?verb=halt.offline").await.1;
    assert!(told["items"][0]["detail"]["signature"].is_string(), "{told}");
    let pages = server.get("/v1/pages").await.1.to_string();
    assert!(pages.contains("The kill switch was thrown offline, by mia: it spreads."), "{pages}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_good_any_more_throws_no_kill_switch() {
    let server = set().await;
    let folder = &server.folder;
    assert_eq!(folder.run(&KEY).await.code, 0);
    std::fs::rename(folder.path().join("glass.key"), folder.path().join("old.key")).unwrap();
    assert_eq!(folder.run(&KEY).await.code, 0);
    for verb in ["halt", "unhalt"] {
        let old = switches(folder, verb, "old.key").await;
        assert!(old.code == 1 && old.err.contains("not the one that is good here"), "{old:?}");
    }
    let nobody = folder.run(&["halt", "--reason", "x", "--offline", "glass.key"]).await;
    assert!(nobody.code != 0 && nobody.err.contains("--person"), "{nobody:?}");
    let silent = ["unhalt", "--offline", "glass.key", "--person", "mia"];
    let silent = folder.run(&silent).await;
    assert!(silent.code == 1 && silent.err.contains("it needs a reason"), "{silent:?}");
    assert_eq!(server.get("/readyz").await.1["halted"], false);
    let told = server.get("/v1/audit?verb=halt.offline").await.1;
    assert_eq!(told["items"][0]["outcome"], "refused", "{told}");
}
