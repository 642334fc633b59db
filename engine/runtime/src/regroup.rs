//! Incidents that people make one, or take apart. What was done about an incident, its runs, its
//! evidence and its chain of custody, stays where it was done; its alerts move.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_core::correlation;
use stanch_engine_core::id::{AlertId, IncidentId};
use stanch_engine_core::incident::{IncidentEvent, IncidentStatus, Milestone};
use stanch_engine_core::json::Json;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::alerts::{self, StoredAlert};
use stanch_engine_store::incidents::{self, Incident};
use stanch_engine_store::{StoreError, Tx, containments, custody, milestones, pages, runs, storms};

use crate::correlators;
use crate::evidence::holds;
use crate::first_act;
use crate::parts;
use crate::projection;
use crate::runs::Person;
use crate::runtime::Runtime;
use crate::shared::Shared;

/// Why nothing was moved.
#[derive(Debug, thiserror::Error)]
pub enum RegroupError {
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(String),
    /// It can't be asked for.
    #[error("{0}")]
    BadRequest(String),
    /// It can't be done as things stand.
    #[error("{0}")]
    Conflict(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a transaction came to: an answer, or a refusal that changes nothing.
pub(crate) type Came<T> = Result<Result<T, RegroupError>, StoreError>;

pub(crate) fn refuse<T>(error: RegroupError) -> Came<T> {
    Ok(Err(error))
}

/// Has one incident go on in another: its alerts move, and it is closed.
///
/// # Errors
/// [`RegroupError`] says why not.
pub async fn merge(
    runtime: &Runtime,
    from: IncidentId,
    into: IncidentId,
    person: Person,
) -> Result<(), RegroupError> {
    if from == into {
        return Err(RegroupError::BadRequest(format!("{from} can't go on in itself")));
    }
    let (now, person) = (runtime.world().now(), Arc::new(person));
    let merged = runtime.store().write(move |tx| {
        let person = person.clone();
        Box::pin(async move { merge_in(tx, from, into, &person, now).await })
    });
    merged.await??;
    runtime.nudge();
    Ok(())
}

async fn merge_in(
    tx: &mut Tx<'_>,
    from: IncidentId,
    into: IncidentId,
    person: &Person,
    now: Timestamp,
) -> Came<()> {
    parts::in_turn(tx, from, into).await?;
    let (source, target) = match (find(tx, from).await?, find(tx, into).await?) {
        (Ok(source), Ok(target)) => (source, target),
        (Err(error), _) | (_, Err(error)) => return refuse(error),
    };
    if source.is_sample != target.is_sample {
        let why = "a sample and what is real are never one incident".to_owned();
        return refuse(RegroupError::Conflict(why));
    }
    if target.status == IncidentStatus::Closed {
        return refuse(RegroupError::Conflict(format!("{into} is closed: name one that is not")));
    }
    let open = runs::of_incident(tx, from).await?.into_iter().find(|run| !run.status.is_final());
    if let Some(run) = open {
        let why = format!(
            "{} is about {from} and has not ended: cancel it or let it end, for what it contains counts for \
             its own incident",
            run.id
        );
        return refuse(RegroupError::Conflict(why));
    }
    if let Some(why) = parts::merge(tx, (&source, &target), (person, now)).await? {
        return refuse(RegroupError::Conflict(why));
    }
    for alert in alerts::of_incident(tx, from).await? {
        alerts::move_to(tx, alert.id, into, &why(person, from)).await?;
    }
    let severity = source.severity.max(target.severity);
    incidents::seen(tx, into, severity, source.last_alert_at.max(target.last_alert_at)).await?;
    incidents::lead_to(tx, from, into).await?;
    storms::move_to(tx, from, into).await?;
    pages::move_to(tx, from, into).await?;
    containments::move_to(tx, from, into).await?;
    earliest(tx, from, into).await?;
    incidents::set_merged(tx, from, into).await?;
    milestones::mark(tx, from, Milestone::ClosedAt, now, &person.name).await?;
    projection::happen(tx, from, IncidentEvent::Closed).await?;
    tell(tx, from, person, now, json!({"decision": "merge", "into": into})).await?;
    tell(tx, into, person, now, json!({"decision": "merge", "from": from})).await?;
    holds::follow(tx, from, into, (&person.name, now)).await?;
    Ok(Ok(()))
}

/// What began first began the whole.
async fn earliest(tx: &mut Tx<'_>, from: IncidentId, into: IncidentId) -> Result<(), StoreError> {
    let marked = milestones::of_incident(tx, into).await?;
    for other in milestones::of_incident(tx, from).await? {
        let is_start = matches!(
            other.milestone,
            Milestone::OccurredAt | Milestone::DetectedAt | Milestone::ReceivedAt
        );
        let own = marked.iter().find(|mark| mark.milestone == other.milestone);
        if is_start && own.is_none_or(|own| other.at < own.at) {
            milestones::unmark(tx, into, other.milestone).await?;
            milestones::mark(tx, into, other.milestone, other.at, &other.source).await?;
        }
    }
    Ok(())
}

/// Takes alerts out of an incident, into a new one, and gives it.
///
/// # Errors
/// [`RegroupError`] says why not.
pub async fn split(
    runtime: &Runtime,
    from: IncidentId,
    moved: Vec<AlertId>,
    person: Person,
) -> Result<IncidentId, RegroupError> {
    let wish = Arc::new((moved.into_iter().collect::<BTreeSet<_>>(), person));
    let shared = runtime.shared.clone();
    let made = runtime.store().write(move |tx| {
        let (shared, wish) = (shared.clone(), wish.clone());
        Box::pin(async move { split_off(tx, &shared, from, &wish.0, &wish.1).await })
    });
    made.await?
}

async fn split_off(
    tx: &mut Tx<'_>,
    shared: &Shared,
    from: IncidentId,
    wanted: &BTreeSet<AlertId>,
    person: &Person,
) -> Came<IncidentId> {
    let source = match find(tx, from).await? {
        Ok(source) => source,
        Err(error) => return refuse(error),
    };
    let all = alerts::of_incident(tx, from).await?;
    let (moved, left): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| wanted.contains(&it.id));
    if let Some(id) = wanted.iter().find(|id| !moved.iter().any(|alert| alert.id == **id)) {
        return refuse(RegroupError::BadRequest(format!("{id} is no alert of {from}")));
    }
    let Some(first) = moved.first() else {
        let why = "`alerts` is empty: name those that are another incident";
        return refuse(RegroupError::BadRequest(why.to_owned()));
    };
    if left.is_empty() {
        let why = format!("these are all alerts of {from}: one at least must stay");
        return refuse(RegroupError::BadRequest(why));
    }
    let now = shared.world.now();
    let new = Incident {
        id: shared.world.id(IncidentId::new),
        title: first.alert.title.clone(),
        status: IncidentStatus::Open,
        severity: moved.iter().map(|alert| alert.severity).max().unwrap_or(source.severity),
        account: first.alert.account.clone(),
        is_sample: source.is_sample,
        phase: None,
        verdict: None,
        verdict_reason: None,
        acknowledged_by: None,
        opened_at: now,
        last_alert_at: now,
        merged_into: None,
        split_from: Some(from),
        part_of: None,
    };
    incidents::insert(tx, &new).await?;
    let starts = [
        (Milestone::OccurredAt, moved.iter().filter_map(|it| it.alert.occurred_at).min()),
        (Milestone::DetectedAt, moved.iter().filter_map(|it| it.alert.detected_at).min()),
        (Milestone::ReceivedAt, moved.iter().map(|it| it.received_at).min()),
    ];
    for (milestone, at) in starts {
        if let Some(at) = at {
            milestones::mark(tx, new.id, milestone, at, &first.alert.source).await?;
        }
    }
    for alert in &moved {
        alerts::move_to(tx, alert.id, new.id, &why(person, from)).await?;
    }
    lead_moved(tx, shared, (&moved, &left), new.id).await?;
    let ids: Vec<AlertId> = moved.iter().map(|alert| alert.id).collect();
    let decision = |other: &str, id: IncidentId| {
        let mut detail = json!({"decision": "split", "alerts": ids});
        if let Some(members) = detail.as_object_mut() {
            members.insert(other.to_owned(), json!(id));
        }
        detail
    };
    tell(tx, from, person, now, decision("into", new.id)).await?;
    tell(tx, new.id, person, now, decision("from", from)).await?;
    holds::follow(tx, from, new.id, (&person.name, now)).await?;
    Ok(Ok(new.id))
}

/// Has alerts like the moved ones go to the new incident; what those that are left share with them
/// stays with these.
async fn lead_moved(
    tx: &mut Tx<'_>,
    shared: &Shared,
    (moved, left): (&[StoredAlert], &[StoredAlert]),
    into: IncidentId,
) -> Result<(), StoreError> {
    let (rules, scripts) = (&shared.settings.correlation, &shared.settings.correlators);
    let keys = |alert: &StoredAlert| {
        let given = correlators::say(scripts, &alert.alert).given;
        correlation::keys(rules, &given, &alert.alert).into_keys()
    };
    let kept: BTreeSet<_> = left.iter().flat_map(keys).collect();
    for alert in moved {
        for key in keys(alert).filter(|key| !kept.contains(key)) {
            let is_known = incidents::correlated(tx, &key).await?.is_some();
            incidents::correlate(tx, &key, is_known, into, alert.last_received_at).await?;
        }
    }
    Ok(())
}

/// An incident that does not go on in another by now.
pub(crate) async fn find(
    tx: &mut Tx<'_>,
    id: IncidentId,
) -> Result<Result<Incident, RegroupError>, StoreError> {
    Ok(match incidents::get(tx, id).await? {
        None => Err(RegroupError::NotFound(format!("incident {id}"))),
        Some(Incident { merged_into: Some(other), .. }) => {
            Err(RegroupError::Conflict(format!("{id} goes on in {other}: name that one")))
        }
        Some(incident) => Ok(incident),
    })
}

/// Why an alert is where it is.
fn why(person: &Person, from: IncidentId) -> Json {
    Json::of(&json!({"by": person.name, "reason": person.reason, "from": from}))
}

/// The decision goes into the custody chain.
pub(crate) async fn tell(
    tx: &mut Tx<'_>,
    incident: IncidentId,
    person: &Person,
    at: Timestamp,
    mut detail: Value,
) -> Result<(), StoreError> {
    if let Some(members) = detail.as_object_mut() {
        members.insert("reason".to_owned(), json!(person.reason));
    }
    first_act::mark(tx, incident, &person.name, at).await?;
    custody::decided(tx, incident, (&person.name, at), detail).await
}
