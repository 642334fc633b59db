//! Every rule that looks whether a call took place, against moto, which was written by others: the
//! call is made, and its request or its answer is lost.
//!
//! `lookups/rows.json` says for each what must be there first; `lookups/not_by_moto.toml` names
//! the others, and why. Both are held to account.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stanch_plugins_aws::{Aws, AwsSettings};
use stanch_plugins_sdk::core::probe::search;
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{ActionContext, LookUp};
use stanch_tests::moto::Moto;
use uuid::Uuid;

use crate::context::{attempt, call, catalogue, context};
use crate::lossy::{Line, Loss};
use crate::repeat::sample;
use crate::scene::{Setup, Stage, filled};

/// The account that moto plays.
const ACCOUNT: &str = "123456789012";

/// A row of the table of look-ups that moto can do.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    call: String,
    #[serde(default)]
    title: String,
    params: Value,
    setup: Vec<Setup>,
    /// What of the answer that is found stood in the one that was lost.
    #[serde(default)]
    gives: Vec<String>,
    /// What is true of the answer that is found.
    #[serde(default = "yes")]
    of_it: String,
    /// What is found before the call.
    #[serde(default = "did_not")]
    before: String,
    /// What is found after it.
    #[serde(default = "happened")]
    after: String,
    /// Why that is not the plain no and yes.
    #[serde(default)]
    why: String,
}

fn did_not() -> String {
    "did not".to_owned()
}

fn yes() -> String {
    "`true`".to_owned()
}

fn happened() -> String {
    "happened".to_owned()
}

/// A row that moto can't do.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Lacking {
    /// The operation that moto does not serve: the call, or the read.
    lacks: String,
}

const ROWS: &str = include_str!("lookups/rows.json");
const OTHERS: &str = include_str!("lookups/not_by_moto.toml");

fn rows() -> Vec<Row> {
    serde_json::from_str(ROWS).unwrap()
}

fn others() -> BTreeMap<String, Lacking> {
    toml::from_str(OTHERS).unwrap()
}

/// What each look-up was tried against.
pub(crate) fn tried() -> BTreeMap<String, &'static str> {
    let by_moto = rows().into_iter().map(|row| (row.call, "moto"));
    others().into_keys().map(|operation| (operation, "the sandbox")).chain(by_moto).collect()
}

/// The operations that the catalogue looks up.
fn looked_up() -> Vec<String> {
    let table: BTreeMap<String, toml::Value> =
        toml::from_str(include_str!("../../catalogue/lookups.toml")).unwrap();
    table.into_keys().collect()
}

struct Scene {
    _moto: Moto,
    line: Line,
    stage: Stage,
}

impl Scene {
    async fn set() -> Self {
        let moto = Moto::start().await;
        let line = Line::to(moto.url()).await;
        let stage = Stage { aws: catalogue(&line.url), context: context(ACCOUNT) };
        Self { _moto: moto, line, stage }
    }

    /// What a look finds, in a word, and what it gives.
    async fn look(&self, token: u128, input: &Value) -> Result<(&'static str, Value), String> {
        let context = self.step(token);
        let found = call(&self.stage.aws).look_up(&context, input).await;
        Ok(match found.map_err(|error| format!("the look-up: {error}"))? {
            LookUp::Happened(value) => ("happened", value),
            LookUp::DidNotHappen => ("did not", Value::Null),
            LookUp::Unknown => ("unknown", Value::Null),
            LookUp::UnderWay { .. } => ("under way", Value::Null),
        })
    }

    fn step(&self, token: u128) -> ActionContext {
        ActionContext { token: Uuid::from_u128(token), ..self.stage.context.clone() }
    }

    /// A call of which something is lost; the answers that were lost.
    async fn lose(&self, token: u128, input: &Value, loss: Loss) -> Result<Vec<String>, String> {
        let operation = input["operation"].as_str().unwrap();
        self.line.lose(operation, loss);
        let params = input["params"].clone();
        let lost = attempt(&self.stage.aws, &self.step(token), operation, params).await;
        let (requests, answers) = self.line.mend();
        if requests != 1 {
            return Err(format!("{requests} requests, not one, when the {loss:?} is lost"));
        }
        match lost {
            Err(error) if error.kind == ErrorKind::InDoubt => {}
            other => return Err(format!("the {loss:?} is lost: {other:?}")),
        }
        Ok(answers.iter().map(|answer| String::from_utf8_lossy(answer).into_owned()).collect())
    }

