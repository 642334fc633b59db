//! Options that are written out: their names, and the values that can be read where they stand.

use rhai::Expr;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stanch_engine_core::approval::ApprovalOptions;
use stanch_engine_core::command::{CollectOptions, Regions, StepOptions};
use stanch_engine_core::each::EachOptions;
use stanch_engine_core::span::Span;
use stanch_engine_core::suggest;

use crate::calls::Call;
use crate::codec;
use crate::error::{Diagnostic, position};

/// What any action may be told.
const STEP: [&str; 7] = ["account", "attempts", "on_error", "region", "retry", "role", "timeout"];

/// Which argument of a verb holds its options, and what may be in them.
pub(super) fn options_of(verb: &str) -> Option<(usize, Vec<&'static str>)> {
    let with_step = |more: &[&'static str]| STEP.iter().chain(more).copied().collect();
    Some(match verb {
        "aws" => (2, with_step(&["paginate", "regions"])),
        "ssm_automation" => (2, with_step(&["version"])),
        "ssm_command" => (2, with_step(COMMAND)),
        "http" => (2, with_step(&["body", "headers", "effect"])),
        "action" => (2, with_step(&[])),
        "wait_for" => (2, with_step(&["every"])),
        "collect" => (3, vec!["account", "content", "regions", "role", "since"]),
        "approval" => (1, vec!["plan", "approvers", "quorum", "expires", "escalate", "form"]),
        "change" => (
            2,
            vec!["account", "region", "probe", "inverse", "before", "given", "settles", "notes"],
        ),
        "probe" => (3, vec!["account", "region", "errors", "passes_on", "within", "every"]),
        "plan" => (1, vec!["purpose"]),
        "each" => (1, vec!["canary", "max_concurrency", "max_errors", "waves"]),
        "wait_signal" => (1, vec!["timeout"]),
        "run_playbook" => (2, vec!["timeout"]),
        "wait_until" => (1, vec!["every", "timeout"]),
        _ => return None,
    })
}

/// What `ssm_command` may be told beside.
const COMMAND: &[&str] = &[
    "bucket",
    "comment",
    "instances",
    "max_concurrency",
    "max_errors",
    "prefix",
    "require",
    "targets",
    "version",
];

/// Options of a verb that it does not have, and values that it can't read.
pub(super) fn check(call: &Call) -> Vec<Diagnostic> {
    let Some((number, known)) = options_of(&call.name) else { return Vec::new() };
    if call.alias.is_some() || call.is_method {
        return Vec::new();
    }
    let mut found = Vec::new();
    for name in call.members(number).unwrap_or_default() {
        let (at, value) = match call.args.get(number) {
            Some(Expr::Map(map, _)) => {
                let member = map.0.iter().find(|(member, _)| member.name == name);
                member.map_or((call.at, None), |(member, value)| (member.pos, Some(value)))
            }
            _ => (call.at, None),
        };
        if !known.contains(&name.as_str()) {
            let hint = suggest::hint(&name, known.iter().copied());
            let message = format!(
                "`{}` has no option `{name}`{hint}: it has {}",
                call.name,
                known.join(", ")
            );
            found.push(Diagnostic::error(position(at), message));
            continue;
        }
        let value = value.and_then(|value| value.get_literal_value(None));
        let value = value.and_then(|value| codec::to_json(&value).ok());
        if let Some(why) = value.and_then(|value| unreadable(&call.name, &name, value.value())) {
            found.push(Diagnostic::error(position(at), format!("option `{name}`: {why}")));
        }
    }
    found
}

/// Why the value of an option can't be read, if it can't.
fn unreadable(verb: &str, name: &str, value: Value) -> Option<String> {
    match (verb, name) {
        (_, "paginate") => {
            let fits =
                value.is_boolean() || value == "auto" || value.as_u64().is_some_and(|n| n > 0);
            (!fits).then(|| "true, false, \"auto\" or a number of items from 1".to_owned())
        }
        ("aws", "regions") => wrong::<Regions>(&value)
            .map(|_| "\"enabled\", the name of a region, or a list of names".to_owned()),
        (_, "every" | "within" | "timeout" | "since" | "expires") => wrong::<Span>(&value),
        ("collect", _) => wrong::<CollectOptions>(&json!({ name: value })),
        ("each", _) => wrong::<EachOptions>(&json!({ name: value })),
        ("approval", "quorum") => serde_json::from_value::<ApprovalOptions>(json!({ name: value }))
            .map_or_else(|error| Some(error.to_string()), |options| options.check().err()),
        ("approval", _) => wrong::<ApprovalOptions>(&json!({ name: value })),
        // A word says whether the other side may be asked twice, and a map how it is tried again.
        ("http", "retry") if value.is_string() => {
            let fits = ["natural", "never", "token"].iter().any(|word| value == *word);
            (!fits).then(|| "\"natural\", \"never\", \"token\", or a map".to_owned())
        }
        _ if STEP.contains(&name) => wrong::<StepOptions>(&json!({ name: value })),
        (_, "require") => {
            let fits = ["all", "any", "none"].iter().any(|word| value == *word);
            (!fits).then(|| "\"all\", \"any\" or \"none\"".to_owned())
        }
        _ => None,
    }
}

fn wrong<T: DeserializeOwned>(value: &Value) -> Option<String> {
    let why = T::deserialize(value).err()?.to_string();
    (!why.starts_with("missing field")).then_some(why)
}

#[cfg(test)]
mod tests {
    use stanch_engine_core::plan::{Change, Plan, Probe};

    use super::*;

    /// The members that a type has, by its own words.
    fn members<T: DeserializeOwned>() -> Vec<String> {
        let error = serde_json::from_str::<T>("{\"?\": 1}").err().unwrap().to_string();
        let (_, names) = error.split_once("expected ").unwrap();
        names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    fn is_all_of<T: DeserializeOwned>(verb: &str, elsewhere: &[&str]) {
        let (_, mut known) = options_of(verb).unwrap();
        known.extend(elsewhere);
        known.sort_unstable();
        let mut members = members::<T>();
        members.sort();
        assert_eq!(known, members, "{verb}");
    }

    #[test]
    fn the_options_are_those_that_the_engine_reads() {
        is_all_of::<StepOptions>("action", &[]);
        is_all_of::<CollectOptions>("collect", &[]);
        is_all_of::<ApprovalOptions>("approval", &[]);
        is_all_of::<Change>("change", &["document", "operation", "params"]);
        is_all_of::<Probe>("probe", &["operation", "params", "expression"]);
        is_all_of::<Plan>("plan", &["items"]);
        is_all_of::<EachOptions>("each", &[]);
    }
}
