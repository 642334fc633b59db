//! What happened in an incident, in one list by time.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;
use stanch_engine_core::command::{Verb, summary};
use stanch_engine_core::custody::{CustodyAction, Record};
use stanch_engine_core::guard::is_would_call;
use stanch_engine_core::id::{IncidentId, RunId};
use stanch_engine_core::journal::{Entry, Event, Head};
use stanch_engine_core::json::Json;
use stanch_engine_core::step::StepKey;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::custody::{self, Stored};
use stanch_engine_store::{
    StoreError, alerts, approvals, evidence, journal, milestones, pages, runs,
};

use crate::retention::is_archived;
use crate::runtime::Runtime;

/// Kinds of journal entries that people want to see.
const TOLD: &[&str] = &[
    "started",
    "step_gated",
    "step_scheduled",
    "step_succeeded",
    "step_failed",
    "step_doubted",
    "step_retried",
    "paused",
    "resumed",
    "parked",
    "unparked",
    "ended",
];

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// What kind of thing it was: alert, run, step, approval, decision, milestone, page, evidence,
    /// note, work.
    pub kind: &'static str,
    /// In words.
    pub text: String,
    /// The id of what it is about, with the step where there is one.
    pub about: String,
}

/// The timeline of an incident.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_incident(runtime: &Runtime, id: IncidentId) -> Result<Vec<Line>, StoreError> {
    let mut lines = Vec::new();
    of_alerts(runtime, id, &mut lines).await?;
    of_runs(runtime, id, &mut lines).await?;
    of_people(runtime, id, &mut lines).await?;
    let marked = runtime.store().read(|c| Box::pin(milestones::of_incident(c, id))).await?;
    lines.extend(marked.into_iter().map(|m| Line {
        at: m.at,
        kind: "milestone",
        text: format!("{} ({})", m.milestone, m.source),
        about: id.to_string(),
    }));
    let items = runtime.store().read(|c| Box::pin(evidence::of_incident(c, id))).await?;
    lines.extend(items.into_iter().map(|item| Line {
        at: item.captured_at,
        kind: "evidence",
        text: format!("{} ({} bytes, sha256 {})", item.label, item.bytes, item.sha256),
        about: item.id.to_string(),
    }));
    of_work(runtime, id, &mut lines).await?;
    lines.sort_by_key(|line| line.at);
    Ok(lines)
}

/// What people did by hand: notes, verdicts, the end of it.
async fn of_work(
    runtime: &Runtime,
    id: IncidentId,
    lines: &mut Vec<Line>,
) -> Result<(), StoreError> {
    let stored = runtime.store().read(|c| Box::pin(custody::records(c, id, u64::MAX))).await?;
    for (Record { at, actor, action, .. }, detail) in stored.iter().filter_map(Stored::read) {
        let text = |name: &str| detail.get(name).and_then(|value| value.as_str());
        if let (Some("reconciliation"), Some(alert)) = (text("found"), text("alert")) {
            let title = text("title").unwrap_or_default();
            let text = format!("found by reconciliation, and never sent to us: {title}");
            lines.push(Line { at, kind: "alert", text, about: alert.to_owned() });
        }
        let word = match action {
            CustodyAction::Held => Some("hold"),
            CustodyAction::Released => Some("release"),
            CustodyAction::DeletedByRetention => Some("deletion"),
            // What was decided about an approval stands there by itself.
            _ => text("decision"),
        };
        let Some(word) = word else { continue };
        let what = text("text").or_else(|| text("verdict")).or_else(|| text("milestone"));
        let what = what.or_else(|| text("into")).or_else(|| text("from")).or_else(|| text("label"));
        let why = text("reason").filter(|reason| !reason.is_empty());
        let said = [what, why].into_iter().flatten().collect::<Vec<_>>().join(": ");
        let kind = if word == "note" { "note" } else { "work" };
        let text = format!("{word} by {actor}: {said}");
        lines.push(Line { at, kind, text, about: id.to_string() });
    }
    Ok(())
}

async fn of_alerts(
    runtime: &Runtime,
    id: IncidentId,
    lines: &mut Vec<Line>,
) -> Result<(), StoreError> {
    let alerts = runtime.store().read(|c| Box::pin(alerts::of_incident(c, id))).await?;
    lines.extend(alerts.into_iter().map(|stored| Line {
        at: stored.received_at,
        kind: "alert",
        text: format!(
            "{} ({}, {}){}",
            stored.alert.title,
            stored.alert.kind,
            stored.severity,
            stored.joined.as_ref().map(why_joined).unwrap_or_default()
        ),
        about: stored.id.to_string(),
    }));
    Ok(())
}

/// Why an alert is here, where the incident did not begin with it.
fn why_joined(why: &Json) -> String {
    let why = why.value();
    let text = |path: &str| why.pointer(path).and_then(Value::as_str);
    if let (Some(run), Some(call)) = (text("/echo/run"), text("/echo/call")) {
        return format!("; our own work: {call} was asked for by {run}");
    }
    if let (Some(rule), Some(key)) = (text("/rule"), text("/key")) {
        return format!("; joined by the rule {rule}: {key}");
    }
    text("/storm").map(|name| format!("; a part of the storm {name}")).unwrap_or_default()
}

