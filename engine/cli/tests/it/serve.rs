//! A node: ready, stopped in order, killed, and alone with its data.

use std::time::{Duration, Instant};

use stanch_tests::eventually;

use crate::server::Folder;

#[tokio::test]
async fn it_says_whether_it_lives_and_can_work() {
    let server = Folder::new().serve().await;
    assert_eq!(server.get("/healthz").await.1["status"], "ok");
    let (status, ready) = server.get("/readyz").await;
    assert_eq!((status, ready["status"].as_str()), (200, Some("ready")));
    // Log lines are JSON, and hold no secret.
    for line in server.process.output().lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
        assert!(!line.contains("stk_"), "{line}");
    }
}

#[tokio::test]
async fn it_stops_in_order_and_goes_on_where_it_was() {
    let mut server = Folder::new().serve().await;
    let (status, received) = server.send("1").await;
    assert_eq!(status, 202, "{received}");
    let run = received["run_ids"][0].as_str().unwrap().to_owned();
    let path = format!("/v1/runs/{run}?wait=20");
    assert_eq!(server.get(&path).await.1["status"], "waiting");
    let began = Instant::now();
    assert!(server.process.terminate().await.success(), "{}", server.process.output());
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(server.process.output().contains("\"message\":\"stopped\""));

    let server = server.folder.serve().await;
    assert_eq!(server.get(&path).await.1["status"], "waiting");
    let approvals = server.get("/v1/approvals?status=pending").await.1;
    let approval = approvals["items"][0]["id"].as_str().unwrap();
    let ran = server.run(&["approve", approval, "--reason", "fine"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    eventually("the end", async || {
        (server.get(&path).await.1["result"] == "approved").then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_was_acknowledged_outlives_a_kill() {
    let mut server = Folder::new().serve().await;
    for id in ["1", "2", "3"] {
        assert_eq!(server.send(id).await.0, 202);
    }
    server.process.kill().await;
    let server = server.folder.serve().await;
    let alerts = server.get("/v1/alerts").await.1;
    assert_eq!(alerts["items"].as_array().unwrap().len(), 3);
    let (_, again) = server.send("2").await;
    assert_eq!(again["duplicate"], true);
    let runs = server.get("/v1/runs").await.1;
    assert_eq!(runs["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_second_process_on_the_same_data_is_refused() {
    let server = Folder::new().serve().await;
    let ran = server.folder.run(&["serve"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("ST0504"), "{ran:?}");
    assert_eq!(server.send("1").await.0, 202);
}

#[tokio::test]
async fn a_file_for_events_in_a_folder_that_is_not_there_is_refused() {
    let folder = Folder::new();
    let sink = "[[ocsf_out]]\nname = \"siem\"\nfile = \"logs/events.ndjson\"\n";
    folder.write("stanch.toml", sink);
    let ran = folder.run(&["serve"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("siem") && ran.err.contains("no folder logs"), "{ran:?}");
}

#[tokio::test]
async fn a_playbook_that_is_changed_is_published_and_a_broken_one_leaves_the_old() {
    let mut server = Folder::new().serve().await;
    let text = crate::server::ASKS.replace("Go on?", "Go on now?");
    server.folder.write("playbooks/asks.rhai", &text);
    server.process.wait_for_line(|line| line.contains("\"message\":\"published\"")).await;
    server.folder.write("playbooks/asks.rhai", &text.replace("approval(", "aproval("));
    let line = server.process.wait_for_line(|line| line.contains("not published")).await;
    assert!(line.contains("aproval") && line.contains("approval"), "{line}");
    server.send("1").await;
    eventually("the question of the version that fits", async || {
        let pending = server.get("/v1/approvals?status=pending").await.1;
        (pending["items"][0]["title"] == "Go on now?").then_some(())
    })
    .await;
}

#[tokio::test]
async fn lines_of_the_log_about_a_step_say_of_which_run_and_incident() {
    let mut server = Folder::new().serve().await;
    let calls = format!(
        "const PLAYBOOK = #{{ name: \"calls\", title: \"Calls\", mode: \"auto\",\n\
         triggers: [#{{ source: \"guardduty\", type: \"*\" }}] }};\n\
         http(\"GET\", \"{}/nothing-is-here\");",
        server.url
    );
    server.folder.write("playbooks/calls.rhai", &calls);
    server.process.wait_for_line(|line| line.contains("published") && line.contains("calls")).await;
    let (status, received) = server.send("1").await;
    assert_eq!(status, 202, "{received}");
    let is_it = |line: &str| line.contains("an attempt did not succeed");
    let line = server.process.wait_for_line(is_it).await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let span = &line["span"];
    assert!(received["run_ids"].as_array().unwrap().contains(&span["run_id"]), "{line}");
    assert_eq!(span["incident_id"], received["incident_id"], "{line}");
    assert!(span["step"].is_string() && line["fields"]["code"].is_string(), "{line}");
}
