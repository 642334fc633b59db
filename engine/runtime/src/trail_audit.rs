//! Holds the journals of runs that have ended against CloudTrail. What differs is kept as evidence of the
//! incident, and pages; so does that the log could not be read at any look.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_core::effect::Effect;
use stanch_engine_core::error_code;
use stanch_engine_core::id::{IncidentId, RunId};
use stanch_engine_core::journal::{Entry, Event};
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;
use stanch_engine_core::operation::Operations;
use stanch_engine_core::span::Span;
use stanch_engine_core::time::Timestamp;
use stanch_engine_core::trail_audit::{
    Claim, Difference, Listed, TrailAudit, claims, compare, home_region, listed, session,
};
use stanch_engine_store::custody::NewRecord;
use stanch_engine_store::evidence::Item;
use stanch_engine_store::trail_audits::{self, Due, Outcome};
use stanch_engine_store::{StoreError, custody, evidence, pages, runs};
use stanch_plugins_sdk::ActionError;
use tokio::sync::watch;

use crate::evidence::Captured;
use crate::own_call::OwnCall;
use crate::shared::Shared;
use crate::{retention, rounds};

/// The longest pause between two looks at what is due.
const LOOK: Span = Span::from_secs(60);

/// Runs of one round.
const BATCH: u32 = 20;

/// Pages of events in an account and a region; AWS gives 50 events each.
const PAGES: u32 = 100;

/// By how much a look begins before its run.
const BEFORE_MS: i64 = 5 * 60_000;

/// What was kept of a look.
const TOOL: &str = "cloudtrail:LookupEvents";

/// Compares what is due, until it is told to stop.
pub(crate) async fn work(shared: Arc<Shared>, stop: watch::Receiver<bool>) {
    let Some(plan) = shared.settings.trail_audit else { return };
    let what = (LOOK, "runs can't be held against CloudTrail");
    let may_be_left = || {
        let (shared, mut stopping) = (shared.clone(), stop.clone());
        async move {
            tokio::select! {
                next = round(&shared, plan) => next,
                _ = stopping.changed() => Ok(None),
            }
        }
    };
    rounds::work(&shared, stop.clone(), what, may_be_left).await;
}

/// Compares every run that is due, and says when the next one is.
async fn round(shared: &Arc<Shared>, plan: TrailAudit) -> Result<Option<Timestamp>, StoreError> {
    let now = shared.world.now();
    let due = shared.store.read(|conn| Box::pin(trail_audits::due(conn, now, BATCH))).await?;
    for due in due {
        // A node that dies over it leaves it for later.
        let again_at = shared.world.now().plus_ms(plan.delay.ms.max(1));
        let taken = due.clone();
        let claimed = shared.store.write(move |tx| {
            let due = taken.clone();
            Box::pin(async move { trail_audits::claim(tx, &due, again_at).await })
        });
        if claimed.await? {
            audit(shared, plan, &due).await?;
        }
    }
    shared.store.read(|conn| Box::pin(trail_audits::next(conn))).await
}

/// Both sides, and what differs.
struct Held {
    claims: Vec<Claim>,
    listed: Vec<Listed>,
    places: BTreeSet<(String, String)>,
    difference: Difference,
}

async fn audit(shared: &Arc<Shared>, plan: TrailAudit, due: &Due) -> Result<(), StoreError> {
    let entries = retention::journal_of(shared, due.run).await?;
    let is_last = due.looks + 1 >= plan.looks;
    match hold(shared, due, &entries).await {
        Ok(held) => {
            let difference = &held.difference;
            let may_come = !difference.missing.is_empty() && difference.unclaimed.is_empty();
            if may_come && !is_last {
                return Ok(());
            }
            settle(shared, due, Ok(held)).await
        }
        Err(error) if !is_last => {
            tracing::warn!(run.id = %due.run, %error, "CloudTrail can't be asked about a run yet");
            Ok(())
        }
        Err(error) => settle(shared, due, Err(error.to_string())).await,
    }
}

async fn hold(shared: &Arc<Shared>, due: &Due, entries: &[Entry]) -> Result<Held, ActionError> {
    let session = session(due.incident, due.run);
    let mut difference = Difference::default();
    let operations = shared.catalogue.operations();
    let claims =
        claims(entries, |name| changes(operations.as_ref(), name), &session, &mut difference);
    let from = entries.first().map(|entry| entry.at).unwrap_or_default().plus_ms(-BEFORE_MS);
    let places = places(entries, &claims);
    let mut listed = Vec::new();
    for (account, region) in &places {
        listed.extend(look(shared, (account.as_str(), region.as_str()), &session, from).await?);
    }
    let difference = compare(claims.clone(), listed.clone(), difference);
    Ok(Held { claims, listed, places, difference })
}

fn changes(operations: &dyn Operations, operation: &str) -> bool {
    operations.effect(operation).is_ok_and(|effect| effect != Effect::Read)
}

/// Where a run may have left traces: where it called, where its alert is from, and the region that lists
/// what belongs to no region.
fn places(entries: &[Entry], claims: &[Claim]) -> BTreeSet<(String, String)> {
    let mut places: BTreeSet<(String, String)> = claims
        .iter()
        .filter_map(|claim| Some((claim.account.clone()?, claim.region.clone()?)))
        .collect();
    if let Some(Event::Started(started)) = entries.first().map(|entry| &entry.event) {
        let scope = started.scope.value();
        let text = |path: &str| scope.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let place = text("/alert/account").or_else(|| text("/incident/account"));
        let region = text("/alert/region").unwrap_or_else(|| home_region("").to_owned());
        places.extend(place.map(|account| (account, region)));
    }
    let homes: Vec<_> = places
        .iter()
        .map(|(account, region)| (account.clone(), home_region(region).to_owned()))
        .collect();
    places.extend(homes);
    places
}

