//! A whole node in this process: its database, its API on a port, and an AWS that it calls over
//! HTTP.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_cli::config::{Account, Config, Notify};
use stanch_engine_cli::wiring::{self, Node, Seams};
use stanch_engine_core::effect::{Effect, Mode};
use stanch_engine_core::span::Span;
use stanch_engine_core::time::Clock;
use stanch_engine_core::world::World;
use stanch_engine_runtime::{Runtime, playbooks, system};
use stanch_engine_server::Reply;
use stanch_plugins_aws::sandbox::{Answer, Fault, FaultKind, Sandbox};
use stanch_plugins_sdk::{ActionContext, ActionError, Outcome, Patience, Urgency};
use stanch_tests::eventually;
use stanch_tests::postgres::Database;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::caller::Caller;
use crate::clock::ManualClock;

/// The account that the sandbox plays.
pub(crate) const ACCOUNT: &str = "111122223333";
/// The user whose key is in the wrong hands.
pub(crate) const USER: &str = "ci-deploy";
/// That key.
pub(crate) const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
/// Where pages go.
pub(crate) const TOPIC: &str = "arn:aws:sns:us-east-1:111122223333:stanch-pages";

/// The playbooks that are shipped.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../playbooks");

/// What a stage is set up as.
pub(crate) struct Plan {
    pub(crate) config: Box<Config>,
    pub(crate) postgres: Option<Database>,
    pub(crate) clock: Option<Arc<ManualClock>>,
    pub(crate) seams: Seams,
    /// Whether the playbooks that are shipped are published.
    pub(crate) ships: bool,
    /// Another AWS than the sandbox.
    pub(crate) aws_url: Option<String>,
}

impl Plan {
    /// SQLite, the real clock, the shipped playbooks, and an account in which people are asked. Most
    /// tests need one person only, who starts what she approves.
    pub(crate) fn new() -> Self {
        let mut config = Box::<Config>::default();
        config.aws.region = Some("us-east-1".to_owned());
        config.accounts.insert(ACCOUNT.to_owned(), Account::of_mode(Mode::Ask));
        config.notify = Notify { default_topic: Some(TOPIC.to_owned()), ..Notify::default() };
        config.approvals.requester_counts = true;
        config.config.insert("evidence_bucket".to_owned(), "stanch-evidence".into());
        let seams = Seams { credentials: Some(Sandbox::runner()), ..Seams::default() };
        Self { config, postgres: None, clock: None, seams, ships: true, aws_url: None }
    }

    pub(crate) fn mode(mut self, mode: Mode) -> Self {
        self.config.accounts.insert(ACCOUNT.to_owned(), Account::of_mode(mode));
        self
    }

    /// With a clock that only the test moves.
    pub(crate) fn manual(mut self) -> Self {
        self.clock = Some(Arc::new(ManualClock::at("2026-11-24T03:00:00Z")));
        self
    }

    pub(crate) async fn on_postgres(mut self) -> Self {
        let database = Database::create().await;
        self.config.database_url = Some(database.url().to_owned());
        self.postgres = Some(database);
        self
    }

    pub(crate) async fn set(self) -> Stage {
        Box::pin(Stage::set(self)).await
    }
}

/// A node at work.
pub(crate) struct Stage {
    pub(crate) aws: Arc<Sandbox>,
    pub(crate) runtime: Runtime,
    pub(crate) url: String,
    /// The first person, who may do everything but is asked nothing.
    pub(crate) admin: Caller,
    /// A responder.
    pub(crate) mia: Caller,
    /// What sends findings.
    pub(crate) detector: Caller,
    pub(crate) clock: Option<Arc<ManualClock>>,
    world: World,
    config: Box<Config>,
    stop: Option<oneshot::Sender<()>>,
    node: Option<Node>,
    postgres: Option<Database>,
    dir: TempDir,
}

