//! How a story ended, and that it is the end that it always has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stanch_engine_runtime::evidence::verify;

use super::story::{Life, Plot, Story};
use crate::stage::id;

/// What is to be the same however often the node died.
#[derive(Debug, PartialEq)]
struct Facts {
    alerts: usize,
    incidents: Vec<Value>,
    /// The runs: their playbooks, ends and results.
    runs: Vec<[Value; 3]>,
    /// What each step of each run gave in the end, whatever it took.
    steps: BTreeMap<String, String>,
    /// Who decided what.
    decisions: Vec<String>,
    labels: Vec<Value>,
    milestones: BTreeSet<String>,
}

/// A changing call that reached AWS: what, with what, and with which token.
type Change = (String, String, Option<String>);

/// How a story ended.
#[derive(Debug)]
pub(super) struct Ending {
    facts: Facts,
    changes: Vec<Change>,
    executions: usize,
}

impl Ending {
    pub(super) async fn of(story: &Story, life: &mut Life) -> Self {
        let items =
            async |path: &str| life.get(path).await.unwrap()["items"].as_array().unwrap().clone();
        let incidents = items("/incidents").await;
        let incident = format!("/incidents/{}", id(&incidents[0]["id"]));
        let whole = life.get(&incident).await.unwrap();
        let evidence = items(&format!("{incident}/evidence")).await;
        let mut runs = items("/runs").await;
        runs.reverse();
        let (mut steps, mut decisions) = (BTreeMap::new(), Vec::new());
        for run in &runs {
            let journal = items(&format!("/runs/{}/journal?limit=10000", id(&run["id"]))).await;
            read(run, &journal, &mut steps);
        }
        for approval in items("/approvals").await {
            let shown = life.get(&format!("/approvals/{}", id(&approval["id"]))).await.unwrap();
            let who = shown["decisions"].as_array().unwrap().iter().map(|d| id(&d["person"]));
            decisions.push(format!("{}: {:?}", id(&shown["title"]), who.collect::<Vec<_>>()));
        }
        let bundle = life.caller.as_ref().unwrap().bytes(&format!("{incident}/export")).await;
        let key = std::fs::read_to_string(story.dir.path().join("keys/evidence.pub")).unwrap();
        let verified = verify::verify(&bundle, Some(&key)).unwrap();
        assert_eq!(verified.items, evidence.len() + 1, "what is in the bundle is what was kept");
        let mut labels: Vec<Value> = evidence.iter().map(|item| item["label"].clone()).collect();
        labels.sort_by_key(Value::to_string);
        let milestones = whole["milestones"].as_array().unwrap();
        let facts = Facts {
            alerts: items("/alerts").await.len(),
            incidents: incidents.iter().map(|incident| incident["status"].clone()).collect(),
            runs: runs
                .iter()
                .map(|r| ["playbook", "status", "result"].map(|m| r[m].clone()))
                .collect(),
            steps: anonymous(steps, &runs),
            decisions: anonymous_lines(decisions, &runs),
            labels,
            milestones: milestones.iter().map(|m| id(&m["milestone"])).collect(),
        };
        let calls = story.aws.calls();
        let is_change = |operation: &str| {
            ["Update", "Put", "Delete", "Start", "Tag"]
                .iter()
                .any(|verb| operation.split(':').nth(1).is_some_and(|name| name.starts_with(verb)))
        };
        let changes = calls.iter().filter(|call| is_change(&call.operation));
        let changes = changes
            .map(|c| (c.operation.clone(), without_token(&c.params).to_string(), c.token.clone()));
        let mut changes: Vec<Change> = changes.collect();
        if story.plot == Plot::Branches {
            // Branches come first in any order.
            changes.sort();
        }
        let looked = calls.iter().filter_map(|c| c.params["AutomationExecutionId"].as_str());
        let executions = looked.collect::<BTreeSet<_>>().len();
        Self { facts, changes, executions }
    }

    /// The same end; and what AWS was asked again, it was asked in the same words.
    pub(super) fn is_as_usual(&self, usual: &Self, what: &str) {
        assert_eq!(self.facts, usual.facts, "{what}");
        assert_eq!(self.executions, usual.executions, "{what}: nothing is started twice");
        let mut rest = self.changes.as_slice();
        let is_same = |a: &Change, b: &Change| (&a.0, &a.1) == (&b.0, &b.1);
        for group in usual.changes.chunk_by(is_same) {
            let (operation, _, _) = &group[0];
            let again = rest.iter().take_while(|change| is_same(change, &group[0])).count();
            let (now, later) = rest.split_at(again);
            assert!(
                (group.len()..=group.len() + 1).contains(&again),
                "{what}: {operation} {again} times: {:?}",
                self.changes
            );
            let tokens: BTreeSet<_> = now.iter().map(|change| &change.2).collect();
            assert!(tokens.len() <= group.len(), "{what}: {now:?}");
            rest = later;
        }
        assert!(rest.is_empty(), "{what}: {rest:?}");
    }
}

/// Reads what came of every step; the entries must be whole.
fn read(run: &Value, journal: &[Value], steps: &mut BTreeMap<String, String>) {
    let mut generation = 1;
    for (index, entry) in journal.iter().enumerate() {
        assert_eq!(entry["seq"], index, "the journal is whole");
        let kind = id(&entry["kind"]);
        generation += usize::from(kind == "generation_started");
        if kind == "step_succeeded" || kind == "step_failed" {
            let key = format!("{}/{generation} {}", id(&run["id"]), id(&entry["body"]["key"]));
            let was = steps.insert(key, kind);
            assert_eq!(was, None, "a step ends once");
        }
    }
    assert_eq!(journal.last().unwrap()["kind"], "ended");
}

fn without_token(params: &Value) -> Value {
    let mut params = params.clone();
    if let Some(members) = params.as_object_mut() {
        members.remove("ClientToken");
    }
    params
}

/// Ids differ from story to story.
fn anonymous(steps: BTreeMap<String, String>, runs: &[Value]) -> BTreeMap<String, String> {
    steps.into_iter().map(|(key, kind)| (nameless(&key, runs), kind)).collect()
}

fn anonymous_lines(lines: Vec<String>, runs: &[Value]) -> Vec<String> {
    lines.iter().map(|line| nameless(line, runs)).collect()
}

fn nameless(text: &str, runs: &[Value]) -> String {
    runs.iter().fold(text.to_owned(), |text, run| {
        text.replace(run["id"].as_str().unwrap(), run["playbook"].as_str().unwrap())
    })
}
