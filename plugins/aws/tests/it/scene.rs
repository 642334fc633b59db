//! What must be there before something is tried: calls in order, and names for what they answered.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stanch_plugins_sdk::core::probe::search;
use stanch_plugins_sdk::{ActionContext, Catalogue, Outcome};

use crate::context::attempt;

/// A call that sets the scene.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setup {
    call: String,
    #[serde(default)]
    params: Value,
    /// Names for parts of the answer: `$NAME` in what follows.
    #[serde(default)]
    keep: BTreeMap<String, String>,
}

/// Parts of answers by their names.
pub(crate) type Names = BTreeMap<String, String>;

/// A value with its names filled in.
pub(crate) fn filled(value: &Value, names: &Names) -> Value {
    let mut text = value.to_string();
    // Of two names that begin alike the longer one comes first.
    for (name, value) in names.iter().rev() {
        text = text.replace(&format!("${name}"), value);
    }
    serde_json::from_str(&text).unwrap()
}

/// Whoever calls, and what it calls.
pub(crate) struct Stage {
    pub(crate) aws: Catalogue,
    pub(crate) context: ActionContext,
}

impl Stage {
    /// One call by hand, of whoever sets the scene.
    pub(crate) async fn call(&self, operation: &str, params: Value) -> Result<Value, String> {
        let by_hand = ActionContext { run: None, ..self.context.clone() };
        match attempt(&self.aws, &by_hand, operation, params).await {
            Ok(Outcome::Done(done)) => Ok(done.value),
            // What is remembered of what goes on.
            Ok(Outcome::Again { state, .. }) => Ok(state),
            Err(error) => Err(format!("{operation}: {error}")),
        }
    }

    /// Makes all calls, and keeps what they name.
    pub(crate) async fn set(&self, setup: &[Setup]) -> Result<Names, String> {
        let mut names = Names::new();
        for Setup { call, params, keep } in setup {
            let params = if params.is_null() { json!({}) } else { filled(params, &names) };
            let answer = self.call(call, params).await?;
            for (name, expression) in keep {
                let expression = filled(&json!(expression), &names);
                let value = search(expression.as_str().unwrap(), &answer).unwrap();
                let text =
                    value.as_str().ok_or_else(|| format!("{call}: no {name} in {answer}"))?;
                names.insert(name.clone(), text.to_owned());
            }
        }
        Ok(names)
    }
}