impl Stage {
    async fn set(plan: Plan) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut world = system::world();
        if let Some(clock) = &plan.clock {
            world.clock = clock.clone();
        }
        let aws = Arc::new(Sandbox::demo(world.now()).unwrap());
        let mut config = plan.config;
        let aws_url = match plan.aws_url {
            Some(url) => url,
            None => serve_sandbox(aws.clone(), world.clock.clone()).await,
        };
        config.aws.endpoint_url = Some(aws_url);
        config.data_dir = Some(dir.path().to_owned());
        let node = wiring::start(&config, world.clone(), &|_| None, plan.seams).await.unwrap();
        let runtime = node.runtime.clone();
        if plan.ships {
            publish_shipped(&runtime).await;
        }
        let (url, stop) = listen(&node).await;
        let secret = |name: &str| std::fs::read_to_string(dir.path().join("keys").join(name));
        let admin = Caller::new(&url, &secret("admin.token").unwrap());
        let detector = Caller::new(&url, &secret("webhook.token").unwrap());
        let mia = person(&url, &admin, "mia", &["responder"]).await;
        let (clock, postgres) = (plan.clock, plan.postgres);
        let (stop, node) = (Some(stop), Some(node));
        Self {
            aws,
            runtime,
            url,
            admin,
            mia,
            detector,
            clock,
            world,
            config,
            stop,
            node,
            postgres,
            dir,
        }
    }

    /// Stops the node in order, and starts another one on the same data.
    pub(crate) async fn restart(&mut self) {
        drop(self.stop.take());
        drop(self.node.take());
        let runtime = self.runtime.clone();
        runtime.stop().await;
        let seams = Seams { credentials: Some(Sandbox::runner()), ..Seams::default() };
        let node = wiring::start(&self.config, self.world.clone(), &|_| None, seams).await.unwrap();
        self.runtime = node.runtime.clone();
        let (url, stop) = listen(&node).await;
        for caller in [&mut self.admin, &mut self.mia, &mut self.detector] {
            *caller = caller.at(&url);
        }
        (self.url, self.stop, self.node) = (url, Some(stop), Some(node));
    }

    /// Changes what it is configured with, from its next start on.
    pub(crate) fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
    }

    /// What it is configured with.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Makes a person with roles.
    pub(crate) async fn person(&self, name: &str, roles: &[&str]) -> Caller {
        person(&self.url, &self.admin, name, roles).await
    }

    /// Does to the database what only somebody with its password can.
    pub(crate) async fn sql(&self, statement: &str) {
        self.postgres.as_ref().unwrap().query(statement).await;
    }

    /// Every row of every table, on Postgres.
    pub(crate) async fn rows(&self) -> Option<String> {
        let rows = "select coalesce(string_agg(query_to_xml(format('select * from %I', tablename), \
                    true, false, '')::text, ''), '') from pg_tables where schemaname = 'public'";
        Some(self.postgres.as_ref()?.query(rows).await)
    }

    /// Calls AWS past every run, as somebody else would.
    pub(crate) async fn call(&self, account: &str, operation: &str, params: Value) -> Value {
        self.try_call(account, operation, params).await.unwrap()
    }

    /// The same, where AWS may refuse.
    pub(crate) async fn try_call(
        &self,
        account: &str,
        operation: &str,
        params: Value,
    ) -> Result<Value, ActionError> {
        let input = json!({"operation": operation, "params": params});
        let context = ActionContext {
            incident: None,
            run: None,
            step: "elsewhere".to_owned(),
            token: uuid::Uuid::nil(),
            attempt: 1,
            account: Some(account.to_owned()),
            region: None,
            role: None,
            urgency: Urgency::Response,
            patience: Patience::default(),
            granted: Effect::Destroy,
            plan: Vec::new(),
            timeout: Span::from_secs(20),
            now: self.world.now(),
            state: None,
        };
        let action = self.runtime.catalogue().action("aws.call").unwrap();
        match action.run(&context, &input).await? {
            Outcome::Done(done) => Ok(done.value),
            Outcome::Again { .. } => panic!("{operation} is over at once"),
        }
    }

    /// Orders a fault, once.
    pub(crate) fn fault(&self, operation: &str, kind: FaultKind) {
        self.aws.fault(Fault { operation: operation.to_owned(), kind, times: 1 });
    }

    /// Lets time pass, on a stage with a clock of its own.
    pub(crate) fn pass(&self, ms: i64) {
        self.clock.as_ref().unwrap().pass(ms);
    }

    /// Publishes a playbook that stands in the test. Its `name` must be in its header.
    pub(crate) async fn publish(&self, text: &str) -> String {
        let bundle = playbooks::gather(text, Path::new(SHIPPED)).unwrap();
        let published = playbooks::publish(&self.runtime, bundle, "test", "inline").await.unwrap();
        published.digest.to_string()
    }

    /// Starts a playbook by hand, without an alert.
    pub(crate) async fn start(&self, playbook: &str, inputs: Value) -> String {
        let body = json!({"playbook": playbook, "inputs": inputs});
        id(&self.mia.post("/runs", &body).await["id"])
    }

    /// Starts a playbook for an alert of the demo's key.
    pub(crate) async fn start_for_finding(&self, playbook: &str) -> String {
        self.start_for_finding_with(playbook, json!({})).await
    }

    /// The same, with inputs.
    pub(crate) async fn start_for_finding_with(&self, playbook: &str, inputs: Value) -> String {
        let finding = Sandbox::demo_finding(self.world.now());
        let body = json!({"playbook": playbook, "alert": finding, "inputs": inputs});
        id(&self.mia.post("/runs", &body).await["id"])
    }

    /// Sends the finding of the key, and gives what was answered.
    pub(crate) async fn find_key(&self) -> Value {
        let finding = Sandbox::demo_finding(self.world.now());
        self.detector.post("/webhooks/guardduty", &finding).await
    }

    /// Sends a finding again that was sent before, as its sender does when it heard nothing.
    pub(crate) async fn find_key_again(&self, before: &Value) -> Value {
        let alert = self.mia.get(&format!("/alerts/{}", id(&before["alert_id"]))).await;
        self.detector.post("/webhooks/guardduty", &alert["raw"]).await
    }

    /// Sends the finding of the instance.
    pub(crate) async fn find_instance(&self) -> Value {
        let finding = Sandbox::demo_instance_finding(self.world.now());
        self.detector.post("/webhooks/aws", &finding).await
    }

    /// The approval that a run waits for.
    pub(crate) async fn approval(&self, run: &str) -> Value {
        eventually(&format!("an approval of {run}"), async || {
            let pending = self.mia.list("/approvals?status=pending").await;
            let found = pending.into_iter().find(|approval| approval["run_id"] == run);
            if found.is_none() {
                let found = self.mia.get(&format!("/runs/{run}")).await;
                assert!(!is_over(&found), "it asks nobody: {found}");
            }
            found
        })
        .await
    }

    /// Says yes to what a run asks.
    pub(crate) async fn approve(&self, run: &str) -> Value {
        let approval = id(&self.approval(run).await["id"]);
        let body = json!({"decision": "approve", "reason": "it is ours to stop",
            "form": {"verdict": "true_positive"}});
        self.mia.post(&format!("/approvals/{approval}/decisions"), &body).await
    }

    /// A run, when it has come to an end or is parked.
    pub(crate) async fn over(&self, run: &str) -> Value {
        self.run_when(run, is_over).await
    }

    /// A run, when it is over; time passes, `step_ms` at a look, for as long as it takes.
    pub(crate) async fn over_in_time(&self, run: &str, step_ms: i64) -> Value {
        self.run_when(run, |run| {
            let is_over = is_over(run);
            if !is_over {
                self.pass(step_ms);
            }
            is_over
        })
        .await
    }

    /// A run, when it is as it is waited for.
    pub(crate) async fn run_when(&self, run: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let what = format!("{run} as it is waited for");
        eventually(&what, async || Some(self.mia.get(&format!("/runs/{run}")).await).filter(&fits))
            .await
    }

    pub(crate) async fn incident(&self, of: &Value) -> Value {
        self.mia.get(&format!("/incidents/{}", id(&of["incident_id"]))).await
    }

    pub(crate) async fn journal(&self, run: &str) -> Vec<Value> {
        self.mia.list(&format!("/runs/{run}/journal")).await
    }

    /// The calls of operations that change something, in order.
    pub(crate) fn changes(&self) -> Vec<String> {
        let operations = self.runtime.catalogue().operations();
        let calls = self.aws.calls().into_iter().map(|call| call.operation);
        let changes = |operation: &String| {
            !operation.starts_with("sts:")
                && operations.effect(operation).is_ok_and(Effect::is_guarded)
        };
        calls.filter(changes).collect()
    }

    /// What was sent to the topic of pages, in order.
    pub(crate) fn paged(&self) -> Vec<String> {
        self.aws.published().into_iter().map(|published| published.message).collect()
    }

    /// The first message to the topic that says so.
    pub(crate) async fn page_that_says(&self, words: &str) -> String {
        eventually(&format!("a page that says {words}"), async || {
            self.paged().into_iter().find(|message| message.contains(words))
        })
        .await
    }
}

