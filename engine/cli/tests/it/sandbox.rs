//! `stanch aws sandbox`, as a program, before clients that are not ours.

use serde_json::{Value, json};
use stanch_tests::process::Process;
use stanch_tests::python;
use tokio::process::Command;

use crate::server::Folder;

/// A stand-in for AWS at work.
pub(crate) struct Played {
    /// It ends when this is dropped.
    _process: Process,
    pub(crate) url: String,
    pub(crate) key: String,
    pub(crate) secret: String,
}

impl Played {
    /// Starts one in a folder.
    pub(crate) async fn start(folder: &Folder, arguments: &[&str]) -> Self {
        let mut all = vec!["--json", "aws", "sandbox", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        let mut process = Process::start(&mut folder.command(&all));
        let line = process.wait_for_line(|line| line.starts_with('{')).await;
        let said: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| said[name].as_str().unwrap().to_owned();
        let (url, key, secret) = (text("url"), text("access_key_id"), text("secret_access_key"));
        Self { _process: process, url, key, secret }
    }

    /// A command of the program that calls it.
    pub(crate) fn command(&self, folder: &Folder, arguments: &[&str]) -> Command {
        let mut command = folder.command(arguments);
        command.env("AWS_ENDPOINT_URL", &self.url).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", &self.key).env("AWS_SECRET_ACCESS_KEY", &self.secret);
        command
    }

    /// What was called so far.
    pub(crate) async fn calls(&self) -> Vec<Value> {
        let http = stanch_plugins_http::client_builder().build().unwrap();
        let answer = http.get(format!("{}/_sandbox/calls", self.url)).send().await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        answer["calls"].as_array().unwrap().clone()
    }

    /// Takes back what was ordered.
    pub(crate) async fn forget(&self, path: &str) {
        let http = stanch_plugins_http::client_builder().build().unwrap();
        let answer = http.delete(format!("{}/_sandbox/{path}", self.url)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
    }

    /// Orders something by its own paths.
    pub(crate) async fn order(&self, path: &str, body: Value) -> (u16, String) {
        let http = stanch_plugins_http::client_builder().build().unwrap();
        let request = http.post(format!("{}/_sandbox/{path}", self.url)).json(&body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

/// An event as CloudTrail writes it.
fn event(number: u32) -> Value {
    json!({
        "eventID": format!("e{number}"), "eventName": "CreateUser", "awsRegion": "us-east-1",
        "eventTime": format!("2026-11-24T0{number}:00:00Z"), "eventSource": "iam.amazonaws.com",
        "userIdentity": {"userName": "mallory", "accessKeyId": "AKIA1"},
        "requestParameters": {"userName": "eve"},
    })
}

const SCRIPT: &str = r#"
[[answers]]
operation = "secretsmanager:GetSecretValue"
match = { SecretId = "of-the-script" }
output = { SecretString = "hunter2" }

[[answers]]
operation = "secretsmanager:GetSecretValue"
match = { SecretId = "another" }
times = 1
error = { code = "ResourceNotFoundException", message = "there is none" }

[[answers]]
operation = "s3:GetObject"
match = { Key = "missing" }
error = { code = "NoSuchKey" }

[[state.security_hub]]
Id = "finding-1"
ProductArn = "arn:aws:securityhub:us-east-1::product/aws/guardduty"
Workflow = { Status = "NEW" }

[[state.compliance]]
rule = "no-public-buckets"
resource_type = "AWS::S3::Bucket"
resource_id = "evidence"
compliance = "NON_COMPLIANT"
"#;

#[tokio::test]
async fn awss_own_client_signs_calls_pages_waits_and_reads_errors() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path().join("trail/us-east-1")).unwrap();
    let first = json!({"Records": [event(1), event(2), event(3)]});
    folder.write("trail/us-east-1/a.json", &first.to_string());
    folder.write("trail/us-east-1/b.json", &json!({"Records": [event(5), event(4)]}).to_string());
    folder.write("script.toml", SCRIPT);
    let arguments =
        ["--demo", "--script", "script.toml", "--trail", "trail", "--log", "calls.jsonl"];
    let played = Played::start(&folder, &arguments).await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/boto3/sandbox.py");
    let mut command = Command::new(python());
    command.args([script, &played.url, &played.key, &played.secret]);
    let ran = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.ends_with("11 checks\n"), "{said}");

    let log = std::fs::read_to_string(folder.path().join("calls.jsonl")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() > 100, "{}", lines.len());
    assert!(!log.contains(&played.secret));
    let cut = lines.iter().find(|line| line["outcome"] == "CutAfterApply").unwrap();
    assert_eq!(cut["operation"], "iam:CreateUser");
}

#[tokio::test]
async fn a_script_that_can_not_be_is_refused_with_the_place() {
    for (script, words) in [
        ("[[answers]]\noperation = \"iam:GetUsr\"\noutput = {}", "`GetUser`"),
        ("[[answers]]\noperation = \"iam:GetUser\"\noutput = { Usr = 1 }", "did you mean `User`?"),
        ("[[answers]]\noperation = \"iam:GetUser\"", "`output`, `error` and `fault`"),
        ("[[faults]]\noperation = \"*\"\nkind = \"lightning\"", "unknown variant `lightning`"),
        ("[[answer]]", "unknown field `answer`"),
    ] {
        let folder = Folder::new();
        folder.write("script.toml", script);
        let ran = folder.run(&["aws", "sandbox", "--script", "script.toml"]).await;
        assert_eq!(ran.code, 1, "{script}: {ran:?}");
        assert!(ran.err.contains(words), "{script}: {ran:?}");
    }
    let ran = Folder::new().run(&["aws", "sandbox", "--account", "12"]).await;
    assert!(ran.code == 1 && ran.err.contains("12 digits"), "{ran:?}");
}

#[tokio::test]
async fn what_is_ordered_while_it_runs_is_held_against_the_models_too() {
    let folder = Folder::new();
    let played = Played::start(&folder, &["--only-played"]).await;
    let (status, why) = played.order("faults", json!({"operation": "iam:X", "kind": "html"})).await;
    assert!(status == 400 && why.contains("no operation `X`"), "{why}");
    let (status, why) = played.order("nothing", json!({})).await;
    assert!(status == 400 && why.contains("/_sandbox/faults"), "{why}");
    let answer = json!({"operation": "iam:GetUser", "output": {"User": {"UserName": "eve"}}});
    assert_eq!(played.order("answers", answer).await.0, 200);
    let ran = played.command(&folder, &["aws", "call", "iam:GetUser"]).output().await.unwrap();
    let said: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(said["User"]["UserName"], "eve");
    assert_eq!(played.calls().await.len(), 1);
    let change = ["aws", "call", "kms:DisableKey", "--params", "{\"KeyId\": \"k\"}"];
    let ran = played.command(&folder, &change).output().await.unwrap();
    assert!(String::from_utf8_lossy(&ran.stderr).contains("NotImplemented"));
}
