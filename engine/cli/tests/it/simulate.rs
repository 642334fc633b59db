//! `stanch simulate` goes through a whole playbook, says what it would do, and does none of it.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::sandbox::Played;
use crate::server::{Folder, Ran};

const KEY: &str = "iam-access-key-compromise";

/// The user and the key of the story that the sandbox plays with `--demo`.
const USER: &str = "ci-deploy";

fn folder() -> Folder {
    let folder = Folder::new();
    let finding = include_str!("../../../../tests/fixtures/payloads/guardduty.event.json");
    folder.write("finding.json", finding);
    folder
}

/// A run of `simulate` about the finding, in JSON.
async fn simulate(folder: &Folder, playbook: &str, more: &[&str]) -> (i32, Value) {
    let ran = folder.run(&arguments(playbook, more)).await;
    (ran.code, ran.json())
}

fn arguments<'a>(playbook: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let begin = ["--json", "simulate", playbook, "--alert", "finding.json"];
    begin.iter().chain(more).copied().collect()
}

fn steps<'r>(report: &'r Value, verb: &str) -> Vec<&'r Value> {
    let all = report["steps"].as_array().unwrap().iter();
    all.filter(|step| step["verb"] == verb).collect()
}

fn notes(report: &Value) -> String {
    report["notes"].to_string()
}

#[tokio::test]
async fn a_playbook_goes_to_its_end_and_its_plan_is_told() {
    let (code, report) = simulate(&folder(), KEY, &[]).await;
    assert_eq!((code, &report["run"]["status"]), (0, &json!("succeeded")), "{report}");
    assert_eq!(report["run"]["result"], "approved");
    let plan = &report["plans"][0]["changes"];
    assert_eq!(plan[0]["operation"], "iam:UpdateAccessKey");
    assert_eq!(plan[0]["params"]["UserName"], USER);
    assert_eq!(plan[0]["effect"], "change");
    assert_eq!(plan[0]["iam_actions"], json!(["iam:UpdateAccessKey"]));
    assert_eq!(plan[0]["undone_by"]["params"]["Status"], "Active");
    assert_eq!(plan[0]["probed_by"]["operation"], "iam:ListAccessKeys");
    assert_eq!(plan[1]["undone_by"]["operation"], "iam:DeleteUserPolicy");
    assert_eq!(report["approvals"][0]["status"], "approved");
    assert_eq!(report["approvals"][0]["plan_sha256"], report["plans"][0]["sha256"]);
    assert!(steps(&report, "change").iter().all(|step| step["answered_by"] == "stand_in"));
    assert!(notes(&report).contains("would be observed"), "{}", notes(&report));
}

#[tokio::test]
async fn local_files_are_asked_themselves_whoever_plays_aws() {
    let folder = folder();
    folder.write("tor.txt", "203.0.113.42\n198.51.100.0/24\n");
    let file = folder.path().join("tor.txt");
    folder.write("stanch.toml", &format!("[[intel.lists]]\nname = \"tor\"\nfile = {file:?}\n"));
    let (code, report) = simulate(&folder, "guardduty-triage", &[]).await;
    assert_eq!((code, &report["run"]["status"]), (0, &json!("succeeded")), "{report}");
    let asked = steps(&report, "action");
    let of_files = asked.iter().filter(|step| step["answered_by"] == "live").count();
    assert_eq!(of_files, 1, "{report}");
    assert!(asked.iter().any(|step| step["answered_by"] == "stand_in"), "{report}");
    assert!(asked.iter().all(|step| step["answered_by"] != "not_sent"), "{report}");
}

#[tokio::test]
async fn people_say_no_or_nothing() {
    let folder = folder();
    let (code, report) = simulate(&folder, KEY, &["--decide", "reject"]).await;
    assert_eq!((code, &report["run"]["result"]), (0, &json!("rejected")), "{report}");
    assert!(steps(&report, "change").is_empty());
    let (code, report) = simulate(&folder, KEY, &["--decide", "expire"]).await;
    assert_eq!((code, &report["run"]["result"]), (0, &json!("expired")), "{report}");
    assert_eq!(steps(&report, "page").len(), 1);
}

