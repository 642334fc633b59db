//! Every entry against AWS's models, and against a sample of its own: `samples.json` beside this
//! file has one for each entry, and an entry without one fails.

use serde_json::{Value, json};
use stanch_plugins_sdk::core::plan::{Change, Probe};
use stanch_plugins_sdk::core::probe::{look, search};

use super::*;
use crate::model::{Kind, Model, ModelStore, Shape};
use crate::params;

fn catalogue() -> Vec<(String, Entry)> {
    let read = |(file, text): &(&str, &str)| {
        super::read(text).unwrap_or_else(|error| panic!("{file}.toml: {error}"))
    };
    FILES.iter().flat_map(read).collect()
}

#[test]
fn every_file_is_read_and_no_operation_is_there_twice() {
    let all = catalogue();
    assert!(all.len() > 200, "{}", all.len());
    assert_eq!(all.len(), CATALOGUE.len());
}

#[test]
fn every_changing_operation_that_was_reviewed_has_an_entry() {
    let rows = include_str!("../../catalogue/operations.tsv").lines();
    for line in rows.filter(|line| !line.starts_with('#')) {
        let mut columns = line.split('\t');
        let (operation, effect) = (columns.next().unwrap(), columns.next().unwrap());
        let changes = matches!(effect, "change" | "destroy");
        assert!(!changes || CATALOGUE.contains_key(operation), "{operation} has no entry");
    }
}

#[test]
fn every_entry_says_how_it_is_seen_and_how_it_is_undone() {
    use stanch_plugins_sdk::core::effect::Effect;
    let store = ModelStore::open(None).unwrap();
    let effect = |operation: &str| {
        let named = store.operation(operation).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(named.to_string(), operation);
        crate::effect::of(named)
    };
    for (operation, entry) in catalogue() {
        assert!(effect(&operation) > Effect::Notify, "{operation} changes nothing");
        let shown = [
            entry.becomes.is_some(),
            entry.shows.is_some(),
            entry.gone,
            !entry.probe.is_empty(),
            entry.unverified.is_some(),
        ];
        assert_eq!(shown.iter().filter(|is| **is).count(), 1, "{operation}: one way to see it");
        assert!(
            entry.is_final.is_some() == entry.inverse.is_empty(),
            "{operation}: undone or FINAL"
        );
        assert!(entry.unverified.is_some() || entry.read.is_some(), "{operation}: no read");
        assert!(!entry.gone || !entry.absent.is_empty(), "{operation}: gone, but not absent");
        for read in entry.read.iter().chain(entry.find.as_ref().map(|find| &find.read)) {
            assert_eq!(effect(read), Effect::Read, "{operation}: {read}");
        }
        for inverse in &entry.inverse {
            assert!(effect(&inverse.call) > Effect::Read, "{operation}: {}", inverse.call);
        }
    }
}

#[test]
fn every_template_is_jmespath() {
    for (operation, entry) in catalogue() {
        let find = entry.find.iter().map(|find| &find.params);
        let when = entry.inverse.iter().filter_map(|i| i.when.as_ref());
        let templates = find
            .chain(when)
            .chain(entry.inverse.iter().map(|i| &i.params))
            .chain(entry.probe.iter().map(|p| &p.when))
            .chain([&entry.params])
            .chain(&entry.becomes)
            .chain(entry.names.values())
            .chain(entry.inverse.iter().flat_map(|i| i.given.values()));
        for template in templates {
            let found = search(template, &Value::Null).map_err(|error| error.to_string());
            let unparsable = found.is_err_and(|why| why.contains("Parse error"));
            assert!(!unparsable, "{operation}: {template}");
        }
    }
}

/// A change that an entry is for, what AWS answers before and after it, and what undoes it.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    params: Value,
    found: Option<Value>,
    before: Option<Value>,
    after: Option<Value>,
    inverse: Option<String>,
    /// What AWS answers to the change.
    answer: Option<Value>,
    /// What it answers once it is undone, where that is not word for word what it was.
    undone: Option<Value>,
    /// The other case: what it answers when there was nothing before, and what undoes it then.
    without: Option<Without>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Without {
    before: Value,
    inverse: String,
}

fn samples() -> BTreeMap<String, Sample> {
    serde_json::from_str(include_str!("samples.json")).unwrap()
}

