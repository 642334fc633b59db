//! Gathers the report of an incident.

use std::collections::HashMap;

use serde_json::Value;
use stanch_engine_core::chain::Head;
use stanch_engine_core::custody::{CustodyAction, Record};
use stanch_engine_core::id::{IncidentId, RunId};
use stanch_engine_core::incident::Milestone;
use stanch_engine_core::kpi::{DURATIONS, Shown};
use stanch_engine_core::report::{
    AlertLine, Change, Clocks, EvidenceLine, Given, KpiLine, Moment, PartLine, Question, Report,
    Review, RunLine,
};
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::incidents::Incident;
use stanch_engine_store::{
    StoreError, alerts, approvals, custody, evidence, incidents, parts, runs,
};

use crate::runtime::Runtime;
use crate::{kpis, playbooks, timeline};

/// What an open question is open until.
const NEVER: Timestamp = Timestamp::from_micros(i64::MAX / 2);

/// What a report says: the state of an incident at an end of its chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AsOf {
    /// The end of the custody chain.
    pub(crate) chain: Head,
    /// When that was: what people were asked and said later is left out.
    pub(crate) at: Timestamp,
}

/// The report of an incident as it stands; nothing when it is not there.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_incident(runtime: &Runtime, id: IncidentId) -> Result<Option<Report>, StoreError> {
    let chain = runtime.store().read(|conn| Box::pin(custody::head(conn, id))).await?;
    as_of(runtime, id, AsOf { chain, at: runtime.world().now() }).await
}

/// The report of an incident at an end of its chain: the same bytes each time, for as long as nothing
/// more happens in it.
///
/// # Errors
/// [`StoreError`] of the database.
pub(crate) async fn as_of(
    runtime: &Runtime,
    id: IncidentId,
    as_of: AsOf,
) -> Result<Option<Report>, StoreError> {
    let found = runtime.store().read(|conn| Box::pin(incidents::get(conn, id))).await?;
    let Some(incident) = found else { return Ok(None) };
    let Some(kpis) = kpis::of_incident_at(runtime, id, as_of.at).await? else { return Ok(None) };
    let approvals = questions(runtime, id, as_of.at).await?;
    let runs = runtime.store().read(|conn| Box::pin(runs::of_incident(conn, id))).await?;
    let records = records(runtime, id, as_of.chain.count).await?;
    let marked = |milestone| {
        kpis.milestones.iter().find(|marked| marked.milestone == milestone).map(|marked| marked.at)
    };
    let received_at = marked(Milestone::ReceivedAt).unwrap_or(incident.opened_at);
    let asked = |question: &Question| (question.requested_at, question.decided_at.unwrap_or(NEVER));
    let asked: Vec<_> = approvals.iter().map(asked).collect();
    let timeline = moments(runtime, id, received_at, &asked).await?;
    let (contained_at, closed_at) = (marked(Milestone::ContainedAt), marked(Milestone::ClosedAt));
    let Incident { title, status, severity, account, is_sample, .. } = incident;
    let run_line = |run: &runs::Run| RunLine {
        id: run.id,
        playbook: run.playbook.clone(),
        digest: run.digest,
        status: run.status,
        requester: run.requester.clone(),
    };
    Ok(Some(Report {
        incident: id,
        title,
        status,
        severity,
        account,
        is_sample,
        received_at,
        contained_at,
        closed_at,
        acknowledged_by: incident.acknowledged_by,
        verdict: incident.verdict,
        verdict_reason: incident.verdict_reason,
        part_of: incident.part_of,
        parts: part_lines(runtime, id).await?,
        clocks: timeline.last().map(|moment| moment.clocks).unwrap_or_default(),
        review: review(&records),
        alerts: alert_lines(runtime, id).await?,
        timeline,
        changes: changes(&records, &runs),
        approvals,
        evidence: evidence_lines(runtime, id).await?,
        kpis: kpi_lines(&kpis),
        runs: runs.iter().map(run_line).collect(),
        chain: as_of.chain,
    }))
}

async fn part_lines(runtime: &Runtime, id: IncidentId) -> Result<Vec<PartLine>, StoreError> {
    let found = runtime.store().read(|conn| Box::pin(parts::of(conn, id))).await?;
    Ok(found.into_iter().map(|Incident { id, title, .. }| PartLine { id, title }).collect())
}

/// The first records of its chain, each with what it says of why and how.
async fn records(
    runtime: &Runtime,
    id: IncidentId,
    count: u64,
) -> Result<Vec<(Record, Value)>, StoreError> {
    let stored = runtime.store().read(|conn| Box::pin(custody::records(conn, id, count)));
    Ok(stored.await?.iter().filter_map(custody::Stored::read).collect())
}

