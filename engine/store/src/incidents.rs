//! Incidents, and which one takes the next alert about a thing.

use stanch_engine_core::correlation::CorrelationKey;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::incident::{IncidentStatus, Verdict};
use stanch_engine_core::severity::Severity;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};
use crate::{reviews, write_backs};

statements! {
    INSERT =
        "INSERT INTO incidents (id, title, status, severity, account, is_sample, opened_at, last_alert_at, \
         split_from) VALUES ($1, $2, 'open', $3, $4, $5, $6, $6, $7)";
    GET = "SELECT * FROM incidents WHERE id = $1";
    CORRELATED =
        "SELECT correlation_key, incident_id, last_alert_at FROM correlations WHERE correlation_key = $1";
    CORRELATE_NEW =
        "INSERT INTO correlations (correlation_key, incident_id, last_alert_at) VALUES ($1, $2, $3)";
    CORRELATE_AGAIN =
        "UPDATE correlations SET incident_id = $2, last_alert_at = $3 WHERE correlation_key = $1";
    SEEN =
        "UPDATE incidents SET last_alert_at = $2, severity = $3, kpi_version = kpi_version + 1 WHERE id = $1";
    SET_STATUS =
        "UPDATE incidents SET reopenings = reopenings + CASE WHEN status = 'closed' AND $2 <> 'closed' \
         THEN 1 ELSE 0 END, status = $2, kpi_version = kpi_version + 1 WHERE id = $1 AND status = $3";
    SET_VERDICT =
        "UPDATE incidents SET verdict = $2, verdict_reason = $3, kpi_version = kpi_version + 1 WHERE id = $1";
    SET_SEVERITY =
        "UPDATE incidents SET severity = $2, kpi_version = kpi_version + 1 WHERE id = $1";
    SET_PHASE = "UPDATE incidents SET phase = $2 WHERE id = $1";
    TAKEN_UP =
        "UPDATE incidents SET acknowledged_by = COALESCE(acknowledged_by, $2), \
         kpi_version = kpi_version + 1 WHERE id = $1";
    SET_MERGED =
        "UPDATE incidents SET merged_into = $2, kpi_version = kpi_version + 1 WHERE id = $1";
    LEAD_TO = "UPDATE correlations SET incident_id = $2 WHERE incident_id = $1";
    CHILDREN =
        "SELECT * FROM incidents WHERE merged_into = $1 OR split_from = $1 ORDER BY id";
    LIST =
        "SELECT * FROM incidents WHERE (CAST($1 AS TEXT) IS NULL OR id < $1) \
         AND (CAST($2 AS TEXT) IS NULL OR status = $2) ORDER BY id DESC LIMIT $3";
    RECOUNT = "UPDATE incidents SET kpi_version = kpi_version + 1 WHERE id = $1";
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// One line for people.
    pub title: String,
    /// Where it stands.
    pub status: IncidentStatus,
    /// How bad it is.
    pub severity: Severity,
    /// The account that it is in.
    pub account: Option<String>,
    /// Whether it is made of samples.
    pub is_sample: bool,
    /// The phase that its last playbook is in.
    pub phase: Option<String>,
    /// What people made of it.
    pub verdict: Option<Verdict>,
    /// Why.
    pub verdict_reason: Option<String>,
    /// Who took it.
    pub acknowledged_by: Option<String>,
    /// When it began here.
    pub opened_at: Timestamp,
    /// When its last alert came.
    pub last_alert_at: Timestamp,
    /// The incident that took its alerts over, because a person said so.
    pub merged_into: Option<IncidentId>,
    /// The incident that its first alerts were taken from, because a person said so.
    pub split_from: Option<IncidentId>,
    /// The incident that it is a part of, because a person said so.
    pub part_of: Option<IncidentId>,
}

/// Which incident takes alerts about a thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Correlation {
    /// The incident.
    pub incident: IncidentId,
    /// When the last alert about the thing came.
    pub last_alert_at: Timestamp,
}

/// Inserts a new incident.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(tx: &mut Tx<'_>, incident: &Incident) -> Result<(), StoreError> {
    let query = tx
        .query(&INSERT)
        .bind(incident.id.to_string())
        .bind(incident.title.clone())
        .bind(incident.severity.as_str())
        .bind(incident.account.clone())
        .bind(i64::from(incident.is_sample))
        .bind(incident.opened_at.micros())
        .bind(incident.split_from.map(|id| id.to_string()));
    tx.run(query).await?;
    Ok(())
}

/// One incident.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn get(conn: &mut Conn<'_>, id: IncidentId) -> Result<Option<Incident>, StoreError> {
    let row = conn.maybe(conn.query(&GET).bind(id.to_string())).await?;
    row.map(|row| read(&Row::of("incidents", &row))).transpose()
}

/// The incident that took the last alert about a thing.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn correlated(
    conn: &mut Conn<'_>,
    key: &CorrelationKey,
) -> Result<Option<Correlation>, StoreError> {
    let row = conn.maybe(conn.query(&CORRELATED).bind(key.0.clone())).await?;
    let read = |row| {
        let row = Row::of("correlations", &row);
        let (incident, last_alert_at) = (row.word("incident_id")?, row.time("last_alert_at")?);
        Ok(Correlation { incident, last_alert_at })
    };
    row.map(read).transpose()
}

