//! What rows look like in JSON.

use serde_json::{Value, json};
use stanch_engine_core::approval::{ApprovalStatus, Rule, lacking};
use stanch_engine_core::json::Json;
use stanch_engine_core::storm::Tally;
use stanch_engine_core::suppression::Suppression;
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::approvals::Since;
use stanch_engine_runtime::schedules::Standing;
use stanch_engine_store::alerts::StoredAlert;
use stanch_engine_store::approvals::{Approval, Given};
use stanch_engine_store::dead_letters::DeadLetter;
use stanch_engine_store::deliveries::Delivery;
use stanch_engine_store::evidence::Item;
use stanch_engine_store::holds::Hold;
use stanch_engine_store::incidents::Incident;
use stanch_engine_store::pages::Page;
use stanch_engine_store::playbooks::{Active, Version};
use stanch_engine_store::runs::Run;
use stanch_engine_store::schedules::Tick;

pub(crate) fn alert(stored: &StoredAlert) -> Value {
    let mut view = json!(stored.alert);
    if let Some(members) = view.as_object_mut() {
        members.insert("alert_id".to_owned(), json!(stored.id));
        members.insert("incident_id".to_owned(), json!(stored.incident));
        members.insert("suppressed_by".to_owned(), json!(stored.suppressed_by));
        members.insert("joined".to_owned(), json!(stored.joined.as_ref().map(Json::value)));
        members.insert("received_at".to_owned(), json!(stored.received_at));
        members.insert("last_received_at".to_owned(), json!(stored.last_received_at));
        members.insert("deliveries".to_owned(), json!(stored.deliveries));
    }
    view
}

pub(crate) fn dead_letter(letter: &DeadLetter) -> Value {
    json!({
        "id": letter.id, "source": letter.source, "received_at": letter.received_at,
        "reason": letter.reason, "body_base64": letter.body_base64,
        "status": if letter.replayed.is_some() { "replayed" } else { "open" },
        "replayed_at": letter.replayed.as_ref().map(|(at, _)| at),
        "replayed_by": letter.replayed.as_ref().map(|(_, by)| by),
    })
}

pub(crate) fn storm(tally: &Tally) -> Value {
    json!({"since": tally.since, "last_at": tally.last_at, "count": tally.count})
}

pub(crate) fn suppression(it: &Suppression, now: Timestamp) -> Value {
    json!({
        "id": it.id, "kind": it.kind, "status": it.status(now), "match": it.filter,
        "reason": it.reason, "created_by": it.created_by, "created_at": it.created_at,
        "starts_at": it.starts_at, "expires_at": it.expires_at,
        "ended_at": it.ended.as_ref().map(|(at, _)| at),
        "ended_by": it.ended.as_ref().map(|(_, by)| by),
        "count": it.count, "last_at": it.last_at,
    })
}

pub(crate) fn incident(incident: &Incident) -> Value {
    json!({
        "id": incident.id, "title": incident.title, "status": incident.status,
        "severity": incident.severity, "account": incident.account, "sample": incident.is_sample,
        "phase": incident.phase, "verdict": incident.verdict,
        "verdict_reason": incident.verdict_reason, "acknowledged_by": incident.acknowledged_by,
        "opened_at": incident.opened_at, "last_alert_at": incident.last_alert_at,
        "merged_into": incident.merged_into, "split_from": incident.split_from,
        "part_of": incident.part_of,
    })
}

pub(crate) fn run(run: &Run) -> Value {
    let outcome = run.outcome.as_ref().map(Json::value).unwrap_or(Value::Null);
    let part = |name: &str| outcome.get(name).cloned().unwrap_or(Value::Null);
    let limit =
        run.turn.gate.as_ref().map(
            |gate| json!({"name": gate.name, "max": gate.max, "admitted_at": run.admitted_at}),
        );
    json!({
        "id": run.id, "playbook": run.playbook, "digest": run.digest, "status": run.status,
        "parked_reason": run.parked_reason, "incident_id": run.incident, "alert_id": run.alert,
        "generation": run.generation,
        "parent_id": run.parent.as_ref().map(|parent| parent.run), "requester": run.requester,
        "result": part("result"), "error": part("error"), "parked": part("parked"),
        "archived": part("archived"),
        "wake_at": run.wake_at, "created_at": run.created_at, "updated_at": run.updated_at,
        "finished_at": run.finished_at, "level": run.turn.level, "limit": limit,
        "restored_at": run.restored_at,
    })
}

pub(crate) fn approval(approval: &Approval, decisions: Option<&[Given]>) -> Value {
    json!({
        "id": approval.id, "run_id": approval.run, "step": approval.step,
        "incident_id": approval.incident, "status": approval.status, "title": approval.title,
        "approvers": approval.approvers, "quorum": approval.quorum, "rules": approval.rules,
        "missing": decisions.map(|given| missing(approval, given)),
        "out_of_reach": approval.out_of_reach, "form": approval.form,
        "evidence_head": approval.evidence_head,
        "plan": approval.plan, "plan_sha256": approval.plan_digest, "card": approval.card.value(),
        "requested_at": approval.requested_at, "expires_at": approval.expires_at,
        "decided_at": approval.decided_at, "decisions": decisions,
    })
}

