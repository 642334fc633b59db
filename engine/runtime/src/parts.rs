//! Incidents that people make parts of another, such as the hosts of one campaign. A part keeps its
//! alerts, runs, evidence and verdict, and is closed by itself; the whole is over when its parts are.
//! There is one level: what is a part has none, so that no walk is needed and no circle can be.

use std::sync::Arc;

use serde_json::json;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::incident::IncidentStatus;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::incidents::Incident;
use stanch_engine_store::{StoreError, Tx, incidents, parts};

use crate::regroup::{Came, RegroupError, find, refuse, tell};
use crate::runs::Person;
use crate::runtime::Runtime;

/// Makes an incident a part of another. One that is a part already goes from the one to the other.
///
/// # Errors
/// [`RegroupError`] says why not; nothing is changed then.
pub async fn attach(
    runtime: &Runtime,
    id: IncidentId,
    whole: IncidentId,
    person: Person,
) -> Result<(), RegroupError> {
    if id == whole {
        return Err(RegroupError::BadRequest(format!("{id} can't be a part of itself")));
    }
    let (now, person) = (runtime.world().now(), Arc::new(person));
    let attached = runtime.store().write(move |tx| {
        let person = person.clone();
        Box::pin(async move { attach_in(tx, id, whole, (&person, now)).await })
    });
    attached.await?
}

/// Makes an incident a part of nothing.
///
/// # Errors
/// [`RegroupError`] says why not; nothing is changed then.
pub async fn detach(runtime: &Runtime, id: IncidentId, person: Person) -> Result<(), RegroupError> {
    let (now, person) = (runtime.world().now(), Arc::new(person));
    let detached = runtime.store().write(move |tx| {
        let person = person.clone();
        Box::pin(async move { detach_in(tx, id, (&person, now)).await })
    });
    detached.await?
}

/// Writes both rows first, in one order: two who regroup at the same time come one after the other,
/// and neither builds a second level on what the other did.
pub(crate) async fn in_turn(
    tx: &mut Tx<'_>,
    one: IncidentId,
    other: IncidentId,
) -> Result<(), StoreError> {
    incidents::recount(tx, one.min(other)).await?;
    incidents::recount(tx, one.max(other)).await
}

async fn attach_in(
    tx: &mut Tx<'_>,
    id: IncidentId,
    whole: IncidentId,
    by: (&Person, Timestamp),
) -> Came<()> {
    in_turn(tx, id, whole).await?;
    let (part, to) = match (find(tx, id).await?, find(tx, whole).await?) {
        (Ok(part), Ok(to)) => (part, to),
        (Err(error), _) | (_, Err(error)) => return refuse(error),
    };
    let own = parts::of(tx, id).await?;
    if let Some(why) = hindrance(&part, &to, &own) {
        return refuse(RegroupError::Conflict(why));
    }
    parts::set(tx, id, Some(whole)).await?;
    if let Some(before) = part.part_of {
        left(tx, id, before, by).await?;
    }
    said(tx, id, "attach", (id, whole), format!("a part of {whole}"), by).await?;
    said(tx, whole, "attach", (id, whole), format!("{id} is a part of it"), by).await?;
    Ok(Ok(()))
}

/// Why an incident can't be a part of another, if it can't.
fn hindrance(part: &Incident, whole: &Incident, own: &[Incident]) -> Option<String> {
    let (id, to) = (part.id, whole.id);
    if part.part_of == Some(to) {
        return Some(format!("{id} is a part of {to} already"));
    }
    if part.is_sample != whole.is_sample {
        return Some("a sample and what is real are never one thing".to_owned());
    }
    if whole.status == IncidentStatus::Closed {
        return Some(format!("{to} is closed: reopen it, or name one that is not"));
    }
    if whole.part_of == Some(id) {
        return Some(format!("{to} is a part of {id}, and parts have no parts: detach it first"));
    }
    if let Some(above) = whole.part_of {
        return Some(format!(
            "{to} is a part of {above}, and parts have no parts: attach {id} to {above}"
        ));
    }
    let first = own.first()?;
    Some(format!(
        "{id} has {} of its own, such as {}, and a part has none: detach them, or attach each to {to}",
        if own.len() == 1 { "a part".to_owned() } else { format!("{} parts", own.len()) },
        first.id
    ))
}

