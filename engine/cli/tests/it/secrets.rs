//! A value in every kind of secret that there is, which is heard by whom it is for, and stands nowhere
//! else: in no row, file, log, answer or error.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use stanch_tests::eventually;
use stanch_tests::process::Process;

use crate::login::{kept, run};
use crate::refresh::{expire, mia};
use crate::sandbox::Played;
use crate::sealed::{Receiver, bytes_of};
use crate::server::{Folder, Server, finding};

/// What all of them have, however they are written.
const TRACE: &str = "cAnArY7f3Q9";

/// Each place of the configuration's code that holds a secret, and the variable with the value for it.
const KINDS: &[(&str, &str)] = &[
    ("accounts.rs ExternalId", "EXTERNAL_ID"),
    ("accounts.rs external_id", "EXTERNAL_ID"),
    ("accounts.rs external_id", "EXTERNAL_ID_OF_ALL"),
    ("config.rs admin", "ADMIN"),
    ("config.rs secrets", "CRM"),
    ("config.rs webhook", "WEBHOOK"),
    ("notify.rs pagerduty_token", "PAGERDUTY_TOKEN"),
    ("notify.rs password", "MAIL"),
    ("notify.rs routing_key", "ROUTING_KEY"),
    ("notify.rs secrets", "HOOK"),
    ("notify.rs token", "SLACK_BOT"),
    ("otlp.rs headers", "OTLP"),
    ("reference.rs token", "ADMIN"),
    ("slack.rs app_token", "SLACK_APP"),
    ("slack.rs signing_secrets", "SLACK_SIGNING"),
    ("sources.rs bearer", "BEARER"),
    ("sources.rs passwords", "BASIC"),
    ("sources.rs secrets", "HEADER"),
    ("sources.rs secrets", "SIGNATURE"),
];

/// Those that somebody outside is shown.
const SHOWN: [&str; 6] =
    ["CRM", "PAGERDUTY_TOKEN", "ROUTING_KEY", "SLACK_BOT", "OTLP", "SLACK_APP"];

fn value(variable: &str) -> String {
    format!("{TRACE}+/=-{variable}")
}

/// A configuration that has all of them.
const CONFIGURATION: &str = r#"listen = "127.0.0.1:0"
log_format = "json"
playbooks = "playbooks"
data_dir = "data"
[webhook]
token = "env:WEBHOOK"
[admin]
token = "env:ADMIN"
[secrets]
crm = "env:CRM"
[accounts.111122223333]
mode = "auto"
read_role = "arn:aws:iam::111122223333:role/stanch-read"
external_id = "env:EXTERNAL_ID"
[aws.roles]
external_id = "env:EXTERNAL_ID_OF_ALL"
[otlp]
endpoint = "{url}/echo/otlp"
headers = { x-api-key = "env:OTLP" }
[slack]
signing_secrets = ["env:SLACK_SIGNING"]
app_token = "env:SLACK_APP"
base_url = "{url}/echo/slack"
[notify.channels.chat]
kind = "slack"
token = "env:SLACK_BOT"
channel = "C1"
base_url = "{url}/echo/slack"
[notify.channels.duty]
kind = "pagerduty"
routing_key = "env:ROUTING_KEY"
base_url = "{url}/echo/pagerduty"
[notify.channels.hook]
kind = "webhook"
url = "{url}/echo/hook"
secrets = ["env:HOOK"]
[notify.channels.mail]
kind = "email"
host = "localhost"
port = 1
user = "stanch"
password = "env:MAIL"
from = "stanch@example.com"
to = ["soc@example.com"]
[[notify.routes]]
channels = ["chat", "duty", "hook", "mail"]
[people.mia]
roles = ["responder"]
[oncall.first]
people = ["mia"]
pagerduty_schedule = "P1"
pagerduty_token = "env:PAGERDUTY_TOKEN"
base_url = "{url}/echo/oncall"
[sources.guardduty]
bearer = ["env:BEARER"]
basic = { user = "aws", passwords = ["env:BASIC"] }
header = { name = "x-secret", secrets = ["env:HEADER"] }
signature = { style = "sentry", secrets = ["env:SIGNATURE"] }
"#;