async fn questions(
    runtime: &Runtime,
    id: IncidentId,
    until: Timestamp,
) -> Result<Vec<Question>, StoreError> {
    let store = runtime.store();
    let mut questions = Vec::new();
    let asked = store.read(|conn| Box::pin(approvals::of_incident(conn, id))).await?;
    for approval in asked.into_iter().filter(|it| it.requested_at <= until) {
        let of = approval.id;
        let mut answers = store.read(|conn| Box::pin(approvals::history(conn, of))).await?;
        answers.retain(|given| given.decision.at <= until);
        let given = |approvals::Given { decision, revoked_at }| Given {
            person: decision.person,
            answer: decision.answer,
            reason: decision.reason,
            at: decision.at,
            from: decision.from,
            revoked_at,
        };
        questions.push(Question {
            id: approval.id,
            title: approval.title,
            status: approval.status,
            approvers: approval.approvers,
            quorum: approval.quorum,
            plan_sha256: approval.plan_digest,
            requested_at: approval.requested_at,
            decided_at: approval.decided_at,
            answers: answers.into_iter().map(given).collect(),
        });
    }
    Ok(questions)
}

async fn moments(
    runtime: &Runtime,
    id: IncidentId,
    start: Timestamp,
    asked: &[(Timestamp, Timestamp)],
) -> Result<Vec<Moment>, StoreError> {
    let lines = timeline::of_incident(runtime, id).await?;
    let moment = |line: timeline::Line| Moment {
        at: line.at,
        clocks: Clocks::at(start, asked, line.at),
        kind: line.kind.to_owned(),
        text: line.text,
    };
    Ok(lines.into_iter().map(moment).collect())
}

async fn alert_lines(runtime: &Runtime, id: IncidentId) -> Result<Vec<AlertLine>, StoreError> {
    let alerts = runtime.store().read(|conn| Box::pin(alerts::of_incident(conn, id))).await?;
    let line = |stored: alerts::StoredAlert| AlertLine {
        received_at: stored.received_at,
        source: stored.alert.source,
        kind: stored.alert.kind,
        title: stored.alert.title,
        severity: stored.severity,
        resources: stored
            .alert
            .resources
            .iter()
            .map(|resource| format!("{} {}", resource.kind, resource.id))
            .collect(),
    };
    Ok(alerts.into_iter().map(line).collect())
}

async fn evidence_lines(
    runtime: &Runtime,
    id: IncidentId,
) -> Result<Vec<EvidenceLine>, StoreError> {
    let items = runtime.store().read(|conn| Box::pin(evidence::of_incident(conn, id))).await?;
    let line = |item: evidence::Item| EvidenceLine {
        id: item.id,
        label: item.label,
        sha256: item.sha256,
        bytes: item.bytes,
        captured_at: item.captured_at,
        captured_by: item.captured_by,
        deleted_at: item.deleted_at,
    };
    Ok(items.into_iter().map(line).collect())
}

fn kpi_lines(of: &kpis::OfIncident) -> Vec<KpiLine> {
    let line = |duration: &stanch_engine_core::kpi::Duration| {
        let definition = duration.definition;
        // How long an open one lasts so far changes while one looks.
        let (ms, why_not) = match of.kpis.get(definition.name)? {
            Shown::Measured { ms } => (Some(*ms), None),
            Shown::Open { .. } => (None, None),
            Shown::NotApplicable { reason } => (None, Some(*reason)),
        };
        let target_ms = of.targets_ms.get(definition.name).copied();
        let (name, title) = (definition.name, definition.title);
        Some(KpiLine { name, title, ms, why_not, target_ms })
    };
    DURATIONS.iter().filter_map(line).collect()
}

/// What people said when they closed it, the last of each.
fn review(records: &[(Record, Value)]) -> Review {
    let said = records.iter().filter_map(|(_, detail)| detail.get("review"));
    let said = said.filter_map(|said| serde_json::from_value::<Review>(said.clone()).ok());
    said.fold(Review::default(), Review::with)
}

/// What was changed, from the custody chain: that is what can be proved.
fn changes(records: &[(Record, Value)], runs: &[runs::Run]) -> Vec<Change> {
    let playbooks: HashMap<RunId, &str> =
        runs.iter().map(|run| (run.id, run.playbook.as_str())).collect();
    let is_change = |(record, _): &&(Record, Value)| {
        use CustodyAction::{ChangeDoubted, ChangeFailed, ChangeRefused, Changed};
        matches!(record.action, Changed | ChangeFailed | ChangeRefused | ChangeDoubted)
    };
    let change = |(record, detail): &(Record, Value)| {
        let text = |name: &str| detail.get(name).and_then(Value::as_str).map(str::to_owned);
        let part = |name: &str| detail.get(name).filter(|value| !value.is_null()).cloned();
        let run = record.actor.split(' ').next().and_then(|run| run.parse().ok());
        let playbook = run.and_then(|run| playbooks.get(&run).copied());
        Change {
            at: record.at,
            operation: text("operation")
                .or_else(|| part("input")?.get("operation")?.as_str().map(str::to_owned))
                .or_else(|| text("action"))
                .unwrap_or_else(|| "a plan".to_owned()),
            params: part("params")
                .or_else(|| part("input"))
                .or_else(|| part("changes"))
                .unwrap_or_default(),
            account: text("account"),
            region: text("region"),
            became: record.action,
            is_undo: playbook == Some(playbooks::UNDO),
            by: record.actor.clone(),
            approval: text("approval"),
        }
    };
    records.iter().filter(is_change).map(change).collect()
}