/// What came after it was asked.
pub(crate) fn since(since: &Since) -> Value {
    let item = |item: &Item| json!({"id": item.id, "label": item.label, "sha256": item.sha256, "captured_at": item.captured_at});
    let alert = |alert: &StoredAlert| json!({"id": alert.id, "title": alert.alert.title, "severity": alert.severity, "last_received_at": alert.last_received_at});
    json!({
        "evidence": since.evidence.iter().map(item).collect::<Vec<_>>(),
        "alerts": since.alerts.iter().map(alert).collect::<Vec<_>>(),
    })
}

/// The yeses that it still waits for.
fn missing(approval: &Approval, given: &[Given]) -> Vec<Rule> {
    let counts = given.iter().filter(|given| given.revoked_at.is_none());
    match approval.status {
        ApprovalStatus::Pending => lacking(&approval.rules, counts.map(|given| &given.decision)),
        _ => Vec::new(),
    }
}

pub(crate) fn evidence(item: &Item) -> Value {
    json!({
        "id": item.id, "label": item.label, "sha256": item.sha256, "bytes": item.bytes,
        "media_type": item.media_type, "run_id": item.run, "step": item.step,
        "captured_at": item.captured_at, "captured_by": item.captured_by, "how": item.call.value(),
        "deleted_at": item.deleted_at,
    })
}

pub(crate) fn hold(hold: &Hold) -> Value {
    json!({"incident_id": hold.incident, "reason": hold.reason, "by": hold.by, "at": hold.at})
}

pub(crate) fn page(page: &Page) -> Value {
    json!({
        "id": page.id, "incident_id": page.incident, "run_id": page.run, "code": page.code,
        "message": page.message, "chain": page.chain, "level": page.level,
        "deliveries": page.deliveries, "last_error": page.last_error, "raised_at": page.raised_at,
        "next_at": page.next_at, "taken_at": page.taken_at, "taken_by": page.taken_by,
    })
}

pub(crate) fn page_with(page_row: &Page, sent: &[Delivery]) -> Value {
    let delivery = |it: &Delivery| {
        json!({
            "turn": it.turn, "channel": it.channel, "recipient": it.recipient,
            "status": it.status.as_str(), "attempts": it.attempts, "error": it.error,
            "told": it.told.as_str(), "at": it.at,
        })
    };
    let mut view = page(page_row);
    if let Some(members) = view.as_object_mut() {
        members.insert("sendings".to_owned(), sent.iter().map(delivery).collect());
    }
    view
}

pub(crate) fn playbook(active: &Active) -> Value {
    json!({
        "name": active.header.name, "title": active.header.title, "mode": active.header.mode,
        "subject": active.header.subject, "triggers": active.header.triggers,
        "digest": active.digest, "previous_digest": active.previous,
        "activated_at": active.activated_at, "activated_by": active.activated_by,
    })
}

pub(crate) fn version(version: &Version, is_active: bool) -> Value {
    json!({
        "digest": version.digest, "active": is_active, "title": version.header.title,
        "published_at": version.published_at, "published_by": version.published_by,
        "source": version.source,
    })
}

pub(crate) fn schedule(standing: &Standing) -> Value {
    let schedule = &standing.schedule;
    let state = standing.state.as_ref();
    let paused = state.and_then(|state| state.paused.as_ref());
    json!({
        "id": format!("{}/{}", standing.playbook, schedule.name),
        "playbook": standing.playbook, "name": schedule.name, "cron": schedule.cron,
        "zone": schedule.zone, "overlap": schedule.overlap, "catch_up": schedule.catch_up,
        "jitter": schedule.jitter, "except": schedule.except, "inputs": schedule.inputs,
        "status": match (state, paused) {
            (None, _) => "new",
            (Some(_), None) => "active",
            (Some(_), Some(_)) => "paused",
        },
        "paused": paused.map(|pause| json!({"at": pause.at, "by": pause.by, "note": pause.note})),
        "next": standing.next, "starts_at": standing.starts_at,
        "waiting_tick": state.and_then(|state| state.waiting_tick), "open_runs": standing.open,
    })
}

pub(crate) fn schedule_with(standing: &Standing, ticks: &[Tick]) -> Value {
    let mut view = schedule(standing);
    if let Some(members) = view.as_object_mut() {
        members.insert("ticks".to_owned(), ticks.iter().map(tick).collect());
    }
    view
}

fn tick(tick: &Tick) -> Value {
    json!({
        "tick_at": tick.tick_at, "cause": tick.cause, "outcome": tick.outcome.as_str(),
        "run_id": tick.outcome.run(), "decided_at": tick.decided_at,
    })
}
