//! The tamper table of docs/bundle.md, a test a row: each is found, and the first thing that is wrong
//! is named, by Stanch and by the verifier that shares no line with it.

use serde_json::{Value, json};
use stanch_engine_runtime::evidence::verify::Brought;

use crate::bundle::{Files, both_with, pack, unpack};
use crate::stage::{Plan, Stage, id};

/// An incident with some records and two items that people added, and nothing else.
async fn incident(stage: &Stage) -> String {
    let body = json!({"title": "A laptop was stolen", "severity": "high"});
    let incident = id(&stage.mia.post("/incidents", &body).await["incident_id"]);
    for (label, bytes) in [("one", "the first item"), ("two", "the second item")] {
        let path = format!("/incidents/{incident}/evidence?label={label}");
        assert_eq!(stage.mia.send(&path, bytes).await.0, 201);
    }
    stage.mia.post(&format!("/incidents/{incident}/note"), &json!({"text": "in a taxi"})).await;
    incident
}

pub(super) async fn stage(mut plan: Plan) -> (Stage, String) {
    plan.ships = false;
    let stage = plan.set().await;
    let incident = incident(&stage).await;
    (stage, incident)
}

pub(super) async fn export(stage: &Stage, incident: &str) -> Files {
    unpack(&stage.mia.bytes(&format!("/incidents/{incident}/export")).await)
}

pub(super) fn said(stage: &Stage, files: &Files) -> Result<(), String> {
    let key = stage.runtime.public_key();
    both_with(&pack(files), &Brought { keys: &[&key], ..Brought::default() })
}

fn fault(stage: &Stage, files: &Files, tamper: impl FnOnce(&mut Files)) -> String {
    let mut files = files.clone();
    tamper(&mut files);
    said(stage, &files).unwrap_err()
}

