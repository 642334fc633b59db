//! KPIs: of one incident, of many, by week. `docs/kpis.md` says what they are and `docs/adr/0010`
//! how they are kept.

mod clocks;
mod coverage;
pub mod digest;
mod gathering;
pub(crate) mod projector;

use std::collections::BTreeMap;

use serde::Serialize;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::incident::Marked;
use stanch_engine_core::kpi::{
    self, DURATIONS, Definition, Dimension, Facts, Period, SHARES, ShareSummary, Shown, Summary,
    Totals,
};
use stanch_engine_core::limits;
use stanch_engine_core::severity::Severity;
use stanch_engine_core::span::Span;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::{StoreError, kpis, milestones};

use crate::runtime::Runtime;
pub use coverage::{COVERAGE_PLAYBOOKS, Coverage};
use gathering::Window;

/// A window that is this long or longer begins at midnight, UTC.
const WHOLE_DAYS_MS: i64 = 2 * 24 * 60 * 60 * 1_000;

/// Facts that are looked through for one page of incidents.
const LOOKED_THROUGH: u32 = 5_000;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// It can't be answered in bounded time.
    #[error(
        "more than {} incidents began in this window: ask for two days or more, and by one of source, \
         severity, account, playbook, person or handling at a time, or for a shorter window",
        limits::KPI_FACTS
    )]
    TooMany,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Of which incidents: those that have each of these values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Filter(pub BTreeMap<Dimension, String>);

impl Filter {
    fn lets(&self, facts: &Facts) -> bool {
        let has = facts.dimensions();
        self.0.iter().all(|(dimension, value)| has.contains(&(*dimension, value.as_str())))
    }

    /// The one thing that it asks for; everything when it asks for nothing.
    fn one(&self) -> Option<(Dimension, &str)> {
        match self.0.len() {
            0 => Some((Dimension::All, "")),
            1 => self.0.iter().next().map(|(dimension, value)| (*dimension, value.as_str())),
            _ => None,
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// How far back.
    pub window: Span,
    /// Of which incidents.
    pub filter: Filter,
    /// Told apart by what.
    pub by: Option<Dimension>,
    /// Incidents whose facts are read before the tallies are: [`limits::KPI_FACTS`] but in tests.
    pub facts: u32,
}

/// Figures over some incidents.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// The incidents.
    pub incidents: i64,
    /// Their alerts.
    pub alerts: i64,
    /// How often these were delivered.
    pub deliveries: i64,
    /// `exact`, or `1.6%`: how far percentiles may be off. Counts and means are always exact.
    pub precision: &'static str,
    /// The KPIs of time.
    pub kpis: Vec<Figure>,
    /// The KPIs that are parts of a whole.
    pub shares: Vec<ShareSummary>,
}

/// A KPI of time over some incidents.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// The figures.
    #[serde(flatten)]
    pub summary: Summary,
    /// How long it may take, where the incidents are of one severity that has a target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_ms: Option<i64>,
    /// How many of those that are known kept the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_target: Option<i64>,
}

/// KPIs over a window.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The window, back from `until`.
    pub window: Span,
    /// Its beginning: midnight, UTC, of its first day if it is two days or longer.
    pub since: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// Of which incidents.
    pub filter: Filter,
    /// Whether every incident is in as it stands; else some that changed just now are not yet.
    pub is_complete: bool,
    /// The figures. Samples, and incidents that went on in others, are not among them.
    #[serde(flatten)]
    pub figures: Figures,
    /// The figures of each value of what was asked by: those with the most incidents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<BTreeMap<String, Figures>>,
    /// What is covered, by detector.
    pub coverage: Coverage,
}

/// The KPIs of one incident.
#[derive(Clone, Debug, Serialize)]
pub struct OfIncident {
    /// The incident.
    pub incident: IncidentId,
    /// What was reached when, and who says so.
    pub milestones: Vec<Marked>,
    /// The KPIs of time by name.
    pub kpis: BTreeMap<&'static str, Shown>,
    /// Both numbers of the KPIs that are parts of a whole.
    pub shares: BTreeMap<&'static str, (u32, u32)>,
    /// How long each may take, in milliseconds, where there is a target.
    pub targets_ms: BTreeMap<&'static str, i64>,
}

