//! Journals that were written once and are replayed for ever: every prefix of each asks for what it
//! asked for when it was written. A run that waits for a month must not notice a new version.
//!
//! A story that has no journal yet gets one in `tests/fixtures/journals`, and the test fails so
//! that somebody looks at it and commits it. One that is there is never written again: a story that
//! changes gets a new name, and a journal without a story stays.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::rc::Rc;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use stanch_engine_core::command::{Command, Verb};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::generation::{GenerationCause, drops};
use stanch_engine_core::journal::{Entry, Event, GenerationStarted, Started};
use stanch_engine_core::playbook::{Bundle, LANGUAGE};
use stanch_engine_core::time::Timestamp;
use stanch_engine_script::{Interrupt, Issued, Program, Standing, Stop, Turn, advance};

use crate::play::{HEADER, Play, run_id, scope};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What is played: a text, and what happens to it.
struct Story {
    name: &'static str,
    bundle: Bundle,
    play: fn(Play) -> Play,
}

fn script(name: &'static str, script: &str, play: fn(Play) -> Play) -> Story {
    let main = format!("{HEADER}{script}");
    Story { name, bundle: Bundle { main, imports: BTreeMap::new() }, play }
}

fn shipped(name: &'static str) -> Story {
    shipped_as(name, name)
}

/// A playbook that was changed since the journal of its own name was written.
fn shipped_as(name: &'static str, file: &str) -> Story {
    let read = |path: &str| std::fs::read_to_string(format!("{ROOT}/playbooks/{path}.rhai"));
    let bundle =
        stanch_engine_script::bundle(&read(file).unwrap(), |path| read(path).ok()).unwrap();
    Story { name, bundle, play: |play| play.finish(answer) }
}

