//! Looking runs up.

use stanch_engine_core::id::{AlertId, IncidentId, RunId};
use stanch_engine_core::run::RunStatus;

use super::{Run, read};
use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::Conn;

statements! {
    LIST =
        "SELECT * FROM runs WHERE (CAST($1 AS TEXT) IS NULL OR id < $1) \
         AND (CAST($2 AS TEXT) IS NULL OR status = $2) \
         AND (CAST($3 AS TEXT) IS NULL OR playbook = $3) ORDER BY id DESC LIMIT $4";
    OF_INCIDENT = "SELECT * FROM runs WHERE incident_id = $1 ORDER BY id";
    OF_ALERT = "SELECT id FROM runs WHERE alert_id = $1 AND parent_id IS NULL ORDER BY id";
    OPEN_OF_SUBJECT =
        "SELECT id FROM runs WHERE playbook = $1 AND subject = $2 AND parent_id IS NULL \
         AND status NOT IN ('succeeded', 'failed', 'cancelled')";
}

/// Which runs to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only older ones than this.
    pub before: Option<RunId>,
    /// Only those that stand so.
    pub status: Option<RunStatus>,
    /// Only those of this playbook.
    pub playbook: Option<String>,
    /// So many.
    pub limit: u32,
}

/// Runs, the newest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(conn: &mut Conn<'_>, filter: &Filter) -> Result<Vec<Run>, StoreError> {
    let query = conn
        .query(&LIST)
        .bind(filter.before.map(|id| id.to_string()))
        .bind(filter.status.map(|status| status.as_str().to_owned()))
        .bind(filter.playbook.clone())
        .bind(i64::from(filter.limit));
    conn.all(query).await?.iter().map(|row| read(&Row::of("runs", row))).collect()
}

/// The runs of an incident, the oldest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_incident(
    conn: &mut Conn<'_>,
    incident: IncidentId,
) -> Result<Vec<Run>, StoreError> {
    let query = conn.query(&OF_INCIDENT).bind(incident.to_string());
    conn.all(query).await?.iter().map(|row| read(&Row::of("runs", row))).collect()
}

/// The runs that an alert started.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_alert(conn: &mut Conn<'_>, alert: AlertId) -> Result<Vec<RunId>, StoreError> {
    let query = conn.query(&OF_ALERT).bind(alert.to_string());
    conn.all(query).await?.iter().map(|row| Row::of("runs", row).word("id")).collect()
}

/// The open run of a playbook about a thing.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn open_of_subject(
    conn: &mut Conn<'_>,
    playbook: &str,
    subject: &str,
) -> Result<Option<RunId>, StoreError> {
    let query = conn.query(&OPEN_OF_SUBJECT).bind(playbook.to_owned()).bind(subject.to_owned());
    let row = conn.maybe(query).await?;
    row.map(|row| Row::of("runs", &row).word("id")).transpose()
}
