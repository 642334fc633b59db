//! What a simulation showed: each step and who answered it, what people were asked, and the plan.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stanch_engine_core::command::{ExecuteArgs, Verb, summary};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::journal::{Entry, Event, Head};
use stanch_engine_core::operation::Operations;
use stanch_engine_core::plan::{Change, Plan};
use stanch_engine_core::run::RunStatus;
use stanch_engine_core::step::StepKey;
use stanch_engine_runtime::Runtime;
use stanch_engine_store::approvals;
use stanch_engine_store::runs::Run;

use super::calls::Answerer;
use super::drive::{End, entries, every_run};
use super::stage::Stage;
use crate::output;

/// Approvals that are shown: more than a person reads.
const APPROVALS: u32 = 10_000;

/// The report.
pub(super) async fn of(stage: &Stage, end: &End) -> anyhow::Result<Value> {
    let runtime = &stage.node.runtime;
    let (mut steps, mut plans, mut approvals) = (Vec::new(), Plans::default(), Vec::new());
    let (mut runs, mut notes) = (Vec::new(), stage.notes.clone());
    for run in every_run(runtime).await? {
        let entries = entries(runtime, &run).await?;
        let told = told(stage, &run, &entries);
        notes.extend(told.iter().filter_map(suspicion));
        steps.extend(told);
        entries.iter().filter_map(executed).for_each(|plan| plans.add(runtime, &plan));
        approvals.extend(asked(runtime, &run, &mut plans).await?);
        if run.generation > 1 {
            let (name, count) = (&run.playbook, run.generation);
            notes.push(format!(
                "`{name}` began {count} times: its steps are those of the last time"
            ));
        }
        runs.push(shown(&run));
    }
    match end {
        End::Ended => {}
        End::Waits(what) => notes.push(format!(
            "it waits, and nothing that would wake it was given: {what} (a signal: `--signal`)"
        )),
        End::Endless(name) => {
            notes.push(format!("`{name}` begins anew again and again: it was stopped"));
        }
        End::Stopped => notes.push("it was stopped before its end".to_owned()),
        End::OutOfTime(at) => {
            notes.push(format!("it would go on at {at}, which is past `--within`"));
        }
    }
    let imagined = steps.iter().filter(|step| step["answered_by"] == "stand_in").count();
    let root = runs.iter().find(|run| run["id"] == stage.run.to_string());
    Ok(json!({
        "run": root, "runs": runs, "steps": steps, "plans": plans.0.into_values().collect::<Vec<_>>(),
        "approvals": approvals, "answered_by_stand_in": imagined, "notes": notes,
    }))
}

/// Whether the playbook came to a good end.
pub(super) fn is_good(report: &Value) -> bool {
    report["run"]["status"] == RunStatus::Succeeded.as_str()
}

fn shown(run: &Run) -> Value {
    let outcome = run.outcome.as_ref().map(stanch_engine_core::json::Json::value);
    let part = |name: &str| outcome.as_ref().and_then(|o| o.get(name)).cloned();
    json!({
        "id": run.id, "playbook": run.playbook, "digest": run.digest, "status": run.status,
        "parent_id": run.parent.as_ref().map(|parent| parent.run), "result": part("result"),
        "error": part("error"), "parked": part("parked"),
    })
}

