//! A secret on its way through a server that logs all it can and is killed half way.

use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use stanch_tests::eventually;
use stanch_tests::process::Process;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::sandbox::Played;
use crate::server::{Folder, Server};

const CANARY: &str = "cAnArY7f3Q9+/x=cAnArY";
/// What of it stands in each form of it.
const TRACES: [&str; 2] = ["cAnArY7f3Q9", "Y0FuQXJZN2YzUTkr"];

/// Somebody who hears a secret, and says it back: with a yes, below `/bad` with a no, and below `/echo`
/// with a no and with what stood in the head.
pub(crate) struct Receiver {
    pub(crate) url: String,
    pub(crate) heard: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = heard.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let request = answer(socket).await;
                hears.lock().unwrap().push(request);
            }
        });
        Self { url, heard }
    }
}

/// Reads a request and gives its body back.
async fn answer(mut socket: TcpStream) -> String {
    let mut request = Vec::new();
    let (head, body) = loop {
        let mut chunk = [0; 4096];
        let read = socket.read(&mut chunk).await.unwrap();
        request.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .to_lowercase()
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.lines().next().unwrap().trim().parse().unwrap());
        if body.len() >= length {
            break (head.to_owned(), body.to_owned());
        }
    };
    let is_echo = head.split(' ').nth(1).is_some_and(|path| path.starts_with("/echo"));
    let is_bad = is_echo || head.starts_with("POST /bad");
    let status = if is_bad { "400 Bad Request" } else { "200 OK" };
    let heard = format!("{head}\n\n{body}");
    let body = if is_echo { heard.clone() } else { body };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(answer.as_bytes()).await.unwrap();
    socket.shutdown().await.unwrap();
    heard
}

fn playbook(url: &str) -> String {
    format!(
        r#"const PLAYBOOK = #{{ name: "asks", title: "Asks", mode: "auto",
            triggers: [#{{ source: "guardduty", type: "*" }}] }};
        let got = aws("secretsmanager:GetSecretValue", #{{ SecretId: "prod/db" }}).SecretString;
        log(`got ${{got}}`);
        approval("Go on?", #{{ expires: "1h" }});
        let said = http("POST", "{url}/ok",
            #{{ body: #{{ secret: got }}, headers: #{{ "Authorization": got }} }});
        try {{ http("POST", "{url}/bad", #{{ body: got }}) }} catch (error) {{ log(error.message) }}
        aws("secretsmanager:PutSecretValue", #{{ SecretId: "prod/db", SecretString: got }});
        type_of(said.body.secret)"#
    )
}

pub(crate) fn bytes_of(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            bytes_of(&path, found);
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

fn are_in(traces: &[&str], bytes: &[u8]) -> bool {
    let is_in = |trace: &&str| bytes.windows(trace.len()).any(|w| w == trace.as_bytes());
    traces.iter().any(is_in)
}

async fn serve(played: &Played, folder: Folder) -> Server {
    let mut command = played.command(&folder, &["serve"]);
    command.env("STANCH_LOG", "trace");
    Server::started(Process::start(&mut command), folder).await
}

#[tokio::test]
async fn a_secret_is_heard_by_whom_it_is_for_and_by_nobody_else() {
    let (folder, receiver) = (Folder::new(), Receiver::start().await);
    folder.write("answers.toml", &format!(
        "[[answers]]\noperation = \"secretsmanager:GetSecretValue\"\noutput = {{ SecretString = \"{CANARY}\" }}\n\
         [[answers]]\noperation = \"secretsmanager:PutSecretValue\"\nerror = {{ code = \"InvalidParameterException\", message = \"no: {CANARY}\" }}\n"
    ));
    let played = Played::start(&folder, &["--demo", "--script", "answers.toml"]).await;
    folder.write("playbooks/asks.rhai", &playbook(&receiver.url));
    folder.write("stanch.toml", "listen = \"127.0.0.1:0\"\nlog_format = \"json\"\nplaybooks = \"playbooks\"\ndata_dir = \"data\"\n[accounts.111122223333]\nmode = \"auto\"\n");
    let server = serve(&played, folder).await;
    let (_, received) = server.send("f1").await;
    let run = received["run_ids"][0].as_str().unwrap().to_owned();
    let approval = eventually("an approval", async || {
        let (_, pending) = server.get("/v1/approvals?status=pending").await;
        pending["items"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    let Server { mut process, folder, .. } = server;
    process.kill().await;
    let mut seen = vec![("the first log".to_owned(), process.output().into_bytes())];

    let server = serve(&played, folder).await;
    let said = server.run(&["approve", &approval, "--reason", "a test"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let ended = eventually("the end", async || {
        let (_, run) = server.get(&format!("/v1/runs/{run}")).await;
        matches!(run["status"].as_str(), Some("succeeded" | "failed")).then_some(run)
    })
    .await;
    assert_eq!(ended["error"]["code"], "InvalidParameterException", "{ended}");
    assert_eq!(ended["error"]["message"], "no: <sealed>", "{ended}");
    {
        let heard = receiver.heard.lock().unwrap();
        assert_eq!(heard.len(), 2, "{heard:?}");
        assert!(heard[0].contains(&format!("uthorization: {CANARY}")), "{}", heard[0]);
        let body: Value = serde_json::from_str(heard[0].split_once("\n\n").unwrap().1).unwrap();
        assert_eq!(body["secret"], CANARY);
        assert!(heard[1].ends_with(CANARY), "{}", heard[1]);
    }
    let incident = received["incident_id"].as_str().unwrap();
    for arguments in [
        &["runs", "show", &run][..],
        &["--json", "runs", "show", &run],
        &["runs", "list"],
        &["incidents", "show", incident],
        &["--json", "incidents", "show", incident],
        &["--json", "approvals", "show", &approval],
        &["--json", "pages", "list"],
        &["export", incident, "-o", "bundle.zip"],
        &["explain", "ST0506"],
    ] {
        let ran = server.run(arguments).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        seen.push((format!("{arguments:?}"), format!("{}{}", ran.out, ran.err).into_bytes()));
    }
    let (_, journal) = server.get(&format!("/v1/runs/{run}/journal?limit=1000")).await;
    let journal = journal.to_string();
    assert!(journal.contains("got <sealed>") && journal.contains("400 Bad Request"), "{journal}");
    assert!(!journal.contains("script_error"), "{journal}");
    seen.push(("the journal".to_owned(), journal.into_bytes()));
    bytes_of(&server.folder.path().join("data"), &mut seen);
    seen.push(("the second log".to_owned(), server.process.output().into_bytes()));
    let public = seen.iter().filter(|(_, bytes)| are_in(&["asks"], bytes)).count();
    assert!(public > 8, "what looks for the secret sees nothing: {public}");
    for (place, bytes) in &seen {
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| are_in(&TRACES, line));
        let lines: Vec<_> = lines.map(String::from_utf8_lossy).collect();
        assert!(lines.is_empty(), "{place} holds the secret: {}", lines.join("\n"));
    }
}
