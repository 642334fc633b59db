//! What is known of the incidents that are to be brought into the KPIs: a statement for each table
//! and not for each incident. What changes while they are read raises the version of an incident,
//! which then is not taken.

use std::collections::{BTreeMap, BTreeSet};

use stanch_engine_core::approval::ApprovalStatus;
use stanch_engine_core::custody::{CustodyAction, Record};
use stanch_engine_core::id::{IncidentId, RunId};
use stanch_engine_core::incident::IncidentStatus;
use stanch_engine_core::kpi::{Clocks, Known};

use crate::error::StoreError;
use crate::incidents;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::Conn;

statements! {
    INCIDENTS = (among "SELECT * FROM incidents WHERE id");
    MILESTONES = (among "SELECT incident_id, milestone, at FROM milestones WHERE incident_id");
    ALERTS = (among
        "SELECT incident_id, source, COUNT(*) AS alerts, CAST(SUM(deliveries) AS BIGINT) AS deliveries \
         FROM alerts WHERE incident_id",
        " GROUP BY incident_id, source");
    RUNS = (among
        "SELECT incident_id, playbook, created_at, finished_at FROM runs WHERE incident_id");
    GATES = (among "SELECT incident_id, requested_at, decided_at FROM approvals WHERE incident_id");
    PAGES = (among "SELECT incident_id, chain FROM pages WHERE level > 1 AND incident_id");
    REVIEWS = (among "SELECT incident_id, score, signed_off_by FROM reviews WHERE incident_id");
    CAPTURES = (among
        "SELECT incident_id, body FROM custody WHERE body LIKE '%\"action\":\"capture%' AND incident_id");
    APPROVED =
        "SELECT run_id, plan_digest, status FROM approvals WHERE incident_id = $1 AND plan_digest IS NOT NULL";
}

/// An incident, with what is known of it beside the journals of its runs.
#[derive(Clone, Debug)]
pub struct Found {
    /// Whether it counts: a sample does not, nor an incident that goes on in another.
    pub counts: bool,
    /// What is known of it.
    pub known: Known,
}

/// What is known of incidents, without the journals of their runs.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn known(
    conn: &mut Conn<'_>,
    ids: &[IncidentId],
) -> Result<BTreeMap<IncidentId, Found>, StoreError> {
    let ids = serde_json::json!(ids).to_string();
    let mut all = incidents_of(conn, &ids).await?;
    let mut each = Each { conn, ids, all: &mut all };
    each.row(&MILESTONES, "milestones", |known, row| {
        known.milestones.insert(row.word("milestone")?, row.time("at")?);
        Ok(())
    })
    .await?;
    each.row(&ALERTS, "alerts", |known, row| {
        known.sources.insert(row.text("source")?);
        known.alerts += row.count("alerts")?;
        known.deliveries += row.count("deliveries")?;
        Ok(())
    })
    .await?;
    each.row(&RUNS, "runs", |known, row| {
        known.playbooks.insert(row.text("playbook")?);
        known.clocks.runs.push((row.time("created_at")?, row.time_opt("finished_at")?));
        Ok(())
    })
    .await?;
    each.row(&GATES, "approvals", |known, row| {
        known.clocks.gates.push((row.time("requested_at")?, row.time_opt("decided_at")?));
        Ok(())
    })
    .await?;
    each.row(&PAGES, "pages", |known, row| {
        known.is_escalated |= row.parsed::<Vec<String>>("chain")?.len() > 1;
        Ok(())
    })
    .await?;
    each.row(&REVIEWS, "reviews", |known, row| {
        known.review_score = row.int_opt("score")?.and_then(|score| u32::try_from(score).ok());
        known.is_signed_off = row.text_opt("signed_off_by")?.is_some();
        Ok(())
    })
    .await?;
    let captures = each.captures().await?;
    for (incident, steps) in captures {
        if let Some(Found { known, .. }) = all.get_mut(&incident) {
            known.evidence_attempted = count(steps.values());
            known.evidence_kept = count(steps.values().filter(|is_kept| **is_kept));
        }
    }
    Ok(all)
}