/// The steps of a run, in the order in which they began.
fn told(stage: &Stage, run: &Run, entries: &[Entry]) -> Vec<Value> {
    let (mut order, mut heads) = (Vec::new(), BTreeMap::new());
    let mut ends: BTreeMap<StepKey, (&str, Value)> = BTreeMap::new();
    let mut not_made: BTreeMap<StepKey, Value> = BTreeMap::new();
    for entry in entries {
        let Some(key) = entry.event.step() else { continue };
        if let Some(head) = entry.event.head()
            && !heads.contains_key(key)
        {
            heads.insert(key.clone(), head.clone());
            order.push(key.clone());
        }
        match &entry.event {
            Event::StepSucceeded(done) => {
                ends.insert(key.clone(), ("succeeded", done.result.value()));
                let call = done.call.as_ref().map(stanch_engine_core::json::Json::value);
                if let Some(call) = call.filter(|call| !call["would_call"].is_null()) {
                    not_made.insert(key.clone(), call["why"].clone());
                }
            }
            Event::StepFailed(failed) => {
                ends.insert(key.clone(), ("failed", json!(failed.error)));
            }
            _ => {}
        }
    }
    let step = |key: StepKey| {
        let head: Head = heads.get(&key)?.clone();
        let args = head.args.value();
        let (status, value) = ends.get(&key).cloned().unwrap_or(("open", Value::Null));
        let answerer = stage.calls.answerer(run.id, &key.to_string());
        let is_change = matches!(head.verb, Verb::Change | Verb::Probe | Verb::Execute);
        Some(json!({
            "run": run.id, "step": key, "line": head.position.line, "verb": head.verb.as_str(),
            "summary": summary(head.verb, &args), "status": status,
            "answered_by": answerer.map(Answerer::as_str),
            "error": (status == "failed").then(|| value.clone()),
            "result": is_change.then_some(value), "not_made": not_made.get(&key),
        }))
    };
    order.into_iter().filter_map(step).collect()
}

/// A probe that passes where nothing was changed.
fn suspicion(step: &Value) -> Option<String> {
    let is_real = matches!(step["answered_by"].as_str(), Some("live" | "recorded"));
    (is_real && step["result"]["value"]["seen"]["passes"] == true).then(|| {
        let what = output::text(&step["summary"]);
        format!("{what} passes although nothing was changed: it is so already, or it shows nothing")
    })
}

fn executed(entry: &Entry) -> Option<Plan> {
    let head = entry.event.head().filter(|head| head.verb == Verb::Execute)?;
    Some(head.args.read::<ExecuteArgs>().ok()?.plan)
}

/// Plans by their digests.
#[derive(Default)]
struct Plans(BTreeMap<Sha256, Value>);

impl Plans {
    fn add(&mut self, runtime: &Runtime, plan: &Plan) {
        let operations = runtime.catalogue().operations();
        let changes = plan.items.iter().map(|change| planned(operations.as_ref(), change));
        let changes: Vec<Value> = changes.collect();
        let digest = plan.digest();
        let shown = json!({"sha256": digest, "purpose": plan.purpose, "changes": changes});
        self.0.entry(digest).or_insert(shown);
    }
}

fn planned(operations: &dyn Operations, change: &Change) -> Value {
    let needed = operations.iam_actions(&change.operation);
    let probe = change.probe.as_ref();
    json!({
        "operation": change.operation, "params": change.params, "account": change.account,
        "region": change.region, "effect": operations.effect(&change.operation).ok(),
        "iam_actions": needed.map(|needed| needed.actions), "marks": change.marks(),
        "undone_by": change.inverse.as_ref().map(|inverse| {
            json!({"operation": inverse.operation, "params": inverse.params})
        }),
        "probed_by": probe.map(|probe| {
            json!({"operation": probe.operation, "expression": probe.expression})
        }),
        "notes": change.notes,
    })
}

/// What people were asked, and what they said.
async fn asked(runtime: &Runtime, run: &Run, plans: &mut Plans) -> anyhow::Result<Vec<Value>> {
    let read = runtime.store().read(|conn| Box::pin(approvals::list(conn, None, None, APPROVALS)));
    let mut shown = Vec::new();
    for approval in read.await?.into_iter().rev().filter(|approval| approval.run == run.id) {
        if let Some(plan) = &approval.plan {
            plans.add(runtime, plan);
        }
        shown.push(json!({
            "title": approval.title, "step": approval.step, "approvers": approval.approvers,
            "quorum": approval.quorum, "form": approval.form, "plan_sha256": approval.plan_digest,
            "expires_after_ms": approval.expires_at.ms_since(approval.requested_at),
            "status": approval.status,
        }));
    }
    Ok(shown)
}