/// Has alerts about a thing go to an incident from now on. `was_known` says whether
/// [`correlated`] found anything: a thing that two nodes meet for the first time at once is a
/// conflict for the second.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody else met it first.
pub async fn correlate(
    tx: &mut Tx<'_>,
    key: &CorrelationKey,
    was_known: bool,
    incident: IncidentId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let statement = if was_known { &CORRELATE_AGAIN } else { &CORRELATE_NEW };
    let query =
        tx.query(statement).bind(key.0.clone()).bind(incident.to_string()).bind(now.micros());
    tx.run(query).await?;
    Ok(())
}

/// Notes that an alert came, and how bad the incident is now.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn seen(
    tx: &mut Tx<'_>,
    id: IncidentId,
    severity: Severity,
    now: Timestamp,
) -> Result<(), StoreError> {
    let query = tx.query(&SEEN).bind(id.to_string()).bind(now.micros()).bind(severity.as_str());
    tx.run(query).await?;
    Ok(())
}

/// Sets the status that the table in `core` gave for the one that was read.
///
/// # Errors
/// [`StoreError::Conflict`] when it has another one by now; else of the database.
pub async fn set_status(
    tx: &mut Tx<'_>,
    id: IncidentId,
    was: IncidentStatus,
    status: IncidentStatus,
) -> Result<(), StoreError> {
    let query = tx.query(&SET_STATUS).bind(id.to_string()).bind(status.as_str()).bind(was.as_str());
    if tx.run(query).await? == 0 {
        return Err(StoreError::Conflict(format!("{id} is {} no more", was.as_str())));
    }
    match status {
        IncidentStatus::Closed => write_backs::want(tx, id).await,
        // What goes on is not signed off any more.
        IncidentStatus::Open | IncidentStatus::Contained => reviews::void(tx, id).await,
    }
}

/// Sets the verdict.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_verdict(
    tx: &mut Tx<'_>,
    id: IncidentId,
    verdict: Verdict,
    reason: &str,
) -> Result<(), StoreError> {
    let query =
        tx.query(&SET_VERDICT).bind(id.to_string()).bind(verdict.as_str()).bind(reason.to_owned());
    tx.run(query).await?;
    write_backs::want(tx, id).await
}

/// Sets the severity.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_severity(
    tx: &mut Tx<'_>,
    id: IncidentId,
    severity: Severity,
) -> Result<(), StoreError> {
    let query = tx.query(&SET_SEVERITY).bind(id.to_string()).bind(severity.as_str());
    tx.run(query).await?;
    Ok(())
}

/// Sets the phase.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_phase(tx: &mut Tx<'_>, id: IncidentId, phase: &str) -> Result<(), StoreError> {
    let query = tx.query(&SET_PHASE).bind(id.to_string()).bind(phase.to_owned());
    tx.run(query).await?;
    Ok(())
}

/// Notes that a person has done something about an incident: whoever was the first has taken it, and what KPIs
/// are made of has changed.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn taken_up(tx: &mut Tx<'_>, id: IncidentId, person: &str) -> Result<(), StoreError> {
    let query = tx.query(&TAKEN_UP).bind(id.to_string()).bind(person.to_owned());
    tx.run(query).await.map(drop)
}

/// Notes that an incident goes on in another.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_merged(
    tx: &mut Tx<'_>,
    id: IncidentId,
    into: IncidentId,
) -> Result<(), StoreError> {
    let query = tx.query(&SET_MERGED).bind(id.to_string()).bind(into.to_string());
    tx.run(query).await?;
    Ok(())
}

/// Has alerts that would have gone to an incident go to another.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn lead_to(tx: &mut Tx<'_>, from: IncidentId, to: IncidentId) -> Result<(), StoreError> {
    let query = tx.query(&LEAD_TO).bind(from.to_string()).bind(to.to_string());
    tx.run(query).await?;
    Ok(())
}

/// The incidents that went on in one, and those that were taken out of it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn children(conn: &mut Conn<'_>, id: IncidentId) -> Result<Vec<Incident>, StoreError> {
    let query = conn.query(&CHILDREN).bind(id.to_string());
    conn.all(query).await?.iter().map(|row| read(&Row::of("incidents", row))).collect()
}

/// Incidents, the newest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    conn: &mut Conn<'_>,
    before: Option<IncidentId>,
    status: Option<IncidentStatus>,
    limit: u32,
) -> Result<Vec<Incident>, StoreError> {
    let query = conn
        .query(&LIST)
        .bind(before.map(|id| id.to_string()))
        .bind(status.map(|status| status.as_str().to_owned()))
        .bind(i64::from(limit));
    conn.all(query).await?.iter().map(|row| read(&Row::of("incidents", row))).collect()
}

/// Has an incident be brought into the KPIs anew, because something about it changed.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn recount(tx: &mut Tx<'_>, id: IncidentId) -> Result<(), StoreError> {
    let query = tx.query(&RECOUNT).bind(id.to_string());
    tx.run(query).await.map(drop)
}

pub(crate) fn read(row: &Row<'_>) -> Result<Incident, StoreError> {
    Ok(Incident {
        id: row.word("id")?,
        title: row.text("title")?,
        status: row.word("status")?,
        severity: row.word("severity")?,
        account: row.text_opt("account")?,
        is_sample: row.flag("is_sample")?,
        phase: row.text_opt("phase")?,
        verdict: row.word_opt("verdict")?,
        verdict_reason: row.text_opt("verdict_reason")?,
        acknowledged_by: row.text_opt("acknowledged_by")?,
        opened_at: row.time("opened_at")?,
        last_alert_at: row.time("last_alert_at")?,
        merged_into: row.word_opt("merged_into")?,
        split_from: row.word_opt("split_from")?,
        part_of: row.word_opt("part_of")?,
    })
}