/// The changes under the session that CloudTrail lists in an account and a region.
async fn look(
    shared: &Arc<Shared>,
    place: (&str, &str),
    session: &str,
    from: Timestamp,
) -> Result<Vec<Listed>, ActionError> {
    let call = OwnCall::looking(shared, "trail-audit", place);
    let mut found = Vec::new();
    let mut token = Value::Null;
    for _ in 0..PAGES {
        let mut params = json!({
            "LookupAttributes": [{"AttributeKey": "Username", "AttributeValue": session}],
            "StartTime": from, "EndTime": shared.world.now(),
        });
        if let (Some(members), false) = (params.as_object_mut(), token.is_null()) {
            members.insert("NextToken".to_owned(), token);
        }
        let answer = call.repeated(TOOL, params).await?;
        let events = answer.get("Events").and_then(Value::as_array).into_iter().flatten();
        found.extend(events.filter_map(|event| listed(event, session)));
        token = answer.get("NextToken").cloned().unwrap_or_default();
        if token.is_null() {
            return Ok(found);
        }
    }
    let message = format!("more than {PAGES} pages of events bear the session {session}");
    Err(ActionError::permanent("too_many_events", message))
}

/// What is written down in one commit.
struct Ending {
    due: Due,
    outcome: Outcome,
    summary: String,
    item: Item,
    record: NewRecord,
    page: Option<pages::Page>,
}

async fn settle(
    shared: &Arc<Shared>,
    due: &Due,
    held: Result<Held, String>,
) -> Result<(), StoreError> {
    let run = due.run;
    let found = shared.store.read(|conn| Box::pin(runs::get(conn, run))).await?;
    // It may have gone on in another incident.
    let incident = found.and_then(|run| run.incident).unwrap_or(due.incident);
    let (outcome, summary) = match &held {
        Ok(held) if held.difference.is_none() => (Outcome::Agrees, held.difference.summary()),
        Ok(held) => (Outcome::Differs, held.difference.summary()),
        Err(why) => (Outcome::NotCompared, format!("not compared: {why}")),
    };
    let label = format!("CloudTrail against the journal of {run}: {summary}");
    let value = match held {
        Ok(Held { claims, listed, places, difference }) => json!({
            "run": run, "session": session(due.incident, run), "places": places,
            "difference": difference, "journal": claims, "cloudtrail": listed,
        }),
        Err(why) => json!({"run": run, "not_compared": why}),
    };
    let (item, record) = keep(shared, incident, run, (&label, &value)).await?;
    let page = page_about(shared, run, outcome, &summary).map(|page| pages::Page {
        incident: Some(incident),
        run: Some(run),
        ..page
    });
    let (due, now) = (due.clone(), shared.world.now());
    let ending = Arc::new(Ending { due, outcome, summary, item, record, page });
    let written = shared.store.write(move |tx| {
        let ending = ending.clone();
        Box::pin(async move {
            let what = (ending.outcome, ending.summary.as_str());
            if !trail_audits::settle(tx, ending.due.run, what, now).await? {
                return Ok(());
            }
            evidence::insert(tx, &ending.item).await?;
            custody::append(tx, &ending.record).await?;
            match &ending.page {
                Some(page) => pages::raise(tx, page).await.map(drop),
                None => Ok(()),
            }
        })
    });
    written.await?;
    shared.paging.notify_one();
    Ok(())
}

/// What people are told of how it ended; nothing where all is well. A log that nobody could read may
/// hide a difference, and says no less than one.
fn page_about(
    shared: &Arc<Shared>,
    run: RunId,
    outcome: Outcome,
    summary: &str,
) -> Option<pages::Page> {
    let (key, message) = match outcome {
        Outcome::Agrees => return None,
        Outcome::Differs => {
            let message = format!("{run}: CloudTrail and the journal differ: {summary}");
            (format!("{run}/trail"), message)
        }
        Outcome::NotCompared => {
            let message =
                format!("{run}: CloudTrail could not be held against the journal: {summary}");
            (format!("{run}/trail-unread"), message)
        }
    };
    let to = vec!["role:responder".to_owned()];
    Some(shared.page(key, to, error_code::TRAIL.code, message))
}

/// The item, whose bytes are on the disk then, and its record.
async fn keep(
    shared: &Arc<Shared>,
    incident: IncidentId,
    run: RunId,
    (label, value): (&str, &Value),
) -> Result<(Item, NewRecord), StoreError> {
    let text = Json::canonical(value).as_str().to_owned();
    let bytes = text.len() as u64;
    let items = shared.clone();
    let put = tokio::task::spawn_blocking(move || items.items.put(text.as_bytes())).await;
    let lost = |why: String| StoreError::Unavailable(format!("evidence can't be kept: {why}"));
    let sha256 = put.map_err(|e| lost(e.to_string()))?.map_err(|e| lost(e.to_string()))?;
    let label: String = label.chars().take(limits::EVIDENCE_LABEL_CHARS).collect();
    let captured = Captured {
        incident,
        run: Some(run),
        step: None,
        label: &label,
        sha256,
        bytes,
        media_type: "application/json",
        by: "stanch".to_owned(),
        how: &json!({"operation": TOOL, "by": "the node"}),
    };
    Ok(captured.rows(&shared.world))
}
