//! Limits that runs share across nodes, and who comes first: with processes that are killed, and a
//! ledger outside that counts.

use serde_json::{Value, json};
use stanch_tests::eventually;

use crate::nodes::{Cluster, STEPS};
use crate::server::{Server, finding};

/// Three effects, and never more than two runs of an account at a time.
const LIMITED: &str = r#"
const PLAYBOOK = #{ name: "effects", title: "Has effects", mode: "auto",
    concurrency: #{ key: "alert.account", max: 2 },
    triggers: [#{ source: "guardduty", type: "Recon:*" }] };
for step in 0..3 {
    action("http.request", #{ method: "POST", url: config.ledger, retry: "token",
        body: #{ alert: alert.id, step: step } });
}
"done"
"#;

/// A run without a limit.
const OTHER: &str = r#"
const PLAYBOOK = #{ name: "other", title: "Is there", mode: "auto",
    triggers: [#{ source: "guardduty", type: "Other:*" }] };
"done"
"#;

/// One after the other.
const ONE_BY_ONE: &str = r#"
const PLAYBOOK = #{ name: "asks", title: "Asks", mode: "auto", concurrency: #{ max: 1 },
    triggers: [#{ source: "guardduty", type: "*" }] };
approval("Go on?", #{ expires: "1h" }).outcome
"#;

/// A finding of another kind.
fn of_kind(id: &str, kind: &str, severity: f64) -> Value {
    let mut finding = finding(id);
    finding["type"] = json!(kind);
    finding["severity"] = json!(severity);
    finding
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_holds_across_nodes_and_through_the_death_of_one() {
    let cluster = Cluster::of(100).await;
    cluster.folder.write("playbooks/effects.rhai", LIMITED);
    cluster.folder.write("playbooks/other.rhai", OTHER);
    let (mut first, second) = (cluster.node().await, cluster.node().await);
    cluster.ledger.hold();
    cluster.send(&first, 0..5).await;
    cluster.send(&second, 5..10).await;
    eventually("two calls", async || (cluster.ledger.calls() == 2).then_some(())).await;
    // Runs that came later go their way on both nodes, so that those could have.
    for (node, id) in [(&first, "o1"), (&second, "o2")] {
        cluster.send_finding(node, &of_kind(id, "Other:EC2/Thing", 5.0)).await;
    }
    let others = "select count(*) from runs where playbook = 'other' and status = 'succeeded'";
    eventually("the others' ends", async || {
        (cluster.database.query(others).await == "2").then_some(())
    })
    .await;
    let under_way = "select count(*) from runs where playbook = 'effects' and status = 'running'";
    assert_eq!(cluster.database.query(under_way).await, "2");

    first.process.kill().await;
    let orphans = "select count(distinct node_id) from runs where status = 'running'";
    let nodes = "select count(*) from nodes where seen_at > \
                 extract(epoch from clock_timestamp()) * 1000000 - 10000000";
    eventually("the second alone at work", async || {
        let alone = cluster.database.query(nodes).await == "1";
        (alone && cluster.database.query(orphans).await == "1").then_some(())
    })
    .await;
    cluster.ledger.let_go();
    let all = "select count(*) from runs where status <> 'succeeded'";
    eventually("the end of every run", async || {
        (cluster.database.query(all).await == "0").then_some(())
    })
    .await;
    cluster.ledger.is_exact(10 * STEPS);
    assert!(cluster.ledger.most_under_way() <= 2, "{}", cluster.ledger.most_under_way());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_critical_incident_overtakes_what_waits() {
    let cluster = Cluster::of(2).await;
    let node = cluster.node().await;
    cluster.ledger.hold();
    cluster.send(&node, 0..12).await;
    eventually("a full node", async || (cluster.ledger.calls() == 2).then_some(())).await;
    cluster.send_finding(&node, &of_kind("worst", "Recon:EC2/Portscan", 9.5)).await;
    cluster.ledger.let_go();
    cluster.ends_exactly(13).await;
    let alerts = cluster.ledger.alerts();
    let place = alerts.iter().position(|alert| alert.contains("worst"));
    // Two places may come free at once, and either of those who get them be heard first.
    assert!(matches!(place, Some(2 | 3)), "right after those that were under way: {alerts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_a_limit_can_be_cancelled_and_comes_next_when_one_is() {
    let folder = crate::server::Folder::new();
    folder.write("playbooks/asks.rhai", ONE_BY_ONE);
    let server = folder.serve().await;
    let mut runs = Vec::new();
    for id in ["f1", "f2", "f3"] {
        let (_, received) = server.send(id).await;
        runs.push(received["run_ids"][0].as_str().unwrap().to_owned());
    }
    when(&server, &runs[0], "waiting").await;
    let by_hand = server.run(&["--json", "run", "asks", "--detach"]).await;
    assert_eq!(by_hand.code, 0, "{by_hand:?}");
    let by_hand = by_hand.json()["id"].as_str().unwrap().to_owned();
    for run in runs[1..].iter().chain([&by_hand]) {
        let (_, waits) = server.get(&format!("/v1/runs/{run}")).await;
        assert_eq!(waits["status"], "queued", "{waits}");
        assert_eq!(waits["limit"], json!({"name": "asks", "max": 1, "admitted_at": null}));
    }
    let cancel = async |run: &str| {
        let ran = server.run(&["cancel", run, "--reason", "a test"]).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        when(&server, run, "cancelled").await;
    };
    cancel(&runs[1]).await;
    let (_, journal) = server.get(&format!("/v1/runs/{}/journal", runs[1])).await;
    assert!(!journal.to_string().contains("step_"), "it did nothing: {journal}");
    let (_, pending) = server.get("/v1/approvals?status=pending").await;
    assert_eq!(pending["items"].as_array().unwrap().len(), 1, "{pending}");
    cancel(&runs[0]).await;
    // A person who starts one comes before what is only of medium severity.
    when(&server, &by_hand, "waiting").await;
    cancel(&by_hand).await;
    when(&server, &runs[2], "waiting").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_a_limit_is_paused_at_once_and_keeps_nobody_out() {
    let folder = crate::server::Folder::new();
    folder.write("playbooks/asks.rhai", ONE_BY_ONE);
    let server = folder.serve().await;
    let mut runs = Vec::new();
    for id in ["f1", "f2", "f3"] {
        let (_, received) = server.send(id).await;
        runs.push(received["run_ids"][0].as_str().unwrap().to_owned());
    }
    when(&server, &runs[0], "waiting").await;
    let say = async |verb: &str, run: &str| {
        let ran = server.run(&[verb, run, "--reason", "a test"]).await;
        assert_eq!(ran.code, 0, "{ran:?}");
    };
    say("pause", &runs[1]).await;
    let (_, paused) = server.get(&format!("/v1/runs/{}", runs[1])).await;
    assert_eq!(paused["status"], "paused", "{paused}");
    assert_eq!(paused["limit"]["admitted_at"], Value::Null);
    say("cancel", &runs[0]).await;
    when(&server, &runs[2], "waiting").await;
    say("resume", &runs[1]).await;
    let (_, waits) = server.get(&format!("/v1/runs/{}", runs[1])).await;
    assert_eq!(waits["status"], "queued", "{waits}");
    say("cancel", &runs[2]).await;
    when(&server, &runs[1], "waiting").await;
    let (_, journal) = server.get(&format!("/v1/runs/{}/journal", runs[1])).await;
    let journal = journal.to_string();
    assert!(journal.contains("\"paused\"") && journal.contains("\"resumed\""), "{journal}");
}

async fn when(server: &Server, run: &str, status: &str) {
    eventually(&format!("{run} that is {status}"), async || {
        let (_, found) = server.get(&format!("/v1/runs/{run}")).await;
        (found["status"] == status).then_some(())
    })
    .await;
}
