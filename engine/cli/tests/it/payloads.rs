//! Payloads as files: each is read or refused with a reason, by `auto`, and whatever is done to
//! one, nothing panics. `STANCH_TEST_PAYLOADS` names another folder than the fixtures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};
use stanch_engine_cli::config::Config;
use stanch_engine_cli::wiring;
use stanch_engine_runtime::intake;
use stanch_plugins_aws::Roles;
use stanch_plugins_http::Secrets;
use stanch_plugins_sdk::{Catalogue, Reading};

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/payloads")
}

pub(crate) fn catalogue() -> Catalogue {
    wiring::catalogue(&Config::default(), None, Secrets::default(), Roles::default()).unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// An alert has what the engine looks it up by; a refusal has words.
fn check(reading: &Reading, file: &Path) {
    let file = file.display();
    assert!(!(reading.alerts.is_empty() && reading.refused.is_empty()), "{file}: nothing is said");
    for alert in &reading.alerts {
        assert!(!alert.id.is_empty() && !alert.kind.is_empty(), "{file}");
        assert!(!alert.title.is_empty() && alert.dedup_key.len() <= 512, "{file}");
    }
    for refusal in &reading.refused {
        assert!(refusal.reason.len() > 10, "{file}: {refusal}");
    }
}

#[test]
fn every_payload_is_read_or_refused_with_a_reason() {
    let catalogue = catalogue();
    let named = std::env::var_os("STANCH_TEST_PAYLOADS").map(PathBuf::from);
    let (mut read, mut refused) = (0, 0);
    // Files and alerts of each source.
    let mut sources: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for file in files(&named.clone().unwrap_or_else(fixtures)) {
        match intake::normalize(&catalogue, "auto", &std::fs::read(&file).unwrap()) {
            Ok(reading) => {
                check(&reading, &file);
                let mut here: BTreeMap<&str, usize> = BTreeMap::new();
                for alert in &reading.alerts {
                    *here.entry(&alert.source).or_default() += 1;
                }
                for (source, alerts) in here {
                    let known = sources.entry(source.to_owned()).or_default();
                    *known = (known.0 + 1, known.1 + alerts);
                }
                read += usize::from(!reading.alerts.is_empty());
                refused += usize::from(reading.alerts.is_empty());
            }
            Err(reason) => {
                assert!(!reason.is_empty());
                refused += 1;
            }
        }
    }
    for (source, (files, alerts)) in &sources {
        println!("{source}: {files} files, {alerts} alerts");
    }
    println!("{read} files read, {refused} refused");
    assert!(read > 0, "there is no payload in {named:?}");
}

#[test]
fn each_fixture_is_read_by_the_source_that_its_name_begins_with() {
    let catalogue = catalogue();
    let files = files(&fixtures());
    assert!(files.len() >= 20, "{} fixtures", files.len());
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let (source, _) = name.split_once('.').unwrap();
        let reading =
            intake::normalize(&catalogue, "auto", &std::fs::read(&file).unwrap()).unwrap();
        check(&reading, &file);
        if source == "refused" {
            assert!(reading.alerts.is_empty(), "{name}");
            continue;
        }
        assert!(reading.refused.is_empty(), "{name}: {:?}", reading.refused);
        for alert in reading.alerts {
            assert_eq!(alert.source, source, "{name}");
        }
    }
}

#[test]
fn lines_of_json_are_alerts_of_their_own_and_a_broken_line_takes_no_other_with_it() {
    let line = |id: u8| json!({"id": id, "title": "t", "severity": "high"}).to_string();
    let text = format!("{}\n{}\n{{broken\n{}\n", line(1), line(2), line(3));
    let reading = intake::normalize(&catalogue(), "auto", text.as_bytes()).unwrap();
    assert_eq!(reading.alerts.iter().map(|it| &*it.id).collect::<Vec<_>>(), ["1", "2", "3"]);
    assert_eq!(reading.refused.len(), 1);
    assert_eq!(reading.refused[0].at, "[2]");
    let cut = intake::normalize(&catalogue(), "auto", b"{\"title\": \"t\",\n").unwrap_err();
    assert!(cut.contains("no JSON"), "{cut}");
}

/// Puts something else in the place of the `at`-th value, counted from the outside.
fn put(value: &mut Value, at: &mut usize, other: &Value) {
    if *at == 0 {
        *value = other.clone();
        *at = usize::MAX;
        return;
    }
    *at -= 1;
    let inner: Vec<&mut Value> = match value {
        Value::Object(members) => members.values_mut().collect(),
        Value::Array(items) => items.iter_mut().collect(),
        _ => Vec::new(),
    };
    for value in inner {
        if *at == usize::MAX {
            return;
        }
        put(value, at, other);
    }
}

fn other() -> impl Strategy<Value = Value> {
    let deep = (0..100).fold(json!("x"), |inner, n| {
        if n % 2 == 0 { json!([inner]) } else { json!({"detail": inner}) }
    });
    prop_oneof![
        Just(Value::Null),
        Just(json!(true)),
        Just(json!(-1)),
        Just(json!(f64::MAX)),
        Just(json!(u64::MAX)),
        Just(json!("")),
        Just(json!("\u{0}\u{202f}é: .+-")),
        Just(json!("x".repeat(100_000))),
        Just(json!("arn:aws:iam::")),
        Just(json!("{\"Records\": [")),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[], {}, null])),
        Just(json!({"id": {"id": []}})),
        Just(deep),
        any::<i64>().prop_map(|n| json!(n)),
        ".{0,40}".prop_map(|text| json!(text)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]
    #[test]
    fn whatever_is_done_to_a_payload_it_is_read_or_refused(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((0_usize..60, other()), 1..5),
    ) {
        thread_local! {
            static ALL: (Catalogue, Vec<PathBuf>) = (catalogue(), files(&fixtures()));
        }
        ALL.with(|(catalogue, files)| {
            let file = which.get(files);
            let mut payload: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            for (at, other) in &changes {
                let mut at = *at;
                put(&mut payload, &mut at, other);
            }
            let begun = Instant::now();
            let reading = intake::normalize(catalogue, "auto", payload.to_string().as_bytes());
            assert!(begun.elapsed() < Duration::from_secs(5), "{}", file.display());
            if let Ok(reading) = reading {
                check(&reading, file);
            }
        });
    }
}
