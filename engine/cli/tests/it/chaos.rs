//! Chaos: three nodes on a Postgres of their own are killed, frozen past their leases and thawed, and
//! cut off, and the database crashes, while alerts come in. An effect ledger outside counts.
//!
//! `STANCH_TEST_CHAOS=5000` makes it as large as it is published, `STANCH_TEST_SEED` plays one again.

use std::time::{Duration, Instant};

use stanch_tests::chance::Chance;
use stanch_tests::eventually;
use stanch_tests::own_postgres::{OwnPostgres, crash};
use stanch_tests::variable_if_set;
use tokio::sync::watch;

use crate::nodes::{Cluster, Node};
use crate::server::finding;

/// Effects one after the other, beside each other, of items, of a child, and after a timer.
const PARENT: &str = r#"
const PLAYBOOK = #{ name: "parent", title: "Has effects", mode: "auto",
    triggers: [#{ source: "guardduty", type: "*" }] };
let of = alert.id;
let tell = |of, step| action("http.request", #{ method: "POST", url: config.ledger, retry: "token",
    body: #{ alert: of, step: step } });
tell.call(of, "first");
parallel([|| { tell.call(of, "left"); }, || { tell.call(of, "right"); }]);
each([0, 1, 2], #{ max_concurrency: 2 }, |item| { tell.call(of, `item ${item}`); });
sleep("200ms");
run_playbook("child", #{ of: of });
"done"
"#;

const CHILD: &str = r#"
const PLAYBOOK = #{ name: "child", title: "Has one effect", mode: "auto", inputs: #{ of: "string" } };
action("http.request", #{ method: "POST", url: config.ledger, retry: "token",
    body: #{ alert: inputs.of, step: "child" } });
"#;

/// Effects of one alert.
const EFFECTS: usize = 7;

/// Runs of one alert.
const RUNS: usize = 2;

const NODES: usize = 3;

/// Alerts between two disturbances.
const CALM: usize = 50;

/// What happens to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disturbance {
    Kill,
    Freeze,
    Crash,
    Cut,
}

/// So many disturbances, each kind about as often as any other.
fn disturbances(count: usize, chance: &mut Chance) -> Vec<Disturbance> {
    use Disturbance::{Crash, Cut, Freeze, Kill};
    let mut all: Vec<_> = [Kill, Freeze, Crash, Cut].into_iter().cycle().take(count).collect();
    chance.shuffle(&mut all);
    all
}

/// Sends findings as whoever delivers alerts does: to any node, until it is taken.
async fn send(
    alerts: usize,
    token: String,
    mut urls: watch::Receiver<Vec<String>>,
    taken: watch::Sender<usize>,
) {
    let http = stanch_plugins_http::client_builder().no_proxy();
    let http = http.timeout(Duration::from_secs(3)).build().unwrap();
    for number in 0..alerts {
        let body = finding(&format!("chaos-{number}")).to_string();
        for attempt in number.. {
            let url = {
                let urls = urls.borrow_and_update();
                urls[attempt % urls.len()].clone()
            };
            let post = http.post(format!("{url}/v1/webhooks/guardduty")).bearer_auth(&token);
            match post.body(body.clone()).send().await.map(|answer| answer.status().as_u16()) {
                Ok(202) => break,
                Ok(429 | 503) | Err(_) => {}
                Ok(status) => panic!("answered with {status}"),
            }
        }
        taken.send_modify(|taken| *taken += 1);
    }
}

/// The nodes, and where they are.
struct Nodes {
    cluster: Cluster,
    nodes: Vec<Node>,
    urls: watch::Sender<Vec<String>>,
}

impl Nodes {
    async fn of(cluster: Cluster) -> Self {
        let mut nodes = Vec::new();
        for _ in 0..NODES {
            nodes.push(cluster.node().await);
        }
        let urls = watch::Sender::new(nodes.iter().map(|node| node.url.clone()).collect());
        Self { cluster, nodes, urls }
    }

    async fn suffer(&mut self, disturbance: Disturbance, chance: &mut Chance) {
        let one = chance.below(NODES);
        match disturbance {
            Disturbance::Kill => {
                self.nodes[one].process.kill().await;
                self.nodes[one] = self.cluster.node().await;
                self.urls.send_modify(|urls| urls[one].clone_from(&self.nodes[one].url));
            }
            Disturbance::Freeze => {
                let frozen = &self.nodes[one];
                let gone = format!(
                    "select seen_at < extract(epoch from clock_timestamp()) * 1000000 - 11000000 \
                     from nodes where id = '{}'",
                    self.cluster.id(frozen).await
                );
                frozen.process.freeze();
                eventually("the end of its leases", async || {
                    (self.cluster.database.query(&gone).await == "t").then_some(())
                })
                .await;
                frozen.process.thaw();
            }
            Disturbance::Crash => crash(&self.cluster.database).await,
            Disturbance::Cut => self.cluster.database.cut_connections().await,
        }
    }

    /// Waits as long as any run comes to its end now and then.
    async fn end(&self, runs: usize) {
        let sql = "select count(*) filter (where status = 'succeeded') from runs";
        let (mut ended, all) = (0, runs);
        while ended < all {
            ended = eventually("the end of any further run", async || {
                let now = self.cluster.database.query(sql).await.parse().unwrap();
                (now > ended).then_some(now)
            })
            .await;
        }
        let rows = self.cluster.database.query("select count(*) from runs").await;
        assert_eq!(rows, all.to_string(), "no run more than those that were wanted");
    }

    /// Every journal is whole, and holds one end of each step.
    async fn journals_are_whole(&self) {
        let gaps = "select count(*) from (select 1 from journal group by run_id \
            having count(*) <> max(seq) + 1 or min(seq) <> 0) as broken";
        assert_eq!(self.cluster.database.query(gaps).await, "0");
        let twice = "select count(*) from (select 1 from journal \
            where kind in ('step_succeeded', 'step_failed') \
            group by run_id, body::json ->> 'key' having count(*) > 1) as doubled";
        assert_eq!(self.cluster.database.query(twice).await, "0");
    }
}

fn number(name: &str) -> Option<u64> {
    variable_if_set(name).map(|text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_effect_takes_place_once_whatever_happens_to_nodes_and_database() {
    let alerts = usize::try_from(number("STANCH_TEST_CHAOS").unwrap_or(200)).unwrap();
    let seed = number("STANCH_TEST_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("STANCH_TEST_SEED={seed}");
    let mut chance = Chance::of(seed);
    let server = OwnPostgres::start(&[]).await;
    let playbooks = [("parent", PARENT), ("child", CHILD)];
    let cluster = Cluster::with(&playbooks, 40, server.database().await).await;
    let mut nodes = Nodes::of(cluster).await;
    let began = Instant::now();
    let (taken, mut progress) = watch::channel(0);
    let token = nodes.cluster.folder.secret("webhook.token").trim().to_owned();
    let sending = tokio::spawn(send(alerts, token, nodes.urls.subscribe(), taken));
    let plan = disturbances((alerts / CALM).max(4), &mut chance);
    for (nth, disturbance) in plan.iter().enumerate() {
        progress.wait_for(|taken| *taken >= nth * alerts / plan.len()).await.unwrap();
        nodes.suffer(*disturbance, &mut chance).await;
    }
    sending.await.unwrap();
    nodes.end(alerts * RUNS).await;
    nodes.cluster.ledger.is_exact(alerts * EFFECTS);
    nodes.journals_are_whole().await;
    let count = |kind| plan.iter().filter(|done| **done == kind).count();
    println!(
        "{} runs, {} effects by {} calls in {:.0} s; nodes killed {} times and frozen {} times, the \
         database crashed {} times, its connections cut {} times",
        alerts * RUNS,
        alerts * EFFECTS,
        nodes.cluster.ledger.calls(),
        began.elapsed().as_secs_f64(),
        count(Disturbance::Kill),
        count(Disturbance::Freeze),
        count(Disturbance::Crash),
        count(Disturbance::Cut),
    );
}
