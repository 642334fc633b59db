//! Every operation that the canonical playbooks need, called through our client: against moto where
//! moto has it, else against the sandbox. `docs/operations-tested.md` is what came of it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use stanch_plugins_aws::sandbox::Sandbox;
use stanch_plugins_sdk::{ActionContext, ActionError, Catalogue, Outcome};
use stanch_tests::moto::Moto;
use stanch_tests::variable_if_set;

use crate::context::{anywhere, call, catalogue};
use crate::listener::{now, serve};

/// The table of operations.
const TABLE: &str = include_str!("../sweep/operations.tsv");

/// The page that says what ran against what.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations-tested.md");

/// Set to write the page instead of comparing it.
const WRITE: &str = "STANCH_TEST_WRITE_PAGE";

struct Row<'t> {
    is_seed: bool,
    against: &'t str,
    operation: &'t str,
    outcome: &'t str,
    params: Value,
    keeps: Value,
}

fn rows() -> Vec<Row<'static>> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let json = |at: usize| columns.get(at).map_or(json!({}), |t| t.parse().unwrap());
            Row {
                is_seed: columns[0] == "seed",
                against: columns[1],
                operation: columns[2],
                outcome: columns[3],
                params: json(4),
                keeps: json(5),
            }
        })
        .collect()
}

/// One of the two that are called, and what earlier calls kept.
struct Other {
    aws: Catalogue,
    kept: HashMap<String, Value>,
}

impl Other {
    fn new(url: &str, kept: &[(&str, &str)]) -> Self {
        let kept = kept.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
        Self { aws: catalogue(url), kept: kept.collect() }
    }

    /// Calls until it is over, and keeps of the answer what the row says.
    async fn call(&mut self, row: &Row<'_>) -> Result<Value, ActionError> {
        let params = self.filled(&row.params);
        let input = json!({"operation": row.operation, "params": params});
        let mut context = anywhere();
        let value = loop {
            match call(&self.aws).run(&context, &input).await? {
                Outcome::Done(done) => break done.value,
                Outcome::Again { state, .. } => {
                    context = ActionContext { state: Some(state), ..context };
                }
            }
        };
        for (name, place) in row.keeps.as_object().unwrap() {
            let found = value.pointer(place.as_str().unwrap());
            let found = found.unwrap_or_else(|| panic!("{}: {place} {value}", row.operation));
            self.kept.insert(name.clone(), found.clone());
        }
        Ok(value)
    }

    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let name = text.strip_prefix("${").and_then(|text| text.strip_suffix('}'));
                let kept = name.map(|name| self.kept.get(name).unwrap_or_else(|| panic!("{name}")));
                kept.cloned().unwrap_or_else(|| value.clone())
            }
            Value::Array(items) => items.iter().map(|item| self.filled(item)).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), self.filled(value))).collect()
            }
            other => other.clone(),
        }
    }
}

#[tokio::test]
async fn every_operation_that_playbooks_need_is_called_and_the_page_says_so() {
    let moto = Moto::start().await;
    let sandbox = Arc::new(Sandbox::demo(now()).unwrap().answering_everything());
    let url = serve(Arc::clone(&sandbox)).await;
    let mut by_moto = Other::new(moto.url(), &[]);
    let demo = [
        ("detector", "12abc34d567e8fa901bc2d34e56789f0"),
        ("instance", "i-0abc1234def567890"),
        ("snapshot", "snap-0abc1234def567890"),
        ("key", "k"),
    ];
    let mut by_sandbox = Other::new(&url, &demo);
    let (mut came, mut wrong) = (BTreeMap::new(), Vec::new());
    for row in rows() {
        let other = if row.against == "moto" { &mut by_moto } else { &mut by_sandbox };
        let answered = Box::pin(other.call(&row)).await;
        let outcome = answered.as_ref().map_or_else(|error| error.code.clone(), |_| "ok".into());
        if outcome != row.outcome {
            let why = answered.err().map(|error| error.message);
            wrong.push(format!("{}: {outcome}, not {} ({why:?})", row.operation, row.outcome));
        }
        if !row.is_seed {
            came.insert(row.operation, (row.against, outcome));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // What the sandbox says of itself: each call arrived, fitted the model and was answered.
    let calls = sandbox.calls();
    assert!(calls.iter().all(|call| call.outcome == "ok"), "{calls:#?}");
    for (operation, _) in came.iter().filter(|(_, (against, _))| *against == "sandbox") {
        assert!(calls.iter().any(|call| call.operation == **operation), "{operation}");
    }
    compare(&page(&came));
}

fn compare(page: &str) {
    if variable_if_set(WRITE).is_some() {
        std::fs::write(PAGE, page).unwrap();
    }
    let kept = std::fs::read_to_string(Path::new(PAGE)).unwrap_or_default();
    assert!(
        kept == page,
        "docs/operations-tested.md is not what ran: run `{WRITE}=1 cargo xtask test -- -E \
         'test(every_operation)'` and look at the difference"
    );
}

fn page(came: &BTreeMap<&str, (&str, String)>) -> String {
    let count = |against: &str, is_ok: bool| {
        let fits = came.values().filter(|(a, outcome)| *a == against && (outcome == "ok") == is_ok);
        fits.count()
    };
    let mut text = format!(
        "# Operations that are tested\n\n\
         The {} operations of the canonical playbooks, each called through Stanch's client by\n\
         `plugins/aws/tests/it/sweep.rs`, which writes this page and fails when it is not what ran.\n\n\
         | against | answered | refused with the code that is expected |\n|---|--:|--:|\n\
         | moto, which others wrote | {} | {} |\n| the sandbox, from AWS's models | {} | {} |\n\n\
         moto keeps state, and knows nothing of tokens, external ids and trust. The sandbox holds each\n\
         request against AWS's model and answers in its shape. Neither is AWS.\n",
        came.len(),
        count("moto", true),
        count("moto", false),
        count("sandbox", true),
        count("sandbox", false),
    );
    let mut service = "";
    for (operation, (against, outcome)) in came {
        let (own, name) = operation.split_once(':').unwrap();
        if own != service {
            service = own;
            write!(text, "\n## {service}\n\n| operation | against | outcome |\n|---|---|---|\n")
                .unwrap();
        }
        let outcome = if outcome == "ok" { "answered" } else { outcome };
        writeln!(text, "| {name} | {against} | {outcome} |").unwrap();
    }
    text
}