fn said(answer: &Value) -> Said {
    match answer.pointer("/error/code").and_then(Value::as_str) {
        Some(code) => Err(code.to_owned()),
        None => Ok(answer.clone()),
    }
}

/// The change of a sample, completed as `aws.prepare` completes it.
fn completed(
    store: &ModelStore,
    operation: &str,
    sample: &Sample,
    before: Option<&Value>,
) -> Change {
    let entry = &CATALOGUE[operation];
    let context = |why: String| -> String { panic!("{operation}: {why}") };
    let mut draft = Draft::new(store, entry, sample.params.clone()).map_err(context).unwrap();
    if let Some(wanted) = draft.find().map_err(context).unwrap() {
        let found = sample.found.as_ref().unwrap_or_else(|| panic!("{operation} finds something"));
        fits(store, &wanted.operation, found);
        draft.found(found).map_err(context).unwrap();
    }
    let wanted = draft.read().map_err(context).unwrap();
    let seen = wanted.map(|wanted| {
        let before = before.unwrap_or_else(|| panic!("{operation} reads a state"));
        fits(store, &wanted.operation, before);
        let said = said(before);
        assert!(said.as_ref().err().is_none_or(|code| draft.is_absent(code)), "{operation}");
        (wanted, said)
    });
    let done = draft.complete(seen);
    let told = done.notes.iter().find(|note| note.contains("can't be told"));
    assert_eq!(told, None, "{operation}");
    Change {
        operation: operation.to_owned(),
        params: sample.params.clone(),
        probe: done.probe,
        inverse: done.inverse.map(Box::new),
        before: done.before,
        notes: done.notes,
        account: None,
        region: None,
        document: None,
        given: BTreeMap::new(),
        settles: false,
    }
}

/// Whether an answer could be AWS's: every member of it is modelled.
fn fits(store: &ModelStore, operation: &str, answer: &Value) {
    fn walk(model: &Model, shape: &Shape, value: &Value, path: &str) {
        match value {
            Value::Object(members) if shape.kind == Kind::Structure => {
                for (name, value) in members {
                    let member = shape.members.get(&**name);
                    let member = member.unwrap_or_else(|| panic!("{path}.{name} is not modelled"));
                    walk(
                        model,
                        model.shape(&member.shape).unwrap(),
                        value,
                        &format!("{path}.{name}"),
                    );
                }
            }
            Value::Array(items) => {
                let member = shape.member.as_ref().unwrap_or_else(|| panic!("{path} is no list"));
                let shape = model.shape(&member.shape).unwrap();
                items.iter().for_each(|item| walk(model, shape, item, path));
            }
            _ => {}
        }
    }
    if answer.get("error").is_none() {
        let named = store.operation(operation).unwrap();
        let shape = named.model.output(named.operation);
        walk(named.model, shape.unwrap(), answer, operation);
    }
}

fn mistakes(store: &ModelStore, operation: &str, params: &Value) -> Vec<String> {
    let named = store.operation(operation).unwrap();
    let mistakes = params::mistakes(named, params).into_iter();
    mistakes.map(|mistake| format!("{operation}: {mistake}")).collect()
}

fn passes(probe: &Probe, answer: &Value) -> bool {
    look(probe, answer).is_ok_and(|seen| seen.passes)
}

#[test]
fn every_entry_has_a_sample_and_every_sample_an_entry() {
    let samples = samples();
    let entries: Vec<&String> = CATALOGUE.keys().collect();
    assert_eq!(entries, samples.keys().collect::<Vec<_>>());
}

