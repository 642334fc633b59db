//! The review after an incident: its checklist, what people answer, and who signs it off.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::incident::IncidentStatus;
use stanch_engine_core::review::{Answers, Question, checklist, open, score};
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::reviews::{self, Review};
use stanch_engine_store::{Conn, StoreError, Tx, custody, incidents, playbooks, runs};

use crate::incident_work::WorkError;
use crate::runs::Person;
use crate::runtime::Runtime;

/// The review of an incident as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// The incident.
    pub incident_id: IncidentId,
    /// Its checklist.
    pub questions: Vec<Question>,
    /// What was answered.
    pub answers: Answers,
    /// Questions that nobody has answered.
    pub open: Vec<String>,
    /// Of 100, of the questions that apply or are open.
    pub score: Option<u32>,
    /// Who answered last.
    pub reviewed_by: Option<String>,
    /// When.
    pub reviewed_at: Option<Timestamp>,
    /// Who signed it off.
    pub signed_off_by: Option<String>,
    /// When.
    pub signed_off_at: Option<Timestamp>,
}

/// The review of an incident, also if nobody has answered anything; nothing when there is no such
/// incident.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn show(runtime: &Runtime, id: IncidentId) -> Result<Option<Shown>, StoreError> {
    let read = runtime.store().read(|conn| {
        Box::pin(async move {
            if incidents::get(conn, id).await?.is_none() {
                return Ok(None);
            }
            Ok(Some((questions(conn, id).await?, reviews::get(conn, id).await?)))
        })
    });
    Ok(read.await?.map(|(questions, review)| shown(id, questions, review)))
}

fn shown(id: IncidentId, questions: Vec<Question>, review: Option<Review>) -> Shown {
    let answers = review.as_ref().map(|review| review.answers.clone()).unwrap_or_default();
    let open = open(&questions, &answers).into_iter().map(str::to_owned).collect();
    let (by, at) = review.as_ref().map(|r| (r.reviewed_by.clone(), r.reviewed_at)).unzip();
    let signed = review.as_ref();
    Shown {
        incident_id: id,
        open,
        score: signed.and_then(|review| review.score),
        reviewed_by: by,
        reviewed_at: at,
        signed_off_by: signed.and_then(|review| review.signed_off_by.clone()),
        signed_off_at: signed.and_then(|review| review.signed_off_at),
        questions,
        answers,
    }
}

/// The checklist: that of every incident, and that of each playbook that ran, in the version that ran
/// last.
async fn questions(conn: &mut Conn<'_>, id: IncidentId) -> Result<Vec<Question>, StoreError> {
    let mut ran = BTreeMap::new();
    for run in runs::of_incident(conn, id).await? {
        ran.insert(run.playbook, run.digest);
    }
    let mut own: Vec<(String, Vec<String>)> = Vec::new();
    for (name, digest) in ran {
        let versions = playbooks::versions(conn, &name).await?;
        let version = versions.into_iter().find(|version| version.digest == digest);
        own.extend(version.map(|version| (name, version.header.review)));
    }
    Ok(checklist(own.iter().map(|(name, texts)| (name.as_str(), texts.as_slice()))))
}

/// Answers questions. What is not answered again stays.
///
/// # Errors
/// [`WorkError`] for a question that is not on the checklist; nothing is kept then.
pub async fn answer(
    runtime: &Runtime,
    id: IncidentId,
    answers: Answers,
    person: Person,
) -> Result<(), WorkError> {
    let now = runtime.world().now();
    let parts = Arc::new((answers, person));
    let done = runtime.store().write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move {
            let (answers, person) = &*parts;
            answer_in(tx, id, answers, (person, now)).await
        })
    });
    done.await?
}

async fn answer_in(
    tx: &mut Tx<'_>,
    id: IncidentId,
    said: &Answers,
    (person, now): (&Person, Timestamp),
) -> Result<Result<(), WorkError>, StoreError> {
    if incidents::get(tx, id).await?.is_none() {
        return Ok(Err(WorkError::NotFound(id)));
    }
    let questions = questions(tx, id).await?;
    let is_asked = |key: &String| questions.iter().any(|question| question.key == *key);
    if let Some(key) = said.keys().find(|key| !is_asked(key)) {
        let keys: Vec<_> = questions.iter().map(|question| question.key.as_str()).collect();
        let why = format!("`{key}` is not on the checklist of {id}: {}", keys.join(", "));
        return Ok(Err(WorkError::BadRequest(why)));
    }
    let mut answers = reviews::get(tx, id).await?.map(|review| review.answers).unwrap_or_default();
    // What is not asked any more counts no more.
    answers.retain(|key, _| is_asked(key));
    answers.extend(said.iter().map(|(key, answer)| (key.clone(), *answer)));
    let score = score(&questions, &answers);
    reviews::put(tx, id, (&answers, score), (&person.name, now)).await?;
    incidents::recount(tx, id).await?;
    let of_100 = score.map(|score| format!(", {score} of 100")).unwrap_or_default();
    let text = format!("{} of {} answered{of_100}", answers.len(), questions.len());
    let detail =
        json!({"decision": "review", "reason": person.reason, "text": text, "answers": answers});
    custody::decided(tx, id, (&person.name, now), detail).await.map(Ok)
}

/// Signs a review off: the incident is closed, every question is answered, and by somebody else.
///
/// # Errors
/// [`WorkError::Conflict`] says what lacks.
pub async fn sign_off(runtime: &Runtime, id: IncidentId, person: Person) -> Result<(), WorkError> {
    let now = runtime.world().now();
    let person = Arc::new(person);
    let done = runtime.store().write(move |tx| {
        let person = person.clone();
        Box::pin(async move { sign_off_in(tx, id, (&person, now)).await })
    });
    done.await?
}

async fn sign_off_in(
    tx: &mut Tx<'_>,
    id: IncidentId,
    (person, now): (&Person, Timestamp),
) -> Result<Result<(), WorkError>, StoreError> {
    let Some(incident) = incidents::get(tx, id).await? else {
        return Ok(Err(WorkError::NotFound(id)));
    };
    let conflict = |why: String| Ok(Err(WorkError::Conflict(why)));
    if incident.status != IncidentStatus::Closed {
        return conflict(format!("{id} is not closed: a review is signed off when it is over"));
    }
    let questions = questions(tx, id).await?;
    let Some(review) = reviews::get(tx, id).await? else {
        return conflict(format!("nobody has answered the checklist of {id} yet"));
    };
    let open = open(&questions, &review.answers);
    if !open.is_empty() {
        return conflict(format!("these questions of {id} are open: {}", open.join(", ")));
    }
    if review.reviewed_by == person.name {
        return conflict(format!("{} answered it: somebody else signs it off", person.name));
    }
    if let Some(by) = review.signed_off_by {
        return conflict(format!("{by} has signed it off already"));
    }
    reviews::sign_off(tx, id, &person.name, now).await?;
    incidents::recount(tx, id).await?;
    let score = review.score.map(|score| format!("{score} of 100"));
    let detail = json!({"decision": "sign-off", "reason": person.reason, "text": score});
    custody::decided(tx, id, (&person.name, now), detail).await.map(Ok)
}