/// Prints it for people.
pub(super) fn print(report: &Value) {
    let steps = report["steps"].as_array().map_or(&[][..], Vec::as_slice);
    for of_run in steps.chunk_by(|one, next| one["run"] == next["run"]) {
        let runs = report["runs"].as_array().into_iter().flatten();
        let run = runs.into_iter().find(|run| run["id"] == of_run[0]["run"]);
        println!("\n{}", run.map(|run| output::text(&run["playbook"])).unwrap_or_default());
        print_steps(of_run);
    }
    for approval in report["approvals"].as_array().into_iter().flatten() {
        println!(
            "\nasked: {}\n  {} of {}: {}",
            output::text(&approval["title"]),
            approval["quorum"],
            output::text(&approval["approvers"]),
            output::text(&approval["status"]),
        );
    }
    report["plans"].as_array().into_iter().flatten().for_each(print_plan);
    let run = &report["run"];
    println!("\n{} {}", output::text(&run["playbook"]), output::text(&run["status"]));
    for name in ["result", "error", "parked"] {
        if !run[name].is_null() {
            println!("  {name}: {}", run[name]);
        }
    }
    println!("  nothing was changed");
    match report["answered_by_stand_in"].as_u64() {
        Some(0) | None => {}
        Some(count) => println!("  {count} steps were answered by the stand-in for AWS"),
    }
    for note in report["notes"].as_array().into_iter().flatten() {
        println!("  note: {}", output::text(note));
    }
}

/// Prints steps by phases. What is done again and again stands there once.
fn print_steps(steps: &[Value]) {
    for phase in steps.chunk_by(|_, next| next["verb"] != "phase") {
        let mut lines: Vec<(String, u32)> = Vec::new();
        for step in phase {
            let line = match step["verb"] == "phase" {
                true => format!("\n  {}", output::text(&step["summary"])),
                false => format!("    {}", line(step)),
            };
            match lines.iter_mut().find(|(known, _)| *known == line) {
                Some((_, times)) => *times += 1,
                None => lines.push((line, 1)),
            }
        }
        for (line, times) in lines {
            match times {
                1 => println!("{line}"),
                times => println!("{line}  ({times} times)"),
            }
        }
    }
}

fn line(step: &Value) -> String {
    let mut line =
        format!("{:<9} {}", output::text(&step["status"]), output::text(&step["summary"]));
    if let Some(by) = step["answered_by"].as_str() {
        line += &format!("  [{by}]");
    }
    if !step["error"].is_null() {
        line += &format!(
            "  {}: {}",
            output::text(&step["error"]["code"]),
            output::text(&step["error"]["message"])
        );
    }
    let result = &step["result"];
    let why = step["not_made"].as_str().or_else(|| result["would_call"].as_str());
    if let Some(why) = why {
        line += &format!("  would be called, but {why}");
    }
    if let Some(passes) = result["passes"].as_bool() {
        let said = if passes { "passes" } else { "does not pass" };
        line += &format!("  {said}");
        if result["value"]["assumed"] == true {
            line += " (assumed)";
        }
    }
    line
}

fn print_plan(plan: &Value) {
    println!(
        "\nplan to {} (sha256 {})",
        output::text(&plan["purpose"]),
        output::text(&plan["sha256"])
    );
    for change in plan["changes"].as_array().into_iter().flatten() {
        let place = [&change["account"], &change["region"]].map(output::text).join(" ");
        println!(
            "  - {} [{}] in {place}",
            output::text(&change["operation"]),
            output::text(&change["effect"])
        );
        println!("      {}", change["params"]);
        println!(
            "      probed by {}",
            either(&change["probed_by"]["operation"], "NOTHING: it is UNVERIFIED")
        );
        println!(
            "      undone by {}",
            either(&change["undone_by"]["operation"], "NOTHING: it is FINAL")
        );
        println!("      needs {}", output::text(&change["iam_actions"]));
        for note in change["notes"].as_array().into_iter().flatten() {
            println!("      note: {}", output::text(note));
        }
    }
}

fn either(value: &Value, otherwise: &str) -> String {
    value.as_str().unwrap_or(otherwise).to_owned()
}
