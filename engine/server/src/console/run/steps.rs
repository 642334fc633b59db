//! The steps of a run, as its journal tells of them.

use std::collections::BTreeMap;

use serde_json::Value;
use stanch_engine_core::step::StepKey;

use crate::console::show::{badge, items, moment, plain, table, word};
use crate::html::{Html, html};

/// Members of a step's arguments that say in a word what it is about, the first that is there.
const TELLING: &[&str] =
    &["operation", "action", "title", "playbook", "label", "message", "name", "text"];

/// Members of a step's arguments that hold an operation.
const WITHIN: &[&str] = &["change", "probe", "input"];

/// What is known of a step.
#[derive(Default)]
struct Step<'j> {
    verb: &'j str,
    args: Option<&'j Value>,
    status: &'static str,
    at: Option<&'j Value>,
    error: Option<&'j Value>,
}

/// Steps by their places.
fn read(journal: &Value) -> BTreeMap<Vec<u32>, (&str, Step<'_>)> {
    let mut steps: BTreeMap<Vec<u32>, (&str, Step<'_>)> = BTreeMap::new();
    for entry in items(&journal["items"]) {
        let body = &entry["body"];
        let Some(key) = body["key"].as_str() else { continue };
        let status = match word(entry, "kind") {
            "step_gated" => "pending",
            "step_scheduled" | "step_progressed" | "step_attempted" | "step_repeated" => "running",
            "step_retried" => "retrying",
            "step_doubted" => "in_doubt",
            "step_succeeded" => "succeeded",
            "step_failed" => "failed",
            _ => continue,
        };
        let (named, step) = steps.entry(StepKey::from(key).place()).or_default();
        *named = key;
        if let Some(verb) = body["head"]["verb"].as_str() {
            (step.verb, step.args) = (verb, body["head"].get("args"));
        }
        (step.status, step.at) = (status, Some(&entry["at"]));
        step.error = body.get("error");
    }
    steps
}

/// What a step is about, in a word or two: what it is called, and which operations it is.
fn telling(args: Option<&Value>) -> String {
    let Some(args) = args else { return String::new() };
    let told = TELLING.iter().find_map(|name| args[*name].as_str());
    let within = WITHIN.iter().filter_map(|name| args[*name]["operation"].as_str());
    let planned = items(&args["plan"]["items"]).iter().map(|change| word(change, "operation"));
    told.into_iter().chain(within).chain(planned).collect::<Vec<_>>().join(" ")
}

/// A table of the steps. `undo` gives the form that takes a step back.
pub(super) fn show(journal: &Value, undo: impl Fn(&str) -> Option<Html>) -> Html {
    let row = |(key, step): (&str, Step<'_>)| {
        // Only a change, or the plan that it was in, can be taken back.
        let can_be = step.status == "succeeded" && ["change", "execute"].contains(&step.verb);
        let undo = if can_be { undo(key) } else { None };
        let error = step.error.map(|error| html!("<pre class=\"bad\">" {plain(error)} "</pre>"));
        vec![
            html!("<code>" {key} "</code>"),
            html!({step.verb} " " {telling(step.args)}),
            html!((badge(step.status))(error)),
            html!({ step.at.map(moment).unwrap_or_default() }),
            html!((undo)),
        ]
    };
    let rows = read(journal).into_values().map(row).collect();
    table("steps", &["Step", "What", "Status", "Last", "Undo"], rows, "It has made none yet.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_step_is_what_its_last_entry_says_and_steps_stand_in_their_order() {
        let head = |verb: &str| json!({"verb": verb, "args": {"operation": "iam:UpdateAccessKey"}});
        let entry = |kind: &str, body: Value| json!({"kind": kind, "at": "2026-11-24T03:00:00Z", "body": body});
        let journal = json!({"items": [
            entry("started", json!({})),
            entry("step_scheduled", json!({"key": "10", "head": head("execute")})),
            entry("step_scheduled", json!({"key": "2", "head": head("change")})),
            entry("step_succeeded", json!({"key": "2", "result": 1})),
            entry("step_failed", json!({"key": "10", "error": {"code": "x"}})),
        ]});
        let steps: Vec<_> = read(&journal).into_values().collect();
        let told: Vec<_> = steps.iter().map(|(key, step)| (*key, step.verb, step.status)).collect();
        assert_eq!(told, [("2", "change", "succeeded"), ("10", "execute", "failed")]);
        let cut = json!({"operation": "iam:UpdateAccessKey"});
        for (args, says) in [
            (json!({"change": cut, "item": 0, "plan": "aa"}), "iam:UpdateAccessKey"),
            (json!({"plan": {"items": [cut, cut]}}), "iam:UpdateAccessKey iam:UpdateAccessKey"),
            (json!({"action": "aws.call", "input": cut}), "aws.call iam:UpdateAccessKey"),
        ] {
            assert_eq!(telling(Some(&args)), says);
        }
        let page = show(&journal, |step| Some(html!("undo " {step}))).into_string();
        assert!(page.contains("undo 2") && !page.contains("undo 10"), "{page}");
    }
}
