//! The demo's stage: a real server on SQLite, and a stand-in for AWS that it talks to over HTTP.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_runtime::{playbooks, system};
use stanch_plugins_aws::sandbox::Sandbox;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::cmd::sandbox;
use crate::config::{Account, Config, Notify};
use crate::shipped;
use crate::wiring::{self, Seams};

/// The account of the story.
const ACCOUNT: &str = "111122223333";

/// The topic that pages go to.
const TOPIC: &str = "arn:aws:sns:us-east-1:111122223333:stanch-pages";

/// Everything that runs.
pub(super) struct Stage {
    /// Where the server is.
    pub(super) url: String,
    /// The stand-in for AWS.
    pub(super) aws: Arc<Sandbox>,
    /// The token of the person who watches.
    pub(super) token: String,
    /// Calls the server as that person.
    pub(super) person: Client,
    /// Sends findings.
    pub(super) detector: Client,
    stop: oneshot::Sender<()>,
    server: JoinHandle<anyhow::Result<()>>,
}

impl Stage {
    /// Sets it up in a fresh folder.
    pub(super) async fn set(dir: &Path) -> anyhow::Result<Self> {
        let world = system::world();
        let aws = Arc::new(Sandbox::demo(world.now())?.checking_signatures());
        let aws_url = play_aws(aws.clone()).await?;
        let config = config(dir, aws_url);
        let seams = Seams { credentials: Some(Sandbox::runner()), ..Seams::default() };
        let node = wiring::start(&config, world, &|_| None, seams).await?;
        for (file, text) in shipped::PLAYBOOKS {
            playbooks::publish(&node.runtime, shipped::bundle(text)?, "demo", file).await?;
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = oneshot::channel();
        let stopped = async move {
            let _ = stopped.await;
        };
        let server = tokio::task::spawn(crate::cmd::serve::work(node, listener, None, stopped));
        let secret = |name: &str| std::fs::read_to_string(dir.join("keys").join(name));
        let admin = Client::new(url.clone(), secret("admin.token")?)?;
        let body = json!({"name": "you", "roles": ["responder"]});
        let made = admin.post("/tokens", &body).await?;
        let token = made["token"].as_str().unwrap_or_default().to_owned();
        let person = Client::new(url.clone(), token.clone())?;
        let detector = Client::new(url.clone(), secret("webhook.token")?)?;
        Ok(Self { url, aws, token, person, detector, stop, server })
    }

    /// The finding of the story, as EventBridge sends it.
    pub(super) fn finding() -> Value {
        Sandbox::demo_finding(system::world().now())
    }

    /// Ends it in order.
    pub(super) async fn clear(self) -> anyhow::Result<()> {
        let _ = self.stop.send(());
        self.server.await?
    }
}

fn config(dir: &Path, aws_url: String) -> Config {
    let mut config = Config { data_dir: Some(dir.to_owned()), ..Config::default() };
    config.aws.endpoint_url = Some(aws_url);
    config.aws.region = Some("us-east-1".to_owned());
    let mode = stanch_engine_core::effect::Mode::Ask;
    config.accounts.insert(ACCOUNT.to_owned(), Account::of_mode(mode));
    config.notify = Notify { default_topic: Some(TOPIC.to_owned()), ..Notify::default() };
    // One person plays everybody.
    config.approvals.requester_counts = true;
    config.config.insert("evidence_bucket".to_owned(), "stanch-evidence".into());
    config
}

/// The stand-in for AWS, on a port of its own.
async fn play_aws(sandbox: Arc<Sandbox>) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let answer = sandbox::answerer(sandbox, system::world().clock);
    tokio::task::spawn(stanch_engine_server::serve_with(listener, answer, std::future::pending()));
    Ok(url)
}