async fn detach_in(tx: &mut Tx<'_>, id: IncidentId, by: (&Person, Timestamp)) -> Came<()> {
    let part = match find(tx, id).await? {
        Ok(part) => part,
        Err(error) => return refuse(error),
    };
    let Some(whole) = part.part_of else {
        return refuse(RegroupError::Conflict(format!("{id} is a part of nothing")));
    };
    parts::set(tx, id, None).await?;
    said(tx, id, "detach", (id, whole), format!("no part of {whole} any more"), by).await?;
    left(tx, id, whole, by).await?;
    Ok(Ok(()))
}

/// What a part is no part of any more has it in its chain, too.
async fn left(
    tx: &mut Tx<'_>,
    part: IncidentId,
    whole: IncidentId,
    by: (&Person, Timestamp),
) -> Result<(), StoreError> {
    said(tx, whole, "detach", (part, whole), format!("{part} is no part of it any more"), by).await
}

async fn said(
    tx: &mut Tx<'_>,
    incident: IncidentId,
    word: &str,
    (part, whole): (IncidentId, IncidentId),
    text: String,
    (person, now): (&Person, Timestamp),
) -> Result<(), StoreError> {
    let detail = json!({"decision": word, "part": part, "whole": whole, "text": text});
    tell(tx, incident, person, now, detail).await
}

/// What becomes of parts when one incident goes on in another: they are parts of the other. What goes
/// on elsewhere is no part any more. Gives why it can't be, if it can't.
pub(crate) async fn merge(
    tx: &mut Tx<'_>,
    (source, target): (&Incident, &Incident),
    by: (&Person, Timestamp),
) -> Result<Option<String>, StoreError> {
    let (from, into) = (source.id, target.id);
    let own = parts::of(tx, from).await?;
    if let (Some(above), false) = (target.part_of, own.is_empty()) {
        return Ok(Some(format!(
            "{from} has parts, and {into}, which is a part of {above}, can have none: detach it, or them"
        )));
    }
    parts::move_to(tx, from, into).await?;
    for part in own {
        said(tx, part.id, "attach", (part.id, into), format!("a part of {into}"), by).await?;
        said(tx, into, "attach", (part.id, into), format!("{} is a part of it", part.id), by)
            .await?;
    }
    if let Some(whole) = source.part_of {
        parts::set(tx, from, None).await?;
        left(tx, from, whole, by).await?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use stanch_engine_core::severity::Severity;

    use super::*;

    fn incident(number: u128) -> Incident {
        Incident {
            id: IncidentId::new(Timestamp::default(), number),
            title: "a host".to_owned(),
            status: IncidentStatus::Open,
            severity: Severity::High,
            account: None,
            is_sample: false,
            phase: None,
            verdict: None,
            verdict_reason: None,
            acknowledged_by: None,
            opened_at: Timestamp::default(),
            last_alert_at: Timestamp::default(),
            merged_into: None,
            split_from: None,
            part_of: None,
        }
    }

    #[test]
    fn what_would_be_a_second_level_says_where_to_attach() {
        let (part, whole, above) = (incident(1), incident(2), incident(3));
        assert_eq!(hindrance(&part, &whole, &[]), None);
        let low = Incident { part_of: Some(above.id), ..whole.clone() };
        let why = hindrance(&part, &low, &[]).unwrap();
        assert!(why.ends_with(&format!("attach {} to {}", part.id, above.id)), "{why}");
        let why = hindrance(&part, &whole, std::slice::from_ref(&above)).unwrap();
        assert!(why.contains("a part of its own") && why.contains("attach each"), "{why}");
        let turned = Incident { part_of: Some(part.id), ..whole.clone() };
        let why = hindrance(&part, &turned, std::slice::from_ref(&turned)).unwrap();
        assert!(why.ends_with("detach it first"), "{why}");
        let closed = Incident { status: IncidentStatus::Closed, ..whole.clone() };
        assert!(hindrance(&part, &closed, &[]).unwrap().contains("reopen it"));
        let sample = Incident { is_sample: true, ..whole.clone() };
        assert!(hindrance(&part, &sample, &[]).unwrap().contains("sample"));
        let there = Incident { part_of: Some(whole.id), ..part };
        assert!(hindrance(&there, &whole, &[]).unwrap().contains("already"));
    }
}
