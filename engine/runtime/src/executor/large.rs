//! Results that are too large for the journal: they are kept in the evidence store, and the journal
//! names them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::journal::{Entry, Event};
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;
use stanch_engine_core::step::{ErrorKind, StepError};
use stanch_engine_core::stored::{Stored, too_much};
use stanch_plugins_sdk::Done;

use super::call_record;
use super::secrets::kept_answer;
use crate::job::{Call, Job, JobOutcome};
use crate::projection::Projection;
use crate::shared::Shared;

/// The results of a journal that lie in the evidence store.
pub(crate) type Bodies = BTreeMap<Sha256, Json>;

/// What came of an action: its result in the journal, or beside it, or an error where it is too
/// large for a playbook.
pub(super) async fn done(
    shared: &Arc<Shared>,
    job: &Job,
    call: &Call,
    mut done: Done,
) -> JobOutcome {
    let value = kept_answer(shared, job.run, &mut done);
    let text = Json::canonical(&value);
    let bytes = text.as_str().len();
    let mut projections = Vec::new();
    let (result, body) = if bytes <= limits::RESULT_INLINE_BYTES {
        (text, None)
    } else if let Some(why) = refusal(&value, bytes) {
        if !call.effect.is_guarded() {
            return failed(&done, StepError::permanent("result_too_large", why));
        }
        // The change took place; what it answered is not worth saying that it failed.
        done.call.caveats.push(format!("the answer was not kept: {why}"));
        (Json::null(), None)
    } else {
        match put(shared, text.clone()).await {
            Ok(sha256) => {
                let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
                projections.push(Projection::Need(sha256, job.run));
                (Json::of(&Stored { sha256, bytes }), Some(text))
            }
            Err(why) => {
                // To repeat a read is safe. Of a change the journal says that it took place.
                if !call.effect.is_guarded() {
                    let error = StepError::new(ErrorKind::Transient, "evidence", why);
                    return failed(&done, error);
                }
                done.call.caveats.push(format!("the answer was not kept: {why}"));
                (Json::null(), None)
            }
        }
    };
    let call = call_record(&done.call);
    JobOutcome::Done { result, body, call, projections }
}

fn failed(done: &Done, error: StepError) -> JobOutcome {
    let call = call_record(&done.call);
    JobOutcome::Failed { error, call, projections: Vec::new() }
}

/// Why a playbook can't have a result, if it can't.
fn refusal(value: &Value, bytes: usize) -> Option<String> {
    let over = (bytes > limits::RESULT_BYTES)
        .then(|| format!("{bytes} bytes, and may have {}", limits::RESULT_BYTES));
    let over = over.or_else(|| too_much(value))?;
    Some(format!(
        "the result has {over}: ask for less of it (filters, `paginate: 1000`), or `collect` it"
    ))
}

async fn put(shared: &Arc<Shared>, text: Json) -> Result<Sha256, String> {
    let shared = shared.clone();
    let put = tokio::task::spawn_blocking(move || shared.items.put(text.as_str().as_bytes()));
    match put.await {
        Ok(Ok(hash)) => Ok(hash),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads the results that a journal names.
///
/// # Errors
/// In words, when one is not there or was changed: the run can't go on without it.
pub(crate) async fn load(shared: &Arc<Shared>, entries: &[Entry]) -> Result<Bodies, String> {
    let mut bodies = Bodies::new();
    for entry in entries {
        let Event::StepSucceeded(done) = &entry.event else { continue };
        let Some(stored) = Stored::of(&done.result) else { continue };
        if bodies.contains_key(&stored.sha256) {
            continue;
        }
        let items = shared.clone();
        let read = tokio::task::spawn_blocking(move || items.items.get(stored.sha256)).await;
        let read = read.map_err(|error| error.to_string())?.map_err(|error| error.to_string());
        let text = read.and_then(|bytes| String::from_utf8(bytes).map_err(|e| e.to_string()));
        let body = text.and_then(|text| Json::parse(text).map_err(|error| error.to_string()));
        let body = body.map_err(|why| {
            format!(
                "the result of step {} lies in the evidence folder as {} and can't be read ({why}): \
                 put the folder back as it was, and resume the run",
                done.key, stored.sha256
            )
        })?;
        bodies.insert(stored.sha256, body);
    }
    Ok(bodies)
}

/// A journal as a playbook sees it: with the results that it names.
pub(crate) fn with_bodies(entries: &[Entry], bodies: &Bodies) -> Vec<Entry> {
    let mut entries = entries.to_vec();
    for entry in &mut entries {
        if let Event::StepSucceeded(done) = &mut entry.event
            && let Some(body) = Stored::of(&done.result).and_then(|s| bodies.get(&s.sha256))
        {
            done.result = body.clone();
        }
    }
    entries
}