    async fn play(&self, token: u128, row: &Row) -> Result<(), String> {
        let names = self.stage.set(&row.setup).await?;
        let input = json!({"operation": row.call, "params": filled(&row.params, &names)});
        let (before, _) = self.look(token, &input).await?;
        if before != row.before {
            return Err(format!("before the call: {before}"));
        }
        self.lose(token, &input, Loss::Request).await?;
        let (before, _) = self.look(token, &input).await?;
        if before != row.before {
            return Err(format!("the request was lost: {before}"));
        }
        let answers = self.lose(token, &input, Loss::Answer).await?;
        let answer = answers.first().ok_or("no answer was lost")?;
        if !answer.starts_with("HTTP/1.1 2") {
            return Err(format!("moto refuses it: {answer}"));
        }
        let (after, value) = self.look(token, &input).await?;
        if after != row.after {
            return Err(format!("the answer was lost: {after}; {answer}"));
        }
        for path in &row.gives {
            let found = value.pointer(path).and_then(Value::as_str).unwrap_or_default();
            if found.is_empty() || !answer.contains(found) {
                return Err(format!("{path} of {value} was not in {answer}"));
            }
        }
        if search(&row.of_it, &value) != Ok(Value::Bool(true)) {
            return Err(format!("{value} is not as in {answer}"));
        }
        // What carries the token is not taken for what another step made.
        let (other, _) = self.look(token + 1, &input).await?;
        let described = Aws::open(&AwsSettings::default()).unwrap().describe(&row.call).unwrap();
        let is_marked = !described["looked_up"]["token_in"].is_null();
        if is_marked && other != "did not" {
            return Err(format!("another step finds: {other}"));
        }
        Ok(())
    }
}

#[tokio::test]
async fn what_moto_did_is_found_and_what_it_did_not_is_not() {
    let scene = Scene::set().await;
    let mut wrong = Vec::new();
    for (at, row) in (1..).zip(rows()) {
        if let Err(why) = Box::pin(scene.play(at * 2, &row)).await {
            wrong.push(format!("{} {}: {why}", row.call, row.title));
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn every_look_is_tried_against_moto_or_said_why_not() {
    let (rows, others) = (rows(), others());
    let is_tried = |operation: &str| rows.iter().any(|row| row.call == *operation);
    for operation in looked_up() {
        let is_listed = others.contains_key(&operation);
        assert!(
            is_tried(&operation) != is_listed,
            "{operation}: a row of rows.json or of not_by_moto.toml, and not of both"
        );
    }
    let known = looked_up();
    for operation in rows.iter().map(|row| &row.call).chain(others.keys()) {
        assert!(known.contains(operation), "{operation} is not looked up");
    }
    for row in &rows {
        let is_plain = row.before == "did not" && row.after == "happened";
        assert!(is_plain == row.why.is_empty(), "{}: why", row.call);
    }
    let scene = Scene::set().await;
    let aws = Aws::open(&AwsSettings::default()).unwrap();
    // So that a page for people is told from an answer.
    scene.stage.call("iam:ListUsers", json!({})).await.unwrap();
    assert!(!scene.line.is_unserved("iam:ListUsers"));
    for (operation, Lacking { lacks }) in &others {
        let described = aws.describe(operation).unwrap();
        let read = described["looked_up"]["read"].as_str().unwrap();
        assert!(lacks == operation || lacks == read, "{operation} is not about {lacks}");
        let answer = scene.stage.call(lacks, sample(&aws, lacks)).await;
        assert!(
            answer.is_err() && scene.line.is_unserved(lacks),
            "moto serves {lacks} now: write a row for {operation} ({answer:?})"
        );
    }
}
