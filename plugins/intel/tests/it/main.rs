//! The actions over files as they lie on a disk.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper fails the test that uses it"
)]

mod mmdb;

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use stanch_plugins_intel::{IntelSettings, ListFormat, ListSettings, register};
use stanch_plugins_sdk::core::effect::Effect;
use stanch_plugins_sdk::core::operation::{IamActions, Operations};
use stanch_plugins_sdk::core::span::Span;
use stanch_plugins_sdk::core::time::Timestamp;
use stanch_plugins_sdk::{ActionContext, Catalogue, Outcome, Patience, Urgency};

struct Nothing;

impl Operations for Nothing {
    fn effect(&self, operation: &str) -> Result<Effect, String> {
        Err(operation.to_owned())
    }
    fn check(&self, _: &str, _: &Value) -> Result<(), Vec<String>> {
        Ok(())
    }
    fn waiter(&self, waiter: &str) -> Result<String, String> {
        Err(waiter.to_owned())
    }
    fn iam_actions(&self, _: &str) -> Option<IamActions> {
        None
    }
    fn blank_answer(&self, _: &str) -> Value {
        Value::Null
    }
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::parse("2026-11-24T03:00:00Z").unwrap().plus_ms(minutes * 60_000)
}

fn list(folder: &Path, name: &str, format: ListFormat) -> ListSettings {
    let (says, points) = ("known to be bad".to_owned(), 20);
    ListSettings { name: name.to_owned(), file: folder.join(name), format, says, points }
}

fn catalogue(settings: &IntelSettings) -> Result<Catalogue, String> {
    register(Catalogue::new(Arc::new(Nothing)), settings, at(0)).map_err(|error| error.to_string())
}

async fn ask(catalogue: &Catalogue, action: &str, input: Value, minutes: i64) -> Value {
    let context = ActionContext {
        incident: None,
        run: None,
        step: "1".to_owned(),
        token: uuid::Uuid::nil(),
        attempt: 1,
        account: None,
        region: None,
        role: None,
        urgency: Urgency::Response,
        patience: Patience::default(),
        granted: Effect::Read,
        plan: Vec::new(),
        timeout: Span::from_secs(5),
        now: at(minutes),
        state: None,
    };
    match catalogue.action(action).unwrap().run(&context, &input).await.unwrap() {
        Outcome::Done(done) => done.value,
        Outcome::Again { .. } => panic!("it is over at once"),
    }
}

#[tokio::test]
async fn an_address_has_a_place_a_network_and_the_lists_that_it_is_on() {
    let folder = tempfile::tempdir().unwrap();
    let (city, asn) = (folder.path().join("city.mmdb"), folder.path().join("asn.mmdb"));
    let place = json!({"country": {"iso_code": "NL", "names": {"en": "Netherlands"}}, "city": {"names": {"en": "Ede"}}});
    std::fs::write(&city, mmdb::database(&[([198, 51, 100, 0], 24, place)])).unwrap();
    let network =
        json!({"autonomous_system_number": 64_500, "autonomous_system_organization": "Example"});
    std::fs::write(&asn, mmdb::database(&[([198, 51, 0, 0], 16, network)])).unwrap();
    std::fs::write(folder.path().join("tor"), "198.51.100.7\n").unwrap();
    let lists = vec![list(folder.path(), "tor", ListFormat::Plain)];
    let settings = IntelSettings { databases: vec![city, asn], lists, every: Span::from_secs(60) };
    let catalogue = catalogue(&settings).unwrap();
    let known = ask(&catalogue, "intel.ip", json!({"ip": "198.51.100.7"}), 0).await;
    let expected = json!({
        "ip": "198.51.100.7", "country": "NL", "country_name": "Netherlands", "city": "Ede", "asn": 64_500,
        "org": "Example", "isp": null, "unknown": [],
        "lists": [{"list": "tor", "says": "known to be bad", "points": 20}],
    });
    assert_eq!(known, expected);
    let beside = ask(&catalogue, "intel.ip", json!({"ip": "198.51.101.7"}), 0).await;
    assert_eq!(
        (&beside["country"], &beside["asn"], &beside["lists"]),
        (&Value::Null, &json!(64_500), &json!([]))
    );
    let far = ask(&catalogue, "intel.ip", json!({"ip": "8.8.8.8"}), 0).await;
    assert_eq!((&far["asn"], &far["unknown"]), (&Value::Null, &json!([])));
    let six = ask(&catalogue, "intel.ip", json!({"ip": "2001:db8::1"}), 0).await;
    assert_eq!(six["asn"], Value::Null);
}

#[tokio::test]
async fn a_file_is_read_again_when_it_is_due_and_what_is_broken_leaves_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad");
    std::fs::write(&file, "evil.example\n").unwrap();
    let lists = vec![list(folder.path(), "bad", ListFormat::Plain)];
    let settings = IntelSettings { lists, every: Span::from_secs(600), ..IntelSettings::default() };
    let catalogue = catalogue(&settings).unwrap();
    let ask = async |value: &str, minutes| {
        ask(&catalogue, "intel.find", json!({"value": value}), minutes).await
    };
    let count = |found: &Value| found["lists"].as_array().unwrap().len();
    std::fs::write(&file, "worse.example\nmore.example\n").unwrap();
    assert_eq!(count(&ask("worse.example", 5).await), 0, "it is not due yet");
    assert_eq!(count(&ask("worse.example", 10).await), 1);
    assert_eq!(count(&ask("evil.example", 10).await), 0);
    std::fs::write(&file, "1.2.3.4/99\n").unwrap();
    let broken = ask("worse.example", 20).await;
    assert_eq!(count(&broken), 1, "the last good one holds");
    assert!(broken["unknown"][0].as_str().unwrap().contains("line 1"), "{broken}");
    std::fs::write(&file, "good.example\n").unwrap();
    let well = ask("good.example", 30).await;
    assert_eq!((count(&well), &well["unknown"]), (1, &json!([])));
}

#[tokio::test]
async fn what_can_not_be_is_said_at_the_start_and_in_a_call() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x"), "no database").unwrap();
    let databases = vec![folder.path().join("x")];
    let settings =
        IntelSettings { databases, every: Span::from_secs(60), ..IntelSettings::default() };
    let why = catalogue(&settings).err().unwrap();
    assert!(why.contains("/x: ") && why.contains("MaxMind"), "{why}");
    let lists = vec![list(folder.path(), "gone", ListFormat::Stix)];
    let settings = IntelSettings { lists, every: Span::from_secs(60), ..IntelSettings::default() };
    assert!(catalogue(&settings).err().unwrap().contains("/gone: "));
    let none = catalogue(&IntelSettings::default()).unwrap();
    for (action, input) in [
        ("intel.ip", json!({"ip": "here"})),
        ("intel.ip", json!({"address": "1.2.3.4"})),
        ("intel.find", json!({"value": 1})),
        ("intel.find", json!({"value": "x", "more": "y"})),
    ] {
        assert!(none.action(action).unwrap().classify(&input).is_err(), "{input}");
    }
    let known = ask(&none, "intel.ip", json!({"ip": "1.2.3.4"}), 0).await;
    assert_eq!((&known["country"], &known["lists"]), (&Value::Null, &json!([])));
}
