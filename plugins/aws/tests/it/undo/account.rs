//! Which entries of the undo catalogue are tried against what, and why others are not.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stanch_plugins_aws::{Aws, AwsSettings};
use stanch_tests::moto::Moto;

use crate::context::{catalogue, context};
use crate::lossy::Line;
use crate::repeat::sample;
use crate::scene::{Setup, Stage};

/// What stands before why an entry is not tried.
pub(crate) const NONE: &str = "neither: ";

/// A change, and what must be there first.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) change: String,
    pub(crate) params: Value,
    pub(crate) setup: Vec<Setup>,
    /// What makes it another case than its neighbour.
    #[serde(default)]
    pub(crate) title: String,
    /// Whether nothing undoes it.
    #[serde(default, rename = "final")]
    pub(crate) is_final: bool,
    /// Whether what comes back is another one: what was taken away stays gone.
    #[serde(default)]
    pub(crate) comes_back_anew: bool,
    /// Whether nothing shows it.
    #[serde(default)]
    pub(crate) unverified: bool,
    /// Whether it is not repeated on the way, because moto does the second time otherwise than AWS:
    /// another row of the same change shows that.
    #[serde(default)]
    pub(crate) once: bool,
    /// Where moto does otherwise than AWS: then the row is held to fail like this.
    #[serde(default)]
    pub(crate) moto_differs: Option<Differs>,
}

/// Where moto does otherwise than AWS.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Differs {
    /// How the row fails.
    pub(crate) how: String,
    /// What moto does.
    pub(crate) why: String,
}

/// An entry that is not tried.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Lacking {
    /// The operation that moto does not serve: the change, its read, or its inverse.
    lacks: String,
}

/// The rows that are played against moto.
pub(crate) fn of_moto() -> Vec<Row> {
    serde_json::from_str(include_str!("rows.json")).unwrap()
}

/// The rows that are played against the sandbox.
pub(crate) fn of_sandbox() -> Vec<Row> {
    serde_json::from_str(include_str!("sandbox.json")).unwrap()
}

fn not_tried() -> BTreeMap<String, Lacking> {
    toml::from_str(include_str!("not_tried.toml")).unwrap()
}

/// The operations of the undo catalogue.
fn entries() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/catalogue/undo");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|e| e == "toml"));
    let of_file = |path| -> BTreeMap<String, toml::Value> {
        toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    files.flat_map(|path| of_file(path).into_keys()).collect()
}

/// What each entry is tried against: `moto`, `sandbox`, or why it is not.
pub(crate) fn tried() -> BTreeMap<String, String> {
    let mut tried = BTreeMap::new();
    for (operation, Lacking { lacks }) in not_tried() {
        let why = match lacks == operation {
            true => "moto does not serve it, the sandbox keeps no state of it".to_owned(),
            false => format!("moto does not serve `{lacks}`"),
        };
        tried.insert(operation, format!("{NONE}{why}"));
    }
    for row in of_moto() {
        if let Some(Differs { why, .. }) = row.moto_differs {
            tried.entry(row.change).or_insert(format!("{NONE}{why}"));
        }
    }
    tried.extend(of_sandbox().into_iter().map(|row| (row.change, "the sandbox".to_owned())));
    let by_moto = of_moto().into_iter().filter(|row| row.moto_differs.is_none());
    tried.extend(by_moto.map(|row| (row.change, "moto".to_owned())));
    tried
}

#[test]
fn every_entry_is_tried_or_said_why_not() {
    let entries = entries();
    let (moto, sandbox, not) = (of_moto(), of_sandbox(), not_tried());
    for operation in &entries {
        let places = [
            moto.iter().any(|row| row.change == *operation),
            sandbox.iter().any(|row| row.change == *operation),
            not.contains_key(operation),
        ];
        assert_eq!(places.iter().filter(|is| **is).count(), 1, "{operation}: {places:?}");
    }
    let rows = moto.iter().chain(&sandbox).map(|row| &row.change);
    for operation in rows.chain(not.keys()) {
        assert!(entries.contains(operation), "{operation} has no entry");
    }
    assert!(sandbox.iter().all(|row| row.moto_differs.is_none() && !row.once));
    for row in moto.iter().filter(|row| row.once) {
        let mut same = moto.iter().filter(|other| other.change == row.change && !other.once);
        assert!(same.any(|other| other.moto_differs.is_some()), "{}: why once?", row.change);
    }
}

#[tokio::test]
async fn what_is_not_tried_against_moto_can_not_be() {
    let moto = Moto::start().await;
    let line = Line::to(moto.url()).await;
    let stage = Stage { aws: catalogue(&line.url), context: context("123456789012") };
    let aws = Aws::open(&AwsSettings::default()).unwrap();
    // So that a page for people is told from an answer.
    stage.call("iam:ListUsers", json!({})).await.unwrap();
    assert!(!line.is_unserved("iam:ListUsers"));
    let of_sandbox = of_sandbox().into_iter().map(|row| (row.change.clone(), row.change));
    let lacking = not_tried().into_iter().map(|(operation, lacking)| (operation, lacking.lacks));
    let mut served = Vec::new();
    for (operation, lacks) in lacking.chain(of_sandbox) {
        let described = aws.describe(&operation).unwrap();
        let undo = described["undo"].to_string();
        assert!(lacks == operation || undo.contains(&lacks), "{operation} is not about {lacks}");
        let answer = stage.call(&lacks, sample(&aws, &lacks)).await;
        if answer.is_ok() || !line.is_unserved(&lacks) {
            served.push(format!("{operation}: moto serves {lacks}: {answer:?}"));
        }
    }
    assert!(served.is_empty(), "{}", served.join("\n"));
}