#[test]
fn a_probe_passes_after_the_change_and_not_before_and_never_on_nothing() {
    let store = ModelStore::open(None).unwrap();
    let mut wrong = Vec::new();
    for (operation, sample) in samples() {
        wrong.extend(mistakes(&store, &operation, &sample.params));
        let change = completed(&store, &operation, &sample, sample.before.as_ref());
        let Some(probe) = &change.probe else {
            let is_told = change.notes.iter().any(|note| note.starts_with("UNVERIFIED: "));
            let expected = CATALOGUE[&operation].unverified.is_some();
            if !is_told || !expected {
                wrong.push(format!("{operation} has no probe: {:?}", change.notes));
            }
            continue;
        };
        wrong.extend(mistakes(&store, &probe.operation, &probe.params));
        let after = sample.after.as_ref().unwrap_or_else(|| panic!("{operation}: no `after`"));
        fits(&store, &probe.operation, after);
        for (answer, expected) in
            [(after, true), (sample.before.as_ref().unwrap(), false), (&json!({}), false)]
        {
            if passes(probe, answer) != expected {
                wrong.push(format!("{operation}: `{}` over {answer}", probe.expression));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_inverse_is_a_call_that_aws_would_take_and_is_seen_to_bring_the_state_back() {
    let store = ModelStore::open(None).unwrap();
    let mut wrong = Vec::new();
    for (operation, sample) in samples() {
        let change = completed(&store, &operation, &sample, sample.before.as_ref());
        let answer = sample.answer.clone().unwrap_or_default();
        let undo = change.undo(&answer);
        let by = undo.as_ref().map(|undo| &undo.operation);
        if by != sample.inverse.as_ref() {
            wrong.push(format!("{operation} is undone by {by:?}: {:?}", change.notes));
        }
        let Some(undo) = undo else {
            assert!(change.notes.iter().any(|note| note.starts_with("FINAL: ")), "{operation}");
            continue;
        };
        wrong.extend(mistakes(&store, &undo.operation, &undo.params));
        let (Some(probe), Some(before)) = (&undo.probe, &sample.before) else { continue };
        let back = sample.undone.as_ref().unwrap_or(before);
        let still = sample.after.as_ref().unwrap();
        for (answer, expected) in [(back, true), (still, false)] {
            if passes(probe, answer) != expected {
                wrong.push(format!("{operation} undone: `{}` over {answer}", probe.expression));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn where_there_was_nothing_before_the_inverse_deletes() {
    let store = ModelStore::open(None).unwrap();
    let mut count = 0;
    for (operation, sample) in samples() {
        let Some(without) = &sample.without else { continue };
        let change = completed(&store, &operation, &sample, Some(&without.before));
        let undo = change.undo(&Value::Null).unwrap_or_else(|| panic!("{operation}"));
        assert_eq!(undo.operation, without.inverse, "{operation}");
        let probe = undo.probe.unwrap();
        assert!(passes(&probe, &without.before), "{operation}: {}", probe.expression);
        assert!(!passes(&probe, sample.after.as_ref().unwrap()), "{operation}");
        count += 1;
    }
    assert!(count >= 7, "{count}");
}

#[test]
fn a_secret_is_never_brought_back() {
    let store = ModelStore::open(None).unwrap();
    let entry: Entry = toml::from_str(
        "read = \"iam:GetUser\"\nkeep = \"User.Path\"\nbecomes = \"'x'\"\n\
         inverse = [{ call = \"iam:CreateUser\", params = \"{UserName: before}\" }]",
    )
    .unwrap();
    let draft = Draft::new(&store, &entry, json!({})).unwrap();
    let wanted = draft.read().unwrap().unwrap();
    let done = draft.complete(Some((wanted, Ok(json!({"User": {"Path": "<sealed>"}})))));
    assert!(done.inverse.is_none() && done.before.is_none());
    assert!(done.notes.iter().any(|note| note.contains("is a secret")), "{:?}", done.notes);
}

#[test]
fn a_secret_that_a_change_sets_is_no_part_of_what_shows_it() {
    let store = ModelStore::open(None).unwrap();
    let entry: Entry = toml::from_str(
        "read = \"iam:GetUser\"\nkeep = \"User.Path\"\nbecomes = \"params.NewPath\"\n\
         inverse = [{ call = \"iam:UpdateUser\", params = \"{UserName: 'u', NewPath: before}\" }]",
    )
    .unwrap();
    let draft = Draft::new(&store, &entry, json!({"NewPath": "<sealed>"})).unwrap();
    let wanted = draft.read().unwrap().unwrap();
    let done = draft.complete(Some((wanted, Ok(json!({"User": {"Path": "/a/"}})))));
    assert!(done.probe.is_none() && done.inverse.is_some());
    assert!(done.notes.iter().any(|note| note.contains("is a secret")), "{:?}", done.notes);
}
