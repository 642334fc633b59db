//! What is told to a node, and told again when it died over it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::system;
use stanch_plugins_aws::sandbox::Sandbox;
use stanch_tests::process::Process;
use tempfile::TempDir;
use tokio::process::Command;

use super::VICTIM;
use super::point::Point;
use crate::caller::{Answer, Caller};
use crate::stage::{id, is_over, serve_sandbox};

/// Which finding arrives, and which playbook takes it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plot {
    Key,
    Instance,
    /// Branches, items, a child, what is deferred, and a run that begins anew.
    Branches,
    /// None arrives: the clock starts runs.
    Clock,
}

impl Plot {
    pub(super) const ALL: [Self; 4] = [Self::Key, Self::Instance, Self::Branches, Self::Clock];
}

/// A story: the AWS and the data that outlive every node.
pub(super) struct Story {
    pub(super) plot: Plot,
    pub(super) aws: Arc<Sandbox>,
    pub(super) dir: TempDir,
    aws_url: String,
    began_at: Timestamp,
    finding: Value,
}

/// A node, while it lives.
pub(super) struct Life {
    pub(super) process: Process,
    pub(super) caller: Option<Caller>,
    detector: Option<Caller>,
}

impl Story {
    pub(super) async fn of(plot: Plot) -> Self {
        let world = system::world();
        let aws = Arc::new(Sandbox::demo(world.now()).unwrap());
        let aws_url = serve_sandbox(aws.clone(), world.clock.clone()).await;
        let finding = match plot {
            Plot::Key | Plot::Branches | Plot::Clock => Sandbox::demo_finding(world.now()),
            Plot::Instance => Sandbox::demo_instance_finding(world.now()),
        };
        let dir = tempfile::tempdir().unwrap();
        Self { plot, aws, dir, aws_url, began_at: world.now(), finding }
    }

    /// Starts a node on the data, with an order to die.
    pub(super) fn start(&self, kill: Option<(Point, u32)>, test: &str) -> Life {
        let point = kill.map(|(point, _)| format!("{point:?}")).unwrap_or_default();
        let at = kill.map_or(0, |(_, at)| at);
        let orders = json!({"dir": self.dir.path(), "aws": self.aws_url, "point": point, "at": at,
            "began_at": self.began_at,
            "plot": format!("{:?}", self.plot)});
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([test, "--exact", "--nocapture"]).env(VICTIM, orders.to_string());
        Life { process: Process::start(&mut command), caller: None, detector: None }
    }

    /// Waits until a node can be talked to; nothing when it died before.
    pub(super) async fn meet(&self, life: &mut Life) -> Option<()> {
        let line = life.process.next_line(|line| line.starts_with("listening at ")).await?;
        let url = line.strip_prefix("listening at ")?;
        let token = |name: &str| secret(self.dir.path(), name);
        life.caller = Some(Caller::new(url, &token("admin.token")));
        life.detector = Some(Caller::new(url, &token("webhook.token")));
        Some(())
    }

    /// Tells all of it to a node; nothing when the node died over it.
    pub(super) async fn tell(&self, life: &mut Life) -> Option<()> {
        self.meet(life).await?;
        let received = life.send(&self.finding).await?;
        let run = id(&received["run_ids"][0]);
        life.see_through(&run).await?;
        let undo = match life.runs("undo").await?.first() {
            Some(undo) => id(&undo["id"]),
            None => {
                let path = format!("/runs/{run}/undo");
                let (status, undo) = life.ask(Method::POST, &path, Some(why())).await?;
                assert_eq!(status, 201, "{undo}");
                id(&undo["id"])
            }
        };
        life.see_through(&undo).await
    }
}

fn why() -> Value {
    json!({"reason": "a drill"})
}

fn secret(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join("keys").join(name)).unwrap()
}

impl Life {
    /// Sends the finding, as EventBridge does: until it is taken.
    async fn send(&self, finding: &Value) -> Option<Value> {
        let path = "/webhooks/guardduty";
        let sent = self.detector.as_ref()?.try_ask(Method::POST, path, Some(finding)).await;
        let (status, received) = sent.ok()?;
        assert_eq!(status, 202, "{received}");
        Some(received)
    }

    /// Asks, as long as somebody lives to answer.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Option<Answer> {
        self.caller.as_ref()?.try_ask(method, path, body.as_ref()).await.ok()
    }

    pub(super) async fn get(&self, path: &str) -> Option<Value> {
        let (status, body) = self.ask(Method::GET, path, None).await?;
        assert_eq!(status, 200, "{path}: {body}");
        Some(body)
    }

    pub(super) async fn runs(&self, playbook: &str) -> Option<Vec<Value>> {
        self.get(&format!("/runs?playbook={playbook}")).await?["items"].as_array().cloned()
    }

    /// Says yes to all that a run asks, until it has succeeded.
    async fn see_through(&self, run: &str) -> Option<()> {
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        loop {
            looks.tick().await;
            let found = self.get(&format!("/runs/{run}")).await?;
            if is_over(&found) {
                assert_eq!(found["status"], "succeeded", "{found}");
                return Some(());
            }
            let pending = self.get("/approvals?status=pending").await?;
            let pending = pending["items"].as_array()?.iter().find(|a| a["run_id"] == run).cloned();
            let Some(pending) = pending else { continue };
            let path = format!("/approvals/{}/decisions", id(&pending["id"]));
            let yes = json!({"decision": "approve", "reason": "it is ours to stop",
                "form": {"verdict": "true_positive"}});
            let (status, answer) = self.ask(Method::POST, &path, Some(yes)).await?;
            assert!(status == 200 || status == 409, "{answer}");
        }
    }
}