fn stories() -> Vec<Story> {
    vec![
        shipped("iam-access-key-compromise"),
        shipped("ec2-instance-compromise"),
        shipped("undo"),
        shipped_as(TRIAGE, "guardduty-triage"),
        script(
            "each-in-waves",
            r#"let ended = each(["a", "b", "c", "d"], #{ max_concurrency: 2, max_errors: 1, canary: 1 },
                |n| { log(n); action("t.a", #{ n: n }); action("t.b", #{ n: n }).n });
            ended.map(|r| if r.ok { r.value } else { r.error.code })"#,
            |mut play| {
                for key in ["1.0.2", "1.0.3", "1.2.2", "1.2.3"] {
                    play.answer(key, json!({ "n": key }));
                }
                play.fail("1.1.2", "Boom");
                play.finish(answer)
            },
        ),
        script(
            "parallel-and-waits",
            r#"let n = 0;
            parallel([
                || { sleep("1m"); wait_signal("go", #{ timeout: "1h" }).data },
                || run_playbook("other", #{ n: 1 }, #{ timeout: "30m" }),
                || { wait_until("ready", #{ every: "10s", timeout: "1m" }, || { n += 1; n > 2 }); uuid() },
                || raise_alert(#{ type: "X", title: "t", severity: "low" }).alert_id,
            ])"#,
            |mut play| {
                for key in ["1.3.1", "1.1.1", "1.0.1"] {
                    let value = answer(&play.open[&key.into()]);
                    play.answer(key, value);
                }
                play.finish(answer)
            },
        ),
        script("deferred", DEFERS, |play| play.finish(answer)),
        script("deferred-and-cancelled", DEFERS, |mut play| {
            play.answer("1", json!({"n": 7}));
            play.stop(Stop::Cancelled);
            play.finish(answer)
        }),
        script(
            "continued-as-new",
            r#"defer(|| log("bye")); let n = action("t.a", #{ n: 1 }).n; continue_as_new(#{ n: n + 1 })"#,
            |play| play.finish(answer),
        ),
        script(
            "run-again",
            r#"let a = action("t.a", #{ n: 1, id: uuid() }).n;
            try { each([1, 2], #{ max_errors: 2 }, |n| action("t.b", #{ n: n }).n); } catch (e) { log(e.code); }
            action("t.c", #{ n: a }).n"#,
            |mut play| {
                play.answer("2", json!({"n": 1}));
                play.fail("3.1.1", "Boom");
                play.answer("3.0.1", json!({"n": 1}));
                play.fail("4", "Boom");
                run_again(&mut play.journal);
                play
            },
        ),
    ]
}

/// The triage that knows more of its alert than the alert says.
const TRIAGE: &str = "guardduty-triage-known";

const DEFERS: &str = r#"let made = action("t.make", #{ n: 7 }).n;
    defer(|end| action("t.remove", #{ n: made, status: end.status }));
    action("t.work", #{ n: made }).n"#;

fn run_again(journal: &mut Vec<Entry>) {
    let started = journal.iter().find_map(|entry| match &entry.event {
        Event::Started(started) => Some(started.clone()),
        _ => None,
    });
    let started = Started { generation: 2, ..started.unwrap() };
    let drops = drops(journal, None).unwrap();
    let (cause, by, signals) = (GenerationCause::Rerun, None, Vec::new());
    let event = GenerationStarted { started, cause, by, drops, signals };
    let seq = u32::try_from(journal.len()).unwrap();
    let event = Event::GenerationStarted(Box::new(event));
    journal.push(Entry { seq, at: Timestamp::from_micros(i64::from(seq)), event });
}

/// What the world answers, as far as the shipped playbooks look at it.
fn answer(command: &Command) -> Value {
    let args = command.args.value();
    let change = json!({
        "operation": "iam:UpdateAccessKey", "params": {"Status": "Active"},
        "account": "111122223333", "region": "eu-west-1", "probe": null, "inverse": null,
    });
    match command.verb {
        Verb::Approval => json!({"outcome": "approved", "reason": "ours",
            "form": {"verdict": "true_positive"}, "decisions": []}),
        Verb::Probe => json!({"passes": true, "at": "2026-11-24T03:00:00Z"}),
        Verb::WaitSignal => {
            json!({"name": "go", "data": 1, "by": "mia", "at": "2026-11-24T03:00:00Z"})
        }
        Verb::RaiseAlert => json!({"alert_id": "alt_1"}),
        Verb::UndoPlan => json!({"plan": {"purpose": "undo", "items": [change]}, "drifted": [],
            "final": [], "unsure": [], "approvers": ["role:responder"], "quorum": 1}),
        Verb::Owners => json!([]),
        Verb::Action if args["action"] == "aws.call" => json!({
            "UserName": "ann", "User": {"Arn": "arn:aws:iam::111122223333:user/ann"},
            "Tags": [{"Key": "owner", "Value": "web"}], "AccessKeyMetadata": [], "PolicyNames": [],
            "Events": [{"EventSource": "iam.amazonaws.com", "EventName": "ListUsers", "ReadOnly": "true",
                "EventTime": "2026-11-24T03:00:00Z",
                "CloudTrailEvent": r#"{"sourceIPAddress":"198.51.100.7","errorCode":"AccessDenied"}"#}],
            "resourceIdentifiers": [], "GraphList": [{"Arn": "g"}], "InvestigationDetails": [],
            "DetectorIds": ["d"], "FindingStatistics": {"GroupedByFindingType": [
                {"FindingType": "X:IAMUser/Y", "TotalFindings": 2}]},
            "AttachedPolicies": [], "Groups": [], "MFADevices": [], "Volumes": [],
            "Reservations": [{"Instances": [{"NetworkInterfaces": [{"Groups": [{"GroupId": "sg-1"}]}]}]}],
        }),
        Verb::Action if args["action"] == "intel.ip" => {
            json!({"ip": args["input"]["ip"], "lists": [{"says": "Tor", "points": 20}], "unknown": []})
        }
        Verb::Action => args["input"].clone(),
        _ => Value::Null,
    }
}

fn world(name: &str) -> Value {
    let mut scope = scope();
    scope["alert"]["title"] = json!("A title");
    scope["alert"]["severity"] = json!("high");
    scope["config"] = json!({"evidence_bucket": "evidence"});
    scope["inputs"] = json!({"run": run_id(), "n": 1});
    if name == TRIAGE {
        let resource = |kind: &str, id: &str| json!({"type": kind, "id": id, "arn": null, "name": null, "tags": {}});
        let more = json!({"source": "guardduty", "severity_score": 70, "count": 12,
            "actor": {"ip": "198.51.100.7", "user": "ann", "user_agent": null},
            "resources": [resource("AwsIamAccessKey", "AKIA1"), resource("AwsIamUser", "ann")]});
        scope["alert"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    }
    if name.starts_with("ec2") {
        scope["alert"]["resources"] = json!([{"type": "AwsEc2Instance", "id": "i-0abc"}]);
    }
    scope
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(format!("{ROOT}/tests/fixtures/journals/{name}.jsonl"))
}

/// What a prefix of a journal leads to, in words that mean the same in every version.
fn words(turn: &Turn) -> String {
    let mut words = match &turn.standing {
        Standing::Blocked => "waits".to_owned(),
        Standing::Finished(result) => format!("finished {result}"),
        Standing::Failed(error) => format!("failed {}", error.code),
        Standing::Stopped(error) => format!("stopped {:?}", error.as_ref().map(|e| &e.code)),
        Standing::Continued(inputs) => format!("continued {inputs}"),
        Standing::Limit(limit) => format!("limit {limit}"),
        Standing::Diverged(divergence) => format!("diverged {divergence}"),
    };
    for issued in &turn.issued {
        let (what, command) = match issued {
            Issued::Fact(command, _) => ("says", command),
            Issued::Command(command) => ("asks", command),
        };
        let args = Sha256::of(command.args.as_str()).to_string();
        let args: String = args.chars().take(16).collect();
        write!(words, "; {what} {} {} {args}", command.key, command.verb).unwrap();
    }
    words
}

fn turn(program: &Rc<Program>, prefix: &[Entry]) -> String {
    words(&advance(program, run_id(), prefix, Timestamp::from_micros(1)).unwrap())
}

/// The text on the first line; then a line for each entry, with what the journal up to it leads to.
fn write(story: &Story, program: &Rc<Program>, journal: &[Entry]) -> String {
    let mut text = json!({"language": LANGUAGE, "bundle": story.bundle}).to_string();
    for (at, entry) in journal.iter().enumerate() {
        let turn = json!(turn(program, &journal[..=at]));
        write!(text, "\n{{\"turn\":{turn},\"entry\":{}}}", serde_json::to_string(entry).unwrap())
            .unwrap();
    }
    text + "\n"
}

#[derive(Deserialize)]
struct Head {
    language: u32,
    bundle: Bundle,
}

#[derive(Deserialize)]
struct Line {
    turn: String,
    entry: Row,
}

#[derive(Deserialize)]
struct Row {
    seq: u32,
    at: Timestamp,
    kind: String,
    body: Box<RawValue>,
}

#[test]
fn every_story_has_a_journal() {
    let mut written = Vec::new();
    for story in stories().into_iter().filter(|story| !file(story.name).exists()) {
        let program = Program::compile(&story.bundle, &Interrupt::default()).unwrap();
        let play = (story.play)(Play::start_program(program.clone(), &world(story.name)));
        let is_through = !matches!(play.standing, Standing::Diverged(_) | Standing::Limit(_));
        assert!(is_through, "{}: {:?}", story.name, play.standing);
        std::fs::write(file(story.name), write(&story, &program, &play.journal)).unwrap();
        written.push(story.name);
    }
    assert!(written.is_empty(), "look at what was written, and commit it: {written:?}");
}

#[test]
fn every_prefix_of_every_journal_asks_for_what_it_asked_for() {
    let mut prefixes = 0;
    for file in std::fs::read_dir(file("x").parent().unwrap()).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines = text.lines();
        let head: Head = serde_json::from_str(lines.next().unwrap()).unwrap();
        assert_eq!(head.language, LANGUAGE, "{path:?} needs the engine that reads its language");
        let program = Program::compile(&head.bundle, &Interrupt::default()).unwrap();
        let mut journal = Vec::new();
        for line in lines {
            let Line { turn: words, entry: Row { seq, at, kind, body } } =
                serde_json::from_str(line).unwrap();
            let event = Event::read(&kind, body.get()).unwrap();
            journal.push(Entry { seq, at, event });
            assert_eq!(turn(&program, &journal), words, "{path:?} up to {seq}");
            prefixes += 1;
        }
    }
    assert!(prefixes > 90, "{prefixes} prefixes are too few to be all");
}
