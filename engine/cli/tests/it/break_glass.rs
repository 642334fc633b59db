//! The glass is broken at the machine: with the server down, and the identity provider, too.

use std::os::unix::fs::MetadataExt as _;

use serde_json::Value;
use stanch_tests::eventually;

use crate::server::{Folder, Ran, Server};

/// An identity provider that nobody answers for.
const DOWN: &str = "[oidc]\nissuer = \"http://127.0.0.1:1\"\naudience = \"stanch\"\n";

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
