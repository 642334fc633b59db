//! What things are about, for roles that reach only some of them.

use std::collections::BTreeMap;

use stanch_engine_core::id::{AlertId, ApprovalId, ContainmentId, IncidentId, PageId, RunId};
use stanch_engine_core::scope::{CustomRole, Subject, grants, reaching};
use stanch_engine_store::approvals::{self, Approval};
use stanch_engine_store::runs::{self, Run};
use stanch_engine_store::tokens::Good;
use stanch_engine_store::{Conn, StoreError, alerts, containments, incidents, pages};

use crate::people::{FIRST_ADMIN, Role};

/// What an incident is about; nothing is known of one that is not there.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_incident(
    conn: &mut Conn<'_>,
    id: Option<IncidentId>,
) -> Result<Subject, StoreError> {
    let Some(id) = id else { return Ok(Subject::default()) };
    let Some(incident) = incidents::get(conn, id).await? else { return Ok(Subject::default()) };
    Ok(Subject {
        accounts: vec![incident.account],
        playbook: None,
        severity: Some(incident.severity),
    })
}

/// What a run is about.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_run(conn: &mut Conn<'_>, run: &Run) -> Result<Subject, StoreError> {
    let subject = of_incident(conn, run.incident).await?;
    Ok(Subject { playbook: Some(run.playbook.clone()), ..subject })
}

/// The same of a run that is known by its id.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_run_id(conn: &mut Conn<'_>, id: RunId) -> Result<Subject, StoreError> {
    match runs::get(conn, id).await? {
        Some(run) => of_run(conn, &run).await,
        None => Ok(Subject::default()),
    }
}

/// What an approval is about: every account that its plan touches.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_approval(conn: &mut Conn<'_>, it: &Approval) -> Result<Subject, StoreError> {
    let mut subject = of_run_id(conn, it.run).await?;
    let own = subject.accounts.first().cloned().flatten();
    let touched = it.plan.iter().flat_map(|plan| &plan.items);
    for item in touched {
        let account = item.account.clone().or_else(|| own.clone());
        if !subject.accounts.contains(&account) {
            subject.accounts.push(account);
        }
    }
    Ok(subject)
}

/// The same of an approval that is known by its id.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_approval_id(conn: &mut Conn<'_>, id: ApprovalId) -> Result<Subject, StoreError> {
    match approvals::get(conn, id).await? {
        Some(approval) => of_approval(conn, &approval).await,
        None => Ok(Subject::default()),
    }
}

/// What an alert is about.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_alert(conn: &mut Conn<'_>, id: AlertId) -> Result<Subject, StoreError> {
    let Some(found) = alerts::get(conn, id).await? else { return Ok(Subject::default()) };
    Ok(Subject {
        accounts: vec![found.alert.account],
        playbook: None,
        severity: Some(found.severity),
    })
}

/// What a page is about.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_page(conn: &mut Conn<'_>, id: PageId) -> Result<Subject, StoreError> {
    let Some(page) = pages::get(conn, id).await? else { return Ok(Subject::default()) };
    match page.run {
        Some(run) => of_run_id(conn, run).await,
        None => of_incident(conn, page.incident).await,
    }
}

/// What a containment is about.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_containment(conn: &mut Conn<'_>, id: ContainmentId) -> Result<Subject, StoreError> {
    match containments::get(conn, id).await? {
        Some(it) => of_run_id(conn, it.run).await,
        None => Ok(Subject::default()),
    }
}

/// The roles of a person's tokens that reach a thing. The first administrator has no token there.
pub(crate) fn roles_of(
    custom: &BTreeMap<String, CustomRole>,
    (name, tokens): (&str, Option<&Vec<Good>>),
    subject: &Subject,
) -> Vec<String> {
    if name == FIRST_ADMIN {
        return vec![Role::Admin.as_str().to_owned()];
    }
    let tokens = tokens.into_iter().flatten();
    let reach = |token: &Good| reaching(&grants(custom, &token.roles, &token.scope), subject);
    tokens.flat_map(reach).collect()
}