#[tokio::test]
async fn a_change_that_is_accepted_and_not_effective_is_seen() {
    let folder = folder();
    let (code, report) = simulate(&folder, KEY, &["--probes", "not-effective"]).await;
    assert_eq!((code, &report["run"]["error"]["code"]), (1, &json!("unverified")), "{report}");

    // Of what the stand-in keeps a state for, probes can really look.
    let (code, report) = simulate(&folder, KEY, &["--probes", "as-seen"]).await;
    assert_eq!((code, &report["run"]["status"]), (0, &json!("succeeded")), "{report}");
    let fault =
        "[[faults]]\noperation = \"iam:UpdateAccessKey\"\nkind = \"accept_without_effect\"\n";
    folder.write("faults.toml", fault);
    let more = ["--probes", "as-seen", "--script", "faults.toml"];
    let (code, report) = simulate(&folder, KEY, &more).await;
    assert_eq!((code, &report["run"]["error"]["code"]), (1, &json!("unverified")), "{report}");
    assert!(report["run"]["error"]["message"].as_str().unwrap().contains("iam:UpdateAccessKey"));
}

#[tokio::test]
async fn what_the_configuration_says_holds_here_too() {
    let folder = folder();
    let (code, report) = simulate(&folder, KEY, &["--mode", "observe"]).await;
    assert_eq!(code, 0, "{report}");
    assert!(steps(&report, "change").iter().all(|s| s["result"]["why"] == "observe"), "{report}");
    folder.write(
        "stanch.toml",
        "[[guard.protect]]\nname = \"pipelines\"\nreason = \"they deploy\"\nowner = \"platform\"\narns = [\"arn:aws:iam::*:user/ci-*\"]\n",
    );
    let (code, report) = simulate(&folder, KEY, &[]).await;
    assert_eq!(code, 1, "{report}");
    assert!(report["run"]["error"]["message"].to_string().contains("pipelines"), "{report}");
}