/// Whether a run has come to an end or is parked.
pub(crate) fn is_over(run: &Value) -> bool {
    matches!(run["status"].as_str(), Some("succeeded" | "failed" | "cancelled" | "parked"))
}

/// An id in an answer.
pub(crate) fn id(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no id: {value}")).to_owned()
}

/// The first run that an alert started.
pub(crate) fn run_of(received: &Value) -> String {
    id(&received["run_ids"][0])
}

/// Publishes the playbooks that are shipped.
pub(crate) async fn publish_shipped(runtime: &Runtime) {
    for name in ["iam-access-key-compromise", "ec2-instance-compromise", "guardduty-triage"] {
        let text = std::fs::read_to_string(format!("{SHIPPED}/{name}.rhai")).unwrap();
        let bundle = playbooks::gather(&text, Path::new(SHIPPED)).unwrap();
        playbooks::publish(runtime, bundle, "test", name).await.unwrap();
    }
}

async fn person(url: &str, admin: &Caller, name: &str, roles: &[&str]) -> Caller {
    let made = admin.post("/tokens", &json!({"name": name, "roles": roles})).await;
    Caller::new(url, made["token"].as_str().unwrap())
}

async fn listen(node: &Node) -> (String, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = stanch_engine_server::router(node.runtime.clone(), node.server.clone());
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async move {
        let _ = stopped.await;
    };
    tokio::spawn(stanch_engine_server::serve(listener, router, stopped));
    (url, stop)
}

/// Serves a sandbox, and gives its address.
pub(crate) async fn serve_sandbox(sandbox: Arc<Sandbox>, clock: Arc<dyn Clock>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = move |request| reply(sandbox.answer(&request, clock.now()), &clock);
    tokio::spawn(stanch_engine_server::serve_with(listener, answer, std::future::pending()));
    url
}

fn reply(answer: Answer, clock: &Arc<dyn Clock>) -> Reply {
    match answer {
        Answer::Response(response) => Reply::Response(response),
        Answer::Cut => Reply::Cut,
        Answer::Torn(response) => Reply::Torn(response),
        Answer::Late { after_ms, then } => {
            let clock = clock.clone();
            let until = clock.now().plus_ms(i64::try_from(after_ms).unwrap());
            Reply::Late(Box::pin(async move {
                clock.sleep_until(until).await;
                reply(*then, &clock)
            }))
        }
    }
}