/// The figures of one week.
#[derive(Clone, Debug, Serialize)]
pub struct Week {
    /// Its Monday.
    pub week: Timestamp,
    /// The figures of the incidents that began in it.
    #[serde(flatten)]
    pub figures: Figures,
}

/// An incident that a figure is made of.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// The incident.
    pub incident: IncidentId,
    /// When it began.
    pub opened_at: Timestamp,
    /// What it gives to the figure.
    #[serde(flatten)]
    pub value: PartValue,
}

/// What an incident gives to a figure.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
pub enum PartValue {
    /// A length of time.
    Duration(Shown),
    /// A part of a whole.
    Share {
        /// What it adds to the part.
        part: u32,
        /// What it adds to the whole.
        whole: u32,
    },
}

/// The KPIs of the incidents that began within a window.
///
/// # Errors
/// [`QuestionError`] says what to ask instead.
pub async fn report(runtime: &Runtime, question: &Question) -> Result<Report, QuestionError> {
    report_of(runtime, question, window_of(runtime.world().now(), question)).await
}

/// The KPIs of the incidents that began within a window, which need not end now.
async fn report_of(
    runtime: &Runtime,
    question: &Question,
    window: Window,
) -> Result<Report, QuestionError> {
    let is_complete = catch_up(runtime).await?;
    let (since, until) = (window.since, window.until);
    let (filter, by) = (question.filter.clone(), question.by);
    let (totals, groups) = runtime
        .store()
        .read(|conn| {
            let filter = filter.clone();
            Box::pin(async move {
                let totals = window.totals(conn, &filter).await?;
                let groups = match by {
                    Some(by) => Some(window.by(conn, &filter, by).await?),
                    None => None,
                };
                Ok((totals, groups))
            })
        })
        .await?;
    let of_severity = |by: Option<Dimension>, value: &str| {
        let named = filter.0.get(&Dimension::Severity).map(String::as_str);
        let grouped = by.filter(|by| *by == Dimension::Severity).map(|_| value);
        grouped.or(named).and_then(|severity| severity.parse().ok())
    };
    let groups = groups.transpose()?.map(|groups| {
        let figures = |(value, totals): (String, Totals)| {
            let figures = figures(runtime, &totals, of_severity(by, &value));
            (value, figures)
        };
        groups.into_iter().map(figures).collect()
    });
    let figures = figures(runtime, &totals?, of_severity(None, ""));
    let (window, coverage) = (question.window, coverage::last(runtime).await?);
    Ok(Report { window, since, until, filter, is_complete, figures, groups, coverage })
}

/// The KPIs of so many weeks, the oldest first. A week in which no incident began is not there.
///
/// # Errors
/// [`QuestionError`] says what to ask instead.
pub async fn trend(
    runtime: &Runtime,
    weeks: u32,
    question: &Question,
) -> Result<Vec<Week>, QuestionError> {
    catch_up(runtime).await?;
    let until = runtime.world().now();
    let back = i64::from(weeks.saturating_sub(1)) * (Period::Week.micros() / 1_000);
    let since = Period::Week.start_of(until).plus_ms(-back);
    let window = Window { since, until, is_over: false, facts: question.facts };
    let filter = question.filter.clone();
    let groups = runtime
        .store()
        .read(|conn| Box::pin(async move { window.weeks(conn, &filter).await }))
        .await??;
    let severity = question.filter.0.get(&Dimension::Severity).and_then(|text| text.parse().ok());
    let week = |(week, totals): (Timestamp, Totals)| {
        let figures = figures(runtime, &totals, severity);
        Week { week, figures }
    };
    Ok(groups.into_iter().map(week).collect())
}

/// The incidents that a figure is made of, the newest first, and where to go on. A page may hold
/// fewer than were asked for: it ends when enough incidents were looked through.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn parts(
    runtime: &Runtime,
    definition: &Definition,
    question: &Question,
    before: Option<(Timestamp, String)>,
    limit: u32,
) -> Result<(Vec<Part>, Option<(Timestamp, IncidentId)>), QuestionError> {
    let now = runtime.world().now();
    let Window { since, until, .. } = window_of(now, question);
    let (at, id) = before.unwrap_or((until.plus_ms(limits::CLOCK_SKEW_MS), String::new()));
    let facts = runtime
        .store()
        .read(|conn| {
            Box::pin(async move { kpis::facts_of(conn, since, (at, &id), LOOKED_THROUGH).await })
        })
        .await?;
    let (mut parts, mut last) = (Vec::new(), None);
    let is_full = facts.len() >= LOOKED_THROUGH as usize;
    for (incident, facts) in facts {
        if parts.len() >= limit as usize {
            return Ok((parts, last));
        }
        last = Some((facts.opened_at, incident));
        if question.filter.lets(&facts)
            && let Some(value) = value_of(definition, &facts, now)
        {
            parts.push(Part { incident, opened_at: facts.opened_at, value });
        }
    }
    Ok((parts, last.filter(|_| is_full)))
}

