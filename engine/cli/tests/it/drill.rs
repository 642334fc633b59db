//! `stanch drill`: it goes through, and leaves nothing, however it ends.

use serde_json::{Value, json};
use stanch_tests::process::Process;

use crate::deploy::Deployment;
use crate::server::Ran;

/// The account that moto plays.
const ACCOUNT: &str = "123456789012";

/// A server that contains keys, before moto, and a responder's token.
async fn stage(it: &Deployment) -> (Process, String) {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../playbooks");
    let settings = format!(
        "listen = \"127.0.0.1:0\"\nlog_format = \"json\"\nplaybooks = \"{shipped}\"\ndata_dir = \"data\"\n\
         [approvals]\nrequester_counts = true\n[accounts.{ACCOUNT}]\nmode = \"ask\"\n"
    );
    it.folder.write("stanch.toml", &settings);
    let mut server = Process::start(&mut it.command(&["serve"]));
    let line = server.wait_for_line(|line| line.contains("\"message\":\"serving\"")).await;
    let line: Value = serde_json::from_str(&line).unwrap();
    let url = format!("http://{}", line["fields"]["address"].as_str().unwrap());
    it.folder.write("stanch.toml", &format!("public_url = \"{url}\"\n{settings}"));
    let made =
        it.folder.run(&["--json", "token", "create", "--name", "mia", "--role", "responder"]).await;
    (server, made.json()["token"].as_str().unwrap().to_owned())
}

/// The users of the account.
async fn users(it: &Deployment) -> Vec<String> {
    let users = it.call("iam:ListUsers", json!({})).await;
    let users = users["Users"].as_array().unwrap().iter();
    users.map(|user| user["UserName"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn it_contains_undoes_cleans_up_and_enters_no_kpi() {
    let it = Deployment::start().await;
    let (_server, mia) = stage(&it).await;
    let mut command = it.command(&["drill", "--account", ACCOUNT, "--yes"]);
    let ran = Ran::of(command.env("STANCH_TOKEN", &mia).output().await.unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    let mut rest = ran.out.as_str();
    for hop in [
        "made",
        "received",
        "started",
        "asked",
        "approved",
        "ended",
        "contained",
        "undo started",
        "approved",
        "undone",
        "closed",
        "taken away",
    ] {
        let at = rest.find(&format!(" {hop} ")).unwrap_or_else(|| panic!("{hop} in {}", ran.out));
        rest = &rest[at + hop.len()..];
    }
    assert!(
        ran.out.contains("is Inactive; inc_") && ran.out.contains("is contained"),
        "{}",
        ran.out
    );
    assert_eq!(users(&it).await, [""; 0]);
    let kpis = it.folder.run(&["--json", "kpis"]).await.json();
    assert_eq!(kpis["incidents"], 0, "{kpis}");

    let elsewhere = it.command(&["drill", "--account", "999900001111", "--yes"]).output().await;
    let ran = Ran::of(elsewhere.unwrap());
    assert!(ran.code == 1 && ran.err.contains(ACCOUNT), "{ran:?}");
}

#[tokio::test]
async fn it_takes_away_what_it_made_when_it_is_interrupted_or_refused() {
    let it = Deployment::start().await;
    let (_server, mia) = stage(&it).await;
    let mut command = it.command(&["drill", "--account", ACCOUNT]);
    let mut drill = Process::start(command.env("STANCH_TOKEN", &mia));
    drill.wait_for_line(|line| line.contains("stanch approve")).await;
    assert_eq!(users(&it).await.len(), 1);
    assert_eq!(drill.terminate().await.code(), Some(1));
    assert!(drill.output().contains("taken away"), "{}", drill.output());
    assert_eq!(users(&it).await, [""; 0]);

    // Who is no responder can't say yes.
    let made = ["--json", "token", "create", "--name", "ann", "--role", "author"];
    let ann = it.folder.run(&made).await.json()["token"].as_str().unwrap().to_owned();
    let mut command = it.command(&["drill", "--account", ACCOUNT, "--yes"]);
    let ran = command.env("STANCH_TOKEN", &ann).output().await.unwrap();
    let ran = Ran::of(ran);
    assert!(ran.code == 1 && ran.err.contains("STANCH_TOKEN"), "{ran:?}");
    assert_eq!(users(&it).await, [""; 0]);
}

#[tokio::test]
async fn what_a_killed_drill_left_is_taken_away_and_nothing_else() {
    let it = Deployment::start().await;
    let (_server, mia) = stage(&it).await;
    let mut command = it.command(&["drill", "--account", ACCOUNT]);
    let mut drill = Process::start(command.env("STANCH_TOKEN", &mia));
    drill.wait_for_line(|line| line.contains("stanch approve")).await;
    drill.kill().await;
    it.call("iam:CreateUser", json!({"UserName": "stanch-drill-of-a-person"})).await;
    assert_eq!(users(&it).await.len(), 2);
    let ran =
        Ran::of(it.command(&["drill", "--account", ACCOUNT, "--clean"]).output().await.unwrap());
    assert!(ran.code == 0 && ran.out.contains("taken away"), "{ran:?}");
    assert_eq!(users(&it).await, ["stanch-drill-of-a-person"]);
    let ran =
        Ran::of(it.command(&["drill", "--account", ACCOUNT, "--clean"]).output().await.unwrap());
    assert!(ran.out.contains("no drill left anything"), "{ran:?}");
}