pub(super) fn lines(files: &Files, path: &str) -> Vec<String> {
    let text = std::str::from_utf8(&files[path]).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn set(files: &mut Files, path: &str, lines: &[String]) {
    files.insert(path.to_owned(), (lines.join("\n") + "\n").into_bytes());
}

fn items(files: &Files) -> Vec<String> {
    files.keys().filter(|path| path.starts_with("items/")).cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bit_in_each_kind_of_file() {
    let (stage, incident) = stage(Plan::new()).await;
    let files = export(&stage, &incident).await;
    said(&stage, &files).unwrap();
    for (path, bytes) in &files {
        for at in [0, bytes.len() / 2, bytes.len() - 2] {
            let said = fault(&stage, &files, |files| {
                files.get_mut(path).unwrap()[at] ^= 1;
            });
            let named = match path.as_str() {
                // Its detail has a name of its own, and an item is what a record names.
                "details.jsonl" => said.contains("the detail of record "),
                path if path.starts_with("items/") => said.contains(&path["items/".len()..]),
                path => said.starts_with(path),
            };
            assert!(named, "{path} at {at}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_there_twice_or_is_another_at_its_bytes() {
    let (stage, incident) = stage(Plan::new()).await;
    let files = export(&stage, &incident).await;
    let key = stage.runtime.public_key();
    let said = |files: &Files, renamed: usize| {
        let mut bundle = pack(files);
        // Before the bytes first, then in the directory.
        for _ in 0..renamed {
            let at = bundle.windows(9).position(|name| name == b"report.mx").unwrap();
            bundle[at..at + 9].copy_from_slice(b"report.md");
        }
        both_with(&bundle, &Brought { keys: &[&key], ..Brought::default() })
    };
    let mut twice = files.clone();
    twice.insert("report.mx".to_owned(), b"nothing happened".to_vec());
    assert_eq!(said(&twice, 2), Err("report.md is there twice".to_owned()));
    let mut renamed = files.clone();
    let report = renamed.remove("report.md").unwrap();
    renamed.insert("report.mx".to_owned(), report);
    said(&renamed, 2).unwrap();
    let fault = "report.mx can't be unpacked: it was changed";
    assert_eq!(said(&renamed, 1), Err(fault.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bit_in_each_kind_of_row() {
    let (stage, incident) = stage(Plan::new().on_postgres().await).await;
    let of = format!("where incident_id = '{incident}'");
    // A change, the change back, and the record that is named.
    for (column, from, to) in [("body", "mia", "nia"), ("detail", "one", "onf")] {
        let change = |from: &str, to: &str| {
            let set = format!("{column} = replace({column}, '{from}', '{to}')");
            format!("update custody set {set} {of} and seq = 1")
        };
        stage.sql(&change(from, to)).await;
        let said = said(&stage, &export(&stage, &incident).await).unwrap_err();
        assert!(said.contains("record 1 was changed"), "{column}: {said}");
        stage.sql(&change(to, from)).await;
        self::said(&stage, &export(&stage, &incident).await).unwrap();
    }
    // The hash beside a record, in the bundle that ends there.
    let flip = "hash = translate(hash, '0123456789abcdef', '1032547698badcfe')";
    stage.sql(&format!("update custody set {flip} {of} and seq = 2")).await;
    let path = format!("/incidents/{incident}/export?head=3");
    let said_then = said(&stage, &unpack(&stage.mia.bytes(&path).await)).unwrap_err();
    assert!(
        said_then.contains("record 2, the last one, is not the one that was signed"),
        "{said_then}"
    );
    stage.sql(&format!("update custody set {flip} {of} and seq = 2")).await;
    // The payload of an alert.
    stage.sql("update payloads set body = body || ' '").await;
    let said_then = said(&stage, &export(&stage, &incident).await).unwrap_err();
    assert!(said_then.contains("record 0 ") && said_then.contains("was changed"), "{said_then}");
    stage.sql("update payloads set body = rtrim(body)").await;
    said(&stage, &export(&stage, &incident).await).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bit_of_an_item_on_the_disk() {
    let (stage, incident) = stage(Plan::new()).await;
    let items = stage.mia.list(&format!("/incidents/{incident}/evidence")).await;
    let hash = id(&items[0]["sha256"]);
    let (start, rest) = hash.split_at(2);
    let file = stage.dir().join("evidence").join(start).join(rest);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[3] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let said = said(&stage, &export(&stage, &incident).await).unwrap_err();
    assert_eq!(said, format!("record 1 (one): the item {hash} was changed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_removed_added_or_put_elsewhere() {
    let (stage, incident) = stage(Plan::new()).await;
    let files = export(&stage, &incident).await;
    let (chain, details) = (lines(&files, "chain.jsonl"), lines(&files, "details.jsonl"));
    let both = |files: &mut Files, change: &dyn Fn(&mut Vec<String>)| {
        for (path, lines) in [("chain.jsonl", &chain), ("details.jsonl", &details)] {
            let mut lines = lines.clone();
            change(&mut lines);
            set(files, path, &lines);
        }
    };
    for at in 0..chain.len() {
        let said = fault(&stage, &files, |files| {
            both(files, &|lines| drop(lines.remove(at)));
        });
        assert!(said.contains(&format!("record {at} is")), "{at} removed: {said}");
        let said = fault(&stage, &files, |files| {
            both(files, &|lines| lines.insert(at, lines[at].clone()));
        });
        assert!(said.contains(&format!("record {}", at + 1)), "{at} twice: {said}");
    }
    let said = fault(&stage, &files, |files| both(files, &|lines| lines.swap(1, 2)));
    assert!(said.contains("record 1 is missing or out of order: record 2"), "{said}");
    // What stands beside them alone.
    let said = fault(&stage, &files, |files| {
        let mut details = details.clone();
        details.swap(1, 2);
        set(files, "details.jsonl", &details);
    });
    assert_eq!(said, "chain.jsonl: the detail of record 1 was changed");
    let said = fault(&stage, &files, |files| set(files, "details.jsonl", &details[..2]));
    assert_eq!(said, "chain.jsonl: the detail of record 2 is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_chains_are_swapped() {
    let (stage, first) = stage(Plan::new()).await;
    let second = incident(&stage).await;
    let (first, second) = (export(&stage, &first).await, export(&stage, &second).await);
    let said = fault(&stage, &first, |files| {
        for path in ["chain.jsonl", "details.jsonl"] {
            files.insert(path.to_owned(), second[path].clone());
        }
    });
    assert_eq!(said, "chain.jsonl: record 0 was changed: it belongs to another incident");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_is_replaced_by_one_that_is_right_elsewhere() {
    let (stage, incident) = stage(Plan::new()).await;
    let files = export(&stage, &incident).await;
    let (first, second) = (items(&files)[0].clone(), items(&files)[1].clone());
    let said = fault(&stage, &files, |files| {
        let other = files[&second].clone();
        files.insert(first.clone(), other);
    });
    let hash = first.strip_prefix("items/").unwrap();
    assert!(said.contains(&format!("the item {hash} was changed")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_bundle_has_the_checkpoint_of_a_new_one() {
    let (stage, incident) = stage(Plan::new()).await;
    let old = export(&stage, &incident).await;
    stage.mia.post(&format!("/incidents/{incident}/note"), &json!({"text": "found"})).await;
    let new = export(&stage, &incident).await;
    let count = lines(&old, "chain.jsonl").len();
    let said = fault(&stage, &old, |files| {
        files.insert("checkpoint.json".to_owned(), new["checkpoint.json"].clone());
    });
    let end = format!("record {count} is the first that is missing");
    assert!(said.ends_with(&end), "{said}");
    // And the other way round: what came later is left out of what was signed.
    let said = fault(&stage, &new, |files| {
        files.insert("checkpoint.json".to_owned(), old["checkpoint.json"].clone());
    });
    assert!(said.ends_with(&format!("record {count} is the first that was added")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_hands_over_stays_good_and_one_that_does_not_is_not() {
    let (stage, incident) = stage(Plan::new()).await;
    let before = (stage.runtime.public_key(), export(&stage, &incident).await);
    let rotate = json!({"reason": "a year is over"});
    assert_eq!(stage.mia.post_refused("/evidence-key/rotate", &rotate).await.0, 403);
    let made = stage.admin.post("/evidence-key/rotate", &rotate).await;
    stage.admin.post("/evidence-key/rotate", &rotate).await;
    let middle = id(&made["public_key"]);
    let now = stage.runtime.public_key();
    let files = export(&stage, &incident).await;
    let with = |key: &str, files: &Files| {
        both_with(&pack(files), &Brought { keys: &[key], ..Brought::default() })
    };
    for key in [&before.0, &middle, &now] {
        with(key, &files).unwrap();
    }
    with(&before.0, &before.1).unwrap();
    let said = with(&now, &before.1).unwrap_err();
    assert_eq!(said, "checkpoint.json is not signed by this key, or was changed");
    let kept = std::fs::read_dir(stage.dir().join("keys")).unwrap();
    let kept = kept.filter(|file| {
        let name = file.as_ref().unwrap().file_name().to_string_lossy().into_owned();
        name.starts_with("evidence-") && name.ends_with(".pub")
    });
    assert_eq!(kept.count(), 2, "the public halves of before are kept");

    let handovers = lines(&files, "keys.jsonl");
    assert_eq!(handovers.len(), 2);
    let tampered = |line: usize, change: &dyn Fn(&mut Value)| {
        let mut handovers = handovers.clone();
        let mut value: Value = serde_json::from_str(&handovers[line]).unwrap();
        change(&mut value);
        handovers[line] = value.to_string();
        let mut files = files.clone();
        set(&mut files, "keys.jsonl", &handovers);
        with(&before.0, &files).unwrap_err()
    };
    let said = tampered(1, &|value| {
        let statement = id(&value["statement"]).replace("a year is over", "a year is gone");
        value["statement"] = json!(statement);
    });
    assert_eq!(said, "keys.jsonl: line 2 is not signed by the key that it names, or was changed");
    let without = {
        let mut files = files.clone();
        set(&mut files, "keys.jsonl", &handovers[..1]);
        with(&before.0, &files).unwrap_err()
    };
    assert_eq!(without, "checkpoint.json is not signed by this key, or was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_about_an_incident_goes_along_and_shows_what_was_changed_in_it() {
    let (stage, incident) = stage(Plan::new().on_postgres().await).await;
    let files = export(&stage, &incident).await;
    said(&stage, &files).unwrap();
    let about: Vec<Value> = lines(&files, "audit.jsonl")
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let verbs: Vec<String> = about.iter().map(|record| id(&record["verb"])).collect();
    assert_eq!(verbs.len(), 4, "{verbs:?}");
    assert!(about.iter().all(|record| record["object"] == json!(incident)), "{about:?}");
    // What is asked later is in a later bundle, and not in that one.
    let again = stage.mia.bytes(&format!("/incidents/{incident}/export?head=5")).await;
    assert!(unpack(&again) == files, "an end has one bundle");
    let later = export(&stage, &incident).await;
    assert_eq!(lines(&later, "audit.jsonl").len(), 6, "two exports ended before it");
    let second = &about[1]["seq"];
    stage
        .sql(&format!("update audit set body = replace(body, 'mia', 'nia') where seq = {second}"))
        .await;
    let said = said(&stage, &export(&stage, &incident).await).unwrap_err();
    assert!(said.starts_with(&format!("audit.jsonl: record {second} was changed")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_nobody_took_is_found() {
    let stage = Plan::new().on_postgres().await.set().await;
    let received = stage.find_key().await;
    let run = crate::stage::run_of(&received);
    let approval = id(&stage.approve(&run).await["id"]);
    stage.over(&run).await;
    let incident = id(&received["incident_id"]);
    let files = export(&stage, &incident).await;
    said(&stage, &files).unwrap();
    let verbs = lines(&files, "audit.jsonl").join("\n");
    assert!(verbs.contains("approvals.decisions") && verbs.contains(&approval), "{verbs}");
    for change in ["person = 'nia' where person = 'mia'", "answer = 'reject' where person = 'nia'"]
    {
        stage.sql(&format!("update decisions set {change}")).await;
        let said = said(&stage, &export(&stage, &incident).await).unwrap_err();
        let what =
            format!("approvals.json: what nia is to have said to {approval} is in no record");
        assert_eq!(said, what);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_of_another_end_is_not_taken_for_the_one_of_this() {
    let (stage, incident) = stage(Plan::new()).await;
    let old = export(&stage, &incident).await;
    stage.mia.post(&format!("/incidents/{incident}/note"), &json!({"text": "handed back"})).await;
    let new = export(&stage, &incident).await;
    let text = |files: &Files, path: &str| String::from_utf8(files[path].clone()).unwrap();
    let kept = stage.mia.list(&format!("/incidents/{incident}/evidence")).await;
    // It is of the end that was signed, in both forms, and says what was kept.
    let count = lines(&old, "chain.jsonl").len();
    let checkpoint: Value = serde_json::from_slice(&old["checkpoint.json"]).unwrap();
    let statement: Value = serde_json::from_str(checkpoint["statement"].as_str().unwrap()).unwrap();
    let last = id(&statement["chain"]["hash"]);
    for path in ["report.md", "report.html"] {
        let report = text(&old, path);
        for words in [&last, &format!("has {count} records"), "A laptop was stolen", "in a taxi"] {
            assert!(report.contains(words), "{path} lacks {words}: {report}");
        }
        assert!(kept.iter().all(|item| report.contains(&id(&item["sha256"]))), "{report}");
        assert!(!report.contains("handed back") && text(&new, path).contains("handed back"));
        let said = fault(&stage, &old, |files| {
            files.insert(path.to_owned(), new[path].clone());
        });
        assert_eq!(said, format!("{path} was changed"));
        let said = fault(&stage, &old, |files| drop(files.remove(path)));
        assert_eq!(said, format!("{path} is missing"));
    }
}