fn value_of(definition: &Definition, facts: &Facts, now: Timestamp) -> Option<PartValue> {
    if let Some((place, _)) = kpi::duration(definition.name) {
        return facts.durations.get(place).map(|value| PartValue::Duration(value.shown(now)));
    }
    let place = SHARES.iter().position(|share| share.definition.name == definition.name)?;
    let (part, whole) = *facts.shares.get(place)?;
    (part + whole > 0).then_some(PartValue::Share { part, whole })
}

/// The KPIs of one incident as it stands; nothing when it is not there.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_incident(
    runtime: &Runtime,
    id: IncidentId,
) -> Result<Option<OfIncident>, StoreError> {
    of_incident_at(runtime, id, runtime.world().now()).await
}

/// The same, with what is still open counted up to `now`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_incident_at(
    runtime: &Runtime,
    id: IncidentId,
    now: Timestamp,
) -> Result<Option<OfIncident>, StoreError> {
    let found = clocks::known(&runtime.shared, &[id]).await?.remove(&id);
    let Some(found) = found else { return Ok(None) };
    let milestones =
        runtime.store().read(|conn| Box::pin(milestones::of_incident(conn, id))).await?;
    let facts = Facts::of(&found.known, now);
    let names = || DURATIONS.iter().map(|duration| duration.definition.name);
    let shares = SHARES.iter().map(|share| share.definition.name).zip(facts.shares);
    let targets = &runtime.settings().targets;
    let target = |name| targets.of(found.known.severity, name).map(|target| (name, target.ms));
    Ok(Some(OfIncident {
        incident: id,
        milestones,
        kpis: names().zip(facts.durations.iter().map(|value| value.shown(now))).collect(),
        shares: shares.collect(),
        targets_ms: names().filter_map(target).collect(),
    }))
}

/// Brings so many incidents in that changed, and says how many there were: what a node does by
/// itself.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn bring_in(runtime: &Runtime, limit: u32) -> Result<usize, StoreError> {
    projector::bring_in(&runtime.shared, limit).await
}

/// Brings in what changed just now, and says whether that was all.
async fn catch_up(runtime: &Runtime) -> Result<bool, StoreError> {
    let mut left = limits::KPI_CATCH_UP;
    while left > 0 {
        let batch = limits::KPI_BATCH.min(left);
        if projector::bring_in(&runtime.shared, batch).await? < batch as usize {
            return Ok(true);
        }
        left -= batch;
    }
    let stale = runtime.store().read(|conn| Box::pin(kpis::stale(conn, 1))).await?;
    Ok(stale.is_empty())
}

fn window_of(until: Timestamp, question: &Question) -> Window {
    let since = until.plus_ms(-question.window.ms);
    let is_long = question.window.ms >= WHOLE_DAYS_MS;
    let since = if is_long { Period::Day.start_of(since) } else { since };
    Window { since, until, is_over: false, facts: question.facts }
}

fn figures(runtime: &Runtime, totals: &Totals, severity: Option<Severity>) -> Figures {
    let (alerts, deliveries) = totals.alerts();
    let targets = &runtime.settings().targets;
    let figure = |(place, summary): (usize, Summary)| {
        let target = severity.and_then(|severity| targets.of(severity, summary.definition.name));
        let within_target = target.map(|target| totals.within(place, target.ms));
        Figure { summary, target_ms: target.map(|target| target.ms), within_target }
    };
    Figures {
        incidents: totals.incidents(),
        alerts,
        deliveries,
        precision: if totals.is_exact() { "exact" } else { "1.6%" },
        kpis: totals.durations().into_iter().enumerate().map(figure).collect(),
        shares: totals.shares(),
    }
}
