//! How a value came about that a playbook keeps as evidence: the calls of its run in whose answers it
//! stands, with AWS's ids of their requests, who called and what their answers lack.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use stanch_engine_core::id::RunId;
use stanch_engine_core::journal::{Entry, Event, Head, StepSucceeded};
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;
use stanch_engine_core::origin::origins;
use stanch_engine_core::sealed::{is_in, plain_but_sealed};
use stanch_engine_core::step::{ErrorKind, StepError, StepKey};
use stanch_engine_core::stored::Stored;
use stanch_engine_store::{StoreError, journal};

use super::large::{self, Bodies};
use crate::shared::Shared;

/// How a value came about. `said` is what the playbook says that it lacks.
///
/// # Errors
/// Transient, when the journal can't be read.
pub(super) async fn of_value(
    shared: &Arc<Shared>,
    run: RunId,
    value: &Value,
    said: &[String],
) -> Result<Value, StepError> {
    let unread = |error: StoreError| {
        let message = format!("the journal can't be read: {error}");
        StepError::new(ErrorKind::Transient, "store", message)
    };
    let (entries, mut is_all) = lately(shared, run).await.map_err(unread)?;
    let (answered, others) = answered(&entries);
    is_all &= others == 0;
    let bodies = large::load(shared, &answered).await.unwrap_or_else(|why| {
        tracing::warn!(run.id = %run, %why, "evidence is kept without where it comes from");
        is_all = false;
        Bodies::new()
    });
    let (value, answered) = (value.clone(), large::with_bodies(&answered, &bodies));
    let heads = heads(&entries);
    let compared = tokio::task::spawn_blocking(move || {
        let answers: Vec<Value> = answered.iter().filter_map(answer).collect();
        let found = origins(&value, &answers);
        (found, answered, is_in(&value))
    });
    let lost = |error: tokio::task::JoinError| {
        StepError::new(ErrorKind::Transient, "evidence", error.to_string())
    };
    let (found, answered, is_redacted) = compared.await.map_err(lost)?;
    let (mut calls, mut caveats) = (Vec::new(), said.to_vec());
    // The oldest first.
    for done in found.iter().rev().filter_map(|number| succeeded(answered.get(*number)?)) {
        let (call, lacks) = told(done, heads.get(&done.key).copied());
        calls.push(call);
        caveats.extend(lacks);
    }
    if is_redacted {
        caveats.push("redacted: secrets in it are sealed".to_owned());
    }
    if !is_all {
        caveats.push("not all calls of the run were looked at for where it comes from".to_owned());
    }
    Ok(json!({"by": "the playbook", "calls": calls, "caveats": caveats}))
}

/// The last entries of a run's journal, and whether these are all.
async fn lately(shared: &Shared, run: RunId) -> Result<(Vec<Entry>, bool), StoreError> {
    let read = shared.store.read(|conn| {
        Box::pin(async move {
            let length = journal::length(conn, run).await?;
            let from = length.saturating_sub(limits::ORIGIN_ENTRIES);
            let entries = journal::load(conn, run, from, limits::ORIGIN_ENTRIES).await?;
            Ok((entries, from == 0))
        })
    });
    read.await
}

fn succeeded(entry: &Entry) -> Option<&StepSucceeded> {
    match &entry.event {
        Event::StepSucceeded(done) => Some(done),
        _ => None,
    }
}

/// The entries of calls that were answered, the newest first, and how many were left out since they are
/// too large together.
fn answered(entries: &[Entry]) -> (Vec<Entry>, usize) {
    let (mut left, mut kept, mut others) = (limits::ORIGIN_BYTES, Vec::new(), 0);
    for entry in entries.iter().rev() {
        let Some(done) = succeeded(entry).filter(|done| done.call.is_some()) else { continue };
        let stored = Stored::of(&done.result).map(|stored| stored.bytes);
        let bytes = stored.unwrap_or(done.result.as_str().len() as u64);
        match left.checked_sub(bytes) {
            Some(rest) => {
                left = rest;
                kept.push(entry.clone());
            }
            None => others += 1,
        }
    }
    (kept, others)
}

fn answer(entry: &Entry) -> Option<Value> {
    succeeded(entry).map(|done| plain_but_sealed(done.result.value()))
}

/// What steps were asked, where an entry of their own says it.
fn heads(entries: &[Entry]) -> HashMap<StepKey, &Head> {
    let mut heads = HashMap::new();
    for entry in entries {
        if let (Some(key), Some(head)) = (entry.event.step(), entry.event.head()) {
            heads.insert(key.clone(), head);
        }
    }
    heads
}

/// A call as it is kept, and what its answer lacks.
fn told(done: &StepSucceeded, head: Option<&Head>) -> (Value, Vec<String>) {
    let asked = head.map(|head| head.args.value()).unwrap_or_default();
    let named = ["/input/operation", "/operation", "/action"];
    let named = named.iter().find_map(|path| asked.pointer(path)?.as_str());
    let operation = named.unwrap_or("a call").to_owned();
    let call = done.call.as_ref().map(Json::value).unwrap_or_default();
    let lacks = call.get("caveats").and_then(Value::as_array).into_iter().flatten();
    let lacks = lacks.filter_map(|caveat| Some(format!("{operation}: {}", caveat.as_str()?)));
    let lacks = lacks.collect();
    let mut kept = Map::new();
    kept.insert("step".to_owned(), json!(done.key));
    kept.insert("operation".to_owned(), json!(operation));
    if let Value::Object(call) = call {
        kept.extend(call);
    }
    (Value::Object(kept), lacks)
}