fn configuration(url: &str) -> String {
    CONFIGURATION.replace("{url}", url)
}

fn playbook(url: &str) -> String {
    let asks = format!(
        r#"const PLAYBOOK = #{{ name: "asks", title: "Asks", mode: "auto",
            triggers: [#{{ source: "guardduty", type: "*" }}] }};
        try {{ notify("oncall:first", "Look at it") }} catch (error) {{ log(error.message) }}
        approval("Go on?", #{{ approvers: ["role:responder"], expires: "1h" }});
        try {{ aws("iam:ListUsers", #{{}}) }} catch (error) {{ log(error.message) }}
        try {{
            http("POST", "{url}/echo/crm", #{{ headers: #{{ "Authorization": "Bearer SECRET" }} }})
        }} catch (error) {{ log(error.message) }}
        "done""#
    );
    asks.replace("SECRET", "{{secret:crm}}")
}

/// What stands of a secret in each form of it: itself, in hexadecimal, and in base64 behind any byte.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned()];
    forms.push(secret.bytes().map(|byte| format!("{byte:02x}")).collect());
    for before in 0..3 {
        let behind = [vec![b' '; before], secret.as_bytes().to_vec()].concat();
        let text = STANDARD.encode(behind);
        let from = if before == 0 { 0 } else { 4 };
        forms.push(text[from..text.len() - 4].to_owned());
    }
    forms
}

/// That secrets stand nowhere in what was seen, and that something was.
fn are_nowhere(seen: &[(String, Vec<u8>)], secrets: &[String], public: &str) {
    let seen: Vec<_> =
        seen.iter().map(|(place, bytes)| (place, String::from_utf8_lossy(bytes))).collect();
    let places = seen.iter().filter(|(_, text)| text.contains(public)).count();
    assert!(places > 3, "what looks for secrets sees nothing: {places}");
    for form in secrets.iter().flat_map(|secret| forms(secret)) {
        for (place, text) in &seen {
            let lines: Vec<_> = text.lines().filter(|line| line.contains(&form)).collect();
            assert!(lines.is_empty(), "{place} holds a secret: {}", lines.join("\n"));
        }
    }
}

/// The secrets that the node made for itself: every file of its keys that is not a public half.
fn made(folder: &Folder) -> Vec<String> {
    let mut files = Vec::new();
    bytes_of(&folder.path().join("data/keys"), &mut files);
    let secret = files.into_iter().filter(|(name, _)| !name.ends_with(".pub"));
    let text = secret.filter_map(|(_, bytes)| String::from_utf8(bytes).ok());
    let lines: Vec<String> = text.flat_map(|text| lines_of(&text)).collect();
    assert!(!lines.is_empty());
    lines
}

/// The lines of a key that are secret.
fn lines_of(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.starts_with("-----") && line.len() >= 16);
    lines.map(str::to_owned).collect()
}

async fn serve(played: &Played, folder: Folder) -> Server {
    let mut command = played.command(&folder, &["serve"]);
    command.env("STANCH_LOG", "trace");
    for (_, variable) in KINDS {
        command.env(variable, value(variable));
    }
    Server::started(Process::start(&mut command), folder).await
}

/// A call of the API's, as the first administrator.
async fn ask(server: &Server, path: &str) -> Vec<u8> {
    let http = stanch_plugins_http::client_builder().build().unwrap();
    let request = http.get(format!("{}{path}", server.url)).bearer_auth(value("ADMIN"));
    request.send().await.unwrap().bytes().await.unwrap().to_vec()
}

async fn json(server: &Server, path: &str) -> Value {
    serde_json::from_slice(&ask(server, path).await).unwrap()
}

/// A command beside the server, with all that the configuration names.
async fn command(played: &Played, server: &Server, arguments: &[&str]) -> (i32, Vec<u8>) {
    let mut command = played.command(&server.folder, arguments);
    command.env("STANCH_URL", &server.url).env("STANCH_LOG", "trace");
    for (_, variable) in KINDS {
        command.env(variable, value(variable));
    }
    let output = command.output().await.unwrap();
    (output.status.code().unwrap(), [output.stdout, output.stderr].concat())
}

/// A finding that asks, on every channel, and is answered; the run and its incident.
async fn answered(played: &Played, server: &Server) -> (String, String) {
    let path = "/v1/webhooks/guardduty";
    let stranger = server.post(path, "a-guess-of-a-stranger", finding("f0").to_string()).await;
    assert_eq!(stranger.0, 401, "{stranger:?}");
    let (_, received) = server.post(path, &value("BEARER"), finding("f1").to_string()).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (run, incident) = (text(&received["run_ids"][0]), text(&received["incident_id"]));
    eventually("a page that was tried on every channel", async || {
        for page in json(server, "/v1/pages").await["items"].as_array()? {
            let page =
                json(server, &format!("/v1/pages/{}", page["id"].as_str()?)).await.to_string();
            let is_tried = |channel: &&str| page.contains(&format!("\"channel\":\"{channel}\""));
            if ["chat", "duty", "hook", "mail"].iter().all(is_tried) {
                return Some(());
            }
        }
        None
    })
    .await;
    let approval = eventually("the question", async || {
        let asking = json(server, &format!("/v1/runs/{run}")).await;
        assert!(asking["finished_at"].is_null(), "{asking}");
        let pending = json(server, "/v1/approvals?status=pending").await;
        pending["items"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    let (code, said) = command(played, server, &["approve", &approval, "--reason", "a test"]).await;
    assert_eq!(code, 0, "{}", String::from_utf8_lossy(&said));
    eventually("the end", async || {
        let run = json(server, &format!("/v1/runs/{run}")).await;
        (run["status"] == "succeeded").then_some(())
    })
    .await;
    (run, incident)
}

#[tokio::test]
async fn a_value_in_every_kind_of_secret_stands_nowhere() {
    let (folder, receiver) = (Folder::new(), Receiver::start().await);
    let played = Played::start(&folder, &["--demo"]).await;
    folder.write("stanch.toml", &configuration(&receiver.url));
    folder.write("playbooks/asks.rhai", &playbook(&receiver.url));
    let server = serve(&played, folder).await;
    let (run, incident) = answered(&played, &server).await;
    eventually("whom it is for", async || {
        let heard = receiver.heard.lock().unwrap().join("\n");
        SHOWN.iter().all(|variable| heard.contains(&value(variable))).then_some(())
    })
    .await;

    let mut seen = Vec::new();
    let offline = ["--offline", "glass.key", "--person", "mia", "--reason", "a drill"];
    for arguments in [
        &["break-glass", "key", "-o", "glass.key", "--person", "mia", "--reason", "a test"][..],
        &[&["halt"], &offline[..]].concat(),
        &[&["unhalt"], &offline[..]].concat(),
        &["runs", "show", &run],
        &["--json", "pages", "list"],
        &["audit", "list"],
        &["export", &incident, "-o", "bundle.zip"],
        &["doctor"],
    ] {
        let (code, said) = command(&played, &server, arguments).await;
        assert!(code == 0 || arguments[0] == "doctor", "{}", String::from_utf8_lossy(&said));
        seen.push((format!("{arguments:?}"), said));
    }
    let mut paths =
        vec!["/metrics".to_owned(), "/readyz".to_owned(), "/v1/audit/export".to_owned()];
    for page in json(&server, "/v1/pages").await["items"].as_array().unwrap() {
        paths.push(format!("/v1/pages/{}", page["id"].as_str().unwrap()));
    }
    paths.push(format!("/v1/runs/{run}/journal?limit=1000"));
    paths.push(format!("/v1/incidents/{incident}/timeline"));
    for path in paths {
        let said = ask(&server, &path).await;
        seen.push((path, said));
    }
    let Server { mut process, folder, .. } = server;
    process.kill().await;
    seen.push(("the log".to_owned(), process.output().into_bytes()));
    let mut files = Vec::new();
    bytes_of(&folder.path().join("data"), &mut files);
    seen.extend(files.into_iter().filter(|(name, _)| !name.contains("/data/keys/")));
    let glass = std::fs::read_to_string(folder.path().join("glass.key")).unwrap();
    let mut secrets = made(&folder);
    secrets.extend(lines_of(&glass));
    secrets.extend([TRACE.to_owned(), played.secret.clone()]);
    are_nowhere(&seen, &secrets, "asks");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sign_in_keeps_stands_in_its_file_only() {
    let (server, provider) = mia().await;
    let mut secrets = Vec::new();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let all: Value = serde_json::from_str(&kept(&server).unwrap()).unwrap();
        let session = &all[&server.url];
        // What is before it says who it is, and is no secret.
        let signature = session["token"].as_str().unwrap().rsplit('.').next().unwrap();
        secrets.push(signature.to_owned());
        secrets.push(session["refresh"]["token"].as_str().unwrap().to_owned());
        expire(&server.folder, &server.url);
        for arguments in [&["nodes"][..], &["--json", "incidents", "list"]] {
            let ran = run(&server, arguments).await;
            assert_eq!(ran.code, 0, "{ran:?}");
            seen.push((format!("{arguments:?}"), format!("{}{}", ran.out, ran.err).into_bytes()));
        }
    }
    // What goes wrong tells nothing either.
    expire(&server.folder, &server.url);
    provider.set(|state| state.claims = serde_json::json!({"sub": "lea"}));
    let other = run(&server, &["nodes"]).await;
    assert_eq!(other.code, 1, "{other:?}");
    seen.push(("an error".to_owned(), format!("{}{}", other.out, other.err).into_bytes()));
    let (_, nodes) = server.get("/v1/nodes").await;
    seen.push(("the nodes".to_owned(), nodes.to_string().into_bytes()));
    seen.push(("the log".to_owned(), server.process.output().into_bytes()));
    bytes_of(&server.folder.path().join("data"), &mut seen);
    assert_eq!(secrets.len(), 4);
    are_nowhere(&seen, &secrets, "nod");
}

/// The places of a file of the configuration's code that hold a secret.
fn places_of(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let file = path.file_name().unwrap().to_str().unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap();
    let is_secret = |of: &str| {
        let mut words = of.split(|c: char| !c.is_alphanumeric());
        words.any(|word| ["Reference", "TokenSource", "ExternalId"].contains(&word))
    };
    let place = |line: &str| {
        let line = line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        if let Some((name, of)) = line.strip_prefix("struct ").and_then(|rest| rest.split_once('('))
        {
            return is_secret(of).then(|| name.to_owned());
        }
        let (name, of) = line.strip_suffix(',')?.split_once(": ")?;
        let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        (is_name && !of.contains('&') && is_secret(of)).then(|| name.to_owned())
    };
    code.lines().filter_map(place).map(|name| format!("{file} {name}")).collect()
}

#[test]
fn whatever_kind_of_secret_is_new_has_a_value_here() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut places = places_of(&source.join("config.rs"));
    for entry in std::fs::read_dir(source.join("config")).unwrap() {
        places.extend(places_of(&entry.unwrap().path()));
    }
    places.sort();
    let known: Vec<_> = KINDS.iter().map(|(place, _)| (*place).to_owned()).collect();
    assert_eq!(places, known, "place a value in the new kind of secret, in `configuration` above");
    let text = configuration("http://127.0.0.1:1");
    for (place, variable) in KINDS {
        let is_placed = text.contains(&format!("\"env:{variable}\""));
        assert!(is_placed, "{place}: {variable} is not in the configuration");
    }
}
