//! Several nodes on one Postgres, as processes: they share the work, take over from each other, and
//! an effect ledger outside counts what they did to the world.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use stanch_engine_server::Reply;
use stanch_tests::eventually;
use stanch_tests::postgres::Database;
use stanch_tests::process::Process;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::server::{Folder, finding};

/// Three effects for any finding.
const EFFECTS: &str = r#"
const PLAYBOOK = #{ name: "effects", title: "Has effects", mode: "auto",
    triggers: [#{ source: "guardduty", type: "*" }] };
for step in 0..3 {
    action("http.request", #{ method: "POST", url: config.ledger, retry: "token",
        body: #{ alert: alert.id, step: step } });
}
"done"
"#;

/// Effects of each run.
pub(crate) const STEPS: usize = 3;

/// A server outside that notes each call with its token, and answers once it may.
#[derive(Clone)]
pub(crate) struct Ledger {
    calls: Arc<Mutex<Vec<(String, Value)>>>,
    /// Calls that wait for their answers, and the most that ever did.
    under_way: Arc<Mutex<(usize, usize)>>,
    answers: watch::Sender<bool>,
    pub(crate) url: String,
}

impl Ledger {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let ledger = Self {
            calls: Arc::default(),
            under_way: Arc::default(),
            answers: watch::channel(true).0,
            url,
        };
        let its = ledger.clone();
        let answer = move |request: http::Request<_>| its.answer(&request);
        tokio::spawn(stanch_engine_server::serve_with(listener, answer, std::future::pending()));
        ledger
    }

    fn answer<B: AsRef<[u8]>>(&self, request: &http::Request<B>) -> Reply {
        let token = request.headers()["idempotency-key"].to_str().unwrap().to_owned();
        let body = serde_json::from_slice(request.body().as_ref()).unwrap();
        self.calls.lock().unwrap().push((token, body));
        let (mut may, under_way) = (self.answers.subscribe(), UnderWay::of(&self.under_way));
        Reply::Late(Box::pin(async move {
            let _under_way = under_way;
            let _ = may.wait_for(|may| *may).await;
            Reply::Response(http::Response::new("{}".into()))
        }))
    }

    /// No call is answered until [`Ledger::let_go`].
    pub(crate) fn hold(&self) {
        self.answers.send_replace(false);
    }

    pub(crate) fn let_go(&self) {
        self.answers.send_replace(true);
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    /// The alerts that were heard of, in the order in which they were first.
    pub(crate) fn alerts(&self) -> Vec<String> {
        let mut alerts: Vec<String> = Vec::new();
        for (_, body) in self.calls.lock().unwrap().iter() {
            let alert = body["alert"].as_str().unwrap().to_owned();
            if !alerts.contains(&alert) {
                alerts.push(alert);
            }
        }
        alerts
    }

    /// The most calls that ever waited for their answers at the same time.
    pub(crate) fn most_under_way(&self) -> usize {
        self.under_way.lock().unwrap().1
    }

    /// Every effect took place; whoever honours tokens saw each exactly once.
    pub(crate) fn is_exact(&self, effects: usize) {
        let mut tokens: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (token, body) in self.calls.lock().unwrap().iter() {
            let seen = tokens.entry(body.to_string()).or_default();
            if !seen.contains(token) {
                seen.push(token.clone());
            }
        }
        assert_eq!(tokens.len(), effects, "{tokens:?}");
        assert!(tokens.values().all(|seen| seen.len() == 1), "{tokens:?}");
    }
}

/// A call, until it is answered or whoever called is gone.
struct UnderWay(Arc<Mutex<(usize, usize)>>);

impl UnderWay {
    fn of(counts: &Arc<Mutex<(usize, usize)>>) -> Self {
        let mut now = counts.lock().unwrap();
        now.0 += 1;
        now.1 = now.1.max(now.0);
        Self(counts.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.lock().unwrap().0 -= 1;
    }
}

/// A database, a folder that nodes share, and the world outside.
pub(crate) struct Cluster {
    pub(crate) folder: Folder,
    pub(crate) ledger: Ledger,
    pub(crate) database: Database,
}

/// A node of it.
pub(crate) struct Node {
    pub(crate) process: Process,
    pub(crate) url: String,
}

impl Cluster {
    /// One whose nodes have room for so many runs.
    pub(crate) async fn of(hot_runs: usize) -> Self {
        Self::with(&[("effects", EFFECTS)], hot_runs, Database::create().await).await
    }

    /// One of these playbooks, on this database.
    pub(crate) async fn with(
        playbooks: &[(&str, &str)],
        hot_runs: usize,
        database: Database,
    ) -> Self {
        let (folder, ledger) = (Folder::new(), Ledger::open().await);
        std::fs::remove_file(folder.path().join("playbooks/asks.rhai")).unwrap();
        for (name, text) in playbooks {
            folder.write(&format!("playbooks/{name}.rhai"), text);
        }
        let config = format!(
            "listen = \"127.0.0.1:0\"\nlog_format = \"json\"\nplaybooks = \"playbooks\"\n\
             data_dir = \"data\"\nhot_runs = {hot_runs}\n[config]\nledger = \"{}\"\n\
             [accounts.111122223333]\nmode = \"auto\"\n",
            ledger.url
        );
        folder.write("stanch.toml", &config);
        Self { folder, ledger, database }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = self.folder.command(arguments);
        command.env("STANCH_DATABASE_URL", self.database.url());
        command
    }

    pub(crate) async fn node(&self) -> Node {
        let mut process = Process::start(&mut self.command(&["serve"]));
        let line = process.wait_for_line(|line| line.contains("\"message\":\"serving\"")).await;
        let line: Value = serde_json::from_str(&line).unwrap();
        let url = format!("http://{}", line["fields"]["address"].as_str().unwrap());
        Node { process, url }
    }

    pub(crate) async fn send(&self, node: &Node, ids: std::ops::Range<usize>) {
        for id in ids {
            self.send_finding(node, &finding(&format!("f{id}"))).await;
        }
    }

    pub(crate) async fn send_finding(&self, node: &Node, finding: &Value) {
        let http = stanch_plugins_http::client_builder().build().unwrap();
        let token = self.folder.secret("webhook.token");
        let url = format!("{}/v1/webhooks/guardduty", node.url);
        let body = finding.to_string();
        // As whoever delivers alerts does: until it is taken.
        eventually("a place for the finding", async || {
            let post = http.post(&url).bearer_auth(&token).body(body.clone());
            let status = post.send().await.unwrap().status().as_u16();
            assert!(matches!(status, 202 | 503), "{status}");
            (status == 202).then_some(())
        })
        .await;
    }

    async fn get(&self, node: &Node, path: &str) -> Value {
        let http = stanch_plugins_http::client_builder().build().unwrap();
        let token = self.folder.secret("admin.token");
        let sent = http.get(format!("{}/v1{path}", node.url)).bearer_auth(token).send().await;
        serde_json::from_slice(&sent.unwrap().bytes().await.unwrap()).unwrap()
    }

    /// The id of a node, once it answers.
    pub(crate) async fn id(&self, node: &Node) -> String {
        eventually("the node's list of nodes", async || {
            let found = self.get(node, "/nodes").await;
            let itself = found["items"].as_array()?.iter().find(|row| row["self"] == true)?;
            Some(itself["id"].as_str()?.to_owned())
        })
        .await
    }

    /// Runs that every node works on, by its id.
    async fn held(&self, node: &Node) -> BTreeMap<String, i64> {
        let found = self.get(node, "/nodes").await;
        let of =
            |row: &Value| (row["id"].as_str().unwrap().to_owned(), row["runs"].as_i64().unwrap());
        found["items"].as_array().unwrap().iter().map(of).collect()
    }

    /// Waits until all runs have succeeded, and looks at what they did.
    pub(crate) async fn ends_exactly(&self, runs: usize) {
        let sql = "select count(*) filter (where status = 'succeeded'), count(*) from runs";
        let all = format!("{runs}|{runs}");
        eventually("the end of every run", async || {
            (self.database.query(sql).await == all).then_some(())
        })
        .await;
        self.ledger.is_exact(runs * STEPS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_share_the_work_and_are_listed() {
    let cluster = Cluster::of(4).await;
    let (first, second) = (cluster.node().await, cluster.node().await);
    cluster.ledger.hold();
    cluster.send(&first, 0..8).await;
    eventually("a full load on both", async || {
        let held = cluster.held(&second).await;
        (held.len() == 2 && held.values().all(|runs| *runs == 4)).then_some(())
    })
    .await;
    let mut command = cluster.command(&["nodes", "--json"]);
    let listed = command.env("STANCH_URL", &first.url).output().await.unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let of_self = listed["items"].as_array().unwrap().iter().filter(|n| n["self"] == true);
    assert_eq!(of_self.count(), 1, "{listed}");
    cluster.ledger.let_go();
    cluster.ends_exactly(8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_nodes_runs_go_on_elsewhere() {
    let cluster = Cluster::of(100).await;
    let mut first = cluster.node().await;
    cluster.ledger.hold();
    cluster.send(&first, 0..20).await;
    eventually("calls of all runs", async || (cluster.ledger.calls() == 20).then_some(())).await;
    let mut second = cluster.node().await;
    first.process.kill().await;
    cluster.ledger.let_go();
    second.process.wait_for_line(|line| line.contains("took over runs")).await;
    cluster.ends_exactly(20).await;
    assert_eq!(cluster.ledger.calls(), 20 * STEPS + 20, "each call under way came once more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_where_another_was_killed_waits_for_no_lease() {
    let cluster = Cluster::of(100).await;
    let mut first = cluster.node().await;
    let its = cluster.id(&first).await;
    cluster.ledger.hold();
    cluster.send(&first, 0..5).await;
    eventually("calls of all runs", async || (cluster.ledger.calls() == 5).then_some(())).await;
    // Leases that would hold for years.
    first.process.freeze();
    let years = "update runs set lease_until = lease_until + 100000000000000";
    cluster.database.query(years).await;
    let mut beside = cluster.node().await;
    assert_eq!(cluster.held(&beside).await[&its], 5, "the first is frozen, and not dead");
    first.process.kill().await;
    beside.process.kill().await;
    cluster.ledger.let_go();
    let last = cluster.node().await;
    cluster.ends_exactly(5).await;
    assert_eq!(cluster.held(&last).await.len(), 1, "the dead are not listed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_slept_through_its_lease_writes_nothing() {
    let cluster = Cluster::of(100).await;
    let mut first = cluster.node().await;
    cluster.ledger.hold();
    cluster.send(&first, 0..5).await;
    eventually("calls of all runs", async || (cluster.ledger.calls() == 5).then_some(())).await;
    let second = cluster.node().await;
    first.process.freeze();
    cluster.ledger.let_go();
    cluster.ends_exactly(5).await;
    let journal = "select md5(string_agg(run_id || seq || kind || body, ',' order by run_id, seq)) from journal";
    let before = cluster.database.query(journal).await;
    first.process.thaw();
    for _ in 0..5 {
        first.process.wait_for_line(|line| line.contains("another node has the run now")).await;
    }
    assert_eq!(cluster.database.query(journal).await, before);
    assert_eq!(cluster.held(&second).await.len(), 2, "it takes part again");
    cluster.send(&first, 5..6).await;
    cluster.ends_exactly(6).await;
}

/// A run is taken over and taken up again by the node that still has it in memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_a_lease_that_was_lost_answers_nothing_of_the_next() {
    let cluster = Cluster::of(100).await;
    let node = cluster.node().await;
    cluster.ledger.hold();
    cluster.send(&node, 0..10).await;
    eventually("calls of all runs", async || (cluster.ledger.calls() == 10).then_some(())).await;
    // As a node that takes over, and is gone before it claims anything.
    let taken_over = "update runs set status = 'queued', node_id = null, lease_until = null \
                      where status = 'running'";
    cluster.database.query(taken_over).await;
    eventually("each call anew", async || (cluster.ledger.calls() == 20).then_some(())).await;
    cluster.ledger.let_go();
    cluster.ends_exactly(10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_told_to_stop_hands_its_runs_over() {
    let cluster = Cluster::of(100).await;
    let mut first = cluster.node().await;
    cluster.ledger.hold();
    cluster.send(&first, 0..10).await;
    eventually("calls of all runs", async || (cluster.ledger.calls() == 10).then_some(())).await;
    let second = cluster.node().await;
    assert!(first.process.terminate().await.success(), "{}", first.process.output());
    eventually("the runs on the other node", async || {
        let held = cluster.held(&second).await;
        (held.len() == 1 && held.values().all(|runs| *runs == 10)).then_some(())
    })
    .await;
    cluster.ledger.let_go();
    cluster.ends_exactly(10).await;
    assert!(!second.process.output().contains("took over runs"), "no lease had to lapse");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_lose_nothing() {
    let cluster = Cluster::of(8).await;
    let (first, second) = (cluster.node().await, cluster.node().await);
    for round in 0..5 {
        cluster.send(&first, round * 10..round * 10 + 5).await;
        cluster.send(&second, round * 10 + 5..round * 10 + 10).await;
        cluster.database.cut_connections().await;
        eventually("both nodes' return", async || {
            let mut ready = true;
            for node in [&first, &second] {
                let http = stanch_plugins_http::client_builder().build().unwrap();
                let answer = http.get(format!("{}/readyz", node.url)).send().await.unwrap();
                ready &= answer.status().is_success();
            }
            ready.then_some(())
        })
        .await;
    }
    cluster.ends_exactly(50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_node_with_evidence_of_its_own_is_refused() {
    let cluster = Cluster::of(8).await;
    let mut first = cluster.node().await;
    let serve = || {
        let mut command = cluster.command(&["serve"]);
        command.env("STANCH_DATA_DIR", "elsewhere");
        command
    };
    let refused = serve().output().await.unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("ST0507"), "{said}");
    assert!(first.process.terminate().await.success());
    let mut alone = Process::start(&mut serve());
    alone.wait_for_line(|line| line.contains("lies in another folder")).await;
    alone.wait_for_line(|line| line.contains("\"message\":\"serving\"")).await;
}
