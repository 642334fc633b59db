//! The undo catalogue against moto: state before, change, probe, inverse, state as before. One row
//! of `undo/rows.json` for each, with what must be there first.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stanch_plugins_sdk::core::id::RunId;
use stanch_plugins_sdk::core::plan::{Change, Probe};
use stanch_plugins_sdk::core::probe::{error_answer, look, search};
use stanch_plugins_sdk::{ActionContext, Catalogue, Outcome};
use stanch_tests::moto::Moto;

use crate::context::{attempt, call, catalogue, context};

/// The account that moto plays.
const ACCOUNT: &str = "123456789012";

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    change: String,
    params: Value,
    setup: Vec<Setup>,
    /// What makes it another case than its neighbour.
    #[serde(default)]
    title: String,
    /// Whether nothing undoes it.
    #[serde(default, rename = "final")]
    is_final: bool,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    call: String,
    params: Value,
    /// Names for parts of the answer: `$NAME` in what follows.
    #[serde(default)]
    keep: BTreeMap<String, String>,
}

fn rows() -> Vec<Row> {
    serde_json::from_str(include_str!("undo/rows.json")).unwrap()
}

/// A value with its names filled in.
fn filled(value: &Value, names: &BTreeMap<String, String>) -> Value {
    let mut text = value.to_string();
    for (name, value) in names.iter().rev() {
        text = text.replace(&format!("${name}"), value);
    }
    serde_json::from_str(&text).unwrap()
}

struct Stage {
    aws: Catalogue,
    context: ActionContext,
}

impl Stage {
    async fn call(&self, operation: &str, params: Value) -> Result<Value, String> {
        match attempt(&self.aws, &self.context, operation, params).await {
            Ok(Outcome::Done(done)) => Ok(done.value),
            Ok(Outcome::Again { .. }) => Err(format!("{operation} goes on")),
            Err(error) => Err(format!("{operation}: {error}")),
        }
    }

    async fn passes(&self, probe: &Probe) -> bool {
        let input = json!({"operation": probe.operation, "params": probe.params,
            "paginate": "auto"});
        let answer = match call(&self.aws).run(&self.context, &input).await {
            Ok(Outcome::Done(done)) => done.value,
            Err(error) if probe.errors.contains(&error.code) => error_answer(&error.code),
            _ => return false,
        };
        look(probe, &answer).is_ok_and(|seen| seen.passes)
    }

    /// A change as `plan` completes it.
    async fn prepared(&self, operation: &str, params: &Value) -> Result<Change, String> {
        let bare = json!({"operation": operation, "params": params, "account": ACCOUNT});
        let prepare = self.aws.action("aws.prepare").unwrap();
        let input = json!({"change": bare});
        let outcome = prepare.run(&self.context, &input).await;
        let Ok(Outcome::Done(done)) = outcome else { return Err(format!("{outcome:?}")) };
        let mut change = bare;
        for (name, value) in done.value.as_object().unwrap() {
            change[name] = value.clone();
        }
        serde_json::from_value(change).map_err(|error| error.to_string())
    }

    async fn play(&self, row: &Row) -> Result<(), String> {
        let mut names = BTreeMap::new();
        for Setup { call, params, keep } in &row.setup {
            let answer = self.call(call, filled(params, &names)).await?;
            for (name, expression) in keep {
                let expression = filled(&json!(expression), &names);
                let value = search(expression.as_str().unwrap(), &answer).unwrap();
                let text = value.as_str().ok_or_else(|| format!("{call}: no {name}"))?;
                names.insert(name.clone(), text.to_owned());
            }
        }
        let params = filled(&row.params, &names);
        let change = self.prepared(&row.change, &params).await?;
        let notes = &change.notes;
        let probe = change.probe.clone().ok_or_else(|| format!("no probe: {notes:?}"))?;
        if probe.account.as_deref() != Some(ACCOUNT) {
            return Err("the probe looks nowhere".to_owned());
        }
        // As if the call had been accepted and nothing had come of it.
        if self.passes(&probe).await {
            return Err(format!("the probe passes before: {}", probe.expression));
        }
        let answer = self.call(&row.change, params).await?;
        if !self.passes(&probe).await {
            return Err(format!("the probe does not pass: {}", probe.expression));
        }
        let Some(undo) = change.undo(&answer) else {
            let told = notes.iter().any(|note| note.starts_with("FINAL: "));
            let expected = row.is_final && told;
            return if expected { Ok(()) } else { Err(format!("no inverse: {notes:?}")) };
        };
        let back = undo.probe.clone().ok_or("the undo has no probe")?;
        if self.passes(&back).await {
            return Err(format!("the undo's probe passes before: {}", back.expression));
        }
        self.call(&undo.operation, undo.params.clone()).await?;
        if !self.passes(&back).await {
            return Err(format!("the undo's probe does not pass: {}", back.expression));
        }
        Ok(())
    }
}

async fn stage() -> (Moto, Stage) {
    let moto = Moto::start().await;
    let aws = catalogue(moto.url());
    let context = context(ACCOUNT);
    let run = Some(RunId::new(context.now, 1));
    (moto, Stage { aws, context: ActionContext { run, ..context } })
}

#[tokio::test]
async fn what_is_changed_is_seen_and_taken_back() {
    let (_moto, stage) = stage().await;
    let mut wrong = Vec::new();
    for row in rows() {
        if let Err(why) = Box::pin(stage.play(&row)).await {
            wrong.push(format!("{} {}: {why}", row.change, row.title));
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}
