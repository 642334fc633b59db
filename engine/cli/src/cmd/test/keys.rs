//! Rules of correlation that are scripts, tried with the payloads beside them.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use stanch_engine_runtime::correlators::Correlator;
use stanch_plugins_sdk::Catalogue;

use super::{Tried, cases, json_of};

/// The file beside a payload.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// The keys, in any order; none where the script leaves the alert to others.
    keys: Vec<String>,
    /// Whether the built-in rules are left out.
    only: Option<bool>,
}

/// Tries a script with its examples.
pub(super) fn try_all(
    catalogue: &Catalogue,
    script: &Correlator,
    file: &Path,
) -> anyhow::Result<Vec<Tried>> {
    let files = cases(&file.with_extension(""))?;
    files.into_iter().map(|file| try_one(catalogue, script, file)).collect()
}

fn try_one(catalogue: &Catalogue, script: &Correlator, file: PathBuf) -> anyhow::Result<Tried> {
    let source = script.name().to_owned();
    let beside = file.with_extension("expected.json");
    let failures = if beside.is_file() {
        let expected: Expected = serde_json::from_value(json_of(&beside)?)
            .map_err(|error| anyhow::anyhow!("{}: {error}", beside.display()))?;
        compare(catalogue, script, &json_of(&file)?, &expected)
    } else {
        let why = format!("there is no {}: it holds `{{\"keys\": [\"…\"]}}`", beside.display());
        vec![why]
    };
    Ok(Tried { source, file, failures })
}

fn compare(
    catalogue: &Catalogue,
    script: &Correlator,
    payload: &Value,
    expected: &Expected,
) -> Vec<String> {
    let read = catalogue.read("auto", payload);
    let alerts = match read.map(|reading| reading.alerts) {
        Ok(alerts) if !alerts.is_empty() => alerts,
        Ok(_) => {
            return vec!["no source reads the payload: `stanch normalize` says why".to_owned()];
        }
        Err(why) => return vec![why],
    };
    let mut failures = Vec::new();
    for (number, alert) in alerts.iter().enumerate() {
        let given = match script.keys(alert) {
            Ok(given) => given,
            Err(why) => {
                failures.push(why);
                continue;
            }
        };
        let only = given.as_ref().is_some_and(|given| given.only);
        let sorted = |keys: &[String]| {
            let mut keys = keys.to_vec();
            keys.sort();
            keys
        };
        let (found, wanted) =
            (sorted(&given.map(|it| it.keys).unwrap_or_default()), sorted(&expected.keys));
        if found != wanted {
            failures
                .push(format!("alerts[{number}]: expected the keys {wanted:?}, found {found:?}"));
        }
        if expected.only.is_some_and(|wanted| wanted != only) {
            failures.push(format!("alerts[{number}]: `only` is {only}"));
        }
    }
    failures
}