/// Changes something outside of any plan.
const BARE: &str = r#"
const PLAYBOOK = #{ name: "bare", title: "Makes a key" };
aws("iam:CreateAccessKey", #{ UserName: "ci-deploy" });
"#;

#[tokio::test]
async fn a_change_that_is_not_made_is_told_apart() {
    let folder = folder();
    folder.write("bare.rhai", BARE);
    let (code, report) = simulate(&folder, "bare.rhai", &["--mode", "observe"]).await;
    assert_eq!(code, 0, "{report}");
    assert_eq!(steps(&report, "action")[0]["not_made"], "observe", "{report}");
    let ran = folder.run(&["simulate", "bare.rhai"]).await;
    assert!(ran.out.contains("would be called, but observe"), "{ran:?}");
    assert!(ran.out.contains("no alert names an account"), "{ran:?}");
}

#[tokio::test]
async fn the_runbook_for_an_instance_is_gone_through() {
    let folder = folder();
    let finding = include_str!("../../../../tests/fixtures/payloads/guardduty.event.json");
    let mut finding: Value = serde_json::from_str(finding).unwrap();
    finding["detail"]["type"] = "Backdoor:EC2/C&CActivity.B".into();
    finding["detail"]["resource"] = json!({
        "resourceType": "Instance", "instanceDetails": {"instanceId": "i-0abc1234def567890"},
    });
    folder.write("finding.json", &finding.to_string());
    folder.write("stanch.toml", "[config]\nevidence_bucket = \"b\"\n");
    let (code, report) = simulate(&folder, "ec2-instance-compromise", &[]).await;
    assert_eq!((code, &report["run"]["result"]), (0, &json!("approved")), "{report}");
    assert_eq!(report["plans"][0]["changes"][0]["operation"], "ssm:StartAutomationExecution");
}

/// Waits for what a change does that is not made.
const STOPS: &str = r#"
const PLAYBOOK = #{ name: "stops", title: "Stops it", mode: "ask" };
let which = #{ InstanceIds: ["i-0abc1234def567890"] };
let stop = plan([change("ec2:StopInstances", which)]);
if approval("Stop it?", #{ plan: stop }).outcome != "approved" { fail("no"); }
execute(stop);
wait_for("ec2:InstanceStopped", which).Reservations.len()
"#;

#[tokio::test]
async fn what_is_waited_for_is_taken_to_come_with_the_changes() {
    let folder = folder();
    folder.write("stops.rhai", STOPS);
    let (code, report) = simulate(&folder, "stops.rhai", &[]).await;
    assert_eq!((code, &report["run"]["result"]), (0, &json!(1)), "{report}");
    let (code, report) = simulate(&folder, "stops.rhai", &["--probes", "as-seen"]).await;
    assert_eq!(code, 1, "{report}");
}

/// Days, signals and playbooks that are called.
const LONG: &str = r#"
const PLAYBOOK = #{ name: "long", title: "Waits" };
sleep("3d");
let said = wait_signal("rotated", #{ timeout: "4d" });
let child = run_playbook("short", #{}, #{ timeout: "30m" });
let sent = http("POST", "https://hooks.example.com/x", #{ body: #{ a: 1 } });
#{ said: said, child: child, sent: sent.status }
"#;

const SHORT: &str = r#"
const PLAYBOOK = #{ name: "short", title: "Is called" };
sleep("10m");
approval("Go on?", #{ expires: "1h", approvers: ["mia", "role:lead"], quorum: 2 }).outcome
"#;

#[tokio::test]
async fn time_signals_and_other_playbooks() {
    let folder = folder();
    folder.write("playbooks/long.rhai", LONG);
    folder.write("playbooks/short.rhai", SHORT);
    folder.write("playbooks/broken.rhai", "const PLAYBOOK = 1;");
    let file = "playbooks/long.rhai";
    let (code, report) = simulate(&folder, file, &["--signal", "rotated={\"by\": 1}"]).await;
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["run"]["result"]["said"]["data"], json!({"by": 1}), "{report}");
    assert!(report["run"]["result"]["child"].to_string().contains("approved"), "{report}");
    assert_eq!(report["runs"].as_array().unwrap().len(), 2);
    let of_http: Vec<_> = steps(&report, "action");
    assert_eq!(of_http[0]["answered_by"], "not_sent", "{report}");

    // Nobody sends it: four days are over at once.
    let (code, report) = simulate(&folder, file, &[]).await;
    assert_eq!((code, &report["run"]["error"]["code"]), (1, &json!("timeout")), "{report}");
    let (code, report) = simulate(&folder, file, &["--within", "1d"]).await;
    assert_eq!(code, 1);
    assert!(notes(&report).contains("past `--within`"), "{}", notes(&report));

    let anew = "const PLAYBOOK = #{ name: \"anew\", title: \"A\" };\nsleep(\"1s\");\ncontinue_as_new(#{});\n";
    folder.write("playbooks/anew.rhai", anew);
    let (code, report) = simulate(&folder, "playbooks/anew.rhai", &[]).await;
    assert!(code == 1 && notes(&report).contains("again and again"), "{}", notes(&report));

    folder.write(
        "playbooks/ever.rhai",
        "const PLAYBOOK = #{ name: \"ever\", title: \"W\" };\nwait_signal(\"x\");\n",
    );
    let (code, report) = simulate(&folder, "playbooks/ever.rhai", &["--within", "2000d"]).await;
    assert_eq!(code, 1, "{report}");
}

/// A playbook that looks at a secret, so that its answer holds one.
const SECRET: &str = r#"
const PLAYBOOK = #{ name: "secret", title: "Looks at a secret" };
let got = aws("secretsmanager:GetSecretValue", #{ SecretId: "prod/db" });
got.Name
"#;

async fn against(aws: &Played, folder: &Folder, playbook: &str, more: &[&str]) -> Ran {
    Ran::of(aws.command(folder, &arguments(playbook, more)).output().await.unwrap())
}

#[tokio::test]
async fn live_looks_are_made_and_recorded_and_changes_are_not() {
    let folder = folder();
    let aws = Played::start(&folder, &["--demo"]).await;
    let ran = against(&aws, &folder, KEY, &["--live", "--record", "aws.jsonl"]).await;
    let report = ran.json();
    assert_eq!((ran.code, &report["run"]["status"]), (0, &json!("succeeded")), "{report}");
    let looks = steps(&report, "action");
    assert!(looks.iter().all(|step| step["answered_by"] == "live"), "{report}");
    assert!(steps(&report, "change").iter().all(|step| step["answered_by"] == "stand_in"));

    let calls = aws.calls().await;
    let names: Vec<_> = calls.iter().map(|call| call["operation"].as_str().unwrap()).collect();
    assert!(names.contains(&"iam:GetAccessKeyLastUsed"), "{names:?}");
    let looks = ["Get", "List", "Describe", "Lookup"];
    let is_look =
        |name: &&str| looks.iter().any(|w| name.split(':').nth(1).unwrap().starts_with(w));
    assert!(names.iter().all(is_look), "{names:?}");

    // Without AWS, the record gives the same plan.
    drop(aws);
    let (code, again) = simulate(&folder, KEY, &["--recorded", "aws.jsonl"]).await;
    assert_eq!(code, 0, "{again}");
    assert_eq!(again["plans"][0]["sha256"], report["plans"][0]["sha256"]);
    let looks = steps(&again, "action");
    assert!(looks.iter().all(|step| step["answered_by"] == "recorded"), "{again}");
}

#[tokio::test]
async fn a_probe_that_passes_before_anything_is_changed_is_told() {
    let folder = folder();
    let aws = Played::start(&folder, &["--demo"]).await;
    let report = against(&aws, &folder, KEY, &["--live"]).await.json();
    assert!(!notes(&report).contains("although nothing was changed"), "{}", notes(&report));
    let params = json!({
        "UserName": USER, "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": "Inactive",
    });
    let call = ["aws", "call", "iam:UpdateAccessKey", "--params", &params.to_string()];
    assert!(aws.command(&folder, &call).output().await.unwrap().status.success());
    let report = against(&aws, &folder, KEY, &["--live"]).await.json();
    assert!(notes(&report).contains("although nothing was changed"), "{}", notes(&report));
}

#[tokio::test]
async fn a_record_holds_no_secret_and_is_nobody_elses() {
    let folder = folder();
    folder.write("playbooks/secret.rhai", SECRET);
    folder.write(
        "script.toml",
        "[[answers]]\noperation = \"secretsmanager:GetSecretValue\"\n\
         output = { Name = \"prod/db\", SecretString = \"canary-4711-canary\" }\n",
    );
    let aws = Played::start(&folder, &["--script", "script.toml"]).await;
    let file = "playbooks/secret.rhai";
    let kept = ["--live", "--record", "aws.jsonl", "--dir", "kept"];
    let ran = against(&aws, &folder, file, &kept).await;
    assert_eq!((ran.code, &ran.json()["run"]["result"]), (0, &json!("prod/db")), "{ran:?}");
    let record = folder.path().join("aws.jsonl");
    let text = std::fs::read_to_string(&record).unwrap();
    assert!(
        text.contains("secretsmanager:GetSecretValue") && !text.contains("canary-4711"),
        "{text}"
    );
    assert_eq!(record.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!ran.out.contains("canary-4711"));
    let database = std::fs::read(folder.path().join("kept/stanch.db")).unwrap();
    assert!(!String::from_utf8_lossy(&database).contains("canary-4711"));
    let (code, again) = simulate(&folder, file, &["--recorded", "aws.jsonl"]).await;
    assert_eq!((code, &again["run"]["result"]), (0, &json!("prod/db")), "{again}");
    // A record is not written over.
    let ran = against(&aws, &folder, file, &["--live", "--record", "aws.jsonl"]).await;
    assert!(ran.code == 1 && ran.err.contains("already"), "{ran:?}");
}

#[tokio::test]
async fn what_can_not_be_simulated_is_refused_with_a_reason() {
    let folder = folder();
    folder
        .write("unfit.rhai", "const PLAYBOOK = #{ name: \"u\", title: \"t\" };\naproval(\"x\");\n");
    folder.write("empty.jsonl", "");
    folder.write("odd.jsonl", "{\"recorded_at\": \"2026-11-24T03:00:00Z\"}\n{\"key\": 1}\n");
    folder.write("odd.json", "{\"hello\": 1");
    for (arguments, words) in [
        (vec!["iam-access-key"], "iam-access-key-compromise"),
        (vec!["unfit.rhai"], "`approval`"),
        (vec![KEY, "--alert", "odd.json"], "odd.json"),
        (vec![KEY, "--alert", "nowhere.json"], "nowhere.json"),
        (vec![KEY, "--input", "[]"], "--input"),
        (vec![KEY, "--recorded", "empty.jsonl"], "no record"),
        (vec![KEY, "--recorded", "odd.jsonl"], "odd.jsonl:2"),
        (vec![KEY, "--form", "verdict"], "NAME=VALUE"),
        (vec![KEY, "--signal", "a=b"], "no JSON"),
        (vec![KEY, "--dir", "playbooks"], "not empty"),
    ] {
        let ran = folder.run(&[vec!["simulate"], arguments.clone()].concat()).await;
        assert!(ran.code != 0 && ran.err.contains(words), "{arguments:?}: {words}: {ran:?}");
    }
    for arguments in [
        vec![KEY, "--record", "x"],
        vec![KEY, "--live", "--recorded", "x"],
        vec![KEY, "--mode", "yolo"],
        vec![KEY, "--within", "soon"],
    ] {
        let ran = folder.run(&[vec!["simulate"], arguments.clone()].concat()).await;
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
    }
}

#[tokio::test]
async fn the_logging_baseline_looks_by_children_and_proposes_one_plan() {
    let folder = Folder::new();
    folder.write("stanch.toml", "[config.logging]\ntrail_bucket = \"central\"\n");
    folder.write(
        "off.toml",
        "[[answers]]\noperation = \"guardduty:ListDetectors\"\noutput = { DetectorIds = [] }\n\
         [[answers]]\noperation = \"cloudtrail:DescribeTrails\"\noutput = { trailList = [] }\n",
    );
    let playbook = concat!(env!("CARGO_MANIFEST_DIR"), "/../../playbooks/logging-baseline.rhai");
    let inputs = r#"{"accounts": ["111122223333"], "regions": ["us-east-1"]}"#;
    let arguments = ["--json", "simulate", playbook, "--input", inputs, "--script", "off.toml"];
    let ran = folder.run(&arguments).await;
    let report = ran.json();
    assert_eq!((ran.code, &report["run"]["status"]), (0, &json!("succeeded")), "{report}");
    assert_eq!(steps(&report, "run_playbook").len(), 1);
    let plan = report["plans"][0]["changes"].as_array().unwrap();
    let said: Vec<_> = plan.iter().take(3).map(|change| change["operation"].clone()).collect();
    let expected =
        ["cloudtrail:CreateTrail", "cloudtrail:StartLogging", "guardduty:CreateDetector"];
    assert_eq!(json!(said), json!(expected));
    assert!(plan.iter().all(|change| change["probed_by"].is_object()), "{plan:?}");
    assert_eq!(report["run"]["result"]["outcome"], "approved");
}