async fn of_runs(
    runtime: &Runtime,
    id: IncidentId,
    lines: &mut Vec<Line>,
) -> Result<(), StoreError> {
    let mut entries = runtime.store().read(|c| Box::pin(journal::of_incident(c, id, TOLD))).await?;
    let runs = runtime.store().read(|c| Box::pin(runs::of_incident(c, id))).await?;
    for run in runs.iter().filter(|run| is_archived(run)) {
        let archived = runtime.journal_of(run.id).await?.into_iter();
        let told = archived.filter(|entry| TOLD.contains(&entry.event.kind()));
        entries.extend(told.map(|entry| (run.id, entry)));
    }
    let mut heads: HashMap<(RunId, StepKey), Head> = HashMap::new();
    for (run, entry) in entries {
        if let (Some(key), Some(head)) = (entry.event.step(), entry.event.head()) {
            heads.insert((run, key.clone()), head.clone());
        }
        let head = entry.event.step().and_then(|key| heads.get(&(run, key.clone())));
        if let Some(text) = tell(&entry, head) {
            let kind = if entry.event.step().is_some() { "step" } else { "run" };
            let about = match entry.event.step() {
                Some(key) => format!("{run} {key}"),
                None => run.to_string(),
            };
            lines.push(Line { at: entry.at, kind, text, about });
        }
    }
    Ok(())
}

fn tell(entry: &Entry, head: Option<&Head>) -> Option<String> {
    let what = head.map(|head| summary(head.verb, &head.args.value())).unwrap_or_default();
    let is_change = head.is_some_and(|h| matches!(h.verb, Verb::Change));
    Some(match &entry.event {
        Event::Started(started) => format!("{} began ({})", started.playbook, started.requester),
        Event::StepGated(_) => format!("{what}: people are asked first"),
        Event::StepScheduled(_) if is_change => format!("{what}: about to be sent"),
        Event::StepScheduled(_) => return None,
        Event::StepAttempted(again) if is_change => {
            format!("{what}: about to be sent again, attempt {}", again.attempt)
        }
        Event::StepSucceeded(done) => {
            let result = done.result.value();
            match head.map(|head| head.verb) {
                Some(Verb::Now | Verb::Sleep | Verb::Execute) => return None,
                Some(Verb::Probe) => {
                    let passes = result.get("passes") == Some(&serde_json::Value::Bool(true));
                    format!("{what}: {}", if passes { "it is effective" } else { "not yet" })
                }
                Some(Verb::Change) if is_would_call(&result) => {
                    format!("{what}: would be called, and was not")
                }
                Some(Verb::Change) => format!("{what}: accepted"),
                Some(Verb::Approval) => {
                    let outcome = result.get("outcome").and_then(|o| o.as_str());
                    format!("{what}: {}", outcome.unwrap_or_default())
                }
                _ => what,
            }
        }
        Event::StepFailed(failed) => format!("{what}: failed: {}", failed.error),
        Event::StepDoubted(doubted) => format!("{what}: in doubt: {}", doubted.error.message),
        Event::StepRetried(retried) => {
            format!("{what}: attempt {} failed: {}", retried.attempt, retried.error)
        }
        Event::Paused(person) => format!("paused by {}: {}", person.by, person.reason),
        Event::Resumed(person) => format!("resumed by {}: {}", person.by, person.reason),
        Event::Parked(parked) => format!("parked ({}): {}", parked.reason.as_str(), parked.detail),
        Event::Unparked(person) => format!("taken up again by {}: {}", person.by, person.reason),
        Event::CancelRequested(person) => {
            format!("to be ended by {}: {}", person.by, person.reason)
        }
        Event::Ended(ended) => match &ended.error {
            Some(error) => format!("{}: {error}", ended.status),
            None => ended.status.to_string(),
        },
        _ => return None,
    })
}

async fn of_people(
    runtime: &Runtime,
    id: IncidentId,
    lines: &mut Vec<Line>,
) -> Result<(), StoreError> {
    let approvals = runtime.store().read(|c| Box::pin(approvals::of_incident(c, id))).await?;
    for approval in approvals {
        let about = approval.id.to_string();
        lines.push(Line {
            at: approval.requested_at,
            kind: "approval",
            text: format!("{} (asked: {})", approval.title, approval.approvers.join(", ")),
            about: about.clone(),
        });
        let of = approval.id;
        let decisions = runtime.store().read(|c| Box::pin(approvals::history(c, of))).await?;
        for approvals::Given { decision, revoked_at } in decisions {
            let (answer, person) = (decision.answer.as_str(), decision.person);
            let word = if decision.is_break_glass { "BREAK-GLASS" } else { answer };
            let others: Vec<_> = decision.on_behalf.into_iter().collect();
            let for_whom = if others.is_empty() {
                String::new()
            } else {
                format!(" for {}", others.join(", "))
            };
            let text = format!("{word} by {person}{for_whom}: {}", decision.reason);
            lines.push(Line { at: decision.at, kind: "decision", text, about: about.clone() });
            if let Some(at) = revoked_at {
                let text = format!("{answer} by {person}: does not count any more");
                lines.push(Line { at, kind: "decision", text, about: about.clone() });
            }
        }
    }
    let pages = runtime.store().read(|c| Box::pin(pages::of_incident(c, id))).await?;
    for page in pages {
        let about = page.id.to_string();
        lines.push(Line {
            at: page.raised_at,
            kind: "page",
            text: page.message,
            about: about.clone(),
        });
        if let (Some(at), Some(by)) = (page.taken_at, page.taken_by) {
            lines.push(Line { at, kind: "page", text: format!("taken by {by}"), about });
        }
    }
    Ok(())
}
