//! `stanch serve` in a folder of its own, and the commands beside it.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use stanch_tests::process::Process;
use tempfile::TempDir;
use tokio::process::Command;

/// The program.
pub(crate) const STANCH: &str = env!("CARGO_BIN_EXE_stanch");

/// A playbook that waits for a person, for any finding.
pub(crate) const ASKS: &str = r#"
const PLAYBOOK = #{ name: "asks", title: "Asks", mode: "ask",
    triggers: [#{ source: "guardduty", type: "*" }] };
approval("Go on?", #{ expires: "1h" }).outcome
"#;

/// A server at work.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) url: String,
    pub(crate) folder: Folder,
}

/// Where a server lives.
pub(crate) struct Folder(TempDir);

impl Folder {
    /// A folder with a configuration and one playbook.
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(folder.path().join("playbooks")).unwrap();
        folder.write("playbooks/asks.rhai", ASKS);
        folder.write("stanch.toml", "listen = \"127.0.0.1:0\"\nlog_format = \"json\"\nplaybooks = \"playbooks\"\ndata_dir = \"data\"\n");
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    pub(crate) fn secret(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join("data/keys").join(name)).unwrap()
    }

    /// A command of the program, in the folder and without the machine's settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(STANCH);
        command.current_dir(self.path()).args(arguments).env_clear();
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().await.unwrap())
    }

    /// Starts a server.
    pub(crate) async fn serve(self) -> Server {
        let mut command = self.command(&["serve"]);
        Server::started(Process::start(&mut command), self).await
    }
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        Self { code, out: text(output.stdout), err: text(output.stderr) }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

impl Server {
    /// A server, once it serves.
    pub(crate) async fn started(mut process: Process, folder: Folder) -> Self {
        let line = process.wait_for_line(|line| line.contains("\"message\":\"serving\"")).await;
        let line: Value = serde_json::from_str(&line).unwrap();
        let url = format!("http://{}", line["fields"]["address"].as_str().unwrap());
        Self { process, url, folder }
    }

    /// Runs a command against it, as the admin.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.folder.command(arguments);
        command.env("STANCH_URL", &self.url);
        Ran::of(command.output().await.unwrap())
    }

    /// Sends a finding with an id.
    pub(crate) async fn send(&self, id: &str) -> (u16, Value) {
        let body = finding(id).to_string();
        self.post("/v1/webhooks/guardduty", &self.folder.secret("webhook.token"), body).await
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        token: &str,
        body: impl Into<reqwest::Body>,
    ) -> (u16, Value) {
        let http = stanch_plugins_http::client_builder().build().unwrap();
        let request = http.post(format!("{}{path}", self.url)).bearer_auth(token).body(body);
        read(request.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        read(self.answer(path).await).await
    }

    /// What is answered in words, not in JSON.
    pub(crate) async fn text(&self, path: &str) -> String {
        self.answer(path).await.text().await.unwrap()
    }

    async fn answer(&self, path: &str) -> reqwest::Response {
        let http = stanch_plugins_http::client_builder().build().unwrap();
        let token = self.folder.secret("admin.token");
        let request = http.get(format!("{}{path}", self.url)).bearer_auth(token);
        request.send().await.unwrap()
    }
}

async fn read(answer: reqwest::Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let bytes = answer.bytes().await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// A finding of GuardDuty.
pub(crate) fn finding(id: &str) -> Value {
    serde_json::json!({
        "schemaVersion": "2.0", "accountId": "111122223333", "region": "us-east-1", "id": id,
        "arn": format!("arn:aws:guardduty:us-east-1:111122223333:detector/d/finding/{id}"),
        "type": "Recon:EC2/Portscan", "severity": 5, "title": format!("finding {id}"),
        "description": "a host scans ports",
        "createdAt": "2026-11-24T02:58:30.000Z", "updatedAt": "2026-11-24T02:58:30.000Z",
        "resource": {"resourceType": "Instance", "instanceDetails": {"instanceId": format!("i-{id}")}},
        "service": {"serviceName": "guardduty", "count": 1, "archived": false,
            "eventFirstSeen": "2026-11-24T02:50:00.000Z", "eventLastSeen": "2026-11-24T02:56:00.000Z"},
    })
}
