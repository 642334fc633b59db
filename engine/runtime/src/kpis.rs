//! KPIs, computed from milestones when they are asked for.

use std::collections::BTreeMap;

use serde::Serialize;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::incident::{IncidentStatus, Marked};
use stanch_engine_core::kpi::{DEFINITIONS, Milestones, Summary, Value, summarize};
use stanch_engine_core::span::Span;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::{StoreError, incidents, milestones};

use crate::runtime::Runtime;

/// KPIs over a window.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The window, back from `until`.
    pub window: Span,
    /// Its beginning.
    pub since: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// Incidents that began in it. Samples are not among them.
    pub incidents: usize,
    /// The KPIs.
    pub kpis: Vec<Summary>,
}

/// The KPIs of one incident.
#[derive(Clone, Debug, Serialize)]
pub struct OfIncident {
    /// The incident.
    pub incident: IncidentId,
    /// What was reached when, and who says so.
    pub milestones: Vec<Marked>,
    /// The KPIs by name.
    pub kpis: BTreeMap<&'static str, Value>,
}

/// The KPIs of the incidents that began within a window.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn report(runtime: &Runtime, window: Span) -> Result<Report, StoreError> {
    let until = runtime.world().now();
    let since = until.plus_ms(-window.ms);
    let incidents =
        runtime.store().read(|conn| Box::pin(incidents::opened_since(conn, since))).await?;
    let marked = runtime.store().read(|conn| Box::pin(milestones::since(conn, since))).await?;
    let none = Milestones::new();
    let kpis = DEFINITIONS.iter().map(|definition| {
        let values = incidents.iter().map(|incident| {
            let milestones = marked.get(&incident.id).unwrap_or(&none);
            let is_over = incident.status == IncidentStatus::Closed;
            (incident.id, definition.of(milestones, is_over, until))
        });
        summarize(definition, values)
    });
    let kpis = kpis.collect();
    Ok(Report { window, since, until, incidents: incidents.len(), kpis })
}

/// The KPIs of one incident; nothing when it is not there.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_incident(
    runtime: &Runtime,
    id: IncidentId,
) -> Result<Option<OfIncident>, StoreError> {
    let now = runtime.world().now();
    let incident = runtime.store().read(|conn| Box::pin(incidents::get(conn, id))).await?;
    let Some(incident) = incident else { return Ok(None) };
    let marked = runtime.store().read(|conn| Box::pin(milestones::of_incident(conn, id))).await?;
    let reached: Milestones = marked.iter().map(|m| (m.milestone, m.at)).collect();
    let is_over = incident.status == IncidentStatus::Closed;
    let kpis = DEFINITIONS.iter().map(|d| (d.name, d.of(&reached, is_over, now)));
    Ok(Some(OfIncident { incident: id, kpis: kpis.collect(), milestones: marked }))
}