fn count<T>(all: impl Iterator<Item = T>) -> u32 {
    u32::try_from(all.count()).unwrap_or(u32::MAX)
}

async fn incidents_of(
    conn: &mut Conn<'_>,
    ids: &str,
) -> Result<BTreeMap<IncidentId, Found>, StoreError> {
    let query = conn.query(&INCIDENTS).bind(ids.to_owned());
    let mut all = BTreeMap::new();
    for row in conn.all(query).await? {
        let incident = incidents::read(&Row::of("incidents", &row))?;
        let known = Known {
            opened_at: incident.opened_at,
            is_closed: incident.status == IncidentStatus::Closed,
            severity: incident.severity,
            account: incident.account,
            sources: BTreeSet::new(),
            playbooks: BTreeSet::new(),
            person: incident.acknowledged_by,
            milestones: BTreeMap::new(),
            verdict: incident.verdict,
            alerts: 0,
            deliveries: 0,
            evidence_attempted: 0,
            evidence_kept: 0,
            automatic_attempted: 0,
            automatic_effective: 0,
            is_escalated: false,
            reopenings: Row::of("incidents", &row).count("reopenings")?,
            review_score: None,
            is_signed_off: false,
            clocks: Clocks::default(),
        };
        let counts = !incident.is_sample && incident.merged_into.is_none();
        all.insert(incident.id, Found { counts, known });
    }
    Ok(all)
}

struct Each<'e, 'c, 'd> {
    conn: &'e mut Conn<'c>,
    ids: String,
    all: &'d mut BTreeMap<IncidentId, Found>,
}

impl Each<'_, '_, '_> {
    /// Goes through the rows of a statement that are about one of the incidents.
    async fn row(
        &mut self,
        sql: &crate::sql::Sql,
        table: &'static str,
        mut take: impl FnMut(&mut Known, &Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let query = self.conn.query(sql).bind(self.ids.clone());
        for row in self.conn.all(query).await? {
            let row = Row::of(table, &row);
            let incident = row.word::<IncidentId>("incident_id")?;
            if let Some(found) = self.all.get_mut(&incident) {
                take(&mut found.known, &row)?;
            }
        }
        Ok(())
    }

    /// The steps that were to capture something, and whether they did.
    async fn captures(
        &mut self,
    ) -> Result<BTreeMap<IncidentId, BTreeMap<String, bool>>, StoreError> {
        let query = self.conn.query(&CAPTURES).bind(self.ids.clone());
        let mut steps: BTreeMap<IncidentId, BTreeMap<String, bool>> = BTreeMap::new();
        for row in self.conn.all(query).await? {
            let record: Record = Row::of("custody", &row).parsed("body")?;
            let is_kept = match record.action {
                CustodyAction::Captured => true,
                CustodyAction::CaptureFailed => false,
                _ => continue,
            };
            // Only steps capture evidence; an archived journal is none.
            if !record.actor.contains(" step ") {
                continue;
            }
            *steps.entry(record.incident).or_default().entry(record.actor).or_default() |= is_kept;
        }
        Ok(steps)
    }
}

/// The plans of an incident's runs that people approved, each by its run and digest.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn approved_plans(
    conn: &mut Conn<'_>,
    incident: IncidentId,
) -> Result<BTreeSet<(RunId, String)>, StoreError> {
    let query = conn.query(&APPROVED).bind(incident.to_string());
    let mut approved = BTreeSet::new();
    for row in conn.all(query).await? {
        let row = Row::of("approvals", &row);
        if row.word::<ApprovalStatus>("status")? == ApprovalStatus::Approved {
            approved.insert((row.word("run_id")?, row.text("plan_digest")?));
        }
    }
    Ok(approved)
}
